"""When a column's failures stop a run, and when they do not."""

import numpy as np
import numpy.typing as npt
import pytest

from data_designer.engine.scheduling.breaker import ErrorRate

CELLS = 2000
Cells = npt.NDArray[np.bool_]


def falling(share: float, seeds: int) -> Cells:
    """Runs of cells that fail at random: a row a run."""
    return np.stack([np.random.default_rng(seed).random(CELLS) < share for seed in range(seeds)])


def by_record(failed: Cells, rate: float = 0.5, window: int = 10) -> int | None:
    """Cells that finish one by one until the breaker trips; None if it never does."""
    breaker = ErrorRate(rate, window)
    return next((n for n, one in enumerate(failed.tolist(), 1) if breaker.record(1, int(one))), None)


def by_formula(failed: Cells, rate: float = 0.5, window: int = 10) -> list[int | None]:
    """The same for many runs at once: what the breaker is to come to, while its span is exact."""
    finished = np.arange(1, failed.shape[1] + 1)
    counted = np.minimum(finished, np.maximum(10 * window, finished // 10))
    total = np.concatenate([np.zeros((len(failed), 1), dtype=np.int64), np.cumsum(failed, axis=1)], axis=1)
    recent = total[:, finished] - total[:, finished - counted]
    expected = rate * counted
    trips = (finished >= window) & (recent > expected + 2.0 * np.sqrt(expected * (1 - rate)))
    return [int(run.argmax()) + 1 if run.any() else None for run in trips]


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4, 0.5, 0.6, 0.9, 1.0])
@pytest.mark.parametrize(("rate", "window"), [(0.5, 10), (0.9, 10), (1.0, 10), (0.3, 5)])
def test_it_trips_where_more_fails_than_is_likely_at_the_rate(share: float, rate: float, window: int) -> None:
    """Cell by cell it comes to what the formula says for the last cells as a whole."""
    runs = falling(share, 5)
    assert [by_record(run, rate, window) for run in runs] == by_formula(runs, rate, window)


def test_a_column_that_always_fails_trips_as_soon_as_the_window_is_full() -> None:
    """Ten failures of ten stop the run; nine finished cells do not."""
    always = np.ones(100, dtype=np.bool_)
    assert by_record(always) == 10
    assert by_record(always, rate=0.9, window=50) == 50


@pytest.mark.parametrize(("share", "most"), [(0.2, 0), (0.3, 2), (0.4, 12)])
def test_failures_below_the_rate_run_on_however_they_fall(share: float, most: int) -> None:
    """Of 200 runs of 2,000 cells that fail at random below the rate, next to none is stopped."""
    assert sum(n is not None for n in by_formula(falling(share, 200))) <= most


def test_failures_above_the_rate_are_found() -> None:
    """Every run that fails 60 % at random is stopped within 2,000 cells, and none before 10."""
    assert all(n is not None and n >= 10 for n in by_formula(falling(0.6, 200)))


def test_a_rate_of_one_never_trips() -> None:
    """A rate of 1.0, which disabling early shutdown sets, is never exceeded."""
    assert by_record(np.ones(1000, dtype=np.bool_), rate=1.0) is None


def test_an_endpoint_that_goes_bad_late_is_found_within_a_tenth() -> None:
    """After 10,000 good cells, a column that only fails is stopped within 1,100 more."""
    breaker = ErrorRate(0.5, 10)
    for _ in range(100):
        assert not breaker.record(100, 0)
    assert next(n for n in range(1, 2000) if breaker.record(1, 1)) <= 1100
