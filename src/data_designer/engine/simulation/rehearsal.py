"""Rehearses disasters: a dataset made by runs that crash, on machines that die, over a disk that refuses.

Everything is drawn from a seed that is printed when a promise is broken. `SEED` as the argument repeats that one,
`FROM:TO` runs many, `points` ends a run of some small plans at every change of the disk.
"""

import argparse
import logging
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.simulated_dataset import Account, SimulatedDataset, faults
from data_designer.engine.simulation.simulated_files import Crash, SimulatedFiles, SimulatedObjects
from data_designer.engine.simulation.virtual_time import Simulation, World
from data_designer.plan.model import LOCAL, Geometry

_MOST_RUNS = 60
_WITHOUT_DISASTER = 40
"""Runs after which nothing goes wrong any more, so that the dataset gets done."""


@dataclass(slots=True)
class Rehearsal:
    """What came of it."""

    seed: str
    broken: list[str] = field(default_factory=list)
    runs: int = 0
    crashes: int = 0
    changes: int = 0
    """Changes of the disk, over all runs."""
    cells: int = 0
    paid_again: int = 0


def random_shape(rng: random.Random) -> ev.Shape:
    """A root stage, then up to four stages with random upstreams, pools and scopes, over some dozens of records."""
    pools = [f"model-{n}" for n in range(rng.randint(1, 2))]
    stages = [ev.StageShape(LOCAL, whole_batch=True, upstream=(), depth=0)]
    for _ in range(rng.randint(1, 4)):
        upstream = tuple(sorted(rng.sample(range(len(stages)), rng.randint(1, min(2, len(stages))))))
        pool = rng.choice([LOCAL, *pools, *pools])
        whole = pool == LOCAL and rng.random() < 0.3
        stages.append(ev.StageShape(pool, whole, upstream, 1 + max(stages[up].depth for up in upstream)))
    geometry = Geometry(rng.randint(1, 24), rng.choice([1, 3, 8, 30]))
    if rng.random() < 0.2:
        geometry = geometry.extended(geometry.num_records + rng.randint(1, 8), rng.choice([2, 5]))
    slots = {pool: rng.choice([1, 2, 5]) for pool in pools}
    return ev.Shape(tuple(stages), slots, geometry, workers=rng.randint(1, 3))


def random_world(rng: random.Random, shape: ev.Shape) -> World:
    """Machines that die, seem dead, are drained, repeat themselves and lose values, each now and then."""

    def sometimes(probability: float) -> float:
        return rng.choice([0.0, probability])

    salt = rng.random()
    reject_rate = sometimes(0.1)
    local = [number for number, stage in enumerate(shape.stages) if number and stage.pool == LOCAL]
    return World(
        replicas=rng.randint(1, 3),
        latency=lambda r, pool: r.lognormvariate(-2, 1),  # noqa: ARG005
        replica_death=sometimes(0.05),
        unreachable=sometimes(0.5),
        drain=sometimes(0.1),
        restart_seconds=rng.uniform(0.1, 5),
        task_death=sometimes(0.05),
        values_loss=sometimes(0.05),
        commit_failure=sometimes(0.1),
        repeated_message=sometimes(0.2),
        late_message=sometimes(0.5),
        rejects=lambda row, stage: random.Random(f"{salt} {row} {stage}").random() < reject_rate,
        functions=frozenset(number for number in local if rng.random() < 0.5),
        stop_at=rng.choice([None, None, rng.uniform(0.1, 3)]),
    )


def rehearse(seed: str) -> Rehearsal:
    """A random plan in a random world, crashed at random points until it is done."""
    rng = random.Random(seed)
    shape = random_shape(rng)
    world = random_world(rng, shape)
    if rng.random() < 0.5:
        shape = replace(shape, replicas=dict.fromkeys(shape.slots, world.replicas))
    machine_crashes = rng.random() < 0.4
    refusal = rng.choice([0.0, 0.0, 0.02])
    crashes = rng.choice([0, 1, 1, 3, 10])
    objects = rng.random() < 0.3
    refusal *= 5 if objects else 1  # Networks fail more often than disks.
    return survive(seed, shape, world, rng, Disasters(crashes, machine_crashes, refusal, objects=objects))


@dataclass(frozen=True, slots=True)
class Disasters:
    """What happens to the process and its disk."""

    crashes: int
    """How many runs end in a crash, each at a random change of the disk."""
    of_machines: bool = False
    """Whether the machine ends too, so that what was not synced may be lost."""
    refusal: float = 0.0
    first_crash_at: int | None = None
    """The change, counted over all runs, at which the first of them ends, where that is not drawn."""
    disk: str | None = None
    """Seed of how much of a change is done when a process ends in it, where that is of its own."""
    objects: bool = False
    """Whether the files are objects in a storage, which no disaster takes away."""


