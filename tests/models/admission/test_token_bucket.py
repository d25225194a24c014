"""The token bucket: no minute holds more than it may, and hardly less where there is enough to send."""

import math
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.models.admission.token_bucket import Sent, TokenBucket

MINUTE = 60.0


@dataclass
class Sender:
    """Sends what the bucket lets it, as early as that is, on a clock of its own."""

    pace: TokenBucket
    now: float = 0.0
    sent: list[tuple[float, float]] = field(default_factory=list)
    """When how much went."""
    last: Sent = field(default_factory=lambda: Sent(0.0, 0.0))
    """The latest, as the pace knows it."""

    def send(self, amount: float) -> None:
        """Wait as long as it says, then send."""
        while wait := self.pace.wait(self.now, amount):
            self.now += wait
        self.last = self.pace.take(amount)
        self.sent.append((self.now, amount))

    def busiest(self) -> float:
        """The most that any sixty seconds hold; a window may begin with any sending."""
        window: deque[tuple[float, float]] = deque()
        most = held = 0.0
        for at, amount in self.sent:
            window.append((at, amount))
            held += amount
            while window[0][0] <= at - MINUTE:
                held -= window.popleft()[1]
            most = max(most, held)
        return most

    def per_minute(self) -> float:
        """What went on average, from the beginning to now."""
        return sum(amount for _, amount in self.sent) / self.now * MINUTE


def sender(per_minute: float, part: float = 1.0) -> Sender:
    """One that has a part of a pace from the beginning."""
    pace = TokenBucket(per_minute)
    pace.share(part, 0.0)
    return Sender(pace)


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 59, 60, 61, 600, 1000])
def test_no_minute_holds_more_requests_than_it_may(limit: int) -> None:
    """One who always has something to send sends at most the limit in any sixty seconds."""
    one = sender(limit)
    for _ in range(4 * limit):
        one.send(1.0)
    assert one.busiest() <= limit


@pytest.mark.parametrize(("limit", "least"), [(2, 0.5), (10, 0.85), (60, 0.97), (600, 0.98), (1000, 0.98)])
def test_over_a_long_time_the_limit_is_nearly_used(limit: int, least: float) -> None:
    """What is kept back is no more than what may go at once, and half of a very low limit."""
    one = sender(limit)
    for _ in range(30 * limit):
        one.send(1.0)
    assert least * limit <= one.per_minute() <= limit


@examples(60)
@given(st.integers(60, 60_000), st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.2]))
def test_no_minute_holds_more_tokens_than_it_may(limit: int, seed: int, idle: float) -> None:
    """Amounts of any size up to the bucket's, with and without pauses in which the bucket fills."""
    chance, one = random.Random(seed), sender(limit)
    for _ in range(300):
        one.now += chance.uniform(0.0, 90.0) * (chance.random() < idle)
        one.send(chance.uniform(1.0, limit / MINUTE))
    assert one.busiest() <= limit * (1 + 1e-9)


@examples(60)
@given(st.integers(1, 600), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), st.integers(0, 2**32))
def test_a_share_that_changes_never_lets_more_through_than_the_whole(limit: int, parts: list[float], seed: int) -> None:
    """However a process's part rises and falls, no minute of it holds more than the limit."""
    chance, one = random.Random(seed), sender(limit, 0.0)
    for part in parts:
        one.pace.share(part, one.now)
        until = one.now + chance.uniform(1.0, 90.0)
        while (wait := one.pace.wait(one.now, 1.0)) + one.now < until:
            one.now += wait
            one.send(1.0)
        one.now = max(one.now, until)
    assert one.busiest() <= limit


def test_two_shares_together_keep_the_limit() -> None:
    """Processes with a part each send at most the limit together."""
    both = Sender(TokenBucket(600))
    for part in (0.25, 0.75):
        one = sender(600, part)
        for _ in range(1000):
            one.send(1.0)
        both.sent += one.sent
    both.sent = sorted(one for one in both.sent if one[0] < 2 * MINUTE)
    assert 0.95 * 600 <= both.busiest() <= 600


@examples(60)
@given(st.integers(600, 60_000), st.integers(0, 2**32))
def test_what_is_given_back_at_once_was_never_taken(limit: int, seed: int) -> None:
    """Where too much is taken and the rest given back, what really went stays within the limit."""
    chance, one = random.Random(seed), sender(limit)
    for _ in range(300):
        reserved = chance.uniform(1.0, limit / MINUTE)
        one.send(reserved)
        used = reserved * chance.random()
        one.pace.correct(one.last, used)
        one.sent[-1] = (one.now, used)
    assert one.busiest() <= limit * (1 + 1e-9)


