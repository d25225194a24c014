"""Runs that crash, on machines that die, over a disk that refuses, until their dataset is done: in virtual time.

Everything is drawn from a seed that is printed when a promise is broken. `SEED` as the argument repeats that one,
`FROM:TO` runs many, `points` ends a run of some small plans at every change of the disk.

    python -m tests.fault_injection.runs 0:1000
"""

import argparse
import logging
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.fault_injection.dataset import Account, FaultyDataset, damage
from tests.fault_injection.files import Crash, FaultyFiles, FaultyObjects

from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import Faults, World
from data_designer.plan.model import LOCAL, Geometry

_MOST_RUNS = 60
_CALM_AFTER = 40
"""Runs after which nothing goes wrong any more, so that the dataset gets done."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is made, on which machines, and what goes wrong with these."""

    shape: ev.Shape
    world: World = field(default_factory=World)
    faults: Faults = field(default_factory=Faults)
    functions: frozenset[int] = frozenset()
    """`local` stages that call functions of the user."""


@dataclass(frozen=True, slots=True)
class Crashes:
    """What happens to the driver's process and its disk."""

    number: int
    """How many runs end in a crash, each at a random change of the disk."""
    of_machines: bool = False
    """Whether the machine ends too, so that what was not synced may be lost."""
    refusal: float = 0.0
    """Probability that the disk refuses a write."""
    first_at: int | None = None
    """The change, counted over all runs, at which the first of them ends, where that is not drawn."""
    disk: str | None = None
    """Seed of how much of a change is done when a process ends in it, where that is of its own."""
    objects: bool = False
    """Whether the files are objects in a storage, which no crash takes away."""


