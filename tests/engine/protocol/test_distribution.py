"""Sketches of numbers: quantiles within their bound, sums without loss, the same after JSON, small at any size."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.engine.protocol.distribution import Distribution

NUMBERS = st.lists(st.just(0.0) | st.floats(1e-6, 1e9), min_size=1, max_size=300)


@given(NUMBERS, st.floats(0, 1))
def test_a_quantile_is_off_by_two_percent_at_most(numbers: list[float], part: float) -> None:
    """Beside the number of that rank."""
    exact = sorted(numbers)[int(part * (len(numbers) - 1))]
    assert Distribution(numbers).quantile(part) == pytest.approx(exact, rel=0.0201, abs=1e-9)


@given(NUMBERS, NUMBERS)
def test_sums_are_as_if_all_had_been_added_to_one(some: list[float], others: list[float]) -> None:
    """Bins, count and ends; the sum but for rounding."""
    both, whole = Distribution(some) + Distribution(others), Distribution([*some, *others])
    assert both.bins() == whole.bins()
    assert (both.count, both.smallest, both.largest) == (whole.count, whole.smallest, whole.largest)
    assert both.mean == pytest.approx(whole.mean)


@given(NUMBERS, NUMBERS, st.floats(0, 1))
def test_many_may_be_added_at_once(before: list[float], numbers: list[float], part: float) -> None:
    """To those that are there."""
    many = Distribution(before)
    many.extend(numbers)
    exact = sorted([*before, *numbers])[int(part * (len(before) + len(numbers) - 1))]
    assert many.quantile(part) == pytest.approx(exact, rel=0.0201, abs=1e-9)
    whole = Distribution([*before, *numbers])
    assert (many.count, many.smallest, many.largest) == (whole.count, whole.smallest, whole.largest)
    assert many.mean == pytest.approx(whole.mean)


def test_none_may_be_added_at_once() -> None:
    """Nothing changes."""
    nothing = Distribution()
    nothing.extend([])
    assert nothing == Distribution()


@given(NUMBERS)
def test_json_keeps_everything(numbers: list[float]) -> None:
    """So that what a run wrote is what a later one adds to."""
    there = Distribution(numbers)
    back = Distribution.from_dict(json.loads(json.dumps(there.to_dict())))
    assert back == there
    assert back.quantile(0.5) == there.quantile(0.5)


@given(NUMBERS)
def test_bins_hold_every_number_and_follow_each_other(numbers: list[float]) -> None:
    """Each within its ends."""
    bins = Distribution(numbers).bins()
    assert sum(count for *_, count in bins) == len(numbers)
    assert all(one[1] <= other[0] * 1.000001 for one, other in itertools.pairwise(bins))


def test_nothing_has_no_quantile_and_no_mean() -> None:
    """Both are zero, and it is false."""
    nothing = Distribution()
    assert not nothing
    assert (nothing.count, nothing.mean, nothing.quantile(0.5), nothing.bins()) == (0, 0.0, 0.0, [])
    assert Distribution.from_dict(nothing.to_dict()) == nothing
    assert nothing + Distribution([1.0]) == Distribution([1.0])


def test_it_stays_small_whatever_it_is_given() -> None:
    """A million numbers over twenty powers of ten have bins of bounded number."""
    wide = Distribution(10.0 ** (place % 200 / 10 - 10) for place in range(20_000))
    assert len(json.dumps(wide.to_dict())) < 20_000
    assert wide.count == 20_000
