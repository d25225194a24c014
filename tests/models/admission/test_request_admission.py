"""The admission: slots, the endpoint's own limits, rates and a budget, in virtual time."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.fakes import REPLY, FakeModel, Sent, VirtualTime, pool, request, says, scripted, served, turn
from tests.properties import examples

from data_designer.config.models import Price
from data_designer.config.run_config import RequestAdmissionTuningConfig
from data_designer.errors import ModelError, ModelInternalServerError, ModelRateLimitError
from data_designer.models.admission.budget_lease import NOTHING, Amount, BudgetLease, BudgetReport, Estimate
from data_designer.models.admission.request_admission import AdmissionLimits, Attempt, RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.client import ModelClient
from data_designer.models.retry import Caller, CallerOptions
from data_designer.values import ChatResponse, Request, Response, Usage

FRAME = 64
"""Tokens that a chat template may add around a message."""


GOOD = {"choices": [{"message": {"content": "fine"}}]}


@dataclass
class Door:
    """Request admission in virtual time, and what went through it."""

    slots: Slots = field(default_factory=lambda: Slots(4))
    limits: AdmissionLimits = field(default_factory=AdmissionLimits)
    time: VirtualTime = field(default_factory=VirtualTime)
    passed: list[tuple[str, float]] = field(default_factory=list)
    """(which, when after the beginning) of each attempt."""

    def __post_init__(self) -> None:
        self.admission = RequestAdmission(self.slots, self.limits, clock=self.time.clock, sleep=self.time.sleep)
        self.admission.share(1.0)

    async def enter(self, name: str, one: Request | None = None) -> Attempt:
        """Go in and stay."""
        attempt = await self.admission.enter(one or request())
        self.passed.append((name, self.time.now - 1000.0))
        return attempt

    async def visit(self, name: str, seconds: float = 0.0, one: Request | None = None) -> None:
        """Go in, stay for some time, and be answered."""
        attempt = await self.enter(name, one)
        if seconds:
            await self.time.sleep(seconds)
        self.admission.answered(attempt, REPLY)
        self.admission.leave(attempt)

    def run(self, *work: Any) -> list[Any]:
        """Run all of it at once, to its end."""
        return asyncio.run(self.time.run(*work))

    @property
    def order(self) -> list[str]:
        """Who went through, in order."""
        return [name for name, _ in self.passed]


def with_budget(funds: Amount = NOTHING, slots: int = 4, **limits: Any) -> tuple[Door, BudgetLease]:
    """Request admission with a lease of so much; replies are estimated at 36 tokens, requests at 100."""
    budget_lease = BudgetLease()
    budget_lease.fund(funds)
    given = AdmissionLimits(budget_lease=budget_lease, estimate=Estimate(None, 36 - 2), **limits)
    return Door(Slots(slots), given), budget_lease


def spread(visits: int, door: Door) -> list[float]:
    """When so many requests that come at once go through, each answered at once."""
    door.run(*(door.visit(str(number)) for number in range(visits)))
    return [at for _, at in door.passed]


# --- slots and the endpoint's own limit ------------------------------------------------------------------


def test_without_limits_only_slots_are_waited_for() -> None:
    """As many as there are slots go at once, the others as these leave, in the order in which they came."""
    door = Door(Slots(2))
    door.run(*(door.visit(name, 1.0) for name in "abcde"))
    assert door.passed == [("a", 0.0), ("b", 0.0), ("c", 1.0), ("d", 1.0), ("e", 2.0)]
    assert door.slots.in_use == 0


def test_a_refusal_keeps_everybody_out_as_long_as_it_asks() -> None:
    """Those who wait for a slot wait for the Retry-After too, and then go at once."""
    door = Door(Slots(2))

    async def refused() -> None:
        attempt = await door.enter("refused")
        await door.time.sleep(1.0)
        door.admission.failed(attempt, ModelRateLimitError("later", 7.5, 429), 60.0)
        door.admission.leave(attempt)

    door.run(refused(), door.visit("long", 2.0), door.visit("b"), door.visit("c"))
    assert door.passed == [("refused", 0.0), ("long", 0.0), ("b", 8.5), ("c", 8.5)]


def test_a_refusal_may_not_ask_for_more_than_the_caller_has_patience_for() -> None:
    """A day is cut to what the caller is willing to wait; without a time of its own the tuning's pause holds."""
    for asked, waited in ((86400.0, 60.0), (7.0, 7.0), (None, 2.0)):
        door = Door()

        async def refused(door: Door, asked: float | None) -> None:
            attempt = await door.enter("refused")
            door.admission.failed(attempt, ModelRateLimitError("later", asked, 429), 60.0)
            door.admission.leave(attempt)
            await door.visit("next")

        door.run(refused(door, asked))
        assert door.passed[1] == ("next", waited)


