"""Random numbers depend on what they are for and on nothing else."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from data_designer.columns.random_streams import _mixed, key, permuted, uniforms, words


def _rows(count: int) -> npt.NDArray[np.int64]:
    return np.arange(count, dtype=np.int64)


def test_a_record_draws_the_same_in_any_company() -> None:
    """Any subset of records, in any order, draws what the whole draws."""
    stream = key(7, "age", "values")
    whole = uniforms(stream, _rows(1000))
    some = np.array([999, 3, 500, 3], dtype=np.int64)
    assert uniforms(stream, some).tolist() == whole[some].tolist()


@pytest.mark.parametrize("other", [(8, "age", "values"), (7, "name", "values"), (7, "age", "retries")])
def test_seed_column_and_purpose_each_change_the_stream(other: tuple[int, str, str]) -> None:
    """A stream shares no number with one of another seed, column or purpose."""
    mine, theirs = (words(key(*of), _rows(1000)) for of in ((7, "age", "values"), other))
    assert not np.isin(mine, theirs).any()


def test_a_key_tells_apart_purposes_that_join_to_the_same_text() -> None:
    """Where one part of a purpose ends belongs to the key."""
    assert key(1, "ab", "c") != key(1, "a", "bc")


def test_values_are_pinned() -> None:
    """Streams must not change between versions, or a resumed dataset would not continue itself."""
    assert key(7, "age", "values") == 367875757960192158
    assert words(key(7, "age", "values"), _rows(2)).tolist() == [7295324191353354754, 450807051977767235]


def test_the_finaliser_is_that_of_splitmix64() -> None:
    """SplitMix64 seeded with 0 is published to begin with these two numbers."""
    golden = np.array([0x9E3779B97F4A7C15, 0x3C6EF372FE94F82A], dtype=np.uint64)
    assert [f"{word:x}" for word in _mixed(golden).tolist()] == ["e220a8397b1dcdaf", "6e789e6aa1b965f4"]


def test_uniforms_lie_strictly_between_their_ends_and_are_uniform() -> None:
    """No draw is 0 or 1, and draws fill the range evenly."""
    drawn = uniforms(key(1, "x"), _rows(100_000))
    assert 0 < drawn.min() < drawn.max() < 1
    assert stats.kstest(drawn, "uniform").pvalue > 0.001


def test_draws_of_one_record_are_independent() -> None:
    """The second draw of a record tells nothing about its first, nor about its neighbour's."""
    first, second = (uniforms(key(1, "x"), _rows(50_000), draw) for draw in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.02


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 1000, 4097])
def test_a_permutation_reaches_every_place_once(size: int) -> None:
    """Every place of the range comes out exactly once."""
    assert sorted(permuted(key(3, "seed"), _rows(size), size).tolist()) == list(range(size))


def test_a_permutation_depends_on_its_key_and_not_on_its_company() -> None:
    """Another key gives another order; part of the places gives part of the answer."""
    whole = permuted(key(3, "seed"), _rows(1000), 1000)
    assert whole.tolist() != permuted(key(4, "seed"), _rows(1000), 1000).tolist()
    assert permuted(key(3, "seed"), np.array([7, 5], dtype=np.int64), 1000).tolist() == whole[[7, 5]].tolist()


def test_a_permutation_scatters() -> None:
    """The order is not nearly the original one: neighbours do not stay neighbours."""
    order = permuted(key(3, "seed"), _rows(10_000), 10_000)
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05
    assert (np.abs(np.diff(order)) == 1).mean() < 0.01


def test_a_large_range_is_permuted_without_holding_it() -> None:
    """Two to the thirty-second places are permuted one by one."""
    order = permuted(key(3, "ids"), _rows(10_000), 1 << 32)
    assert len(set(order.tolist())) == 10_000
    assert 0 <= order.min() <= order.max() < 1 << 32
