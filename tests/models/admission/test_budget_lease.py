"""What a process may spend: amounts, estimates, and a lease that is never overdrawn."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.fakes import request
from tests.properties import examples

from data_designer.config.models import Price
from data_designer.models.admission.budget_lease import (
    NOTHING,
    Amount,
    BudgetLease,
    Estimate,
    amount_of,
    cost,
)
from data_designer.values import ChatRequest, ImageRequest, Usage

UNLIMITED = Amount(math.inf, math.inf, math.inf)
parts = st.integers(0, 10_000)
amounts = st.builds(Amount, parts.map(float), parts.map(float), parts.map(float))
FRAME = 64
"""Tokens that a chat template may add around a message."""


@given(amounts, amounts, st.integers(0, 9))
def test_amounts_add_up_part_by_part(one: Amount, other: Amount, factor: int) -> None:
    """What is added can be taken away again, and so many times an amount is its sum."""
    assert one + other - other == one
    assert one + NOTHING == one
    assert one.times(factor) == sum([one] * factor, NOTHING)


@given(amounts, amounts)
def test_an_amount_covers_another_in_every_part_or_not_at_all(one: Amount, other: Amount) -> None:
    """Plenty of one thing makes up for no lack of another."""
    pairs = [(one.usd, other.usd), (one.tokens, other.tokens), (one.requests, other.requests)]
    assert one.covers(other) == all(mine >= theirs for mine, theirs in pairs)
    assert (one + other).covers(one)


def test_sums_of_many_prices_cover_what_they_come_to() -> None:
    """A tenth of a cent ten times is a cent, though not in binary."""
    assert sum([Amount(usd=0.1)] * 3, NOTHING).covers(Amount(usd=0.3))
    assert Amount(usd=0.3).covers(sum([Amount(usd=0.1)] * 3, NOTHING))
    assert not Amount(usd=0.3).covers(Amount(usd=0.300001))


def test_what_is_unlimited_covers_everything_and_stays_so() -> None:
    """Spending changes nothing about it."""
    huge = Amount(1e30, 1e30, 1e30)
    assert UNLIMITED.covers(huge)
    assert UNLIMITED - huge == UNLIMITED
    assert not huge.covers(UNLIMITED)


@pytest.mark.parametrize(
    ("usage", "price", "usd"),
    [
        (Usage(input_tokens=1_000_000), Price(input=2.0, output=8.0), 2.0),
        (Usage(output_tokens=1_000_000), Price(input=2.0, output=8.0), 8.0),
        (Usage(output_tokens=1_000_000, reasoning_tokens=900_000), Price(output=8.0), 8.0),
        (Usage(input_tokens=1_000_000, cached_tokens=400_000), Price(input=2.0), 2.0),
        (Usage(input_tokens=1_000_000, cached_tokens=400_000), Price(input=2.0, cached_input=0.5), 1.4),
        (Usage(input_tokens=1_000_000, cached_tokens=1_000_000), Price(input=2.0, cached_input=0.0), 0.0),
        (Usage(input_tokens=5, output_tokens=5), None, 0.0),
    ],
)
def test_tokens_cost_what_their_price_says(usage: Usage, price: Price | None, usd: float) -> None:
    """A million in, out, or read from a cache; thought is part of what comes out; no price costs nothing."""
    assert cost(usage, price) == pytest.approx(usd)


def test_failed_requests_count_as_requests() -> None:
    """A budget of requests limits what is sent, answered or not; of tokens, both directions."""
    usage = Usage(requests=2, failed_requests=3, input_tokens=10, output_tokens=4, reasoning_tokens=3, cached_tokens=9)
    assert amount_of(usage, Price(output=1.0)) == Amount(4e-6, 14.0, 5.0)


@pytest.mark.parametrize(
    ("max_tokens", "given_tokens", "replies", "out"),
    [
        (None, None, [], 1000),
        (None, None, [20], 20),
        (None, None, [20, 700, 30], 700),
        (None, None, [5000], 5000),
        (None, None, [0], 1000),
        (50, None, [], 50),
        (50, None, [700], 50),
        (50, 9, [], 9),
        (None, 9, [700], 9),
    ],
)
def test_a_reply_is_expected_to_be_as_long_as_it_may_or_as_the_longest_so_far(
    max_tokens: int | None, given_tokens: int | None, replies: list[int], out: int
) -> None:
    """The request's own limit, else the alias's, else the longest reply that was seen, else a thousand tokens."""
    estimate = Estimate(None, max_tokens)
    for tokens in replies:
        estimate.settle(Usage(requests=1, output_tokens=tokens))
    asked = request("") if given_tokens is None else request("", max_tokens=given_tokens)
    assert estimate.of(asked) == Amount(0.0, FRAME + out, 1.0)


@pytest.mark.parametrize(("text", "most"), [("", 0), ("abc", 3), ("größe", 7), ("日本", 6), ("a\nb", 3)])
def test_a_prompt_is_taken_for_as_many_tokens_as_it_has_bytes(text: str, most: int) -> None:
    """No text has more tokens than bytes, whatever its script."""
    assert Estimate(None, 1).of(request(text)).tokens == FRAME + most + 1


def test_every_message_and_every_block_counts() -> None:
    """The whole conversation is sent, so all of it is paid for; what is no text has no bytes here."""
    blocks = [{"type": "text", "text": "abc"}, {"type": "image"}, {"type": "text", "text": "de"}]
    asked = ChatRequest([{"role": "system", "content": blocks}, {"role": "user", "content": blocks}])
    assert Estimate(None, 1).of(asked).tokens == 2 * (FRAME + 5) + 1


def test_an_estimate_has_a_price() -> None:
    """The most that a request may cost: its bytes in, its limit out."""
    estimate = Estimate(Price(input=1.0, output=10.0, cached_input=0.0), 100)
    assert estimate.of(request("x" * 36)).usd == pytest.approx((100 + 1000) / 1e6)
    assert estimate.settle(Usage(requests=1, input_tokens=10, output_tokens=2)).usd == pytest.approx(30e-6)


def test_images_are_set_aside_by_their_price() -> None:
    """As many as are asked for, or as came at most; none for what is no request for images."""
    estimate = Estimate(Price(image=0.5), 0, images=2)
    assert estimate.of(ImageRequest("")).usd == 1.0
    assert estimate.of(ImageRequest("", params={"n": 3})).usd == 1.5
    estimate.settle(Usage(requests=1, images=4))
    assert estimate.of(ImageRequest("")).usd == 2.0
    assert estimate.of(request("")).usd == 0.0


def test_a_lease_holds_what_was_put_in() -> None:
    """It covers an amount up to what is in it, in every part; setting aside takes from it."""
    budget_lease = BudgetLease()
    assert not budget_lease.holds(Amount(requests=1))
    budget_lease.fund(Amount(requests=2, tokens=10))
    budget_lease.fund(Amount(requests=1))
    assert budget_lease.holds(Amount(requests=3, tokens=10))
    budget_lease.reserve(Amount(requests=2, tokens=4))
    assert budget_lease.holds(Amount(requests=1, tokens=6))
    assert not budget_lease.holds(Amount(requests=1, tokens=7))


def test_what_was_set_aside_and_not_spent_is_there_again() -> None:
    """Settling gives back the difference and reports what was spent, once."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(1.0, 100, 2))
    budget_lease.reserve(Amount(0.5, 60, 1))
    assert not budget_lease.holds(Amount(tokens=41))
    budget_lease.settle(Amount(0.5, 60, 1), Amount(0.1, 20, 1))
    assert budget_lease.holds(Amount(0.9, 80, 1))
    budget_lease.waiting = 1
    assert budget_lease.report(4).spent == Amount(0.1, 20, 1)
    assert budget_lease.report(4).spent == NOTHING


