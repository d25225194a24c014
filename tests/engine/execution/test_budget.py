"""The budget allocator: what a budget allows is granted before it is spent, and what nobody needed is granted again."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import model
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.journal import Recorder
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution.budget import budget_allocator_of, limit_of, spent_before
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.spending import Spending
from data_designer.engine.scheduling.budget_allocator import BudgetAllocator
from data_designer.engine.scheduling.slot_allocator import Incarnation
from data_designer.models.admission.budget_lease import NOTHING, Amount, BudgetReport
from data_designer.plan.model import Plan
from data_designer.values import ChatRequest, ChatResponse, Usage

ONE, OTHER = (0, 1), (1, 1)
"""Two replicas."""
IDLE = BudgetReport(NOTHING, NOTHING, None, NOTHING, starved=False, busy=False)
"""What a replica says that did nothing and wants nothing."""
FUNDED = replace(IDLE, funded=1)
"""The same of one to which a first grant has come."""
PRICE = dd.Price(input=1.0, output=2.0)


def requests(number: float) -> Amount:
    """An amount of requests alone."""
    return Amount(requests=number)


def wants(wanted: float, least: float = 1.0) -> BudgetReport:
    """A replica that waits for funds, with nothing in flight."""
    return replace(IDLE, wanted=requests(wanted), least=requests(least), starved=True)


def of_requests(number: float, spent: float = 0.0) -> BudgetAllocator:
    """A budget allocator that limits requests alone."""
    return BudgetAllocator(Amount(math.inf, math.inf, number), requests(spent))


def test_a_block_is_granted_to_whoever_waits() -> None:
    """A replica gets what it wants at once, where there is as much."""
    budget_allocator = of_requests(100)
    assert budget_allocator.settle(ONE, wants(16)) == [(ONE, requests(16))]
    assert budget_allocator.settle(OTHER, wants(20)) == [(OTHER, requests(20))]


def test_whoever_wants_nothing_gets_nothing() -> None:
    """A report without a wish is answered with no grant."""
    assert of_requests(100).settle(ONE, IDLE) == []


def test_what_is_left_is_granted_where_it_is_less_than_wanted() -> None:
    """The last block is as large as what is left."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(8))
    assert budget_allocator.settle(OTHER, wants(8)) == [(OTHER, requests(2))]


def test_nothing_is_granted_that_is_of_no_use() -> None:
    """Less than a replica's next request needs stays where it is, for others who need less."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(8))
    assert budget_allocator.settle(OTHER, wants(wanted=30, least=3)) == []
    assert budget_allocator.settle((2, 1), wants(wanted=1, least=1)) == [((2, 1), requests(1))]


def test_the_scarcest_part_decides_how_much_of_all_is_granted() -> None:
    """Of ten requests with their tokens, half go where there are tokens for half."""
    budget_allocator = BudgetAllocator(Amount(usd=1.0, tokens=500, requests=100))
    wanted, least = Amount(0.1, 1000, 10), Amount(0.01, 100, 1)
    granted = budget_allocator.settle(ONE, replace(IDLE, wanted=wanted, least=least, starved=True))
    assert granted == [(ONE, Amount(0.05, 500, 5))]


def test_the_least_is_granted_whole_where_the_wish_is_cut_below_it() -> None:
    """A request is dearer than its share of the wish: what it needs is there, so it gets that."""
    budget_allocator = BudgetAllocator(Amount(math.inf, 500, 1))
    wanted, least = Amount(0, 1000, 10), Amount(0, 400, 1)
    granted = budget_allocator.settle(ONE, replace(IDLE, wanted=wanted, least=least, starved=True))
    assert granted == [(ONE, Amount(0, 400, 1))]


def test_what_one_gives_back_goes_to_one_that_waits() -> None:
    """A replica that waited is answered by the report of another."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    assert budget_allocator.settle(OTHER, wants(4)) == []
    back = replace(FUNDED, spent=requests(3), returned=requests(7))
    assert budget_allocator.settle(ONE, back) == [(OTHER, requests(4))]


