"""Machines that come and go: when an alias gets further replicas."""

from tests.fakes import model
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.scheduling.growth import Growth
from data_designer.engine.scheduling.shape import replica_numbers
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan

BUSY, IDLE = CpuTime(59.0, 60.0), CpuTime(6.0, 60.0)
"""What a replica says after a minute."""


def plan(replicas: int | None = None) -> Plan:
    """A text column each of `large`, with slots for four replicas, and of `small`, with slots for one."""
    models = [model("large", max_parallel_requests=1024), model("small", max_parallel_requests=16)]
    made = texts(models, by_large=("large", "{{ id }}"), by_small=("small", "{{ id }}"))
    return compiled(made, 10, replicas_per_model=replicas)


def growth(made: Plan, cpus: int) -> Growth:
    """Replicas for so many CPUs, which the first look finds."""
    of = Growth(made, replica_numbers(made, cpus))
    assert of.look(cpus) == {}
    return of


def hear(of: Growth, cpu: CpuTime, aliases: tuple[str, ...] = ("large", "small")) -> None:
    """Every replica of some aliases says what it needed."""
    for alias in of._replicas.values():
        if alias in aliases:
            of.hear(alias, cpu)


def test_replicas_that_cpus_hold_up_become_as_many_as_the_cpus_allow() -> None:
    """One CPU, then two, then many: as many as there would be from the start, under numbers of their own."""
    of = growth(plan(), 1)
    for cpus, added in ((2, {2: "large"}), (64, {3: "large", 4: "large"}), (128, {})):
        hear(of, BUSY)
        assert of.look(cpus) == added
    assert sorted(of._replicas.values()) == sorted(replica_numbers(plan(), 64).values())


def test_replicas_that_wait_for_their_model_stay_as_they_are() -> None:
    """CPUs that join are of no use to them; once they are held up, those CPUs still are there."""
    of = growth(plan(), 1)
    hear(of, IDLE)
    assert of.look(8) == {}
    hear(of, BUSY)
    assert of.look(8) == {2: "large", 3: "large", 4: "large"}


def test_no_replica_is_added_where_no_cpu_has_joined() -> None:
    """However busy they are: a Ray of this machine may be told of more CPUs than there are."""
    made = plan()
    of = Growth(made, replica_numbers(made, 1))
    for _ in range(3):
        hear(of, BUSY)
        assert of.look(4) == {}


def test_the_number_that_the_user_asked_for_stays() -> None:
    """Neither busy replicas nor CPUs change it."""
    of = growth(plan(replicas=2), 1)
    hear(of, BUSY)
    assert of.look(64) == {}


def test_a_dataset_that_asks_no_model_gets_no_replica() -> None:
    """CPUs that join are for its CPU tasks."""
    made = dd.DataDesignerConfigBuilder()
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    of = growth(compile_plan(made.build(), {}, dd.RunConfig(), Geometry(10, 10), seed=1, kinds=KINDS), 1)
    assert of.look(64) == {}


def test_a_moment_is_no_reason_for_a_replica() -> None:
    """Seconds of work are judged, over all replicas of the alias: a busy one beside an idle one has company."""
    of = growth(plan(), 2)
    of.hear("large", CpuTime(1.0, 1.0))
    assert of.look(4) == {}
    of.hear("large", CpuTime(0.5, 30.0))
    assert of.look(4) == {}
    of.hear("large", CpuTime(30.0, 30.0))
    assert of.look(4) == {3: "large", 4: "large"}
