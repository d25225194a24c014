"""The scheduler against random plans, faults and orders in virtual time."""

import itertools
import random

import numpy as np
import pytest
from tests.properties import cases

from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.simulation.timeline import Report
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import Faults, World
from data_designer.plan.model import LOCAL, Geometry


def random_shape(rng: random.Random) -> ev.Shape:
    """A plan's shape: a root stage, then up to six stages with random upstreams, pools and scopes."""
    pools = [f"model-{n}" for n in range(rng.randint(0, 3))]
    stages = [ev.StageShape(LOCAL, whole_batch=True, upstream=(), depth=0)]
    for _ in range(rng.randint(0, 6)):
        count = rng.randint(1, min(3, len(stages)))
        upstream = tuple(sorted(rng.sample(range(len(stages)), count)))
        depth = 1 + max(stages[up].depth for up in upstream)
        pool = rng.choice([LOCAL, *pools, *pools])
        whole = rng.random() < (0.4 if pool == LOCAL else 0.15)
        stages.append(ev.StageShape(pool, whole, upstream, depth))
    return ev.Shape(
        stages=tuple(stages),
        slots={pool: rng.choice([1, 2, 5, 16]) for pool in pools},
        geometry=random_geometry(rng),
        workers=rng.randint(1, 4),
        max_open_batches=rng.choice([None, None, 1, 2]),
        max_rows_out=rng.choice([None, None, None, 1, 7]),
        held_bytes=rng.choice([1 << 62, 500]),
        shared=((rng.choice([1, 2, 4, 9]), tuple(pools)),) if len(pools) > 1 and rng.random() < 0.4 else (),
        # Some more are awaited than ever come.
        replicas=dict.fromkeys(pools, rng.randint(1, 4)) if rng.random() < 0.4 else {},
        rows_a_slot=dict.fromkeys(pools, rng.choice([2, 10])) if rng.random() < 0.3 else {},
    )


def random_geometry(rng: random.Random) -> Geometry:
    """Some records in batches of some size; now and then records were added in batches of another."""
    geometry = Geometry(rng.randint(1, 60), rng.choice([1, 3, 10, 25, 100]))
    if rng.random() < 0.3:
        geometry = geometry.extended(geometry.num_records + rng.randint(1, 30), rng.choice([1, 4, 30]))
    return geometry


def random_world(rng: random.Random) -> tuple[World, Faults]:
    """Machines that die, are drained, repeat themselves, lose values and fail to write, each now and then."""

    def sometimes(probability: float) -> float:
        return rng.choice([0.0, probability])

    salt = rng.random()
    reject_rate = sometimes(0.1)
    replicas = rng.randint(1, 3)
    faults = Faults(
        replica_death=sometimes(0.03),
        drain=sometimes(0.05),
        restart_seconds=rng.uniform(0.1, 5),
        task_death=sometimes(0.05),
        values_loss=sometimes(0.03),
        commit_failure=sometimes(0.05),
        repeated_message=sometimes(0.2),
        late_message=sometimes(0.5),
    )
    world = World(
        replicas=replicas,
        latency=lambda r, pool: r.lognormvariate(-2, 1),  # noqa: ARG005
        rejects=lambda row, stage: random.Random(f"{salt} {row} {stage}").random() < reject_rate,
    )
    return world, faults


def expected_rows(shape: ev.Shape, world: World) -> set[int]:
    """Records that no stage rejects."""
    stages = range(len(shape.stages))
    return {r for r in range(shape.geometry.num_records) if not any(world.rejects(r, s) for s in stages)}


def committed(report: Report) -> list[int]:
    """Every committed row, in order of record index."""
    return sorted(row for rows in report.rows.values() for row in rows)


