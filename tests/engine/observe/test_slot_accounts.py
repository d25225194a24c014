"""Accounts of slot time: every slot-second is in exactly one, and what was planted is the one that is found."""

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.engine.scheduling.test_scheduler import random_shape
from tests.fakes import model
from tests.plans import compiled, texts
from tests.properties import cases

from data_designer.engine.execution.observation import Computed, Heard, Idle
from data_designer.engine.observe.slot_accounts import SlotAccounts
from data_designer.engine.protocol.messages import Summary, TaskSummary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.rows import CellCount
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, RunAccounts
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.demand import Demand
from data_designer.engine.scheduling.shape import shape_of
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import Faults, World
from data_designer.models.admission.slot_ledger import SlotTime
from data_designer.models.admission.slots import SlotStatistics
from data_designer.models.retry import Answers, CallerStatistics
from data_designer.plan.model import Plan
from data_designer.values import Usage


def of(one: AliasAccounts) -> dict[str, float]:
    """Shares of an alias's slot time by account, those of less than a thousandth left out; they sum to one."""
    assert sum(one.seconds.values()) == pytest.approx(one.slot_seconds)
    return {account.value: part for account, s in one.seconds.items() if (part := s / one.slot_seconds) > 0.001}


def largest(one: AliasAccounts) -> str:
    """The account that has most, but for asking."""
    shares = of(one)
    return max(shares.keys() - {"asking"}, key=shares.__getitem__)


# --- in virtual time -------------------------------------------------------------------------------------


def chain(a: int = 32, b: int = 32, records: int = 1000, buffer_size: int = 100, **run: Any) -> Plan:
    """A text of a model `a`, and one of `b` about it."""
    models = [model("a", max_parallel_requests=a), model("b", max_parallel_requests=b)]
    return compiled(texts(models, x=("a", "{{ id }}"), y=("b", "{{ x }}")), records, buffer_size, **run)


def simulated(plan: Plan, a: float = 1.0, b: float = 1.0, faults: Faults = Faults(), **world: Any) -> RunAccounts:  # noqa: B008 - frozen
    """The accounts of a run in which a reply of each model takes so many seconds."""
    seconds = {"a": a, "b": b}
    simulation = Simulation(
        shape_of(plan), World(latency=lambda _, pool: seconds[pool], **world), random.Random(1), faults=faults
    )
    accounts = SlotAccounts(plan, lambda: simulation.timeline.now)
    simulation.timeline.watchers.append(accounts)
    report = simulation.run()
    read = accounts.read()
    assert read.seconds == report.seconds
    for alias, busy in report.busy.items():
        if faults == Faults():
            assert read.aliases[alias].seconds[Account.ASKING] == pytest.approx(busy)
    return read


def test_slots_of_a_model_wait_for_a_slower_one_before_it() -> None:
    """And those of the slower one ask all the time."""
    read = simulated(chain(a=8))
    assert of(read.aliases["a"])["asking"] > 0.98
    assert largest(read.aliases["b"]) == "upstream"
    assert of(read.aliases["b"])["upstream"] > 0.7


def test_slots_of_a_model_wait_for_a_slower_one_after_it() -> None:
    """While there are rows enough for that one no further batch is opened; in the end there is nothing left to do."""
    read = simulated(chain(b=8))
    assert of(read.aliases["b"])["asking"] > 0.98
    assert of(read.aliases["a"]).keys() <= {"asking", "upstream", "last", "startup"}


def test_slots_wait_for_cpu_work() -> None:
    """Samplers that take long."""
    read = simulated(chain(), a=0.1, b=0.1, task_seconds=5.0)
    assert [largest(read.aliases[alias]) for alias in "ab"] == ["cpu", "cpu"]


def test_slots_wait_for_the_one_batch_that_may_be_open() -> None:
    """It has fewer rows than there are slots."""
    read = simulated(chain(buffer_size=20, max_concurrent_row_groups=1))
    assert [largest(read.aliases[alias]) for alias in "ab"] == ["storage", "storage"]


@pytest.mark.parametrize("most", [{}, {"max_concurrent_row_groups": 1}])
def test_slots_wait_for_a_slow_disk(most: dict[str, int]) -> None:
    """Whether that keeps further batches from being opened, or everything that is left is to be written."""
    read = simulated(chain(**most), a=0.1, b=0.1, commit_seconds=5.0)
    assert [largest(read.aliases[alias]) for alias in "ab"] == ["storage", "storage"]