def test_what_was_spent_is_not_granted_again() -> None:
    """Spending is final; what it leaves is all that the next one gets."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(ONE, replace(FUNDED, spent=requests(10)))
    assert budget_allocator.settle(OTHER, wants(1)) == []
    assert budget_allocator.spent == requests(10)


def test_what_earlier_runs_spent_is_gone() -> None:
    """A budget is that of the dataset: what was spent before leaves less."""
    budget_allocator = of_requests(10, spent=7)
    assert budget_allocator.settle(ONE, wants(10)) == [(ONE, requests(3))]


def test_a_lost_replica_takes_what_it_held_along() -> None:
    """Nobody knows what it spent of that, so it counts as spent, and is not granted again."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(8))
    budget_allocator.settle(ONE, replace(FUNDED, spent=requests(3), busy=True))
    budget_allocator.lose(ONE)
    assert budget_allocator.spent == requests(8)
    assert budget_allocator.settle(OTHER, wants(10)) == [(OTHER, requests(2))]


def test_a_lost_replica_s_wish_is_forgotten() -> None:
    """What comes back later goes to those that are there."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(OTHER, wants(4))
    budget_allocator.lose(OTHER)
    assert budget_allocator.settle(ONE, replace(FUNDED, returned=requests(10))) == []


def test_it_is_exhausted_when_somebody_waits_for_what_will_never_be() -> None:
    """As long as one may give something back there is hope; then there is none."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(OTHER, wants(1))
    assert not budget_allocator.exhausted
    budget_allocator.settle(ONE, replace(FUNDED, spent=requests(9), busy=True))
    assert not budget_allocator.exhausted
    budget_allocator.settle(ONE, replace(FUNDED, spent=requests(1)))
    assert budget_allocator.exhausted


def test_what_is_on_its_way_may_still_come_back() -> None:
    """A report that was made before a grant arrived tells neither what is lacking nor that all is spent."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(OTHER, wants(1))
    assert budget_allocator.settle(ONE, wants(10)) == []
    assert not budget_allocator.exhausted
    back = replace(FUNDED, spent=requests(3), returned=requests(7))
    assert budget_allocator.settle(ONE, back) == [(OTHER, requests(1))]
    assert not budget_allocator.exhausted


def test_the_loss_of_the_last_that_could_give_back_exhausts_it() -> None:
    """What it held is gone with it."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(OTHER, wants(1))
    budget_allocator.lose(ONE)
    assert budget_allocator.exhausted


def test_a_budget_that_is_spent_to_the_last_is_not_exhausted_while_nobody_wants_more() -> None:
    """A run that needs exactly its budget ends well."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(ONE, replace(FUNDED, spent=requests(10)))
    assert not budget_allocator.exhausted


def test_it_is_not_exhausted_while_somebody_waits_that_still_has_requests_in_flight() -> None:
    """Their replies may come to less than was set aside."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(10))
    budget_allocator.settle(ONE, replace(wants(5), starved=False, busy=True, funded=1))
    assert not budget_allocator.exhausted


def test_what_is_spent_is_said_in_the_units_that_are_limited() -> None:
    """The words of a stop name how much of what, and nothing that is not limited."""
    budget_allocator = BudgetAllocator(
        limit_of(dd.Budget(usd=0.5, requests=10)), Amount(usd=0.25, tokens=77, requests=4)
    )
    assert str(budget_allocator) == "0.25 of 0.5 USD, 4 of 10 requests"


def test_a_budget_limits_what_it_names() -> None:
    """Every other part is infinite."""
    assert limit_of(dd.Budget(tokens=1000)) == Amount(math.inf, 1000, math.inf)
    assert limit_of(dd.Budget(seconds=3.0)) == Amount(math.inf, math.inf, math.inf)


# --- whatever happens --------------------------------------------------------------------------------------------

QUARTERS = st.integers(0, 4)
AMOUNTS = st.builds(Amount, st.integers(0, 40).map(lambda n: n / 8), st.integers(0, 4000), st.integers(0, 40))


