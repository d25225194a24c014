"""How long a run takes by what was measured of it: its plan in virtual time, as it is or with other settings."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.slot_time import Account, ColumnAccounts, RunAccounts
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.shape import shape_of
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.plan.model import LOCAL, Geometry, Plan, Stage

_CELLS = 2000
"""Cells of a simulated run, about: more say little more."""
_ALL_CELLS = 9000
"""Those of all scenarios, where there are many: each takes some 0.1 ms, and as many again where a part is repeated."""
_ROUNDS = 6
"""Times that the slots of the largest alias are filled at least, and batches that there are at least, if ever."""
_FEWEST_SLOTS = 8
"""Of the smallest alias, where the slots are brought down."""
_QUANTILES = 1000
_GOLDEN = (0.6180339887, 0.7548776662, 0.5698402910)
"""Multiples of each of them fill the unit interval evenly."""


@dataclass(frozen=True, slots=True)
class Asks:
    """What a record asks a model for one column."""

    seconds: tuple[float, ...]
    """A request's, as evenly spaced quantiles."""
    requests: float
    """Mean number a record, corrections and restarts included."""

    @classmethod
    def measured(cls, column: ColumnAccounts, rows: int) -> "Asks":
        """As they were for some records of a run."""
        return cls(quantiles(column.latency), column.latency.count / max(1, rows))

    def total(self, record: int, place: int) -> float:
        """Seconds that a record's requests take one after another; the same each time."""
        whole = int(self.requests)
        whole += _even(record, place, 1) < self.requests - whole
        count = len(self.seconds)
        return sum(self.seconds[int(_even(record, place + 7 * ask, 0) * count)] for ask in range(whole))

    def cut_at(self, seconds: float) -> "Asks":
        """With no reply taking longer, since it would be shorter."""
        return replace(self, seconds=tuple(min(one, seconds) for one in self.seconds))

    def asked_anew_after(self, seconds: float) -> "Asks":
        """With each request given up after so long, and sent again."""
        return replace(self, seconds=tuple(_until_in_time(self.seconds, start, seconds) for start in self.seconds))


def quantiles(distribution: Distribution) -> tuple[float, ...]:
    """Evenly spaced quantiles whose mean is that of the numbers; all of them where there are not too many."""
    if not distribution:
        return (0.0,)
    count = distribution.count
    if 1 < count <= _QUANTILES:
        found = [distribution.quantile(place / (count - 1)) for place in range(count)]
    else:
        found = [distribution.quantile((place + 0.5) / _QUANTILES) for place in range(_QUANTILES)]
    mean = sum(found) / len(found)
    return tuple(one * distribution.mean / mean for one in found) if mean else (0.0,)


def _even(record: int, place: int, kind: int) -> float:
    """A number of [0, 1) that looks drawn, while those of consecutive records are spread evenly."""
    return (record * _GOLDEN[kind] + place * _GOLDEN[2] + kind * 0.5) % 1.0


