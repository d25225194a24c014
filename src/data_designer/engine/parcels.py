"""Where values are, and how the rows of one message find them.

Values stay in the blocks in which they were returned. Whoever runs a plan keeps a `Locations`: which block and
which offset hold a row's values of a stage. A `Parcel` names rows and, for each stage upstream, where in the
blocks that travel with it their inputs are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from data_designer.engine.events import Rows
from data_designer.values import Block

SKIPPED = "__skipped__"
"""Column of a block that names each row's skipped columns (a frozenset, or None)."""

REJECTED = "__rejected__"
"""Column of a block that holds a row's `Reason` where it was rejected, else None."""

Ref = TypeVar("Ref")


@dataclass(frozen=True, slots=True)
class Source:
    """For each row of a parcel: which of the parcel's blocks holds its values, and at which offset."""

    block: Rows
    offset: Rows


@dataclass(frozen=True, slots=True)
class Parcel:
    """The rows of one stage that travel in one message."""

    stage: int
    rows: Rows
    ticket: int
    sources: tuple[Source, ...]

    def __len__(self) -> int:
        return len(self.rows)


def gather(parcel: Parcel, blocks: Sequence[Block], names: Iterable[str]) -> Block:
    """Bring the parcel's rows together: one block with the named columns, plus `SKIPPED` where any row has it."""
    wanted = set(names)
    columns: dict[str, list[Any]] = {}
    for source in parcel.sources:
        for name in blocks[int(source.block[0])].columns if len(source.block) else ():
            if name in wanted and name not in columns:
                columns[name] = _pick(source, blocks, name)
    skipped = _skips(parcel, blocks)
    if skipped is not None:
        columns[SKIPPED] = skipped
    return Block(parcel.rows, columns)


def _pick(source: Source, blocks: Sequence[Block], name: str) -> list[Any]:
    lists = [block.columns.get(name) for block in blocks]
    picked = []
    for block, offset in zip(source.block.tolist(), source.offset.tolist(), strict=True):
        values = lists[block]
        picked.append(None if values is None else values[offset])
    return picked


def _skips(parcel: Parcel, blocks: Sequence[Block]) -> list[frozenset[str] | None] | None:
    if not any(SKIPPED in block.columns for block in blocks):
        return None
    found: list[frozenset[str] | None] = [None] * len(parcel)
    for source in parcel.sources:
        for place, names in enumerate(_pick(source, blocks, SKIPPED)):
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

    block: Rows
    offset: Rows


@dataclass(slots=True)
class Locations(Generic[Ref]):
    """Which block holds which row's values, for the open batches. Knows references, never values."""

    buffer_size: int
    held: dict[int, _Held[Ref]] = field(default_factory=dict)
    places: dict[tuple[int, int], _Places] = field(default_factory=dict)
    next_block: int = 0

    def place(self, stage: int, rows: Rows, ref: Ref) -> None:
        """Remember that a new block holds these rows' values of a stage, in this order."""
        number, self.next_block = self.next_block, self.next_block + 1
        batches = rows // self.buffer_size
        self.held[number] = _Held(ref, set(np.unique(batches).tolist()))
        for batch in self.held[number].batches:
            index = np.flatnonzero(batches == batch)
            places = self._places(batch, stage)
            positions = rows[index] - batch * self.buffer_size
            places.block[positions] = number
            places.offset[positions] = index

    def parcel(self, stage: int, rows: Rows, ticket: int, upstream: Sequence[int]) -> tuple[Parcel, list[Ref]]:
        """A parcel for rows whose values of the upstream stages are known, and the references it needs.

        Rows without a place (they were rejected before that stage) point at block 0, offset 0; callers ask only
        for rows that passed it.
        """
        numbers: dict[int, int] = {}
        sources = []
        for up in upstream:
            blocks, offsets = self._locate(up, rows)
            local = np.array([numbers.setdefault(b, len(numbers)) for b in blocks.tolist()], dtype=np.int64)
            sources.append(Source(local, offsets))
        refs = [self.held[number].ref for number in numbers]
        return Parcel(stage, rows, ticket, tuple(sources)), refs

    def has(self, stage: int, rows: Rows) -> Rows:
        """Those of the rows whose values of a stage have a place."""
        return rows[self._locate(stage, rows)[0] >= 0]

    def forget(self, batch: int) -> None:
        """Let go of a batch's values."""
        for key in [key for key in self.places if key[0] == batch]:
            del self.places[key]
        for number in [number for number, held in self.held.items() if batch in held.batches]:
            held = self.held[number]
            held.batches.discard(batch)
            if not held.batches:
                del self.held[number]

    def _places(self, batch: int, stage: int) -> _Places:
        places = self.places.get((batch, stage))
        if places is None:
            nowhere = np.full(self.buffer_size, -1, dtype=np.int64)
            places = self.places[batch, stage] = _Places(nowhere, np.zeros(self.buffer_size, dtype=np.int64))
        return places

    def _locate(self, stage: int, rows: Rows) -> tuple[Rows, Rows]:
        block = np.empty(len(rows), dtype=np.int64)
        offset = np.empty(len(rows), dtype=np.int64)
        batches = rows // self.buffer_size
        for batch in np.unique(batches).tolist():
            mine = batches == batch
            places = self._places(batch, stage)
            positions = rows[mine] - batch * self.buffer_size
            block[mine] = places.block[positions]
            offset[mine] = places.offset[positions]
        return block, offset