def test_whoever_fills_it_is_told_once_that_funds_lack() -> None:
    """The first request that waits calls; looking again does not, until it was covered and the next one lacks."""
    calls: list[int] = []
    budget_lease = BudgetLease()
    budget_lease.short = lambda: calls.append(1)
    for _ in range(3):
        assert not budget_lease.holds(Amount(requests=1))
    assert len(calls) == 1
    budget_lease.fund(Amount(requests=1))
    assert budget_lease.holds(Amount(requests=1))
    budget_lease.reserve(Amount(requests=1))
    assert not budget_lease.holds(Amount(requests=1))
    assert len(calls) == 2


def test_a_request_that_lacks_funds_wants_some_for_every_slot() -> None:
    """With nothing in flight it is starved and gives back what is too little for it, and needs all it lacks."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(tokens=5, requests=1))
    budget_lease.waiting = 1
    assert not budget_lease.holds(Amount(tokens=8, requests=1))
    report = budget_lease.report(slots=4)
    assert (report.wanted, report.least) == (Amount(tokens=64, requests=8), Amount(tokens=8, requests=1))
    assert (report.returned, report.starved, report.busy) == (Amount(tokens=5, requests=1), True, False)
    assert budget_lease.report(slots=0).wanted == Amount(tokens=16, requests=2)


def test_funds_that_are_too_little_are_asked_for_again() -> None:
    """What was lacking before they came is forgotten, and reports say how often something came."""
    budget_lease, calls = BudgetLease(), []
    budget_lease.short = lambda: calls.append(1)
    budget_lease.waiting = 1
    assert not budget_lease.holds(Amount(requests=3))
    budget_lease.fund(Amount(requests=2))
    report = budget_lease.report(slots=1)
    assert (report.wanted, report.starved, report.busy, report.funded) == (None, False, True, 1)
    assert not budget_lease.holds(Amount(requests=3))
    assert len(calls) == 2


def test_while_requests_are_in_flight_it_only_needs_what_is_missing() -> None:
    """What is in it stays, since what comes back from the others may be enough: it is not starved yet."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(tokens=20, requests=9))
    budget_lease.reserve(Amount(tokens=15, requests=1))
    budget_lease.waiting = 1
    assert not budget_lease.holds(Amount(tokens=8, requests=1))
    report = budget_lease.report(slots=1)
    assert (report.returned, report.least.tokens) == (NOTHING, 3)
    assert (report.starved, report.busy) == (False, True)


