"""How fast a dispatcher without overhead runs a workload: what the engine is measured against.

An event simulation, cell by cell, that shares nothing with the engine, so that a fault of the engine's scheduler
cannot hide in its own yardstick. All records are there at the start, and deciding takes no time.

The dispatcher is greedy: it leaves no slot empty while a cell of its pool is ready. It does not look ahead, so where
columns share a pool another order may finish a little sooner; the bound of time is on overhead, not on cleverness.

    python tests/benchmarks/bound.py    # the table of the named workloads
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from statistics import median

_TICKS = 1_000_000_000
"""Ticks of the clock a second. It counts in whole ones, so that cells which should end together do."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Draws how long a request takes, in seconds: constant unless one of the two spreads is set.

    Raises:
        ValueError: if the mean is not positive, a spread is out of its range or both are set.
    """

    mean: float
    jitter: float = 0.0
    """Uniform between mean x (1 - jitter) and mean x (1 + jitter); at most 1."""
    cv: float = 0.0
    """Lognormal with this coefficient of variation (standard deviation / mean)."""

    def __post_init__(self) -> None:
        if not self.mean > 0:
            raise ValueError(f"the mean latency must be positive, not {self.mean}")
        if not 0 <= self.jitter <= 1 or not 0 <= self.cv < math.inf:
            raise ValueError(f"jitter must be in [0, 1] and cv finite and >= 0, not {self.jitter} and {self.cv}")
        if self.jitter and self.cv:
            raise ValueError("a latency is spread by jitter or by cv, not by both")

    def __call__(self, rng: random.Random) -> float:
        """Draw one latency."""
        if self.cv:
            variance = math.log1p(self.cv**2)
            return rng.lognormvariate(math.log(self.mean) - variance / 2, math.sqrt(variance))
        if self.jitter:
            return rng.uniform(self.mean * (1 - self.jitter), self.mean * (1 + self.jitter))
        return self.mean


@dataclass(frozen=True, slots=True)
class Column:
    """One request a record, which waits for the columns it needs."""

    name: str
    pool: str
    latency: Callable[[random.Random], float]
    """Seconds of one request; drawn when it starts."""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """Columns to be made for a number of records.

    Raises:
        ValueError: if there is nothing to do, or names are repeated, unknown or wait for each other in a circle.
    """

    columns: tuple[Column, ...]
    slots: Mapping[str, int]
    """Pool to the most requests it has in flight."""
    records: int

    def __post_init__(self) -> None:
        names = Counter(column.name for column in self.columns)
        if self.records < 1 or not names:
            raise ValueError("a workload has at least one record and one column")
        if twice := [name for name, times in names.items() if times > 1]:
            raise ValueError(f"columns declared twice: {twice}")
        if unknown := {need for column in self.columns for need in column.needs} - set(names):
            raise ValueError(f"columns that are needed but not declared: {sorted(unknown)}")
        if closed := {column.pool for column in self.columns if self.slots.get(column.pool, 0) < 1}:
            raise ValueError(f"pools without a slot: {sorted(closed)}")
        self.depths()

    def depths(self) -> tuple[int, ...]:
        """Per column, the length of the longest chain of columns before it."""
        needs = {column.name: column.needs for column in self.columns}
        depth: dict[str, int] = {}
        for name in TopologicalSorter(needs).static_order():
            depth[name] = max((depth[need] + 1 for need in needs[name]), default=0)
        return tuple(depth[column.name] for column in self.columns)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How full slots were from the first request's start to the last one's end, of whatever pool those were."""

    slots: int
    mean_in_flight: float
    peak_in_flight: int

    @property
    def share(self) -> float:
        """Share of the slots in use, on average."""
        return self.mean_in_flight / self.slots


@dataclass(frozen=True, slots=True)
class Bound:
    """What a dispatcher without overhead makes of a workload."""

    seconds: float
    """From the first request's start to the last one's end."""
    overall: Occupancy
    pools: Mapping[str, Occupancy]

    @property
    def mean_in_flight(self) -> float:
        """Requests in flight on average, of all pools together."""
        return self.overall.mean_in_flight


@dataclass(frozen=True, slots=True)
class MedianBound:
    """Medians over several seeds, each taken by itself."""

    seconds: float
    mean_in_flight: float
    share: float


@dataclass(slots=True)
class _Gauge:
    """Requests in flight over time."""

    count: int = 0
    peak: int = 0
    integral: int = 0
    """Request-ticks up to the last change."""
    changed: int = 0

    def change(self, now: int, by: int) -> None:
        self.integral += self.count * (now - self.changed)
        self.changed = now
        self.count += by
        self.peak = max(self.peak, self.count)

    def occupancy(self, slots: int, ticks: int) -> Occupancy:
        return Occupancy(slots, self.integral / ticks if ticks else 0.0, self.peak)


@dataclass(slots=True)
class _Pool:
    """Slots, and the cells that could use one now."""

    slots: int
    ready: list[tuple[int, int, int]] = field(default_factory=list)
    """Heap of (-depth, record, column): the deepest column first, then the lowest record."""
    gauge: _Gauge = field(default_factory=_Gauge)