def test_other_failures_keep_nobody_out() -> None:
    """A server error is the request's to wait for, not everybody's, and lowers nothing."""
    door = Door()

    async def failing() -> None:
        attempt = await door.enter("failing")
        door.admission.failed(attempt, ModelInternalServerError("no", 30.0, 503), 60.0)
        door.admission.leave(attempt)
        await door.visit("next")

    door.run(failing())
    assert door.passed[1] == ("next", 0.0)
    assert door.slots.limit == 4


def test_a_reply_that_says_that_nothing_is_left_keeps_everybody_out_until_there_is() -> None:
    """The pause is heard before anything is refused, and does not lower the limit."""
    door = Door(Slots(1))

    async def answered() -> None:
        attempt = await door.enter("last")
        door.admission.answered(attempt, ChatResponse("fine", pause=20.0))
        door.admission.leave(attempt)

    door.run(answered(), door.visit("next"))
    assert door.passed == [("last", 0.0), ("next", 20.0)]
    assert door.slots.limit == 1


def test_a_burst_of_refusals_lowers_the_limit_once() -> None:
    """Eight in flight, all refused one after the other: the limit falls by a quarter, not eight times."""
    door = Door(Slots(8))

    async def scenario() -> None:
        passages = [await door.enter(str(number)) for number in range(8)]
        for attempt in passages:
            await door.time.sleep(0.01)
            door.admission.failed(attempt, ModelRateLimitError("full"), 60.0)
            door.admission.leave(attempt)

    door.run(scenario())
    assert door.slots.limit == 6


def caller(model: FakeModel, slots: Slots, **limits: Any) -> Caller:
    """A caller behind request admission in the model's time."""
    time = model.time
    admission = RequestAdmission(slots, AdmissionLimits(**limits), clock=time.clock, sleep=time.sleep)
    admission.share(1.0)
    return Caller(model, admission, CallerOptions(), rng=random.Random(7), clock=time.clock, sleep=time.sleep)


@pytest.mark.parametrize("retry_after", [None, 5.0])
def test_five_minutes_of_refusals_pass_by_themselves(retry_after: float | None) -> None:
    """Nothing is lost, hardly anything is sent meanwhile, and afterwards the limit climbs back to the cap."""

    def verdict(sent: Sent) -> Response | ModelError:
        refuses = 1010.0 <= sent.at < 1310.0
        return ModelRateLimitError("slow down", retry_after, 429) if refuses else REPLY

    model, slots = FakeModel(verdict=verdict, latency=1.0), Slots(8)
    asking = caller(model, slots)
    results = asyncio.run(model.time.run(*(asking.ask(request()) for _ in range(1000))))
    assert {reply.text for reply in results} == {"fine"}
    assert len([at for at in model.sent if 1012.0 <= at < 1310.0]) < 180
    assert min(at for at in model.sent if at >= 1310.0) <= 1310.0 + 5.0
    assert slots.limit == 8
    assert [sent.in_flight for sent in model.asked[-8:]] == [8] * 8
    assert asking.take_statistics().usage.requests == 1000


