"""The dispatcher without overhead that benchmarks are measured against."""

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator

import bound as lib
import pytest
from hypothesis import given
from hypothesis import strategies as st


def _in_turn(*seconds: float) -> Callable[[random.Random], float]:
    """Give these latencies, in the order in which cells start."""
    left: Iterator[float] = iter(seconds)
    return lambda _: next(left)


def _noted(name: str, seconds: float, into: list[str]) -> Callable[[random.Random], float]:
    """Give a constant latency and note the start."""

    def draw(_: random.Random) -> float:
        into.append(name)
        return seconds

    return draw


def test_ten_cells_in_three_slots_take_four_rounds() -> None:
    """Ten cells of a second each in three slots: 3 + 3 + 3 + 1, so 4 s, 2.5 in flight."""
    found = lib.bound(lib.Workload((lib.Column("a", "p", lib.Latency(1.0)),), {"p": 3}, 10))
    assert found.seconds == 4.0
    assert found.pools == {"p": lib.Occupancy(slots=3, mean_in_flight=2.5, peak_in_flight=3)}
    assert found.overall == found.pools["p"]
    assert found.overall.share == pytest.approx(2.5 / 3)


def test_records_follow_each_other_through_the_pools_of_a_chain() -> None:
    """Three records, 1 s in one pool and then 2 s in another, of a slot each: the second works from 1 s to 7 s."""
    columns = (lib.Column("a", "p", lib.Latency(1.0)), lib.Column("b", "q", lib.Latency(2.0), needs=("a",)))
    found = lib.bound(lib.Workload(columns, {"p": 1, "q": 1}, 3))
    assert found.seconds == 7.0
    assert found.pools["p"].mean_in_flight == pytest.approx(3 / 7)
    assert found.pools["q"].mean_in_flight == pytest.approx(6 / 7)
    assert found.mean_in_flight == pytest.approx(9 / 7)
    assert found.overall.slots == 2
    assert found.overall.peak_in_flight == 2


def test_a_cell_waits_for_its_own_record_only() -> None:
    """The dependants of a quick cell run while the slow one of another record is in flight."""
    columns = (
        lib.Column("a", "p", _in_turn(10.0, 1.0)),
        lib.Column("b", "q", _in_turn(9.0, 1.0), needs=("a",)),
    )
    found = lib.bound(lib.Workload(columns, {"p": 2, "q": 1}, 2))
    assert found.seconds == 11.0


def test_a_cell_waits_for_all_its_inputs() -> None:
    """A column of two inputs starts when the slower of them has ended."""
    columns = (
        lib.Column("c", "p", lib.Latency(1.0), needs=("a", "b")),
        lib.Column("a", "p", lib.Latency(2.0)),
        lib.Column("b", "p", lib.Latency(5.0)),
    )
    assert lib.bound(lib.Workload(columns, {"p": 8}, 1)).seconds == 6.0


def test_rounds_without_a_remainder_leave_no_slot_empty() -> None:
    """Constant latencies and a multiple of the slots: every slot is in use from beginning to end."""
    found = lib.bound(lib.WORKLOADS["W7"](3 * 1024))
    assert found.seconds == 3.0
    assert found.overall == lib.Occupancy(slots=1024, mean_in_flight=1024.0, peak_in_flight=1024)


def test_the_deepest_column_goes_first() -> None:
    """A record is finished before the next one is begun where there is one slot."""
    order: list[str] = []
    columns = (
        lib.Column("a", "p", _noted("a", 1.0, order)),
        lib.Column("c", "p", _noted("c", 1.0, order), needs=("b",)),
        lib.Column("b", "p", _noted("b", 1.0, order), needs=("a",)),
    )
    lib.bound(lib.Workload(columns, {"p": 1}, 3))
    assert order == ["a", "b", "c"] * 3


def test_depth_goes_before_the_record() -> None:
    """At 1 s the deeper cell of the last record, whose input was quick, goes before the root cells of the others."""
    order: list[str] = []
    columns = (
        lib.Column("a", "q", _in_turn(9.0, 9.0, 1.0)),
        lib.Column("root", "p", _noted("root", 1.0, order)),
        lib.Column("deep", "p", _noted("deep", 1.0, order), needs=("a",)),
    )
    lib.bound(lib.Workload(columns, {"q": 3, "p": 1}, 3))
    assert order == ["root", "deep", "root", "root", "deep", "deep"]


def test_of_one_column_the_lowest_record_goes_first() -> None:
    """At 3 s the slot of `b` goes to record 0, ready only now, and not to record 2, ready for a second.

    So the second `c`, of 10 s, starts at 5 s.
    Were record 2 served first, it would start at 6 s, when that one's `d` ends.
    """
    columns = (
        lib.Column("a", "a", _in_turn(3.0, 1.0, 2.0)),
        lib.Column("b", "b", lib.Latency(2.0), needs=("a",)),
        lib.Column("c", "c", _in_turn(1.0, 10.0, 1.0), needs=("b", "d")),
        lib.Column("d", "d", _in_turn(0.5, 0.5, 6.0)),
    )
    assert lib.bound(lib.Workload(columns, {"a": 3, "b": 1, "c": 3, "d": 3}, 3)).seconds == 15.0