@pytest.mark.parametrize("block", range(10))
def test_every_row_is_committed_exactly_once_under_random_faults(block: int) -> None:
    """Hundreds of random plans, faults and orders: each record that nothing rejects is committed once."""
    for case in cases(50):
        seed = f"{block}/{case}"
        rng = random.Random(seed)
        shape, (world, faults) = random_shape(rng), random_world(rng)
        simulation = Simulation(shape, world, rng, faults=faults, proving=True)
        report = simulation.run()
        rows = committed(report)
        assert len(rows) == len(set(rows)), seed
        assert_work_adds_up(simulation.timeline.scheduler, len(rows), seed)
        if report.stopped is None:
            # Only bad luck (three deaths of whatever ran a row) may cost a row more.
            assert set(rows) | report.rejected >= expected_rows(shape, world), seed
            assert set(rows) <= expected_rows(shape, world), seed
            assert set(report.rows) == set(shape.geometry.batches()), seed
        else:
            assert "could not be written" in report.stopped, seed
        for pool, peak in report.peak.items():
            assert peak <= shape.slots[pool], seed


def assert_work_adds_up(scheduler: Scheduler, rows: int, seed: str) -> None:
    """Whatever was lost and made again: at each stage a row is done or gone, once, and committed ones are done."""
    work, records = scheduler.work(), scheduler.shape.geometry.num_records
    for done, gone in zip(work.done, work.gone, strict=True):
        assert done >= rows, seed
        assert done + gone <= records, seed
        assert scheduler.stop_reason is not None or done + gone == records, seed


def test_a_poisonous_row_is_rejected_and_takes_no_neighbour_along() -> None:
    """A row that kills whatever runs it is lost three times, the last time alone; all others are kept."""
    stages = (
        ev.StageShape(LOCAL, whole_batch=True, upstream=(), depth=0),
        ev.StageShape("m", whole_batch=False, upstream=(0,), depth=1),
        ev.StageShape(LOCAL, whole_batch=False, upstream=(1,), depth=2),
    )
    shape = ev.Shape(stages, {"m": 8}, geometry=Geometry(100, 20))

    for seed in cases(20):
        faults = Faults(poison=frozenset({(1, 37)}))  # CPU stages survive the row.
        report = Simulation(shape, World(replicas=2), random.Random(seed), faults=faults, proving=True).run()
        assert report.rejected == {37}
        assert committed(report) == [row for row in range(100) if row != 37]


def test_a_replica_that_is_to_leave_gives_its_slots_back_before_its_rows() -> None:
    """It is sent nothing more, loses its slots, is dismissed when they are free, and no row is blamed for it."""
    shape = ev.Shape(
        stages=(ev.StageShape(LOCAL, True, (), 0), ev.StageShape("m", False, (0,), 1)),
        slots={"m": 4},
        geometry=Geometry(12, 12),
    )
    scheduler = Scheduler(shape)
    [task] = scheduler.handle(ev.Started())
    assert isinstance(task, ev.RunTask)
    scheduler.handle(ev.TaskDone(task.ticket, np.ones(12, dtype=np.bool_), 1))
    for epoch in range(1, 6):
        assert scheduler.handle(ev.ReplicaUp(0, epoch, "m")) == [ev.Regrant(0, epoch, 4)]
        sent = [one.rows.tolist() for one in scheduler.handle(ev.Regranted(0, epoch, 4)) if isinstance(one, ev.Send)]
        assert sorted(itertools.chain(*sent)) == list(range(12))
        assert scheduler.handle(ev.ReplicaLeaving(0, epoch)) == [ev.Regrant(0, epoch, 0)]
        assert scheduler.handle(ev.ReplicaLeaving(0, epoch)) == []
        assert scheduler.handle(ev.Regranted(0, epoch, 0)) == [ev.Dismiss(0, epoch)]
        assert scheduler.handle(ev.Tick(1.0)) == []
        assert scheduler.handle(ev.ReplicaLost(0, epoch)) == []