def test_after_refusals_the_limit_rises_step_by_step() -> None:
    """25 replies in a row raise it by one; the cap ends the climb."""
    tuning = RequestAdmissionTuningConfig(multiplicative_decrease_factor=0.5, successes_until_increase=25)
    refused = [ModelRateLimitError("full")] * 4
    model, slots = FakeModel(verdict=scripted(*refused), latency=1.0), Slots(4)
    asking = caller(model, slots, tuning=tuning)
    limits = []

    async def one() -> None:
        await asking.ask(request())
        limits.append(slots.limit)

    asyncio.run(model.time.run(*(one() for _ in range(300))))
    assert sorted(set(limits)) == [2, 3, 4]
    assert limits == sorted(limits)
    assert limits.index(3) >= 24
    assert limits.index(4) - limits.index(3) == 25


# --- rates -----------------------------------------------------------------------------------------------


def test_requests_keep_their_rate() -> None:
    """Sixty a minute: one a second, and never more than sixty in any minute."""
    sent = spread(180, Door(limits=AdmissionLimits(requests_per_minute=60)))
    assert all(sum(start <= at < start + 60.0 for at in sent) <= 60 for start in sent)
    assert 177.0 < sent[-1] < 190.0


def test_tokens_keep_their_rate() -> None:
    """Six thousand a minute at a hundred a request is one a second, where replies come to what was expected."""
    limits = AdmissionLimits(tokens_per_minute=6000, estimate=Estimate(None, 34))
    door = Door(limits=limits)
    whole = ChatResponse("fine", usage=Usage(requests=1, input_tokens=66, output_tokens=34))

    async def visit(number: int) -> None:
        attempt = await door.enter(str(number))
        door.admission.answered(attempt, whole)
        door.admission.leave(attempt)

    door.run(*(visit(number) for number in range(120)))
    sent = [at for _, at in door.passed]
    assert all(sum(start <= at < start + 60.0 for at in sent) <= 60 for start in sent)
    assert 118.0 < sent[-1] < 130.0


@pytest.mark.parametrize("answered", [True, False])
def test_what_a_reply_did_not_come_to_may_be_used_by_the_next(answered: bool) -> None:
    """Tokens that were set aside in vain are given back, whether the request was answered or failed."""

    def after(usage: Usage | None) -> float:
        door = Door(limits=AdmissionLimits(tokens_per_minute=6000, estimate=Estimate(None, 3000)))

        async def scenario() -> None:
            attempt = await door.enter("first")
            if usage is not None:
                door.admission.answered(attempt, ChatResponse("fine", usage=usage))
            else:
                door.admission.failed(attempt, ModelInternalServerError("no"), 60.0)
            door.admission.leave(attempt)
            await door.enter("second")

        door.run(scenario())
        return door.passed[1][1] - door.passed[0][1]

    spent = after(Usage(requests=1, input_tokens=66, output_tokens=3000))
    assert spent > 30.0
    assert after(Usage(requests=1, input_tokens=66, output_tokens=2) if answered else None) < 3.0


def test_whoever_waits_for_tokens_goes_as_soon_as_some_are_given_back() -> None:
    """A reply that is shorter than expected lets the next one in at once, however long the wait was to be."""
    door = Door(limits=AdmissionLimits(tokens_per_minute=6000, estimate=Estimate(None, 5000)))

    async def first() -> None:
        await door.visit("first", 10.25)

    door.run(first(), door.visit("second"))
    assert door.passed[1][1] - door.passed[0][1] == pytest.approx(10.25)


def test_where_there_are_rates_everybody_goes_in_the_order_in_which_they_came() -> None:
    """A small request does not overtake a large one that waits for more tokens."""
    door = Door(limits=AdmissionLimits(tokens_per_minute=6000, estimate=Estimate(None, 1)))
    large, small = request("x" * 3000), request("x")
    door.run(
        door.visit("a", one=large), door.visit("b", one=large), door.visit("c", one=small), door.visit("d", one=large)
    )
    assert door.order == ["a", "b", "c", "d"]


