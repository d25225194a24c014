"""Where values are, and how the rows of one message find them.

Values stay in the blocks in which they were returned. Whoever runs a plan keeps a `Locations`: which block and
which offset hold a row's values of a stage. A `Parcel` names rows and, for each stage upstream, where in the
blocks that travel with it their inputs are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from data_designer.engine.scheduling.events import Flags, Replays, Rows
from data_designer.plan.model import Geometry
from data_designer.values import Block

SKIPPED = "__skipped__"
"""Column of a block that names each row's skipped columns (a frozenset, or None)."""

REJECTED = "__rejected__"
"""Column of a block that holds a row's `Reason` where it was rejected, else None."""

FAILED = "__failed__"
"""Column of a block that holds a row's `Reason`s where cells of it failed and are null instead, else None."""

SPENT = "__spent__"
"""Column of a block that holds what was asked for a row: (column, `Usage.numbers`) pairs, or None."""

Values = dict[int, Block]
"""What one message brings back: stage number to the block of rows that finished there."""

Ref = TypeVar("Ref")
"""A reference to Values: the Values themselves in one process, an object reference on a cluster."""


@dataclass(frozen=True, slots=True)
class Source:
    """For each row of a parcel: which of the values that travel along hold its block, and at which offset."""

    stage: int
    block: Rows
    offset: Rows


@dataclass(frozen=True, slots=True)
class Parcel:
    """The rows of one stage that travel in one message."""

    stage: int
    rows: Rows
    ticket: int
    sources: tuple[Source, ...]
    replays: Replays = ()
    """Batches whose journal may know what these rows would be answered."""

    def __len__(self) -> int:
        return len(self.rows)


def gather(parcel: Parcel, values: Sequence[Values], names: Iterable[str]) -> Block:
    """Bring the parcel's rows together: one block with the named columns, plus `SKIPPED` where any row has it."""
    wanted = set(names)
    columns: dict[str, list[Any]] = {}
    for source in parcel.sources:
        for name in values[int(source.block[0])][source.stage].columns if len(source.block) else ():
            if name in wanted and name not in columns:
                columns[name] = pick(source, values, name)
    skipped = _skips(parcel, values)
    if skipped is not None:
        columns[SKIPPED] = skipped
    return Block(parcel.rows, columns)


def pick(source: Source, values: Sequence[Values], name: str) -> list[Any]:
    """One column of a parcel's rows; None where a row's block lacks it."""
    blocks = [value.get(source.stage) for value in values]
    lists = [None if block is None else block.columns.get(name) for block in blocks]
    picked = []
    for block, offset in zip(source.block.tolist(), source.offset.tolist(), strict=True):
        cells = lists[block]
        picked.append(None if cells is None else cells[offset])
    return picked


def _skips(parcel: Parcel, values: Sequence[Values]) -> list[frozenset[str] | None] | None:
    if not any(SKIPPED in block.columns for value in values for block in value.values()):
        return None
    found: list[frozenset[str] | None] = [None] * len(parcel)
    for source in parcel.sources:
        for place, names in enumerate(pick(source, values, SKIPPED)):
            if names:
                found[place] = names | (found[place] or frozenset())
    return found


@dataclass(slots=True)
class _Held(Generic[Ref]):
    ref: Ref
    batches: set[int]
    """Open batches with rows in this block; it is let go when there are none."""


@dataclass(slots=True)
class _Places:
    """For one batch and stage: block number (-1 for none) and offset of each row."""

    start: int
    """Record index of the batch's first row."""
    block: Rows
    offset: Rows