def test_a_replica_without_slots_may_leave_at_once() -> None:
    """There is nothing that it could give back."""
    shape = ev.Shape(stages=(ev.StageShape("m", False, (), 0),), slots={"m": 1}, geometry=Geometry(9, 9))
    scheduler = Scheduler(shape)
    scheduler.handle(ev.Started())
    scheduler.handle(ev.ReplicaUp(0, 1, "m"))
    assert scheduler.handle(ev.ReplicaUp(1, 1, "m")) == []
    assert scheduler.handle(ev.ReplicaLeaving(1, 1)) == [ev.Dismiss(1, 1)]
    assert scheduler.handle(ev.ReplicaLeaving(1, 7)) == []


def test_slots_are_kept_for_replicas_that_are_still_coming_and_not_for_ever() -> None:
    """The first of two gets half of the slots, and the others' when these have not come for some seconds."""
    stages = (ev.StageShape(LOCAL, False, (), 0), ev.StageShape("m", False, (0,), 1))
    scheduler = Scheduler(ev.Shape(stages, {"m": 8}, Geometry(10, 10), replicas={"m": 2}))
    scheduler.handle(ev.Started())
    assert scheduler.handle(ev.ReplicaUp(0, 1, "m")) == [ev.Regrant(0, 1, 4)]
    scheduler.handle(ev.Regranted(0, 1, 4))
    for seconds in (100.0, 109.0):
        assert not any(isinstance(command, ev.Regrant) for command in scheduler.handle(ev.Tick(seconds)))
    assert ev.Regrant(0, 1, 8) in scheduler.handle(ev.Tick(111.0))


def test_a_replica_that_is_told_of_slots_when_it_is_to_leave_acknowledges_them_first() -> None:
    """One thing at a time: then it is told to have none, and dismissed when that is so."""
    shape = ev.Shape(stages=(ev.StageShape("m", False, (), 0),), slots={"m": 4}, geometry=Geometry(9, 9))
    scheduler = Scheduler(shape)
    scheduler.handle(ev.Started())
    assert scheduler.handle(ev.ReplicaUp(0, 1, "m")) == [ev.Regrant(0, 1, 4)]
    assert scheduler.handle(ev.ReplicaLeaving(0, 1)) == []
    assert scheduler.handle(ev.Regranted(0, 1, 4)) == [ev.Regrant(0, 1, 0)]
    assert scheduler.handle(ev.Regranted(0, 1, 0)) == [ev.Dismiss(0, 1)]


def test_a_replica_whose_requests_ask_for_several_rows_holds_rows_for_all_of_them() -> None:
    """As many as its slots can take at once, and as many again; so that batches are opened for them too."""
    stages = (ev.StageShape(LOCAL, False, (), 0), ev.StageShape("m", False, (0,), 1))
    scheduler = Scheduler(ev.Shape(stages, {"m": 4}, Geometry(5000, 100), workers=1000, rows_a_slot={"m": 100}))
    scheduler.handle(ev.Started())
    scheduler.handle(ev.ReplicaUp(0, 1, "m"))
    commands = scheduler.handle(ev.Regranted(0, 1, 4))
    sent = 0
    for task in [one for one in commands if isinstance(one, ev.RunTask)] * 2:
        done = scheduler.handle(ev.TaskDone(task.ticket, np.ones(len(task.rows), dtype=np.bool_), 1))
        sent += sum(len(one.rows) for one in done if isinstance(one, ev.Send))
    assert sent == 2 * 4 * 100


def after_the_root(*stages: ev.StageShape) -> Scheduler:
    """A scheduler of one batch of 40 rows, of which all stages but the root are to come, at a model of two slots."""
    scheduler = Scheduler(ev.Shape((ev.StageShape(LOCAL, True, (), 0), *stages), {"m": 2}, Geometry(40, 40)))
    [task] = scheduler.handle(ev.Started())
    assert isinstance(task, ev.RunTask)
    scheduler.handle(ev.TaskDone(task.ticket, np.ones(40, dtype=np.bool_), 1))
    return scheduler


def sent_to(scheduler: Scheduler, epoch: int) -> list[tuple[int, int]]:
    """Stage and number of the rows of each message to a replica that comes up."""
    scheduler.handle(ev.ReplicaUp(0, epoch, "m"))
    commands = scheduler.handle(ev.Regranted(0, epoch, 2))
    return [(one.stage, len(one.rows)) for one in commands if isinstance(one, ev.Send)]