@dataclass
class Holder:
    """A replica that may do anything but spend what it was not given."""

    funds: Amount = NOTHING
    spent: Amount = NOTHING
    funded: int = 0


@dataclass
class World:
    """A budget allocator with replicas that come and go."""

    budget_allocator: BudgetAllocator
    holders: dict[Incarnation, Holder] = field(default_factory=dict)
    lost: Amount = NOTHING
    """What replicas held that are gone."""

    def report(self, who: Incarnation, spends: int, returns: int, wish: tuple[Amount, Amount] | None) -> None:
        """One replica spends a part of what it has, gives back a part of the rest, and may wish for more."""
        holder = self.holders.setdefault(who, Holder())
        spent = holder.funds.times(spends / 4)
        returned = (holder.funds - spent).times(returns / 4)
        holder.funds -= spent + returned
        holder.spent += spent
        wanted, least = (None, NOTHING) if wish is None else wish
        report = BudgetReport(
            spent, returned, wanted, least, starved=wish is not None, busy=False, funded=holder.funded
        )
        for granted_to, amount in self.budget_allocator.settle(who, report):
            self.holders[granted_to].funds += amount
            self.holders[granted_to].funded += 1

    def lose(self, who: Incarnation) -> None:
        """One replica is gone."""
        holder = self.holders.pop(who, Holder())
        self.lost += holder.funds + holder.spent
        self.budget_allocator.lose(who)

    @property
    def used(self) -> Amount:
        """What was spent or is held or was lost."""
        total = self.lost
        for holder in self.holders.values():
            total += holder.funds + holder.spent
        return total


def covers(amount: Amount, other: Amount) -> bool:
    """Whether it is enough, but for what floating-point sums are off."""
    slack = Amount(1e-9, 1e-6, 1e-9)
    return (amount + slack).covers(other)


WISHES = st.none() | st.tuples(AMOUNTS, AMOUNTS).map(lambda pair: (pair[0] + pair[1], pair[1]))
STEPS = st.lists(st.tuples(st.integers(0, 3), st.booleans() | st.none(), QUARTERS, QUARTERS, WISHES), max_size=40)


@given(limit=AMOUNTS, before=QUARTERS, steps=STEPS)
def test_what_is_granted_and_spent_never_exceeds_the_budget(
    limit: Amount, before: int, steps: list[tuple[int, bool | None, int, int, tuple[Amount, Amount] | None]]
) -> None:
    """Whatever replicas wish, spend, give back or take with them; and what came back can all be granted again."""
    spent = limit.times(before / 4)
    world = World(BudgetAllocator(limit, spent))
    for number, dies, spends, returns, wish in steps:
        if dies:
            world.lose((number, 1))
        else:
            world.report((number, 1), spends, returns, wish)
        assert covers(limit, spent + world.used)
        assert world.budget_allocator.spent.covers(spent)
    for who in list(world.holders):
        world.report(who, 0, 4, None)
    # All wishes are withdrawn and all funds are back: a newcomer can have everything that is left.
    rest = limit - spent - world.used
    asked = Amount(max(0.0, rest.usd - 1e-6), max(0.0, rest.tokens - 1e-3), max(0.0, rest.requests - 1e-6))
    world.report((9, 1), 0, 0, (asked, asked))
    assert world.holders[9, 1].funds == asked


# --- what was spent before ---------------------------------------------------------------------------------------


def plan(budget: dd.Budget | None = None) -> Plan:
    """Two text columns of two models, one of which has a price; four records in batches of two."""
    made = texts([model("a", price=PRICE), model("b")], x=("a", "{{ id }}"), y=("b", "{{ x }}"))
    return compiled(made, 4, 2, budget=budget)


def store(path: Path, *those: Receipt) -> Store:
    """A dataset with some receipts."""
    made = Store.at(path)
    for receipt in those:
        made.files.write(f"receipts/batch_{receipt.batch:05d}.json", receipts.written(receipt))
    return made


