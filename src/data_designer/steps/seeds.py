"""The seed dataset: reading it, choosing its rows, and giving record k its row."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from glob import glob
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data_designer.config.seed import IndexRange, PartitionBlock, SamplingStrategy, SeedConfig
from data_designer.config.seed_source import LocalFileSeedSource
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.errors import SeedDatasetError, SeedReaderConfigError, SeedReaderError
from data_designer.object_storage import Location, ObjectPath, Objects, is_url, matching
from data_designer.steps.streams import Indices, key, permuted
from data_designer.values import Block, Made


def read_seed(config: SeedConfig) -> pa.Table:
    """The selected rows of the seed dataset.

    Raises:
        SeedReaderError: it is missing, empty or malformed; the message names the file, and the line where it is known.
        SeedReaderConfigError: its kind cannot be read by this version.
        SeedDatasetError: the selection reaches beyond its rows.
    """
    table = _read(config)
    _check_columns(table.column_names, _name(config))
    if not table.num_rows:
        raise SeedReaderError(f"the seed dataset {_name(config)} is empty; it needs at least one row")
    # One chunk a column, so that taking rows costs the same however many files there were.
    return _selected(table, config).combine_chunks()


def _check_columns(names: Sequence[str], where: str) -> None:
    if not names:
        raise SeedReaderError(f"the seed dataset {where} has no columns")
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise SeedReaderError(f"column {place} of the seed dataset {where} has no name; give it one")
        if names.index(name) != place - 1:
            raise SeedReaderError(f"the seed dataset {where} has two columns named '{name}'; rename one")


def _read(config: SeedConfig) -> pa.Table:
    source = config.source
    match source:
        case LocalFileSeedSource():
            return _read_files(source.runtime_path)
        case DataFrameSeedSource():
            return _from_frame(source.df)
        case _:
            raise SeedReaderConfigError(
                f"seed sources of kind '{source.seed_type}' are not supported by this version; use a file"
            )


def _read_files(path: str) -> pa.Table:
    try:
        places = list(_places(path))
        if not places:
            raise SeedReaderError(f"no seed file matches {path}")
        tables = [_read_file(place) for place in places]
        return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")
    except OSError as error:
        raise SeedReaderError(f"the seed files {path} cannot be listed: {_plainly(error)}") from error
    except pa.ArrowException as error:
        raise SeedReaderError(
            f"the seed files {path} do not fit together: {error}; give their columns one type"
        ) from error


def _places(path: str) -> Iterable[Location]:
    if is_url(path):
        return matching(path)
    return map(Path, sorted(glob(path)) if "*" in path else [path])


def _from_frame(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError) as error:
        raise SeedReaderError(f"the seed DataFrame cannot be read: {error}; give each column one type") from error


def _name(config: SeedConfig) -> str:
    return str(getattr(config.source, "path", "DataFrame"))


def _read_file(place: Location) -> pa.Table:
    try:
        content = _content(place)
        if content.size() == 0:
            raise SeedReaderError(f"the seed file {place} is empty; it needs a header and at least one row")
        match place.suffix.lower():
            case ".parquet":
                return pq.ParquetFile(content).read()
            case ".csv":
                return _read_csv(place, content)
            case _:
                return _read_json(place, content)
    except OSError as error:
        raise SeedReaderError(f"the seed file {place} cannot be read: {_plainly(error)}") from error
    except UnicodeDecodeError as error:
        raise SeedReaderError(f"the seed file {place} is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except pa.ArrowException as error:
        raise SeedReaderError(f"the seed file {place} is malformed: {error}") from error


def _content(place: Location) -> pa.NativeFile:
    """An open file; a whole object, since one is read anyhow."""
    if isinstance(place, ObjectPath):
        return pa.BufferReader(Objects(place.parent).read(place.name))
    return pa.OSFile(str(place))


def _plainly(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _read_csv(path: Location, content: pa.NativeFile) -> pa.Table:
    ragged: list[str] = []

    def refuse(row: Any) -> str:
        ragged.append(
            f"row {row.number} (the header is row 1) has {row.actual_columns} fields instead of {row.expected_columns}"
        )
        return "skip"

    # One thread, so that rows are numbered.
    reading = pa_csv.ReadOptions(use_threads=False)
    parsing = pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse)
    # Only an empty field is null: "NA" may be a country, and "null" a word.
    converting = pa_csv.ConvertOptions(null_values=[""], strings_can_be_null=True)
    table = pa_csv.read_csv(content, reading, parsing, converting)
    if ragged:
        raise SeedReaderError(f"the seed file {path} is ragged: {ragged[0]}; quote values that hold commas")
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise SeedReaderError(f"column '{field.name}' of the seed file {path} is not UTF-8; save it as UTF-8")
    return table


def _read_json(path: Location, content: pa.NativeFile) -> pa.Table:
    """JSON lines; a file that is one JSON list of objects is taken too."""
    text = content.read().decode("utf-8-sig")
    rows = _json(path, 1, text) if text.lstrip().startswith("[") else _json_lines(path, text)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise SeedReaderError(f"the seed file {path} is malformed: row {number} is no JSON object")
    return _aligned(rows)


def _json_lines(path: Location, text: str) -> list[Any]:
    # Not splitlines, which also splits at characters that JSON allows within texts.
    return [_json(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _json(path: Location, first_line: int, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise SeedReaderError(f"the seed file {path} is malformed at line {line}: {error.msg}; correct it") from error


def _aligned(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A table of rows; a column whose values have no common type is kept as text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([_as_text(value) for value in values])


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
        self._shuffled = SamplingStrategy(strategy) == SamplingStrategy.SHUFFLE
        self._seed = seed
        self._table = table.select(list(columns))
        self._plain = {field.name for field in self._table.schema if _is_plain(field.type)}

    def run(self, block: Block) -> Made:
        """Take the rows."""
        taken = self._table.take(pa.array(self._places(block.rows)))
        columns = {name: taken.column(name).to_pylist() for name in taken.column_names}
        return Made({name: v if name in self._plain else [*map(_plain, v)] for name, v in columns.items()})

    def _places(self, rows: Indices) -> Indices:
        passes, places = np.divmod(rows, self._table.num_rows)
        if self._shuffled:
            for number in np.unique(passes).tolist():
                mine = passes == number
                stream = key(self._seed, "seed dataset", str(number))
                places[mine] = permuted(stream, places[mine], self._table.num_rows)
        return places


def _is_plain(arrow: pa.DataType) -> bool:
    """Whether values come out of Arrow as templates and JSON can hold them."""
    types = pa.types
    return bool(types.is_integer(arrow) or types.is_boolean(arrow) or types.is_string(arrow) or types.is_null(arrow))


def _plain(value: Any) -> Any:
    """What templates and JSON can hold: moments as ISO text, decimals as numbers, bytes as text."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return float(value)
        case UUID():
            return str(value)
        case bytes():
            return value.decode("utf-8", "replace")
        case float() if math.isnan(value):
            return None
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value