class _Run:
    """One pass through a workload."""

    def __init__(self, workload: Workload, seed: int) -> None:
        self._rng = random.Random(seed)
        self._columns, records = workload.columns, workload.records
        self._depths = workload.depths()
        self._pools = {name: _Pool(slots) for name, slots in workload.slots.items()}
        self._pool_of = [self._pools[column.pool] for column in self._columns]
        self._overall = _Gauge()
        self._running: list[tuple[int, int, int]] = []
        """Heap of (end, record, column)."""
        needs = [frozenset(column.needs) for column in self._columns]
        self._dependants = [
            [other for other, names in enumerate(needs) if column.name in names] for column in self._columns
        ]
        self._missing = [[len(names)] * records for names in needs]
        """Per column and record, how many inputs are not finished."""
        for index, names in enumerate(needs):
            if not names:
                for record in range(records):
                    self._make_ready(record, index)

    def to_end(self) -> Bound:
        """Run every cell."""
        now = 0
        self._fill_slots(now)
        while self._running:
            now = self._running[0][0]
            # All that ends at this instant ends before a slot is given away, so that its dependants are in the running.
            while self._running and self._running[0][0] == now:
                self._finish(now)
            self._fill_slots(now)
        pools = {name: pool.gauge.occupancy(pool.slots, now) for name, pool in self._pools.items()}
        slots = sum(pool.slots for pool in self._pools.values())
        return Bound(now / _TICKS, self._overall.occupancy(slots, now), pools)

    def _make_ready(self, record: int, column: int) -> None:
        heapq.heappush(self._pool_of[column].ready, (-self._depths[column], record, column))

    def _fill_slots(self, now: int) -> None:
        for pool in self._pools.values():
            while pool.ready and pool.gauge.count < pool.slots:
                _, record, column = heapq.heappop(pool.ready)
                ticks = round(self._columns[column].latency(self._rng) * _TICKS)
                heapq.heappush(self._running, (now + ticks, record, column))
                pool.gauge.change(now, 1)
                self._overall.change(now, 1)

    def _finish(self, now: int) -> None:
        _, record, column = heapq.heappop(self._running)
        self._pool_of[column].gauge.change(now, -1)
        self._overall.change(now, -1)
        for dependant in self._dependants[column]:
            self._missing[dependant][record] -= 1
            if not self._missing[dependant][record]:
                self._make_ready(record, dependant)


def bound(workload: Workload, seed: int = 0) -> Bound:
    """Simulate a dispatcher without overhead.

    A cell starts the moment its inputs are finished and its pool has a free slot; of several, the one of the deepest
    column, then the one of the lowest record.

    Args:
        workload: what is to be done.
        seed: of the generator that latencies are drawn from, in the order in which cells start.
    """
    return _Run(workload, seed).to_end()


def _text(records: int) -> Workload:
    return Workload((Column("text", "m", Latency(0.2, cv=0.5)),), {"m": 256}, records)


def _diamond(records: int) -> Workload:
    first, second = Latency(0.1), Latency(0.3)
    columns = (
        Column("a", "m1", first),
        Column("b", "m2", second, needs=("a",)),
        Column("c", "m1", first, needs=("a", "b")),
        Column("d", "m2", second),
    )
    return Workload(columns, {"m1": 64, "m2": 64}, records)


def _tail(records: int) -> Workload:
    latency = Latency(0.2, cv=math.sqrt(math.e - 1))  # sigma 1 of the logarithm
    columns = (
        Column("a", "m", latency),
        Column("b", "m", latency, needs=("a",)),
        Column("c", "m", latency, needs=("b",)),
    )
    return Workload(columns, {"m": 64}, records)


def _slow(records: int) -> Workload:
    return Workload((Column("text", "m", Latency(1.0)),), {"m": 1024}, records)


WORKLOADS: Mapping[str, Callable[[int], Workload]] = {"W1": _text, "W2": _diamond, "T": _tail, "W7": _slow}
"""Name, as in `bench.py`, to the workload of so many records."""


def median_bound(workload: str, n: int, seeds: Iterable[int] = range(5)) -> MedianBound:
    """Take the medians of a named workload's bound over seeds.

    Args:
        workload: a name of `WORKLOADS`.
        n: records.
        seeds: one run each.

    Raises:
        KeyError: if there is no workload of that name.
        statistics.StatisticsError: if there are no seeds.
    """
    runs = [bound(WORKLOADS[workload](n), seed) for seed in seeds]
    return MedianBound(
        seconds=median(run.seconds for run in runs),
        mean_in_flight=median(run.mean_in_flight for run in runs),
        share=median(run.overall.share for run in runs),
    )


if __name__ == "__main__":
    for name, records in {"W1": 20_000, "W2": 5_000, "T": 5_000, "W7": 5_000}.items():
        found, one = median_bound(name, records), bound(WORKLOADS[name](records))
        pools = ", ".join(f"{pool} {used.share:.4f} (peak {used.peak_in_flight})" for pool, used in one.pools.items())
        print(
            f"{name} n={records}: {found.seconds:.3f} s, {found.mean_in_flight:.2f} in flight, "
            f"share {found.share:.4f}; seed 0, share a pool: {pools}"
        )