@pytest.mark.parametrize(("waiting", "returned"), [(0, 7.0), (1, 0.0)])
def test_what_nothing_needs_is_given_back(waiting: int, returned: float) -> None:
    """An idle lease returns all it has, unless a request is about to be sent; nothing is wanted."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(tokens=7))
    budget_lease.waiting = waiting
    report = budget_lease.report(slots=4)
    assert report.returned == Amount(tokens=returned)
    assert (report.wanted, report.starved) == (None, False)
    assert budget_lease.holds(Amount(tokens=7)) == bool(waiting)


@dataclass
class Household:
    """A budget_lease, what was put into it, and the requests that are paid from it."""

    budget_lease: BudgetLease = field(default_factory=BudgetLease)
    given: Amount = NOTHING
    back: Amount = NOTHING
    spent: Amount = NOTHING
    in_flight: list[Amount] = field(default_factory=list)

    def fund(self, tokens: int) -> None:
        """Put something in."""
        amount = Amount(tokens=tokens, requests=1)
        self.given += amount
        self.budget_lease.fund(amount)

    def send(self, tokens: int) -> None:
        """Send a request if it is covered."""
        amount = Amount(tokens=tokens, requests=1)
        if self.budget_lease.holds(amount):
            self.budget_lease.reserve(amount)
            self.in_flight.append(amount)

    def settle(self, tokens: int) -> None:
        """A reply comes, which came to no more than was set aside."""
        if self.in_flight:
            reserved = self.in_flight.pop(tokens % len(self.in_flight))
            spent = Amount(tokens=min(tokens, reserved.tokens), requests=1)
            self.budget_lease.settle(reserved, spent)

    def report(self, slots: int) -> None:
        """Tell whoever fills it."""
        report = self.budget_lease.report(slots)
        self.spent += report.spent
        self.back += report.returned
        assert report.busy == bool(self.in_flight)


@examples(200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([Household.fund, Household.send, Household.settle, Household.report]), st.integers(0, 60)
        ),
        max_size=80,
    )
)
def test_no_more_is_ever_spent_than_was_put_in(acts: list[tuple[Callable[[Household, int], None], int]]) -> None:
    """Whatever comes in any order: spent, returned, set aside and left make up what was given, and nothing is lost."""
    household = Household()
    for act, number in acts:
        act(household, number)
        in_flight = sum(household.in_flight, NOTHING)
        assert household.given.covers(household.spent + household.back + in_flight)
    while household.in_flight:
        household.settle(0)
    household.report(1)
    household.report(1)
    assert household.spent + household.back == household.given


def test_an_endless_lease_never_runs_out() -> None:
    """A part that is not limited is infinite before and after spending."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(math.inf, 10, math.inf))
    budget_lease.reserve(Amount(5.0, 10, 1))
    budget_lease.settle(Amount(5.0, 10, 1), Amount(5.0, 10, 1))
    assert budget_lease.holds(Amount(1e9, 0, 1e9))
    assert not budget_lease.holds(Amount(0.0, 1, 0.0))


def test_one_that_waits_for_something_else_than_funds_is_busy() -> None:
    """It holds some and will spend them, so a budget is not used up."""
    budget_lease = BudgetLease()
    budget_lease.fund(UNLIMITED)
    budget_lease.waiting = 1
    assert budget_lease.report(4).busy


def test_a_schema_beside_the_prompt_counts() -> None:
    """It is sent and paid for as the prompt is."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in "abcdefgh"}}
    bare, asked = (Estimate(None, 9).of(request("hi", **params)) for params in ({}, {"response_format": schema}))
    assert asked.tokens - bare.tokens >= len(str(schema)) * 0.8


def test_the_larger_part_of_two_amounts_counts() -> None:
    """Two accounts of the same spending, of which each may have missed something."""
    assert Amount(1.0, 20.0, 3.0).or_more(Amount(2.0, 10.0, 3.0)) == Amount(2.0, 20.0, 3.0)