def test_rows_that_are_computed_together_leave_room_for_others() -> None:
    """They are one piece of work to the replica that has them."""
    scheduler = after_the_root(ev.StageShape("m", True, (0,), 2), ev.StageShape("m", False, (0,), 1))
    sent = sent_to(scheduler, 1)
    assert (1, 40) in sent
    assert sum(count for stage, count in sent if stage == 2) > 1


def test_rows_that_are_computed_together_are_to_blame_together() -> None:
    """What runs them dies three times; after that none is left of which it may be the fault."""
    scheduler = after_the_root(ev.StageShape("m", True, (0,), 1))
    for epoch in (1, 2, 3):
        assert sent_to(scheduler, epoch) == [(1, 40)]
        rejected = [one for one in scheduler.handle(ev.ReplicaLost(0, epoch)) if isinstance(one, ev.Reject)]
        assert [len(one.rows) for one in rejected] == ([40] if epoch == 3 else [])


def test_slots_of_a_shared_server_go_to_aliases_that_others_rows_ask() -> None:
    """An alias has work where rows of another's stage ask it too, though none of its own wait."""
    stages = (ev.StageShape(LOCAL, True, (), 0), ev.StageShape("a", False, (0,), 1, asks=("b",)))
    shared = ((4, ("a", "b", "c")),)
    scheduler = Scheduler(ev.Shape(stages, {"a": 4, "b": 4, "c": 4}, Geometry(20, 20), shared=shared))
    [task] = scheduler.handle(ev.Started())
    assert isinstance(task, ev.RunTask)
    slots: dict[str, int] = {}
    told = [one for number, pool in enumerate("abc") for one in scheduler.handle(ev.ReplicaUp(number, 1, pool))]
    told += scheduler.handle(ev.TaskDone(task.ticket, np.ones(20, dtype=np.bool_), 1))
    for now in range(50):
        told += scheduler.handle(ev.Tick(float(now)))
        for grant in [one for one in told if isinstance(one, ev.Regrant)]:
            slots["abc"[grant.replica]] = grant.slots
            told += scheduler.handle(ev.Regranted(grant.replica, 1, grant.slots))
            told.remove(grant)
    assert (slots["a"], slots["b"], slots.get("c", 0)) == (2, 2, 0)


def test_a_replica_holds_more_the_more_it_reports() -> None:
    """The rows that a replica holds follow what it finishes between reports, up at once and down slowly."""
    shape = ev.Shape(
        stages=(ev.StageShape(LOCAL, True, (), 0), ev.StageShape("m", False, (0,), 1)),
        slots={"m": 4},
        geometry=Geometry(10_000, 10_000),
    )
    scheduler = Scheduler(shape)
    held: list[tuple[int, int]] = []

    def take(commands: list[ev.Command]) -> None:
        for send in commands:
            if isinstance(send, ev.Send):
                held.extend((row, send.ticket) for row in send.rows.tolist())

    def finish(count: int) -> int:
        rows, tickets = np.array(held[:count], dtype=np.int64).T
        del held[:count]
        take(scheduler.handle(ev.RowsDone(0, 1, 1, rows, tickets, np.ones(count, dtype=np.bool_))))
        return len(held)

    [task] = scheduler.handle(ev.Started())
    assert isinstance(task, ev.RunTask)
    scheduler.handle(ev.TaskDone(task.ticket, np.ones(10_000, dtype=np.bool_), 1))
    scheduler.handle(ev.ReplicaUp(0, 1, "m"))
    take(scheduler.handle(ev.Regranted(0, 1, 4)))
    assert len(held) == 4 + 8
    fast = [finish(len(held)) for _ in range(4)]
    assert fast == sorted(fast)
    assert fast[-1] > 1000
    slow = [finish(1) for _ in range(fast[-1])]
    assert slow[-1] == 4 + 8
