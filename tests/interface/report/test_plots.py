"""Plots as geometry: nothing leaves its box, nothing is lost on the way into bars."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.interface.figures import seconds, short
from data_designer.interface.report.plots import (
    HEIGHT,
    WIDTH,
    Plot,
    Series,
    count_ticks,
    equal_bins,
    histogram,
    log_histogram,
    stacked,
    time_ticks,
    whole_ticks,
)

numbers = st.lists(st.floats(-1e9, 1e9) | st.integers(-50, 50).map(float), min_size=1, max_size=200)


def in_its_box(plot: Plot) -> bool:
    """Whether every shape and tick is inside, and every coordinate a number."""
    across = [float(one) for shape in plot.shapes for one in re.findall(r"[MH]([-\d.e]+)", shape.path)]
    down = [float(one) for shape in plot.shapes for one in re.findall(r"V([-\d.e]+)", shape.path)]
    ticks = [tick.at for tick in (*plot.x, *plot.y, *plot.marks)]
    return (
        all(0 <= one <= WIDTH for one in across)
        and all(0 <= one <= HEIGHT for one in down)
        and all(0 <= one <= 100 for one in ticks)
        and "nan" not in str(plot)
        and "inf" not in str(plot)
    )


@given(numbers)
@examples()
def test_every_number_is_in_one_bin(values: list[float]) -> None:
    """Equal stretches in order, without gaps, that count each number once and reach from the least to the greatest."""
    bins = equal_bins(values)
    assert sum(number for *_, number in bins) == len(values)
    assert bins[0][0] <= min(values)
    assert max(values) <= bins[-1][1] + 1e-9 * (1 + max(values) - min(values))
    assert all(before[1] == pytest.approx(after[0]) for before, after in pairwise(bins))
    assert in_its_box(histogram("x", bins))


def test_whole_numbers_are_not_cut() -> None:
    """Between two bars there is never a whole number, which would belong to both."""
    assert equal_bins([1, 1, 2, 5]) == [(0.5, 2.5, 3), (2.5, 4.5, 0), (4.5, 6.5, 1)]
    assert equal_bins([7.0, 7.0]) == [(6.5, 7.5, 2.0)]


@given(
    st.lists(st.tuples(st.floats(1e-6, 1e6), st.integers(1, 1000)), min_size=1, max_size=30, unique_by=lambda x: x[0])
)
@examples()
def test_bins_of_a_sketch_fit_into_a_plot(found: list[tuple[float, int]]) -> None:
    """Whatever powers of ten they span, the plot stays in its box and its ticks are apart."""
    bins = [(low, low * 1.04, float(number)) for low, number in sorted(found)]
    plot = log_histogram("x", bins, seconds, {"p50": bins[0][0]})
    assert in_its_box(plot)
    assert all(after.at - before.at >= 26 for before, after in pairwise(plot.x))


def test_nothing_but_zeros_has_an_empty_plot() -> None:
    """A model that says that it took no tokens does not break the page."""
    assert log_histogram("x", [(0.0, 0.0, 9.0)], short, {"p50": 0.0}).shapes == ()


def test_areas_are_stacked() -> None:
    """Each begins where the one below it ends; one without any value is left out."""
    series = [Series("a", "A", [1, 3]), Series("none", "", [0, 0]), Series("b", "B", [3, 1])]
    plot = stacked("x", [0, 5, 10], series, 4, time_ticks(10, seconds))
    assert [shape.kind for shape in plot.shapes] == ["a", "b"]
    assert plot.shapes[0].path == "M0 100V75H500V25H1000V100H500V100H0Z"
    assert plot.shapes[1].path == "M0 75V0H500V0H1000V25H500V75H0Z"
    assert in_its_box(plot)


@pytest.mark.parametrize(
    ("whole", "labels"),
    [
        (0.5, ["0", "200 ms", "400 ms"]),
        (9.0, ["0", "2 s", "4 s", "6 s", "8 s"]),
        (412.0, ["0", "2 min", "4 min", "6 min"]),
        (90_000.0, ["0", "6 h", "12 h", "18 h", "24 h"]),
        (40 * 86400.0, ["0", "8 d", "16 d", "24 d", "32 d", "40 d"]),
        (0.0, []),
    ],
)
def test_ticks_of_a_time_are_round(whole: float, labels: list[str]) -> None:
    """They stand at times that people say, and no more of them than there is room for."""
    assert [tick.label for tick in time_ticks(whole, seconds)] == labels


def test_ticks_of_what_is_counted_are_whole() -> None:
    """There is no half batch, and no half slot."""
    assert [tick.label for tick in count_ticks(0, 3, short)] == ["0", "1", "2", "3"]
    assert [(tick.at, tick.label) for tick in whole_ticks(8)] == [(100, "0"), (50, "4"), (0, "8")]
    assert [tick.label for tick in whole_ticks(5)] == ["0", "5"]