def receipt(batch: int, **spent: Spending) -> Receipt:
    """A batch of two records that is complete."""
    return Receipt(
        batch, requested=2, generated=2, rejected=0, files=(), kept=((2 * batch, 2 * batch + 2),), spent=spent
    )


def journal(made: Store, of: Plan, *replies: tuple[str, int, Usage]) -> None:
    """Replies, each with its column and record, that a run has journaled."""
    recorder = Recorder(made.files, of.geometry, "0001-r000-001")
    for column, record, usage in replies:
        request = ChatRequest([{"role": "user", "content": [{"type": "text", "text": f"{column} {record}"}]}])
        recorder.write_reply((of.fingerprints[column], record, 0), request, ChatResponse("fine", usage=usage))
    recorder.flush()


A_MILLION = Usage(requests=1, input_tokens=1_000_000, output_tokens=1_000_000)
"""Costs 3 USD by the price of `a`, and nothing by that of `b`."""


def test_receipts_say_what_was_spent(tmp_path: Path) -> None:
    """Every column of every batch counts, with the prices of now; attempts that failed are requests too."""
    of = plan()
    failed = Usage(requests=2, failed_requests=3, input_tokens=10, output_tokens=5)
    there = store(tmp_path, receipt(0, x=Spending("a", A_MILLION)), receipt(1, y=Spending("b", failed)))
    resume_point = ResumePoint(committed=frozenset({0, 1}))
    assert spent_before(of, there, resume_point) == Amount(3.0, 2_000_015, 6)


def test_the_journal_says_what_batches_cost_that_are_not_there_yet(tmp_path: Path) -> None:
    """Replies of a batch without a receipt were paid for."""
    of = plan()
    there = store(tmp_path)
    journal(there, of, ("x", 0, A_MILLION), ("y", 1, Usage(requests=1, input_tokens=7)))
    assert spent_before(of, there, ResumePoint()) == Amount(3.0, 2_000_007, 2)


def test_no_reply_counts_twice(tmp_path: Path) -> None:
    """What a receipt speaks of is not added from the journal; of a batch that is there in part, only what it lacks."""
    of = plan()
    there = store(tmp_path, receipt(0, x=Spending("a", A_MILLION)), receipt(1, x=Spending("a", A_MILLION)))
    one = Usage(requests=1, input_tokens=1)
    journal(there, of, ("x", 0, one), ("x", 1, one), ("x", 2, one), ("x", 3, one))
    whole = ResumePoint(committed=frozenset({0, 1}))
    assert spent_before(of, there, whole).requests == 2
    partial = replace(whole, partial={1: np.array([3], dtype=np.int64)})
    assert spent_before(of, there, partial).requests == 3


@pytest.mark.parametrize("budget", [None, dd.Budget(seconds=1.0)])
def test_where_nothing_but_time_is_limited_there_is_no_budget_allocator(budget: dd.Budget | None) -> None:
    """Replicas then ask nobody before they send."""
    assert budget_allocator_of(plan(budget), None, ResumePoint()) is None


def test_a_run_begins_with_what_its_dataset_has_left(tmp_path: Path) -> None:
    """The budget allocator of a resumed run knows what was spent."""
    budget = dd.Budget(requests=5, usd=10.0)
    there = store(tmp_path, receipt(0, x=Spending("a", A_MILLION)))
    budget_allocator = budget_allocator_of(plan(budget), there, ResumePoint(committed=frozenset({0})))
    assert budget_allocator is not None
    assert str(budget_allocator) == "3 of 10 USD, 1 of 5 requests"
    assert str(budget_allocator_of(plan(budget), None, ResumePoint())) == "0 of 10 USD, 0 of 5 requests"


def test_a_late_report_of_a_lost_replica_changes_nothing() -> None:
    """What it held is spent already, and nobody can give it more."""
    budget_allocator = of_requests(10)
    budget_allocator.settle(ONE, wants(8))
    budget_allocator.lose(ONE)
    before = budget_allocator.spent
    assert budget_allocator.settle(ONE, replace(wants(1), spent=requests(5))) == []
    assert budget_allocator.spent == before
