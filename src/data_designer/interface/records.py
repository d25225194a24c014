"""Records of a dataset that is there: each is read from its batch's files when somebody looks at it."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from data_designer.engine.dataset.ahead import ahead
from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.batch_files import read_table
from data_designer.engine.dataset.conversations import conversations_in
from data_designer.engine.dataset.encoding import json_text
from data_designer.engine.dataset.failures import Failure, failures_of
from data_designer.engine.dataset.layout import CONVERSATIONS, DROPPED, NULLED, PARQUET, REJECTS
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.conversation import Conversation
from data_designer.engine.protocol.receipt import Receipt
from data_designer.errors import ArtifactStorageError
from data_designer.interface.loading import to_frame

if TYPE_CHECKING:
    import pandas as pd

State = Literal["made", "rejected", "not made"]

_BATCHES_KEPT = 3


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as it is stored."""

    record: int
    """Record index."""
    state: State
    table: pa.Table | None = field(default=None, repr=False)
    """Its columns, in one row; None where it was not made."""
    dropped: pa.Table | None = field(default=None, repr=False)
    """The same of its dropped columns, as far as they are kept."""
    failures: Sequence[Failure] = ()
    """Why it was rejected, or has nulls."""

    @property
    def values(self) -> dict[str, object]:
        """Column to value."""
        return _values(self.table)

    @property
    def dropped_values(self) -> dict[str, object]:
        """The same of its dropped columns."""
        return _values(self.dropped)

    def frame(self) -> "pd.DataFrame":
        """Its columns as a frame of one row, or of none."""
        return to_frame(pa.table({}) if self.table is None else self.table)

    def to_dict(self) -> dict[str, object]:
        """As JSON data, but for values that JSON lacks."""
        return {
            "record_index": self.record,
            "state": self.state,
            "values": self.values if self.state == "made" else None,
            "dropped": self.dropped_values or None,
            "failures": [_told(one) for one in self.failures],
        }


def _told(failure: Failure) -> dict[str, object]:
    reason = failure.reason
    return {
        "column": reason.column,
        "kind": reason.kind,
        "message": reason.message,
        "last_reply": reason.last_reply,
        "attempts": failure.attempts,
        "usd": failure.usd,
        "seed": failure.seed,
    }


def _values(table: pa.Table | None) -> dict[str, object]:
    if table is None:
        return {}
    return {field.name: cells_of(table.column(field.name), field)[0] for field in table.schema}


class StoredRecords:
    """The records of a dataset. Of its files only those of the batch are read that somebody looks at."""

    def __init__(self, store: Store, metadata: Metadata) -> None:
        self._store = store
        self._geometry = metadata.geometry
        self._none_rejected = metadata.ended and metadata.rejected_num_records == 0
        self._read: OrderedDict[int, _Batch] = OrderedDict()
        self._there: list[int] | None = None

    def __len__(self) -> int:
        return self._geometry.num_records

    def at(self, record: int) -> StoredRecord:
        """A record by its index.

        Raises:
            ArtifactStorageError: there is no such record, or its batch's receipt or a file is damaged.
            OSError: a file cannot be read.
        """
        return self._batch_of(record).record(record)

    def conversations(self, record: int) -> list[Conversation]:
        """What was kept of what was said for its cells. Raises as `at` does."""
        return self._batch_of(record).conversations(record)

    def failed_columns(self, record: int) -> list[str]:
        """Columns whose cells failed in a record. Raises as `at` does."""
        return [one.reason.column for one in self.at(record).failures]

    def rejected(self, start: int, *, backwards: bool = False) -> Iterator[int]:
        """Rejected records from one on, in order, read as far as they are wanted."""
        batches = [] if self._none_rejected else self._batches(start, backwards=backwards)
        for receipt in ahead(self._store.files.at_once, self._store.receipt, batches):
            if receipt is not None and receipt.current.rejected:
                found = self._batch(receipt.batch, receipt.current).rejected()
                mine = [one for one in found if (one <= start if backwards else one >= start)]
                yield from reversed(mine) if backwards else mine

    def holding(self, text: str, start: int) -> Iterator[int]:
        """Records from one on that hold a text, in whatever case and column, in order, read as far as wanted."""
        for number in self._batches(start, backwards=False):
            yield from (one for one in self._batch(number).holding(text.casefold()) if one >= start)

    def _batches(self, start: int, *, backwards: bool) -> list[int]:
        """Committed batches from a record's on."""
        if self._there is None:
            self._there = self._store.batches()
        first = self._geometry.batch_of(start) if 0 <= start < len(self) else 0
        if backwards:
            return [number for number in reversed(self._there) if number <= first]
        return [number for number in self._there if number >= first]

    def _batch_of(self, record: int) -> "_Batch":
        if not 0 <= record < len(self):
            raise ArtifactStorageError(f"there is no record {record}; records are 0 to {len(self) - 1:,}")
        return self._batch(self._geometry.batch_of(record))

    def _batch(self, number: int, receipt: Receipt | None = None) -> "_Batch":
        if number not in self._read:
            found = receipt or self._store.receipt(number)
            self._read[number] = _Batch(self._store, None if found is None else found.current)
            while len(self._read) > _BATCHES_KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(number)
        return self._read[number]


