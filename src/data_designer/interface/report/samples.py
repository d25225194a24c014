"""A few rows of a dataset, of its first file of rows and the first ones of what was rejected."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import pyarrow as pa

from data_designer.columns.arrow_types import is_json
from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.failures import Failure, failures_of
from data_designer.engine.dataset.store import Store, located
from data_designer.engine.protocol.receipt import BatchFile

MOST_RECORDS = 30
"""That are shown whole."""
MOST_REJECTED = 20
MOST_FILES = 10
"""Of rejected records."""
_MOST_ROWS = 2000
"""Whose numbers and lengths are counted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of one file."""

    rows: int = 0
    """Whose numbers and lengths are here."""
    records: Sequence[tuple[int, dict[str, object]]] = ()
    """Record index and values."""
    numbers: dict[str, list[float]] = field(default_factory=dict)
    """Column of numbers to these."""
    lengths: dict[str, list[float]] = field(default_factory=dict)
    """Column of texts to their lengths, in characters."""
    scores: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """Column of a judge to each of its scores, by how often each value was given."""
    problem: str = ""
    """Why nothing is here, where something should be."""


def sample_of(store: Store, file: BatchFile | None, indices: Sequence[int], judges: Iterable[str]) -> Sample:
    """The first rows of a file of a dataset.

    Args:
        store: the dataset.
        file: one of its files of rows, if it has any.
        indices: record indices of its rows, of as many as are shown at least.
        judges: columns of scores.
    """
    if file is None:
        return Sample()
    try:
        table = _first_rows(store, file, _MOST_ROWS)
        shown = table.slice(0, MOST_RECORDS)
        columns = {one.name: cells_of(shown.column(one.name), one) for one in table.schema}
        scores = {name: _scores(table, name) for name in judges if name in columns}
    except (OSError, pa.ArrowException, ValueError) as error:
        return Sample(problem=f"{file.path} cannot be read: {error}")
    known = indices if len(indices) >= len(shown) else range(len(shown))
    records = [(known[row], {name: cells[row] for name, cells in columns.items()}) for row in range(len(shown))]
    return Sample(len(table), records, _numbers(table), _lengths(table), scores)


def _first_rows(store: Store, file: BatchFile, rows: int) -> pa.Table:
    import pyarrow.parquet as pq

    content = pq.ParquetFile(pa.BufferReader(store.files.read(located(store.files, file))), pre_buffer=False)
    # In this thread: a pool of Arrow's that is busy when the process ends would abort it.
    batches = content.iter_batches(batch_size=rows, use_threads=False)
    return pa.Table.from_batches([batch for batch, _ in zip(batches, range(1), strict=False)], content.schema_arrow)


def _scores(table: pa.Table, column: str) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for cell in cells_of(table.column(column), table.schema.field(column)):
        for name, one in cell.items() if isinstance(cell, dict) else ():
            if isinstance(one, dict) and one.get("score") is not None:
                counts.setdefault(name, Counter())[str(one["score"])] += 1
    return counts


def _numbers(table: pa.Table) -> dict[str, list[float]]:
    wanted = [one.name for one in table.schema if pa.types.is_integer(one.type) or pa.types.is_floating(one.type)]
    found = {name: [float(cell) for cell in table.column(name).to_pylist() if cell is not None] for name in wanted}
    return {name: kept for name, numbers in found.items() if (kept := [one for one in numbers if abs(one) < 1e300])}


def _lengths(table: pa.Table) -> dict[str, list[float]]:
    wanted = [one.name for one in table.schema if pa.types.is_string(one.type) and not is_json(one)]
    found = {name: [float(len(cell)) for cell in table.column(name).to_pylist() if cell is not None] for name in wanted}
    return {name: lengths for name, lengths in found.items() if lengths}


def rejected_of(store: Store, files: Iterable[BatchFile]) -> list[Failure]:
    """A few failures from some files, of as many kinds as there are. Files that cannot be read are passed over."""
    by_kind: dict[tuple[str, str], list[Failure]] = {}
    for file in files:
        try:
            failures = failures_of(_first_rows(store, file, _MOST_ROWS))
        except (OSError, pa.ArrowException, KeyError):
            continue
        for one in failures:
            alike = by_kind.setdefault((one.reason.kind, one.reason.column), [])
            if len(alike) < MOST_REJECTED:
                alike.append(one)
    in_turn = (one for turn in zip_longest(*by_kind.values()) for one in turn if one is not None)
    chosen = [one for one, _ in zip(in_turn, range(MOST_REJECTED), strict=False)]
    return sorted(chosen, key=lambda one: one.record)