def test_the_stricter_of_two_rates_counts() -> None:
    """Many small requests are held back by their number, few large ones by their tokens."""
    both = AdmissionLimits(requests_per_minute=60, tokens_per_minute=60_000, estimate=Estimate(None, 1))
    small = spread(10, Door(limits=both))
    assert small[-1] - small[0] > 8.0
    door = Door(limits=both)
    door.run(*(door.visit(str(number), 100.0, request("x" * 10_000)) for number in range(3)))
    assert door.passed[2][1] - door.passed[0][1] > 18.0


def test_a_share_that_grows_lets_those_in_who_wait_for_it() -> None:
    """Without a share nobody goes; when it comes, the wait begins to end at once."""
    door = Door(limits=AdmissionLimits(requests_per_minute=600))
    door.admission.share(0.0)

    async def later() -> None:
        await door.time.sleep(30.25)
        door.admission.share(1.0)

    door.run(door.visit("a"), later())
    assert 30.25 <= door.passed[0][1] < 30.5


def test_a_slot_is_not_held_while_the_rate_is_waited_for() -> None:
    """Whoever waits for the rate leaves the slots to nobody in particular."""
    door = Door(Slots(1), AdmissionLimits(requests_per_minute=6))

    async def scenario() -> int:
        waiting = [asyncio.create_task(door.visit(name)) for name in "ab"]
        await turn()
        in_use = door.slots.in_use
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return in_use

    assert asyncio.run(scenario()) == 0


# --- a budget --------------------------------------------------------------------------------------------


def test_requests_wait_for_funds_and_go_when_funded() -> None:
    """Two are covered; the others wait without a slot, are asked for once, and go in order as funds come."""
    door, budget_lease = with_budget(Amount(tokens=200, requests=2))
    calls: list[float] = []
    budget_lease.short = lambda: calls.append(door.time.now - 1000.0)

    async def fund() -> None:
        await door.time.sleep(50.5)
        assert (door.slots.in_use, budget_lease.waiting) == (2, 3)
        door.admission.fund(Amount(tokens=100, requests=1))
        await door.time.sleep(10.0)
        door.admission.fund(Amount(tokens=1000, requests=10))

    door.run(*(door.visit(name, 100.0) for name in "abcde"), fund())
    assert door.passed == [("a", 0.0), ("b", 0.0), ("c", 50.5), ("d", 60.5), ("e", 100.0)]
    assert calls == [0.0, 50.5]
    assert (budget_lease.waiting, door.slots.in_use) == (0, 0)


def test_what_a_reply_did_not_cost_pays_the_next_request() -> None:
    """Funds for one request are enough for a second once the first has come to less."""
    door, budget_lease = with_budget(Amount(tokens=120, requests=5))
    door.run(door.visit("a", 7.0), door.visit("b", 1.0))
    assert door.passed == [("a", 0.0), ("b", 7.0)]
    assert budget_lease.report(4).spent == Amount(tokens=10, requests=2)