def test_slots_have_nothing_to_do_where_fewer_rows_are_left() -> None:
    """A run that has fewer rows than slots."""
    read = simulated(chain(records=20))
    assert [largest(read.aliases[alias]) for alias in "ab"] == ["last", "last"]


def test_slots_that_no_replica_has_are_not_started() -> None:
    """Replicas die, and others take a long while to come up."""
    faults = Faults(replica_death=0.02, restart_seconds=20)
    read = simulated(chain(), replicas=3, faults=faults)
    assert max(of(one).get("startup", 0.0) for one in read.aliases.values()) > 0.2


def test_every_slot_second_is_accounted_for_when_replicas_get_lost() -> None:
    """Those that seem dead and go on, and those that are to leave, included."""
    faults = Faults(replica_death=0.02, unreachable=0.5, drain=0.02, restart_seconds=5)
    for alias in simulated(chain(), replicas=3, faults=faults).aliases.values():
        of(alias)


def test_slots_of_a_server_that_others_use_are_held() -> None:
    """Two aliases of one server that takes fewer requests than they have slots."""
    plan = chain(a=16, b=16)
    shared = {
        alias: replace(pool, provider=pool.provider.model_copy(update={"max_parallel_requests": 12}))
        for alias, pool in plan.pools.items()
    }
    read = simulated(replace(plan, pools=shared))
    assert largest(read.aliases["a"]) == "held"
    assert sum(of(one)["asking"] for one in read.aliases.values()) == pytest.approx(12 / 16, abs=0.02)


@pytest.mark.parametrize("seed", cases(60))
def test_every_slot_second_of_any_plan_is_accounted_for(seed: int) -> None:
    """Whatever depends on what, and however many batches and aliases share a server."""
    rng = random.Random(seed)
    shape = random_shape(rng)
    sharing = {pool: most for most, pools in shape.shared for pool in pools}
    pools = {
        pool: SimpleNamespace(
            slots=slots,
            model_name=pool,
            provider=SimpleNamespace(name="p" if sharing else pool, max_parallel_requests=sharing.get(pool)),
        )
        for pool, slots in shape.slots.items()
    }
    plan = SimpleNamespace(pools=pools, run=SimpleNamespace(non_inference_max_parallel_workers=1))
    simulation = Simulation(shape, World(replicas=rng.randint(1, 3)), rng)
    accounts = SlotAccounts(plan, lambda: simulation.timeline.now)
    simulation.timeline.watchers.append(accounts)
    report = simulation.run()
    for alias, one in accounts.read().aliases.items():
        of(one)
        assert one.seconds.get(Account.ASKING, 0.0) == pytest.approx(report.busy.get(alias, 0.0))


