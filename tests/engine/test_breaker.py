"""When a column's failures stop a run, and when they do not."""

import random

import pytest

from data_designer.engine.breaker import ErrorRate


def finished_until_tripped(share: float, seed: int, cells: int, rate: float = 0.5, window: int = 10) -> int | None:
    """Cells that finish, failing at random, until the breaker trips; None if it never does."""
    rng = random.Random(seed)
    breaker = ErrorRate(rate, window)
    return next((n for n in range(1, cells + 1) if breaker.record(1, int(rng.random() < share))), None)


def test_a_column_that_always_fails_trips_as_soon_as_the_window_is_full() -> None:
    """Ten failures of ten stop the run; nine finished cells do not."""
    assert finished_until_tripped(1.0, 0, 100) == 10
    assert finished_until_tripped(1.0, 0, 100, rate=0.9, window=50) == 50


@pytest.mark.parametrize(("share", "most"), [(0.2, 0), (0.3, 2), (0.4, 12)])
def test_failures_below_the_rate_run_on_however_they_fall(share: float, most: int) -> None:
    """Of 200 runs of 2,000 cells that fail at random below the rate, next to none is stopped."""
    stopped = sum(finished_until_tripped(share, seed, 2000) is not None for seed in range(200))
    assert stopped <= most


def test_failures_above_the_rate_are_found() -> None:
    """Every run that fails 60 % at random is stopped within 2,000 cells, and none before 10."""
    found = [finished_until_tripped(0.6, seed, 2000) for seed in range(200)]
    assert all(n is not None and n >= 10 for n in found)


def test_a_rate_of_one_never_trips() -> None:
    """A rate of 1.0, which disabling early shutdown sets, is never exceeded."""
    assert finished_until_tripped(1.0, 0, 1000, rate=1.0) is None


def test_an_endpoint_that_goes_bad_late_is_found_within_a_tenth() -> None:
    """After 10,000 good cells, a column that only fails is stopped within 1,100 more."""
    breaker = ErrorRate(0.5, 10)
    for _ in range(100):
        assert not breaker.record(100, 0)
    assert next(n for n in range(1, 2000) if breaker.record(1, 1)) <= 1100