@dataclass(slots=True)
class Locations(Generic[Ref]):
    """Which block holds which row's values, for the open batches. Knows references, never values."""

    geometry: Geometry
    held: dict[int, _Held[Ref]] = field(default_factory=dict)
    places: dict[tuple[int, int], _Places] = field(default_factory=dict)
    next_block: int = 0

    def place(self, stage: int, rows: Rows, ref: Ref, awaited: Flags | None = None) -> None:
        """Remember that a new block holds these rows' values of a stage, in this order.

        Args:
            stage: the stage.
            rows: every row of the block.
            ref: what holds the block.
            awaited: which of the rows count, where not all do.
        """
        if awaited is not None and not awaited.any():
            return
        number, self.next_block = self.next_block, self.next_block + 1
        batches = self.geometry.batches_of(rows)
        if awaited is not None:
            batches[~awaited] = -1
        self.held[number] = _Held(ref, set(np.unique(batches).tolist()) - {-1})
        for batch in self.held[number].batches:
            index = np.flatnonzero(batches == batch)
            places = self._places(batch, stage)
            positions = rows[index] - places.start
            places.block[positions] = number
            places.offset[positions] = index

    def packing(self) -> "Packing[Ref]":
        """Start to pack a message."""
        return Packing(self)

    def has(self, stage: int, rows: Rows) -> Rows:
        """Those of the rows whose values of a stage have a place."""
        return rows[self.locate(stage, rows)[0] >= 0]

    def lose(self, ref: Ref) -> list[tuple[int, Rows]]:
        """The values behind a reference are gone. Gives the rows that were found there, a stage."""
        lost: dict[int, list[Rows]] = {}
        for number in [number for number, held in self.held.items() if held.ref is ref]:
            for batch in self.held.pop(number).batches:
                for (_, stage), places in self._of(batch):
                    positions = np.flatnonzero(places.block == number)
                    places.block[positions] = -1
                    lost.setdefault(stage, []).append(positions + places.start)
        return [(stage, np.concatenate(rows)) for stage, rows in sorted(lost.items()) if sum(map(len, rows))]

    def _of(self, batch: int) -> list[tuple[tuple[int, int], _Places]]:
        return [(key, places) for key, places in self.places.items() if key[0] == batch]

    def forget(self, batch: int) -> None:
        """Let go of a batch's values."""
        for key, _ in self._of(batch):
            del self.places[key]
        for number in [number for number, held in self.held.items() if batch in held.batches]:
            held = self.held[number]
            held.batches.discard(batch)
            if not held.batches:
                del self.held[number]

    def _places(self, batch: int, stage: int) -> _Places:
        places = self.places.get((batch, stage))
        if places is None:
            records = self.geometry.records(batch)
            nowhere = np.full(len(records), -1, dtype=np.int64)
            offsets = np.zeros(len(records), dtype=np.int64)
            places = self.places[batch, stage] = _Places(records.start, nowhere, offsets)
        return places

    def locate(self, stage: int, rows: Rows) -> tuple[Rows, Rows]:
        """Block number (-1 for none) and offset of each row's values of a stage."""
        block = np.empty(len(rows), dtype=np.int64)
        offset = np.empty(len(rows), dtype=np.int64)
        batches = self.geometry.batches_of(rows)
        for batch in np.unique(batches).tolist():
            mine = batches == batch
            places = self._places(batch, stage)
            positions = rows[mine] - places.start
            block[mine] = places.block[positions]
            offset[mine] = places.offset[positions]
        return block, offset


class Packing(Generic[Ref]):
    """Packs parcels that travel together, so that they share their references."""

    def __init__(self, locations: Locations[Ref]) -> None:
        self._locations = locations
        self._numbers: dict[int, int] = {}

    def parcel(self, stage: int, rows: Rows, ticket: int, upstream: Iterable[int], replays: Replays = ()) -> Parcel:
        """A parcel for rows all of which have values of each upstream stage. Raises KeyError where some are gone."""
        sources = []
        for up in upstream:
            blocks, offsets = self._locations.locate(up, rows)
            if (blocks < 0).any():
                raise KeyError(up)
            local = [self._numbers.setdefault(number, len(self._numbers)) for number in blocks.tolist()]
            sources.append(Source(up, np.array(local, dtype=np.int64), offsets))
        return Parcel(stage, rows, ticket, tuple(sources), replays)

    @property
    def refs(self) -> list[Ref]:
        """References to the values that the parcels point into."""
        return [self._locations.held[number].ref for number in self._numbers]
