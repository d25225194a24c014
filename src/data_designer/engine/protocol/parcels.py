"""The rows of one message, and how they find their values.

A `Parcel` names rows and, for each stage upstream, where in the blocks that travel with it their inputs are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from data_designer.engine.protocol.rows import Replays, Rows
from data_designer.values import Block, MediaFile

SKIPPED = "__skipped__"
"""Column of a block that names each row's skipped columns (a frozenset, or None)."""

REJECTED = "__rejected__"
"""Column of a block that holds a row's `Reason` where it was rejected, else None."""

FAILED = "__failed__"
"""Column of a block that holds a row's `Reason`s where cells of it failed and are null instead, else None."""

SPENT = "__spent__"
"""Column of a block that holds what was asked for a row: (column, `Usage.numbers`) pairs, or None."""

MEDIA = "__media__"
"""Column of a block that holds the files of a row's cells (`MediaFile`s), or None."""

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
    """Bring the parcel's rows together: one block with the named columns, plus `SKIPPED` where any row has it.

    Where `MEDIA` is named, it holds the files of all stages upstream.
    """
    wanted = set(names)
    columns: dict[str, list[object]] = {}
    if MEDIA in wanted and any(MEDIA in block.columns for value in values for block in value.values()):
        columns[MEDIA] = _media(parcel, values)
    for source in parcel.sources:
        for name in values[int(source.block[0])][source.stage].columns if len(source.block) else ():
            if name in wanted and name not in columns:
                columns[name] = pick(source, values, name)
    skipped = _skips(parcel, values)
    if skipped is not None:
        columns[SKIPPED] = [*skipped]
    return Block(parcel.rows, columns)


def _media(parcel: Parcel, values: Sequence[Values]) -> list[object]:
    """The files of each row, whichever stages made them."""
    found: list[tuple[MediaFile, ...]] = [()] * len(parcel)
    for source in parcel.sources:
        for place, files in enumerate(pick(source, values, MEDIA)):
            if isinstance(files, tuple):
                found[place] += files
    return [files or None for files in found]


def pick(source: Source, values: Sequence[Values], name: str) -> list[object]:
    """One column of a parcel's rows; None where a row's block lacks it."""
    blocks = [value.get(source.stage) for value in values]
    lists = [None if block is None else block.columns.get(name) for block in blocks]
    whole = _in_one_piece(source)
    if whole is not None:
        first = lists[whole]
        return [None] * len(source.offset) if first is None else first[: len(source.offset)]
    picked = []
    for block, offset in zip(source.block.tolist(), source.offset.tolist(), strict=True):
        cells = lists[block]
        picked.append(None if cells is None else cells[offset])
    return picked


def held(parcels: Iterable[Parcel], values: Sequence[Values], name: str) -> Iterator[tuple[int, Any]]:
    """What rows hold under a name, in any of their stages."""
    for parcel in parcels:
        rows = parcel.rows.tolist()
        for source in parcel.sources:
            if any(source.stage in value and name in value[source.stage].columns for value in values):
                cells = pick(source, values, name)
                yield from ((row, cell) for row, cell in zip(rows, cells, strict=True) if cell is not None)


def _in_one_piece(source: Source) -> int | None:
    """The block of which the rows are the first ones, in order; None where they are not."""
    size = len(source.block)
    if not size or (source.block != source.block[0]).any() or (source.offset != np.arange(size)).any():
        return None
    return int(source.block[0])


def _skips(parcel: Parcel, values: Sequence[Values]) -> list[frozenset[str] | None] | None:
    if not any(SKIPPED in block.columns for value in values for block in value.values()):
        return None
    found: list[frozenset[str] | None] = [None] * len(parcel)
    for source in parcel.sources:
        for place, names in enumerate(pick(source, values, SKIPPED)):
            if isinstance(names, frozenset) and names:
                found[place] = names | (found[place] or frozenset())
    return found