def survive(seed: str, shape: ev.Shape, world: World, rng: random.Random, disasters: Disasters) -> Rehearsal:
    """Run, crash and run again until the dataset is done; says which promises were broken."""
    kind = SimulatedObjects if disasters.objects else SimulatedFiles
    disk = kind(rng if disasters.disk is None else random.Random(disasters.disk))
    account, rehearsal = Account(), Rehearsal(seed)
    while rehearsal.runs < _MOST_RUNS:
        calm = rehearsal.runs >= _WITHOUT_DISASTER
        crashing = rehearsal.crashes < disasters.crashes and not calm
        first = None if rehearsal.crashes else disasters.first_crash_at
        disk.crash_at = (first or disk.changes + 1 + int(rng.expovariate(1 / 30))) if crashing else None
        disk.refusal = 0.0 if calm else disasters.refusal
        rehearsal.runs += 1
        dataset = SimulatedDataset(shape, disk, account)
        try:
            report = Simulation(shape, world, rng, check=False, record=False, dataset=dataset).run()
        except Crash:
            rehearsal.crashes += 1
            if disasters.of_machines:
                disk.reboot()
                account.kept.clear()  # What was not synced is lost, and may be asked again.
            continue
        except OSError:
            continue  # The disk refused what a run cannot begin or end without; the next one tries again.
        for pool, peak in report.peak.items():
            if peak > shape.slots[pool]:
                rehearsal.broken.append(f"{peak} requests of {pool} in flight, of {shape.slots[pool]}")
        if report.stopped is None:
            break
        world = replace(world, stop_at=None)
    disk.crash_at = None
    rehearsal.broken += account.broken + faults(disk.files(), shape)
    rehearsal.changes, rehearsal.cells, rehearsal.paid_again = disk.changes, len(account.paid), account.paid_again
    return rehearsal


def small_plans() -> list[tuple[ev.Shape, World]]:
    """A chain of two models; a function of the user between; two batches; a run that is stopped; rows added."""
    root = ev.StageShape(LOCAL, True, (), 0)
    chain = (root, ev.StageShape("a", False, (0,), 1), ev.StageShape("b", False, (1,), 2))
    function = (root, ev.StageShape(LOCAL, False, (0,), 1), ev.StageShape("a", False, (1,), 2))
    slots = {"a": 2, "b": 2}
    calm = World(latency=lambda rng, pool: rng.uniform(0.1, 0.3))  # noqa: ARG005
    picky = replace(calm, rejects=lambda row, stage: (row, stage) == (1, 1))
    return [
        (ev.Shape(chain, slots, Geometry(3, 3)), calm),
        (ev.Shape(chain, slots, Geometry(5, 3)), picky),
        (ev.Shape(function, {"a": 2}, Geometry(4, 2)), replace(calm, functions=frozenset({1}))),
        (ev.Shape(chain, slots, Geometry(6, 3)), replace(picky, stop_at=0.7)),
        (ev.Shape(chain, slots, Geometry(3, 2).extended(6, 2)), calm),
    ]


def every_point(shape: ev.Shape, world: World, tries: int = 3) -> list[Rehearsal]:
    """End a run at every change of its disk, some times each since the change may be half done, and go on.

    Processes end first, then machines, then processes that write objects.
    """
    return [
        survive(seed, shape, world, random.Random("calm"), Disasters(1, of_machines, 0.0, point, seed, objects))
        for of_machines, objects in ((False, False), (True, False), (False, True))
        for point in range(1, _changes(shape, world, objects=objects) + 1)
        for seed in (f"{point}/{number}" for number in range(tries))
    ]


def _changes(shape: ev.Shape, world: World, *, objects: bool) -> int:
    """How often a run that nothing disturbs changes its disk."""
    return survive("calm", shape, world, random.Random("calm"), Disasters(0, disk="calm", objects=objects)).changes


def main() -> None:
    """Rehearse as the command line says; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description="Rehearse disasters in virtual time.")
    parser.add_argument("seeds", help="one seed, FROM:TO, or points")
    given = parser.parse_args().seeds
    logging.disable()  # Damaged journals are what this is about.
    rehearsals: Iterable[Rehearsal]
    if given == "points":
        rehearsals = [one for shape, world in small_plans() for one in every_point(shape, world)]
    elif ":" in given:
        first, _, last = given.partition(":")
        rehearsals = (rehearse(str(number)) for number in range(int(first), int(last)))
    else:
        rehearsals = [rehearse(given)]
    total, done = Rehearsal("all"), 0
    for one in rehearsals:
        done += 1
        for name in ("runs", "crashes", "changes", "cells", "paid_again"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        for line in one.broken:
            print(f"seed {one.seed}: {line}", flush=True)  # noqa: T201 - a program's output
        total.broken += one.broken
    print(  # noqa: T201 - a program's output
        f"rehearsals={done} runs={total.runs} crashes={total.crashes} disk_changes={total.changes} "
        f"questions={total.cells} paid_again={total.paid_again} broken={len(total.broken)}"
    )
    sys.exit(bool(total.broken))


if __name__ == "__main__":
    main()
