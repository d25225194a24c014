"""Cells that failed: why, for which record, at what cost; and their tables."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data_designer.engine.dataset.arrow_types import typed
from data_designer.engine.dataset.encoding import cleaned
from data_designer.engine.protocol.receipt import FailureCount
from data_designer.engine.protocol.rows import Rows
from data_designer.values import Reason

_SCHEMA = pa.schema(
    [
        ("record_index", pa.int64()),
        ("column", pa.string()),
        ("kind", pa.string()),
        ("message", pa.string()),
        ("last_reply", pa.string()),
        ("attempts", pa.int64()),
        ("usd", pa.float64()),
        ("seed", pa.string()),
    ]
)
_LONGEST_EXAMPLE = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell of a record that came to nothing."""

    record: int
    reason: Reason
    attempts: int = 0
    """Requests that were sent for the record, in all its columns."""
    usd: float | None = None
    """What these cost; None where a model has no price."""
    seed: str | None = None
    """The record's row of the seed dataset, as JSON."""


def failures_table(failures: Iterable[Failure]) -> pa.Table:
    """Failures as a table, in order of record."""
    rows = [
        (
            one.record,
            one.reason.column,
            one.reason.kind,
            cleaned(one.reason.message),
            None if one.reason.last_reply is None else cleaned(one.reason.last_reply),
            one.attempts,
            one.usd,
            one.seed,
        )
        for one in sorted(failures, key=lambda one: one.record)
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    arrays = [typed(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def failures_of(table: pa.Table) -> list[Failure]:
    """What a table holds."""
    return [
        Failure(
            row["record_index"],
            Reason(row["kind"], row["message"], row["column"], row["last_reply"]),
            row["attempts"],
            row["usd"],
            row["seed"],
        )
        for row in table.to_pylist()
    ]


def merged_failures(old: pa.Table | None, new: pa.Table | None, made: Rows) -> pa.Table | None:
    """Two tables of one batch together.

    Args:
        old: as it was.
        new: as it is told now, which counts where both tell of a record.
        made: records that were made since; what is told of them in the old table counts no more.
    """
    later = [] if new is None else failures_of(new)
    gone = {*made.tolist(), *(one.record for one in later)}
    earlier = [] if old is None else [one for one in failures_of(old) if one.record not in gone]
    left = [*earlier, *later]
    return failures_table(left) if left else None


def count_kinds(failures: Iterable[Failure]) -> dict[str, FailureCount]:
    """Kind of failure to its count, and one example."""
    counted: dict[str, FailureCount] = {}
    columns: dict[str, dict[str, int]] = {}
    for one in failures:
        column = one.reason.column
        if one.reason.kind not in counted:
            message = cleaned(one.reason.message[:_LONGEST_EXAMPLE])
            counted[one.reason.kind] = {"count": 0, "column": column, "record": one.record, "message": message}
            columns[one.reason.kind] = counted[one.reason.kind]["columns"] = {}
        counted[one.reason.kind]["count"] += 1
        columns[one.reason.kind][column] = columns[one.reason.kind].get(column, 0) + 1
    return counted


def records_of(table: pa.Table | None) -> Rows:
    """Records that a table tells of, each once."""
    if table is None:
        return np.empty(0, dtype=np.int64)
    return np.unique(table.column("record_index").to_numpy())