def test_the_timeline_says_when_it_was() -> None:
    """Stretches follow each other, and add up to the whole."""
    read = simulated(chain(a=8))
    ends = [0.0, *(one.at + one.seconds for one in read.timeline)]
    assert [one.at for one in read.timeline] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(read.seconds)
    assert 100 < len(read.timeline) <= 240
    for alias, accounts in read.aliases.items():
        for account, seconds in accounts.seconds.items():
            inside = sum(one.slots.get(alias, {}).get(account, 0.0) for one in read.timeline)
            assert inside == pytest.approx(seconds)
    middle = read.timeline[len(read.timeline) // 2]
    assert middle.slots["a"][Account.ASKING] == pytest.approx(8 * middle.seconds)


# --- what is counted -------------------------------------------------------------------------------------


class Times:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def begun(slots: int = 10) -> tuple[SlotAccounts, Times]:
    """Accounts of a run in which one replica has all slots of a model."""
    plan = compiled(texts([model("a", max_parallel_requests=slots)], x=("a", "{{ id }}")), 40, 10)
    times = Times()
    accounts = SlotAccounts(plan, times, run=3, began=5.0, replaced={1: (4, 1)})
    for event in (ev.Started(), ev.ReplicaUp(0, 1, "a"), ev.Regranted(0, 1, slots)):
        accounts(event)
    return accounts, times


def test_slots_without_a_row_are_matched_with_the_rows_that_could_use_them() -> None:
    """One each: those that are ready, then those at CPU work, then those at other models, then the rest."""
    accounts, times = begun()
    times.now += 2.0
    accounts(Heard(0, "a", Summary(1, (), None, slot_time=SlotTime(20.0, 4.0))))
    accounts(Idle({"a": Demand(1, 2, 3, Account.STORAGE)}))
    assert accounts.read().aliases["a"].seconds == pytest.approx(
        {Account.ASKING: 4, Account.ENGINE: 2, Account.CPU: 4, Account.UPSTREAM: 6, Account.STORAGE: 4}
    )


def test_what_idle_slots_wait_for_is_that_of_the_time_that_is_reported() -> None:
    """A report of four seconds, in which they waited for one thing after another."""
    accounts, times = begun()
    for rest in (Account.UPSTREAM, Account.CPU, Account.CPU, Account.LAST):
        times.now += 1.0
        accounts(Idle({"a": Demand(rest=rest)}))
    accounts(Heard(0, "a", Summary(1, (), None, slot_time=SlotTime(40.0))))
    assert accounts.read().aliases["a"].seconds == pytest.approx(
        {Account.UPSTREAM: 10, Account.CPU: 20, Account.LAST: 10}
    )


def test_what_a_replica_has_not_reported_yet_is_taken_to_go_on() -> None:
    """Its requests are under way still; once it reports, that counts."""
    accounts, times = begun()
    accounts(Idle({"a": Demand()}))
    times.now += 1.0
    load = SlotStatistics(10, 10, 4, 0)
    accounts(Heard(0, "a", Summary(1, (), None, load=load, slot_time=SlotTime(10.0, 10.0))))
    times.now += 1.0
    assert accounts.read().aliases["a"].seconds == pytest.approx({Account.ASKING: 14, Account.LAST: 6})
    accounts(Heard(0, "a", Summary(2, (), None, load=load, slot_time=SlotTime(10.0, 10.0))))
    assert accounts.read().aliases["a"].seconds == pytest.approx({Account.ASKING: 20})


def test_what_a_lost_replica_had_not_reported_is_not_known() -> None:
    """Its slots count as not started, and so do they until another has them."""
    accounts, times = begun()
    times.now += 1.0
    accounts(ev.ReplicaLost(0, 1))
    times.now += 1.0
    assert accounts.read().aliases["a"].seconds == pytest.approx({Account.STARTUP: 20})


def test_cells_of_models_are_counted_without_those_that_are_replayed() -> None:
    """With the latencies and tokens of their requests."""
    accounts, times = begun()
    accounts(ev.RowsDone(0, 1, 1, *([] for _ in range(3)), cells=(CellCount("x", 5, 1, 2),)))
    statistics = CallerStatistics(Usage(3, 2), errors={"ModelRateLimitError": 1})
    answers = Answers("x", [(0.5, 10, 0), (1.0, 20, 4)])
    accounts(Heard(0, "a", Summary(1, (), statistics, SlotStatistics(10, 4, 4, 0), answers=(answers,))))
    column = accounts.read().columns["x"]
    assert (column.alias, column.cells, column.failed) == ("a", 3, 1)
    assert (column.latency.count, column.input_tokens.sum, column.output_tokens.largest) == (2, 30, 4)
    assert (column.latency.smallest, column.latency.largest) == (0.5, 1.0)
    one = accounts.read().aliases["a"]
    assert (one.requests, one.failed_requests, one.refused) == (3, 2, 1)
    assert times() == 100.0


def test_cpu_work_is_counted_by_the_columns_that_it_makes() -> None:
    """Rows, those of them that failed, and the seconds where it ran."""
    accounts, _ = begun()
    for _ in range(2):
        accounts(Computed(0, 10, TaskSummary([], 0, (CellCount("id", 0, 3),), 0.5)))
    read = accounts.read()
    assert (read.columns["id"].alias, read.columns["id"].cells, read.columns["id"].failed) == (None, 20, 6)
    assert read.worker_seconds == {"id": 1.0}
    assert read.workers == 4


def test_records_are_counted_once() -> None:
    """What an earlier run had made of a batch is not made again."""
    accounts, times = begun()
    for batch in (0, 1):
        accounts(Receipt(batch, 10, 8, 2, (), seconds=0.25))
    times.now += 0.5
    read = accounts.read()
    assert sum(one.records for one in read.timeline) == 10 + 5
    assert (read.writing_seconds, read.run, read.began, read.executor) == (0.5, 3, 5.0, "inline")


def test_a_cluster_that_joins_is_named() -> None:
    """What took part in the end."""
    accounts, _ = begun()
    accounts(ev.Joined({"a": 1}, frozenset({0}), 1))
    assert accounts.read().executor == "ray"
