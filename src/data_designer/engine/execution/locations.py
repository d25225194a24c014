"""Where the values of open batches are: which block and offset hold a row's values of a stage.

Values stay in the blocks in which they were returned. Whoever runs a plan keeps a `Locations`: which block and which
offset hold a row's values of a stage.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic

import numpy as np

from data_designer.engine.protocol.parcels import Parcel, Ref, Source
from data_designer.engine.protocol.rows import Flags, Replays, Rows
from data_designer.plan.model import Geometry


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
            numbers = blocks.tolist()
            for number in dict.fromkeys(numbers):
                self._numbers.setdefault(number, len(self._numbers))
            local = [*map(self._numbers.__getitem__, numbers)]
            sources.append(Source(up, np.array(local, dtype=np.int64), offsets))
        return Parcel(stage, rows, ticket, tuple(sources), replays)

    @property
    def refs(self) -> list[Ref]:
        """References to the values that the parcels point into."""
        return [self._locations.held[number].ref for number in self._numbers]