def test_requests_are_paid_for_by_what_they_really_came_to() -> None:
    """With a price, the cost of a reply is spent and the rest of what was set aside is there again."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(1.0, 1e6, 5))
    price = Price(input=1000.0, output=1000.0)
    door = Door(limits=AdmissionLimits(budget_lease=budget_lease, estimate=Estimate(price, 100)))
    door.run(door.visit("a"))
    report = budget_lease.report(1)
    assert (report.spent.usd, report.returned.usd) == pytest.approx((0.005, 0.995))
    assert (report.spent.tokens, report.returned.tokens) == (5, 1e6 - 5)
    assert (report.spent.requests, report.returned.requests) == (1, 4)


def test_a_failed_attempt_costs_a_request_and_no_tokens() -> None:
    """What was not answered is not billed, but was sent."""
    door, budget_lease = with_budget(Amount(tokens=100, requests=2))

    async def failing() -> None:
        attempt = await door.enter("a")
        door.admission.failed(attempt, ModelInternalServerError("no"), 60.0)
        door.admission.leave(attempt)

    door.run(failing())
    assert budget_lease.report(1).spent == Amount(requests=1)
    assert budget_lease.report(1).spent == NOTHING


def test_every_passage_is_settled_once() -> None:
    """Answered or failed and then left: what it cost is counted once."""
    door, budget_lease = with_budget(Amount(tokens=1000, requests=10))
    door.run(door.visit("a"))
    assert budget_lease.report(1).spent == Amount(tokens=5, requests=1)


def test_a_request_that_is_cancelled_in_flight_gives_back_what_was_set_aside() -> None:
    """Its tokens are there again; that it was sent counts."""
    door, budget_lease = with_budget(Amount(tokens=100, requests=3), slots=1)

    async def scenario() -> None:
        attempt = await door.enter("a")
        door.admission.leave(attempt)
        await door.visit("b")

    door.run(scenario())
    assert budget_lease.report(1).spent == Amount(tokens=5, requests=2)
    assert door.slots.in_use == 0


def test_whoever_is_cancelled_while_waiting_for_funds_leaves_everything_whole() -> None:
    """No slot is lost, nobody counts as waiting, nothing is set aside, and the next in line goes when funded."""
    door, budget_lease = with_budget()

    async def scenario() -> None:
        first, second = (asyncio.create_task(door.enter(name)) for name in "ab")
        await door.time.run(door.time.sleep(3.0))
        assert budget_lease.waiting == 2
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert budget_lease.waiting == 1
        door.admission.fund(Amount(tokens=100, requests=1))
        await door.time.run(second)

    asyncio.run(scenario())
    assert door.order == ["b"]
    assert (budget_lease.waiting, door.slots.in_use) == (0, 1)


def test_whoever_is_cancelled_while_waiting_for_a_slot_leaves_the_lease_whole() -> None:
    """Nothing was set aside for it yet."""
    door, budget_lease = with_budget(Amount(tokens=200, requests=2), slots=1)

    async def scenario() -> None:
        await door.enter("a")
        waiting = asyncio.create_task(door.enter("b"))
        await turn()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(scenario())
    assert budget_lease.holds(Amount(tokens=100, requests=1))
    assert budget_lease.waiting == 0
    assert door.slots.statistics().waiting == 0


@examples(60)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=15),
    st.integers(1, 4),
    st.lists(st.integers(1, 300), max_size=8),
)
def test_whatever_is_cancelled_no_slot_is_lost_and_the_lease_is_never_overdrawn(
    visits: list[tuple[int, int, int]], slots: int, funds: list[int]
) -> None:
    """Requests come, wait, are answered or cancelled, while funds trickle in: at the end all is accounted for."""
    door, budget_lease = with_budget(Amount(tokens=150, requests=3), slots=slots)
    given = [Amount(tokens=150, requests=3)]
    highest = [0]

    async def visit(name: str, seconds: float) -> None:
        attempt = await door.enter(name)
        try:
            highest[0] = max(highest[0], door.slots.in_use)
            await door.time.sleep(seconds)
            door.admission.answered(attempt, REPLY)
        finally:
            door.admission.leave(attempt)

    async def visitor(name: str, patience: int, seconds: int, delay: int) -> None:
        await door.time.sleep(float(delay))
        visiting = asyncio.create_task(visit(name, float(seconds)))
        await door.time.sleep(patience + 0.5)
        visiting.cancel()
        await asyncio.gather(visiting, return_exceptions=True)

    async def fund() -> None:
        for tokens in funds:
            await door.time.sleep(4.0)
            given.append(Amount(tokens=tokens, requests=1))
            door.admission.fund(given[-1])

    door.run(*(visitor(str(number), *one) for number, one in enumerate(visits)), fund())
    report = budget_lease.report(slots)
    assert report.spent + report.returned == sum(given, NOTHING)
    assert report.returned.covers(NOTHING)
    assert highest[0] <= slots
    assert (door.slots.in_use, door.slots.statistics().waiting, budget_lease.waiting) == (0, 0, 0)


def test_a_caller_s_retries_are_paid_for_too() -> None:
    """Each attempt is admitted anew: two failures and a reply are three requests of the budget."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(tokens=1000, requests=3))
    failures = [ModelInternalServerError("no"), ModelRateLimitError("full")]
    model = FakeModel(verdict=scripted(*failures))
    asking = caller(model, Slots(1), budget_lease=budget_lease, estimate=Estimate(None, 10))
    assert model.time.drive(asking.ask(request())).text == "fine"
    assert budget_lease.report(1).spent == Amount(tokens=5, requests=3)
    assert not budget_lease.holds(Amount(requests=1))