@dataclass(slots=True)
class Verdict:
    """What came of a scenario."""

    seed: str
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept."""
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


def random_scenario(rng: random.Random) -> Scenario:
    """Machines that die, seem dead, are drained, repeat themselves and lose values, each now and then."""

    def sometimes(probability: float) -> float:
        return rng.choice([0.0, probability])

    shape = random_shape(rng)
    salt = rng.random()
    reject_rate = sometimes(0.1)
    local = [number for number, stage in enumerate(shape.stages) if number and stage.pool == LOCAL]
    replicas = rng.randint(1, 3)
    faults = Faults(
        replica_death=sometimes(0.05),
        unreachable=sometimes(0.5),
        drain=sometimes(0.1),
        restart_seconds=rng.uniform(0.1, 5),
        task_death=sometimes(0.05),
        values_loss=sometimes(0.05),
        commit_failure=sometimes(0.1),
        repeated_message=sometimes(0.2),
        late_message=sometimes(0.5),
    )
    functions = frozenset(number for number in local if rng.random() < 0.5)
    world = World(
        replicas=replicas,
        latency=lambda r, pool: r.lognormvariate(-2, 1),  # noqa: ARG005
        rejects=lambda row, stage: random.Random(f"{salt} {row} {stage}").random() < reject_rate,
        stop_at=rng.choice([None, None, rng.uniform(0.1, 3)]),
    )
    return Scenario(shape, world, faults, functions)


def survive_at_random(seed: str) -> Verdict:
    """A random plan in a random world, crashed at random points until it is done."""
    rng = random.Random(seed)
    scenario = random_scenario(rng)
    if rng.random() < 0.5:
        awaited = dict.fromkeys(scenario.shape.slots, scenario.world.replicas)
        scenario = replace(scenario, shape=replace(scenario.shape, replicas=awaited))
    of_machines = rng.random() < 0.4
    refusal = rng.choice([0.0, 0.0, 0.02])
    number = rng.choice([0, 1, 1, 3, 10])
    objects = rng.random() < 0.3
    refusal *= 5 if objects else 1  # Networks fail more often than disks.
    return survive(seed, scenario, rng, Crashes(number, of_machines, refusal, objects=objects))


def survive(seed: str, scenario: Scenario, rng: random.Random, crashes: Crashes) -> Verdict:
    """Run, crash and run again until the dataset is done; says which promises were broken."""
    kind = FaultyObjects if crashes.objects else FaultyFiles
    disk = kind(rng if crashes.disk is None else random.Random(crashes.disk))
    account, verdict, shape, world = Account(), Verdict(seed), scenario.shape, scenario.world
    while verdict.runs < _MOST_RUNS:
        calm = verdict.runs >= _CALM_AFTER
        crashing = verdict.crashes < crashes.number and not calm
        first = None if verdict.crashes else crashes.first_at
        disk.crash_at = (first or disk.changes + 1 + int(rng.expovariate(1 / 30))) if crashing else None
        disk.refusal = 0.0 if calm else crashes.refusal
        verdict.runs += 1
        dataset = FaultyDataset(shape, disk, account, scenario.functions)
        try:
            report = Simulation(shape, world, rng, faults=scenario.faults, dataset=dataset).run()
        except Crash:
            verdict.crashes += 1
            if crashes.of_machines:
                disk.reboot()
                account.kept.clear()  # What was not synced is lost, and may be asked again.
            continue
        except OSError:
            continue  # The disk refused what a run cannot begin or end without; the next one tries again.
        for pool, peak in report.peak.items():
            if peak > shape.slots[pool]:
                verdict.broken.append(f"{peak} requests of {pool} in flight, of {shape.slots[pool]}")
        if report.stopped is None:
            break
        world = replace(world, stop_at=None)
    disk.crash_at = None
    verdict.broken += account.broken + damage(disk.files(), shape)
    verdict.changes, verdict.cells, verdict.paid_again = disk.changes, len(account.paid), account.paid_again
    return verdict


def small_scenarios() -> list[Scenario]:
    """A chain of two models; a function of the user between; two batches; a run that is stopped; rows added."""
    root = ev.StageShape(LOCAL, True, (), 0)
    chain = (root, ev.StageShape("a", False, (0,), 1), ev.StageShape("b", False, (1,), 2))
    function = (root, ev.StageShape(LOCAL, False, (0,), 1), ev.StageShape("a", False, (1,), 2))
    slots = {"a": 2, "b": 2}
    picky = World(rejects=lambda row, stage: (row, stage) == (1, 1))
    return [
        Scenario(ev.Shape(chain, slots, Geometry(3, 3))),
        Scenario(ev.Shape(chain, slots, Geometry(5, 3)), picky),
        Scenario(ev.Shape(function, {"a": 2}, Geometry(4, 2)), functions=frozenset({1})),
        Scenario(ev.Shape(chain, slots, Geometry(6, 3)), replace(picky, stop_at=0.7)),
        Scenario(ev.Shape(chain, slots, Geometry(3, 2).extended(6, 2))),
    ]


def every_point(scenario: Scenario, tries: int = 3) -> list[Verdict]:
    """End a run at every change of its disk, some times each since the change may be half done, and go on.

    Processes end first, then machines, then processes that write objects.
    """
    return [
        survive(seed, scenario, random.Random("calm"), Crashes(1, of_machines, 0.0, point, seed, objects))
        for of_machines, objects in ((False, False), (True, False), (False, True))
        for point in range(1, _changes(scenario, objects=objects) + 1)
        for seed in (f"{point}/{number}" for number in range(tries))
    ]


def _changes(scenario: Scenario, *, objects: bool) -> int:
    """How often a run that nothing disturbs changes its disk."""
    return survive("calm", scenario, random.Random("calm"), Crashes(0, disk="calm", objects=objects)).changes


def main() -> None:
    """Run what the command line says; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description="Inject faults in virtual time.")
    parser.add_argument("seeds", help="one seed, FROM:TO, or points")
    given = parser.parse_args().seeds
    logging.disable()  # Damaged journals are what this is about.
    verdicts: Iterable[Verdict]
    if given == "points":
        verdicts = (one for scenario in small_scenarios() for one in every_point(scenario))
    elif ":" in given:
        first, _, last = given.partition(":")
        verdicts = (survive_at_random(str(number)) for number in range(int(first), int(last)))
    else:
        verdicts = [survive_at_random(given)]
    total, done = Verdict("all"), 0
    for one in verdicts:
        done += 1
        total.runs += one.runs
        total.crashes += one.crashes
        total.changes += one.changes
        total.cells += one.cells
        total.paid_again += one.paid_again
        total.broken += one.broken
        for line in one.broken:
            print(f"seed {one.seed}: {line}", flush=True)
    print(
        f"scenarios={done} runs={total.runs} crashes={total.crashes} disk_changes={total.changes} "
        f"questions={total.cells} paid_again={total.paid_again} broken={len(total.broken)}"
    )
    sys.exit(bool(total.broken))


if __name__ == "__main__":
    main()