def test_what_is_given_back_may_go_sooner() -> None:
    """A refund shortens the wait by the time that it would have taken to flow."""
    refunded, kept = sender(6000), sender(6000)
    for one in (refunded, kept):
        one.send(100.0)
    refunded.pace.correct(refunded.last, 50.0)
    waits = [one.pace.wait(one.now, 100.0) for one in (refunded, kept)]
    assert waits[0] == pytest.approx(waits[1] / 2)


def test_no_refund_fills_the_bucket_beyond_its_brim() -> None:
    """Whatever is given back, no more than a second's worth goes at once."""
    one = sender(6000)
    one.send(100.0)
    began = one.now
    one.pace.correct(one.last, -1e9)
    one.send(100.0)
    assert one.now == began
    assert one.pace.wait(one.now, 1.0) > 0.0


def test_more_than_was_asked_for_is_paid_back_before_anything_else_goes() -> None:
    """A reply that came to more than was reserved delays the next request."""
    one = sender(6000)
    one.send(10.0)
    before = one.pace.wait(one.now, 10.0)
    one.pace.take(990.0)
    assert one.pace.wait(one.now, 10.0) - before == pytest.approx(990 / 99, rel=0.01)


def test_an_amount_larger_than_the_bucket_goes_and_is_paid_back() -> None:
    """It goes once the bucket is full, leaves a debt, and waits for the minute that has room for it."""
    one = sender(60_000)
    one.send(50_000.0)
    assert 0.0 < one.now < 2.0
    assert one.pace.wait(one.now, 1.0) == pytest.approx(49_000 / (59_000 / MINUTE), rel=0.01)
    for _ in range(100):
        one.send(50_000.0)
    assert one.busiest() == 50_000
    assert one.per_minute() == pytest.approx(50_000, rel=0.02)


@examples(40)
@given(st.integers(60, 60_000), st.integers(0, 2**32))
def test_no_minute_holds_more_than_it_may_of_large_amounts(limit: int, seed: int) -> None:
    """Amounts of up to a whole minute's worth."""
    chance, one = random.Random(seed), sender(limit)
    for _ in range(200):
        one.send(chance.uniform(1.0, limit))
    assert one.busiest() <= limit * (1 + 1e-9)


def test_an_amount_larger_than_a_minute_has_one_for_itself() -> None:
    """It could never be sent otherwise."""
    one = sender(600)
    one.send(1.0)
    one.send(1000.0)
    one.send(1.0)
    assert one.busiest() == 1000


@examples(60)
@given(st.integers(600, 60_000), st.integers(0, 2**32))
def test_what_is_given_back_late_lets_no_minute_hold_more(limit: int, seed: int) -> None:
    """A reply may come long after its request, and to much less than was reserved."""
    chance, one = random.Random(seed), sender(limit)
    open_: list[tuple[float, int, Sent]] = []
    for _ in range(300):
        reserved = chance.uniform(1.0, limit / 4)
        one.send(reserved)
        open_.append((one.now + chance.uniform(0.0, 70.0), len(one.sent) - 1, one.last))
        for due in [entry for entry in open_ if entry[0] <= one.now]:
            open_.remove(due)
            used = one.sent[due[1]][1] * chance.random()
            one.pace.correct(due[2], used)
            one.sent[due[1]] = (one.sent[due[1]][0], used)
    assert one.busiest() <= limit * (1 + 1e-9)


def test_it_starts_empty() -> None:
    """A process that takes another's place does not begin with a burst."""
    one = sender(600)
    assert one.pace.wait(0.0, 1.0) > 0.0
    one.send(1.0)
    assert one.now == pytest.approx(1 / (590 / MINUTE), rel=0.01)


def test_without_a_share_nothing_goes() -> None:
    """Before a share is granted, and when it is taken away, the wait has no end; a new one ends it."""
    pace = TokenBucket(600)
    assert math.isinf(pace.wait(0.0, 1.0))
    pace.share(1.0, 0.0)
    assert math.isfinite(pace.wait(1.0, 1.0))
    pace.share(0.0, 5.0)
    assert math.isinf(pace.wait(6.0, 1.0))
    pace.share(0.5, 10.0)
    assert math.isfinite(pace.wait(10.0, 1.0))


def test_a_smaller_share_keeps_no_more_than_it_holds() -> None:
    """What was saved up under a large share cannot be spent at once under a small one."""
    one = sender(6000)
    one.now = 10.0
    one.pace.share(0.1, one.now)
    one.send(10.0)
    assert one.now == 10.0
    assert one.pace.wait(one.now, 10.0) > 0.9


def test_an_amount_of_nothing_takes_its_turn() -> None:
    """A request of no tokens waits for one unit's room, so that order is kept, and takes none of it."""
    one = sender(60)
    wait = one.pace.wait(0.0, 0.0)
    assert wait == one.pace.wait(0.0, 1.0) > 0.0
    one.send(0.0)
    assert one.pace.wait(one.now, 1.0) == 0.0
