"""The receipt of a committed batch: what a reader, a resume and a report need to know of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NotRequired, TypedDict

import numpy as np

from data_designer.engine.protocol.rows import Rows
from data_designer.engine.protocol.spending import Spending

Ranges = tuple[tuple[int, int], ...]
"""Record indices as [start, stop) pairs, in order."""


def ranges(rows: Rows) -> Ranges:
    """Record indices as ranges."""
    if not len(rows):
        return ()
    rows = np.sort(rows)
    breaks = np.flatnonzero(np.diff(rows) != 1)
    starts, stops = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(rows) - 1]
    return tuple((int(rows[a]), int(rows[b]) + 1) for a, b in zip(starts, stops, strict=True))


def indices(some: Iterable[tuple[int, int]]) -> Rows:
    """Ranges as record indices."""
    parts = [np.arange(start, stop, dtype=np.int64) for start, stop in some]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file of a batch."""

    path: str
    """Relative to the dataset directory, with forward slashes."""
    rows: int
    bytes: int
    sha256: str
    staged: str = ""
    """Where its content is until the batch is published, and no longer."""
    schema: str = ""
    """Digest of its Arrow schema; empty where an earlier version wrote it."""

    @property
    def folder(self) -> str:
        """Where in the dataset directory it is."""
        return self.path.rpartition("/")[0]


def is_content(content: bytes, file: BatchFile) -> bool:
    """Whether some content is what was written into a file, by its checksum."""
    return are_content([content], file)


def are_content(pieces: Iterable[bytes], file: BatchFile) -> bool:
    """The same of content in pieces, of which one is in memory at a time."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest() == file.sha256


class FailureCount(TypedDict):
    """How many cells failed in one way, and where the first did."""

    count: int
    column: str
    record: int
    message: str
    columns: NotRequired[dict[str, int]]
    """Column to how many of them are its cells; earlier versions did not count so."""


def added(one: FailureCount, other: FailureCount) -> FailureCount:
    """Both together, with the example of the first."""
    both = FailureCount({**one, "count": one["count"] + other["count"]})
    both.pop("columns", None)
    if "columns" in one and "columns" in other:
        names = dict.fromkeys([*one["columns"], *other["columns"]])
        both["columns"] = {name: one["columns"].get(name, 0) + other["columns"].get(name, 0) for name in names}
    return both


@dataclass(frozen=True, slots=True)
class Receipt:
    """One committed batch. Without it, the batch's files do not exist for any reader."""

    batch: int
    requested: int
    """Records of the batch by its geometry."""
    generated: int
    rejected: int
    files: tuple[BatchFile, ...]
    kept: Ranges = ()
    """Record indices of the rows in the files, which hold them in this order."""
    unfinished: Ranges = ()
    """Record indices that a stop left undone."""
    spent: dict[str, Spending] = field(default_factory=dict)
    """Column to what its cells cost, each reply once."""
    null_filled: int = 0
    """Of those generated, records in which a cell failed and is null."""
    reasons: dict[str, FailureCount] = field(default_factory=dict)
    """Kind of rejection to its count, and one example."""
    profile: dict[str, Any] = field(default_factory=dict)
    """Mergeable statistics of the batch's columns."""
    inexact: tuple[str, ...] = ()
    """Columns of the user's functions that hold a value which JSON changes, such as a date."""
    seconds: float = 0.0
    """Time it took to write."""
    run: int = 0
    """Number of the run that wrote it."""
    successor: "Receipt | None" = None
    """The receipt that is taking this one's place: its files are written, and some may be in place already."""

    @property
    def complete(self) -> bool:
        """Whether every record of the batch is generated or rejected."""
        return not self.unfinished

    @property
    def current(self) -> "Receipt":
        """What counts: the successor, as soon as there is one."""
        return self if self.successor is None else self.successor

    def in_place(self) -> "Receipt":
        """The receipt once every file has its name."""
        return replace(self, files=tuple(replace(file, staged="") for file in self.files), successor=None)