def _until_in_time(seconds: tuple[float, ...], first: float, limit: float) -> float:
    total, reply, tries = 0.0, first, random.Random(first)
    while reply > limit and total < 100 * limit:
        total += limit
        reply = tries.choice(seconds)
    return total + min(reply, limit)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A plan and what was measured of it."""

    shape: ev.Shape
    asks: Mapping[int, tuple[Asks, ...]]
    """Stage to what a record asks in it."""
    slower: Mapping[str, float]
    """Alias to how much longer its requests take slots, since they are held back."""
    cpu: Mapping[int, float]
    """Stage to seconds of CPU tasks a record."""
    writing: float = 0.0
    """Seconds to write a record."""
    writers: int | None = None
    linger: float = 0.02

    @property
    def records(self) -> int:
        """How many are made."""
        return self.shape.geometry.num_records

    def with_shape(self, **changes: object) -> "Scenario":
        """With other settings."""
        return replace(self, shape=replace(self.shape, **changes))  # type: ignore[arg-type]

    def with_slots(self, alias: str, slots: int) -> "Scenario":
        """With another number of slots of an alias."""
        return self.with_shape(slots={**self.shape.slots, alias: slots})

    def with_buffer_size(self, size: int) -> "Scenario":
        """With batches of another size."""
        return self.with_shape(geometry=Geometry(self.records, size))

    def with_asks(self, stage: int, place: int, asks: Asks) -> "Scenario":
        """With other requests for one column."""
        changed = [*self.asks[stage]]
        changed[place] = asks
        return replace(self, asks={**self.asks, stage: tuple(changed)})


def measured(plan: Plan, accounts: RunAccounts) -> Scenario:
    """What was measured of the runs of a plan."""
    records = records_of(accounts)
    inline = accounts.executor != "ray"
    return Scenario(
        shape=replace(shape_of(plan), geometry=Geometry(records, plan.geometry.buffer_size)),
        asks={stage.number: tuple(_asks(stage, accounts, records)) for stage in plan.stages if stage.pool != LOCAL},
        slower={alias: _held_back(seconds.seconds) for alias, seconds in accounts.aliases.items()},
        cpu={
            stage: seconds / records
            for name, seconds in accounts.worker_seconds.items()
            if (stage := stage_making(plan, name)) is not None
        },
        writing=accounts.writing_seconds / records,
        writers=1 if inline else None,
        linger=0.002 if inline else 0.02,
    )


def records_of(accounts: RunAccounts) -> int:
    """Records that were made, about: those of a run that goes on are not all committed."""
    committed = sum(sample.records for sample in accounts.timeline)
    columns = accounts.columns.values()
    asking = [column for column in columns if column.alias is not None]
    return max(1, committed, *(column.cells for column in asking or columns))


def stage_making(plan: Plan, columns: str) -> int | None:
    """The stage that makes some columns, which are given as accounts name them."""
    made = set(columns.split(", "))
    return next((stage.number for stage in plan.stages if made & set(stage.makes)), None)


def _asks(stage: Stage, accounts: RunAccounts, records: int) -> "list[Asks]":
    found = []
    for step in stage.steps:
        column = accounts.columns.get(step.name)
        if column is not None and column.alias == stage.pool:
            found.append(Asks.measured(column, records if step.skip is not None else column.cells))
    return found


def _held_back(seconds: Mapping[Account, float]) -> float:
    asking, held = seconds.get(Account.ASKING, 0.0), seconds.get(Account.HELD, 0.0)
    return (asking + held) / asking if asking else 1.0


# --- virtual time --------------------------------------------------------------------------------------------


class Forecast:
    """Says how long scenarios take that differ little from one: all are brought down alike, so that they compare.

    A run of many records is simulated for the first of them, and what the last of these took is what all others will;
    one of many slots with a part of slots, records and batch size alike.

    Args:
        usual: the one from which the others differ.
        others: how many of them there will be.
    """

    def __init__(self, usual: Scenario, others: int = 0) -> None:
        shape, stages = usual.shape, len(usual.shape.stages)
        slots = shape.slots.values()
        cells = min(_CELLS, _ALL_CELLS // (1 + others))
        fitting = cells / (usual.records * stages)
        if slots:
            fewest = _FEWEST_SLOTS / min(slots)
            fitting = max(fitting, min(fewest, cells / (_ROUNDS * max(slots) * stages)))
        self._part = min(1.0, fitting)
        """Of records, slots and batch size."""
        rounds = _ROUNDS * max((self._slots(one) for one in slots), default=0)
        self._most = max(cells // stages, rounds)
        """Records that are simulated."""
        self.seconds = self.of(usual)
        """What the usual one takes."""

    def _slots(self, slots: int) -> int:
        return max(1, round(slots * self._part))

    def of(self, scenario: Scenario) -> float:
        """Seconds that a scenario takes."""
        records = max(1, round(scenario.records * self._part))
        simulated = min(records, self._most)
        size = self._batch(scenario, simulated)
        whole = self._simulated(scenario, simulated, size)
        if simulated == records:
            return whole
        half = max(size, simulated // 2 // size * size)
        if half >= simulated:
            return whole * records / simulated
        return whole + (records - simulated) * (whole - self._simulated(scenario, half, size)) / (simulated - half)

    def _batch(self, scenario: Scenario, simulated: int) -> int:
        """A batch's size. Where there were several batches, there are."""
        size = scenario.shape.geometry.buffer_size
        batches = min(_ROUNDS, -(-scenario.records // size))
        return max(1, min(round(size * self._part), -(-simulated // batches)))

    def _simulated(self, scenario: Scenario, records: int, size: int) -> float:
        """Seconds of a run that was brought down."""
        part, shape = self._part, scenario.shape
        small = replace(
            shape,
            slots={alias: self._slots(slots) for alias, slots in shape.slots.items()},
            shared=tuple((self._slots(cap), aliases) for cap, aliases in shape.shared),
            max_rows_out=None if shape.max_rows_out is None else self._slots(shape.max_rows_out),
            geometry=Geometry(records, size),
            error_rate=1.0,
        )
        world = World(
            cell_seconds=_cell_seconds(scenario),
            task_seconds=0.001,
            row_seconds={stage: seconds / part for stage, seconds in scenario.cpu.items()},
            commit_seconds=0.001 + scenario.writing * size / part,
            writers=scenario.writers,
            start_seconds=0.01,
            linger=scenario.linger,
        )
        return Simulation(small, world, random.Random(1)).run().seconds


def _cell_seconds(scenario: Scenario) -> Callable[[int, int], float]:
    """What says how long the cell of a stage and a record takes."""
    slower = {number: scenario.slower.get(one.pool, 1.0) for number, one in enumerate(scenario.shape.stages)}

    def seconds(stage: int, record: int) -> float:
        asks = scenario.asks.get(stage, ())
        return slower[stage] * sum(one.total(record, 3 * stage + place) for place, one in enumerate(asks))

    return seconds
