"""What the simulated model counts: sums over sliding windows, and what limits leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.simulated_model.counts import Allowance, Counts, Tally, Window, allowances
from data_designer.simulated_model.server import SimulatedModel

STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=60)
"""Ticks since the entry before, and an amount."""


def entries_of(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The entries with their times."""
    now, found = 0, []
    for ticks, amount in steps:
        now += ticks
        found.append((now, amount))
    return found


@given(steps=STEPS, seconds=st.integers(1, 12))
def test_a_window_is_the_sum_over_its_seconds(steps: list[tuple[int, int]], seconds: int) -> None:
    """At any time it is what came within them, and its peak is the most that ever was."""
    window, entries, peak = Window(seconds), entries_of(steps), 0
    for number, (now, amount) in enumerate(entries):
        window.add(now, amount)
        naive = sum(some for at, some in entries[: number + 1] if at > now - seconds)
        peak = max(peak, naive)
        assert (window.used(now), window.peak) == (naive, peak)
    last = entries[-1][0] if entries else 0
    assert window.used(last + seconds) == 0
    assert window.peak == peak


@given(steps=STEPS, seconds=st.integers(1, 12), allowed=st.integers(1, 40))
def test_a_window_opens_when_it_says(steps: list[tuple[int, int]], seconds: int, allowed: int) -> None:
    """After the time it tells there is more room than now, and some where there was none; not before."""
    window, entries = Window(seconds), entries_of(steps)
    for now, amount in entries:
        window.add(now, amount)
    now = entries[-1][0] if entries else 0
    used, wait = window.used(now), window.opens_in(now, allowed)
    enough = min(allowed, used)
    if not used:
        assert wait == 0
        return
    later = {ticks: sum(some for at, some in entries if at > now + ticks - seconds) for ticks in range(seconds + 1)}
    assert wait == min(ticks for ticks, left in later.items() if left < enough)


def test_each_name_and_all_together_are_counted() -> None:
    """A tally adds to its own counts and to the total, which other tallies add to as well."""
    total = Counts.within(60)
    one, other = Tally(Counts.within(60), total), Tally(Counts.within(60), total)
    for now, tally in enumerate((one, other, one)):
        tally.arrive(float(now))
    one.count("hangs")
    one.answered(3.0, tokens=50, lateness=0.5)
    one.leave(3.0)
    found = total.to_dict()
    assert (found["requests"], found["hangs"], found["ok"], found["in_flight"]) == (3, 1, 1, 2)
    assert (found["peak_requests_in_window"], found["peak_tokens_in_window"]) == (3, 50)
    assert found["mean_in_flight"] == pytest.approx((1 + 2 + 3) / 3)
    assert (one.own.requests, other.own.requests, other.own.ok) == (2, 1, 0)
    assert one.own.to_dict()["peak_requests_in_window"] == 2


def test_a_limit_is_in_proportion_to_its_window() -> None:
    """A minute's requests in a window of two seconds are a thirtieth; a limit always leaves something."""
    counts = Counts.within(2)
    model = SimulatedModel(requests_per_minute=60, tokens_per_minute=1, rate_window=2)
    counts.admitted.add(0.0, 1)
    assert list(allowances(model, counts, 0.5)) == [
        Allowance("requests", limit=2, remaining=1, opens_in=1.5),
        Allowance("tokens", limit=1, remaining=1, opens_in=0.0),
    ]
    assert list(allowances(SimulatedModel(), counts, 0.5)) == []


def test_more_than_is_allowed_leaves_nothing() -> None:
    """Replies that were in flight when the limit was reached do not make less than nothing remain."""
    counts = Counts.within(60)
    for now in range(3):
        counts.tokens.add(float(now), 40)
    [left] = allowances(SimulatedModel(tokens_per_minute=100), counts, 10.0)
    assert (left.remaining, left.opens_in) == (0, 50.0)