def test_what_ends_at_one_instant_ends_before_a_slot_is_given_away() -> None:
    """Three times 0.1 s end with 0.3 s, so their dependants are ready when that slot is free."""
    order: list[str] = []
    columns = (
        lib.Column("root", "long", _noted("root", 0.3, order)),
        lib.Column("x", "short", lib.Latency(0.1)),
        lib.Column("y", "short", lib.Latency(0.1), needs=("x",)),
        lib.Column("z", "short", lib.Latency(0.1), needs=("y",)),
        lib.Column("last", "long", _noted("last", 0.3, order), needs=("z",)),
    )
    lib.bound(lib.Workload(columns, {"short": 2, "long": 1}, 2))
    assert order == ["root", "last", "last", "root"]


def test_cells_that_take_no_time_leave_nothing_in_flight() -> None:
    """A run of no length has no mean to speak of: it is 0."""
    found = lib.bound(lib.Workload((lib.Column("a", "p", lambda _: 0.0),), {"p": 2}, 5))
    assert (found.seconds, found.mean_in_flight, found.overall.peak_in_flight) == (0.0, 0.0, 2)


@st.composite
def _latencies(draw: st.DrawFn) -> lib.Latency:
    spread = draw(st.sampled_from(({}, {"jitter": 0.5}, {"cv": 0.5}, {"cv": 2.0})))
    return lib.Latency(draw(st.sampled_from((0.1, 0.2, 0.3))), **spread)


@st.composite
def _workloads(draw: st.DrawFn) -> lib.Workload:
    """Up to five columns, each needing some of those before it, in up to three pools."""
    slots = draw(st.dictionaries(st.sampled_from("pqr"), st.integers(1, 5), min_size=1))
    columns = []
    for number in range(draw(st.integers(1, 5))):
        needs = draw(st.sets(st.sampled_from(range(number)))) if number else set()
        pool = draw(st.sampled_from(sorted(slots)))
        columns.append(lib.Column(str(number), pool, draw(_latencies()), tuple(map(str, needs))))
    return lib.Workload(tuple(draw(st.permutations(columns))), slots, draw(st.integers(1, 20)))


def _recorded(workload: lib.Workload) -> tuple[lib.Workload, dict[str, list[float]]]:
    """Give the same workload, and the latencies it will have drawn, a pool."""
    drawn: dict[str, list[float]] = defaultdict(list)

    def record(column: lib.Column) -> lib.Column:
        def draw(rng: random.Random) -> float:
            drawn[column.pool].append(column.latency(rng))
            return drawn[column.pool][-1]

        return lib.Column(column.name, column.pool, draw, column.needs)

    return lib.Workload(tuple(map(record, workload.columns)), workload.slots, workload.records), drawn


@given(_workloads(), st.integers(0, 99))
def test_slots_are_never_exceeded_and_no_latency_is_lost(workload: lib.Workload, seed: int) -> None:
    """A pool's peak is within its slots, and requests in flight over time add up to the latencies of all its cells."""
    workload, drawn = _recorded(workload)
    found = lib.bound(workload, seed)
    assert sum(map(len, drawn.values())) == workload.records * len(workload.columns)
    for pool, used in found.pools.items():
        assert used.peak_in_flight <= used.slots == workload.slots[pool]
        assert used.mean_in_flight * found.seconds == pytest.approx(sum(drawn[pool]), abs=1e-6)
    total = sum(map(sum, drawn.values()))
    assert found.mean_in_flight * found.seconds == pytest.approx(total, abs=1e-6)
    busiest = max(used.peak_in_flight for used in found.pools.values())
    assert busiest <= found.overall.peak_in_flight <= sum(used.peak_in_flight for used in found.pools.values())


@given(_latencies(), st.integers(1, 8), st.integers(1, 60), st.integers(0, 99))
def test_no_slot_is_empty_while_a_cell_is_ready(latency: lib.Latency, slots: int, records: int, seed: int) -> None:
    """Independent cells start, the last of them too, no later than when the slots would have shared all work evenly."""
    workload, drawn = _recorded(lib.Workload((lib.Column("a", "p", latency),), {"p": slots}, records))
    found = lib.bound(workload, seed)
    even, longest = sum(drawn["p"]) / slots, max(drawn["p"])
    assert found.overall.peak_in_flight == min(slots, records)
    assert max(even, longest) - 1e-6 <= found.seconds <= even + longest * (1 - 1 / slots) + 1e-6


