"""What it is worth that rows go on one by one: the real scheduler in virtual time, with one open batch and several.

    python tests/benchmarks/readiness.py                    two minutes
    python tests/benchmarks/readiness.py --records 200000   longer runs, of which the two ends are a smaller part

Records are drawn, then one model makes a column of them, another the next, the first one the last. Replies take a
second on the mean, and the logarithm of that is normally distributed.
"""

import argparse
import random

from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.plan.model import LOCAL, Geometry

POOLS = (LOCAL, "writer", "judge", "writer")


def slots_busy(spread: float, slots: int, records: int, open_batches: int | None) -> float:
    """Share of the writer's slots that ask, over a whole run.

    Args:
        spread: standard deviation of the logarithm of the seconds that a reply takes.
        slots: of the writer, which has two columns; the judge has half as many.
        records: how many are made, in batches of 1,000.
        open_batches: at most; None leaves it to the scheduler.
    """
    stages = tuple(ev.StageShape(pool, False, (n - 1,) if n else (), n) for n, pool in enumerate(POOLS))
    shape = ev.Shape(
        stages,
        {"writer": slots, "judge": slots // 2},
        geometry=Geometry(records, 1000),
        max_open_batches=open_batches,
    )
    world = World(latency=lambda rng, _: rng.lognormvariate(-spread * spread / 2, spread))
    return Simulation(shape, world, random.Random(1)).run().slot_use("writer", slots)


def main() -> None:
    """Print a line for each spread and number of slots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    records = parser.parse_args().records
    print("spread  slots  one batch  as many as needed")
    for spread in (0.5, 1.0, 1.5):
        for slots in (64, 256):
            one, several = (slots_busy(spread, slots, records, most) for most in (1, None))
            print(f"{spread:6}  {slots:5}  {one:9.0%}  {several:17.0%}", flush=True)


if __name__ == "__main__":
    main()