@pytest.mark.usefixtures("sockets")
def test_one_full_endpoint_of_several_holds_nobody_back() -> None:
    """What it refuses goes to the others at once, and it is left alone for as long as it asks."""

    async def scenario() -> list[int]:
        refuses = says({}, 429, **{"Retry-After": "60"})
        async with served(refuses) as full, served(says(GOOD)) as well, aiohttp.ClientSession() as session:
            client = ModelClient(pool(full.url, well.url), None, session)
            asking = Caller(client, RequestAdmission(Slots(4)), CallerOptions(), rng=random.Random(0))
            await asyncio.gather(*(asking.ask(request()) for _ in range(40)))
            return [len(full.bodies), len(well.bodies)]

    refused, answered = asyncio.run(scenario())
    assert answered == 40
    assert 1 <= refused <= 4


def test_a_rest_that_a_good_reply_asks_for_has_an_end() -> None:
    """A header that says a day, or nonsense, costs a minute."""
    door = Door()
    for _ in range(2):
        [attempt] = door.time.drive(door.time.run(door.admission.enter(request())))
        door.admission.answered(attempt, replace(REPLY, pause=86_400.0))
        door.admission.leave(attempt)
    assert door.time.now == 1060.0


def test_whoever_gives_up_waiting_for_funds_wants_none() -> None:
    """A lease that nobody waits for asks for nothing."""

    async def scenario() -> BudgetReport:
        door, budget_lease = with_budget()
        waiting = asyncio.create_task(door.admission.enter(request("x" * 5000)))
        await turn()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return budget_lease.report(4)

    report = asyncio.run(scenario())
    assert (report.wanted, report.starved) == (None, False)


def test_a_reply_that_nobody_counted_gives_nothing_back() -> None:
    """Of what was set aside for it; what another did not come to pays the next request as ever."""
    door, budget_lease = with_budget(Amount(tokens=250, requests=5))
    lost = replace(REPLY, usage=Usage(requests=1), counted=False)

    async def visit(reply: Response) -> None:
        attempt = await door.enter("one")
        door.admission.answered(attempt, reply)
        door.admission.leave(attempt)

    door.run(visit(lost), visit(REPLY))
    assert budget_lease.report(4).spent == Amount(tokens=105, requests=2)


def test_whatever_a_reply_says_it_came_to_nobody_waits_for_more_than_minutes() -> None:
    """A count of billions holds the next request back as a whole minute's worth does."""
    door = Door(limits=AdmissionLimits(tokens_per_minute=6000, estimate=Estimate(None, 34)))
    liar = replace(REPLY, usage=Usage(1, 0, 2**31, 2**31))

    async def visit(reply: Response) -> None:
        attempt = await door.enter("one")
        door.admission.answered(attempt, reply)
        door.admission.leave(attempt)

    door.run(visit(liar))
    door.run(visit(REPLY))
    assert 30 < door.passed[1][1] < 180