class _Batch:
    """The files of one batch, each read once and only if it is needed."""

    def __init__(self, store: Store, receipt: Receipt | None) -> None:
        self._store = store
        self._receipt = receipt
        self._tables: dict[str, pa.Table | None] = {}

    def _table(self, folder: str) -> pa.Table | None:
        if folder not in self._tables:
            files = () if self._receipt is None else self._receipt.files
            found = next((file for file in files if file.folder == folder), None)
            self._tables[folder] = None if found is None else read_table(self._store.files, found)
        return self._tables[folder]

    def record(self, record: int) -> StoredRecord:
        place = self._place(record)
        if place is not None:
            row, dropped = (self._row(folder, place) for folder in (PARQUET, DROPPED))
            return StoredRecord(record, "made", row, dropped, self._failures(NULLED, record))
        failures = self._failures(REJECTS, record)
        return StoredRecord(record, "rejected" if failures else "not made", failures=failures)

    def _place(self, record: int) -> int | None:
        """Which row of the files is a record's."""
        before = 0
        for start, stop in () if self._receipt is None else self._receipt.kept:
            if start <= record < stop:
                return before + record - start
            before += stop - start
        return None

    def _row(self, folder: str, place: int) -> pa.Table | None:
        table = self._table(folder)
        return None if table is None else table.slice(place, 1)

    def _failures(self, folder: str, record: int) -> list[Failure]:
        mine = self._of(folder, record)
        return [] if mine is None else failures_of(mine)

    def _of(self, folder: str, record: int) -> pa.Table | None:
        table = self._table(folder)
        return None if table is None else table.filter(pa.array(table.column("record_index").to_numpy() == record))

    def conversations(self, record: int) -> list[Conversation]:
        mine = self._of(CONVERSATIONS, record)
        return [] if mine is None else list(conversations_in(mine))

    def rejected(self) -> list[int]:
        table = self._table(REJECTS)
        return [] if table is None else sorted({int(record) for record in table.column("record_index").to_pylist()})

    def holding(self, text: str) -> list[int]:
        """Records that hold a text, in small letters."""
        found: set[int] = set()
        kept = self._receipt.kept if self._receipt is not None else ()
        table = self._table(PARQUET)
        if table is not None:
            rows = [record for start, stop in kept for record in range(start, stop)]
            found.update(record for record, text_of in zip(rows, _texts(table), strict=True) if text in text_of)
        rejects = self._table(REJECTS)
        if rejects is not None:
            records = rejects.column("record_index").to_pylist()
            found.update(record for record, text_of in zip(records, _texts(rejects), strict=True) if text in text_of)
        return sorted(found)


def _texts(table: pa.Table) -> Iterator[str]:
    """All cells of each row as one text, in small letters."""
    columns = [cells_of(table.column(field.name), field) for field in table.schema]
    for row in zip(*columns, strict=True):
        yield "\0".join(map(_text, row)).casefold()


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else "" if cell is None else json_text(cell)
