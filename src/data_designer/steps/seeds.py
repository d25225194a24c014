"""The seed dataset: reading it, choosing its rows, and giving record k its row."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data_designer.config.seed import IndexRange, PartitionBlock, SamplingStrategy, SeedConfig
from data_designer.errors import SeedDatasetError, SeedReaderConfigError, SeedReaderError
from data_designer.steps.streams import Indices, key, permuted
from data_designer.values import Block, Made


def read_seed(config: SeedConfig) -> pa.Table:
    """The selected rows of the seed dataset.

    Raises:
        SeedReaderError: it is missing, empty or malformed; the message names file and line.
        SeedReaderConfigError: its kind cannot be read by this version.
        SeedDatasetError: the selection reaches beyond its rows.
    """
    table = _read(config)
    if not table.num_columns:
        raise SeedReaderError(f"the seed dataset {_name(config)} has no columns")
    if not table.num_rows:
        raise SeedReaderError(f"the seed dataset {_name(config)} is empty; it needs at least one row")
    return _selected(table, config)


def _read(config: SeedConfig) -> pa.Table:
    source = config.source
    match source.seed_type:
        case "local":
            path = getattr(source, "runtime_path", "") or source.path
            paths = sorted(glob(path)) if "*" in path else [path]
            if not paths:
                raise SeedReaderError(f"no seed file matches {path}")
            tables = [_read_file(Path(one)) for one in paths]
            return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")
        case "df":
            return pa.Table.from_pandas(source.df, preserve_index=False)
        case kind:
            raise SeedReaderConfigError(f"seed sources of kind '{kind}' are not supported by this version; use a file")


def _name(config: SeedConfig) -> str:
    return str(getattr(config.source, "path", config.source.seed_type))


def _read_file(path: Path) -> pa.Table:
    try:
        if path.stat().st_size == 0:
            raise SeedReaderError(f"the seed file {path} is empty; it needs a header and at least one row")
        match path.suffix.lower():
            case ".parquet":
                return pq.read_table(path)
            case ".csv":
                return _read_csv(path)
            case _:
                return _read_json(path)
    except OSError as error:
        raise SeedReaderError(f"the seed file {path} cannot be read: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise SeedReaderError(f"the seed file {path} is malformed: {error}") from error


def _read_csv(path: Path) -> pa.Table:
    ragged: list[str] = []

    def refuse(row: Any) -> str:
        where = f"line {row.number}: " if row.number is not None else ""
        ragged.append(f"{where}{row.actual_columns} fields instead of {row.expected_columns}: {row.text[:80]!r}")
        return "skip"

    # One thread, so that lines are numbered.
    reading = pa_csv.ReadOptions(use_threads=False)
    parsing = pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse)
    table = pa_csv.read_csv(path, reading, parsing, pa_csv.ConvertOptions(strings_can_be_null=True))
    if ragged:
        raise SeedReaderError(f"the seed file {path} has ragged rows: {ragged[0]}; quote values that hold commas")
    return table


def _read_json(path: Path) -> pa.Table:
    """JSON lines; a file that is one JSON list of objects is taken too."""
    text = path.read_text(encoding="utf-8-sig")
    rows: list[Any] = []
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except json.JSONDecodeError as error:
            raise SeedReaderError(f"the seed file {path} is malformed at line {error.lineno}: {error.msg}") from error
    else:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                rows.append(_json_row(path, number, line))
    wrong = next((place for place, row in enumerate(rows, 1) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise SeedReaderError(f"the seed file {path} is malformed: row {wrong} is no JSON object")
    return pa.Table.from_pylist(_aligned(rows))


def _json_row(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise SeedReaderError(f"the seed file {path} is malformed at line {number}: {error.msg}") from error


def _aligned(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the same keys; a column whose values have no common type is kept as text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    mixed = set()
    for name in names:
        try:
            pa.array([row.get(name) for row in rows])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            mixed.add(name)
    return [{name: _as_text(row.get(name)) if name in mixed else row.get(name) for name in names} for row in rows]


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _selected(table: pa.Table, config: SeedConfig) -> pa.Table:
    selection = config.selection_strategy
    if isinstance(selection, PartitionBlock):
        if selection.num_partitions > table.num_rows:
            raise SeedDatasetError(f"{selection.num_partitions} partitions of {table.num_rows} seed rows; use fewer")
        selection = selection.to_index_range(table.num_rows)
    if not isinstance(selection, IndexRange):
        return table
    if selection.end >= table.num_rows:
        raise SeedDatasetError(
            f"the selection ends at row {selection.end}, but the last seed row is {table.num_rows - 1}"
        )
    return table.slice(selection.start, selection.size)


class SeedProgram:
    """Gives each record its seed row: row k mod size, or without replacement in a new order each pass."""

    def __init__(self, columns: Sequence[str], strategy: SamplingStrategy | str, seed: int, table: pa.Table) -> None:
        self._columns = tuple(columns)
        self._shuffled = SamplingStrategy(strategy) == SamplingStrategy.SHUFFLE
        self._seed = seed
        self._table = table

    def run(self, block: Block) -> Made:
        """Take the rows."""
        taken = self._table.take(pa.array(self._places(block.rows)))
        return Made({name: [_plain(value) for value in taken.column(name).to_pylist()] for name in self._columns})

    def _places(self, rows: Indices) -> Indices:
        size = self._table.num_rows
        places = rows % size
        if self._shuffled:
            passes = rows // size
            for number in np.unique(passes).tolist():
                mine = passes == number
                places[mine] = permuted(key(self._seed, "seed dataset", str(number)), places[mine], size)
        return np.asarray(places, dtype=np.int64)


def _plain(value: Any) -> Any:
    """What templates and JSON can hold: moments as ISO text, decimals as numbers, bytes as text."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return float(value)
        case bytes():
            return value.decode("utf-8", "replace")
        case float() if value != value:  # noqa: PLR0124 - the test for NaN
            return None
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value