@given(_workloads(), st.integers(0, 99))
def test_a_seed_gives_the_same_bound_again(workload: lib.Workload, seed: int) -> None:
    """Nothing but the workload and the seed decides."""
    assert lib.bound(workload, seed) == lib.bound(workload, seed)


def test_seeds_give_different_latencies() -> None:
    """Two seeds are two draws."""
    workload = lib.WORKLOADS["T"](50)
    assert lib.bound(workload, 0).seconds != lib.bound(workload, 1).seconds


@pytest.mark.parametrize("cv", [0.1, 0.5, math.sqrt(math.e - 1)])
def test_a_lognormal_latency_has_the_mean_and_variation_asked_for(cv: float) -> None:
    """Of the logarithm, the deviation is sqrt(ln(1 + cv^2)) and the mean ln(mean) less half its square."""
    rng, latency = random.Random(7), lib.Latency(0.2, cv=cv)
    logs = [math.log(latency(rng)) for _ in range(20_000)]
    sigma = math.sqrt(math.log(1 + cv * cv))
    assert statistics.stdev(logs) == pytest.approx(sigma, rel=0.03)
    assert statistics.fmean(logs) == pytest.approx(math.log(0.2) - sigma * sigma / 2, abs=4 * sigma / math.sqrt(20_000))


def test_jitter_is_uniform_around_the_mean() -> None:
    """Draws fill mean x (1 +- jitter), and no more."""
    rng, latency = random.Random(7), lib.Latency(0.2, jitter=0.5)
    drawn = [latency(rng) for _ in range(20_000)]
    assert 0.1 <= min(drawn) < 0.101
    assert 0.299 < max(drawn) <= 0.3
    assert statistics.fmean(drawn) == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [{"mean": 0.0}, {"mean": -1.0}, {"mean": math.nan}, {"jitter": 1.1}, {"cv": -0.1}, {"jitter": 0.5, "cv": 0.5}],
)
def test_a_latency_that_cannot_be_drawn_is_refused(wrong: dict[str, float]) -> None:
    """A mean must be positive, a spread in its range, and there is one spread at most."""
    with pytest.raises(ValueError, match=r"latency|jitter"):
        lib.Latency(**({"mean": 0.2} | wrong))


@pytest.mark.parametrize(
    ("columns", "slots", "records", "message"),
    [
        ([], {"p": 1}, 1, "at least one"),
        ([("a", ())], {"p": 1}, 0, "at least one"),
        ([("a", ()), ("a", ())], {"p": 1}, 1, "twice: .'a'"),
        ([("a", ("b",))], {"p": 1}, 1, "not declared: .'b'"),
        ([("a", ())], {"p": 0}, 1, "without a slot: .'p'"),
        ([("a", ())], {"q": 1}, 1, "without a slot: .'p'"),
        ([("a", ("b",)), ("b", ("a",))], {"p": 1}, 1, "cycle"),
    ],
)
def test_a_workload_that_could_not_end_is_refused(
    columns: list[tuple[str, tuple[str, ...]]], slots: dict[str, int], records: int, message: str
) -> None:
    """What is empty, repeated, unknown, circular or without a slot is named before anything runs."""
    declared = tuple(lib.Column(name, "p", lib.Latency(1.0), needs) for name, needs in columns)
    with pytest.raises(ValueError, match=message):
        lib.Workload(declared, slots, records)


def test_the_two_models_of_w2_are_hand_computed() -> None:
    """64 records: `a` to 0.1 s beside `d` to 0.3 s, then `b` to 0.6 s, then `c` to 0.7 s."""
    found = lib.bound(lib.WORKLOADS["W2"](64))
    assert found.seconds == pytest.approx(0.7)
    assert found.pools["m1"].mean_in_flight == pytest.approx(64 * 0.2 / 0.7)
    assert found.pools["m2"].mean_in_flight == pytest.approx(64 * 0.6 / 0.7)


def test_w2_is_as_long_as_its_slower_model_needs() -> None:
    """At 5,000 records the 300 ms model is full but for a last round of both models."""
    work = 5000 * 0.6 / 64
    assert work <= lib.median_bound("W2", 5000).seconds <= work + 0.4


def test_w1_loses_about_three_percent_to_its_end() -> None:
    """At 20,000 records, 256 slots are 97 % full: what lacks is the slots that wait for the last, long requests."""
    assert lib.median_bound("W1", 20_000).share == pytest.approx(0.97, abs=0.01)


def test_the_median_is_taken_over_the_seeds() -> None:
    """Seconds, requests in flight and share are each the middle one of the runs."""
    runs = [lib.bound(lib.WORKLOADS["T"](100), seed) for seed in (3, 4, 5)]
    assert lib.median_bound("T", 100, seeds=(3, 4, 5)) == lib.MedianBound(
        seconds=sorted(run.seconds for run in runs)[1],
        mean_in_flight=sorted(run.mean_in_flight for run in runs)[1],
        share=sorted(run.overall.share for run in runs)[1],
    )
