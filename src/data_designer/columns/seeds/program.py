"""The seed dataset: reading it, choosing its rows, and giving record k its row."""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from glob import glob
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_designer.columns.random_streams import Indices, key, permuted
from data_designer.columns.seeds.arrow_types import NO_UNICODE, RefusedError, column_of, kept, makes_alike
from data_designer.columns.seeds.csv_dialect import SPACES
from data_designer.columns.seeds.csv_files import CsvTable, read_csv
from data_designer.columns.seeds.csv_types import as_declared, looks_numeric, typed
from data_designer.columns.seeds.folders import FolderSource, folder_rows
from data_designer.columns.seeds.hub import fetched
from data_designer.columns.seeds.json_files import json_rows, table_of
from data_designer.columns.seeds.large_cells import (
    LargeCells,
    beside,
    cells_of,
    seed_columns,
    set_aside,
    value_set_aside,
    with_places,
)
from data_designer.config.seed import IndexRange, PartitionBlock, SamplingStrategy, SeedConfig
from data_designer.config.seed_source import HuggingFaceSeedSource, LocalFileSeedSource, ReadOptions
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.errors import SeedDatasetError, SeedReaderConfigError, SeedReaderError
from data_designer.object_storage import Location, ObjectPath, Objects, is_url, matching
from data_designer.values import Block, Made

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_Content = TypeVar("_Content")

_MOST_NAMES = 20
_LARGE = 64 * 2**20
"""Bytes of a seed dataset that is as large as images in its cells make it."""
_READ_AT_ONCE = 16 * 2**20
"""About the bytes of such a file that are in memory while it is read."""
_BUFFER = 2**20


def read_seed(config: SeedConfig, resolved: Callable[[str | None], str | None] = lambda key: key) -> pa.Table:
    """The selected rows of the seed dataset; large cells rest in files (see `large_cells`) for as long as the table.

    Args:
        config: which.
        resolved: what stands as a key to the key.

    Raises:
        SeedReaderError: it is missing, empty or malformed; the message names the file, and the line where it is known.
        SeedReaderConfigError: its kind cannot be read by this version.
        SeedDatasetError: the selection reaches beyond its rows.
    """
    cells = LargeCells()
    try:
        chosen = _read_selected(config, resolved, cells)
    except BaseException:
        cells.remove()
        raise
    cells.go_with(chosen)
    return chosen


def _read_selected(config: SeedConfig, resolved: Callable[[str | None], str | None], cells: LargeCells) -> pa.Table:
    if isinstance(config.source, FolderSource):
        # Which files are wanted is known before any is read.
        rows = folder_rows(config.source, partial(chosen_rows, config))
        return _aside(table_of(rows, _name(config)), config, cells).combine_chunks()
    table = _read(config, resolved, cells)
    _check(table, _name(config))
    # One chunk a column, so that taking rows costs the same however many files there were.
    size, chosen = table.nbytes, _aside(_selected(table, config), config, cells).combine_chunks()
    del table
    if size > _LARGE:
        # Reading took several times as much, which pyarrow would keep for what comes next.
        pa.default_memory_pool().release_unused()
    return chosen


def table_from_frame(frame: "pd.DataFrame", where: str) -> pa.Table:
    """The rows of a DataFrame; large cells rest in files for as long as the table.

    Raises:
        SeedReaderError: there are no rows, or they cannot be kept.
    """
    cells = LargeCells()
    try:
        table = kept(_from_frame(frame, cells), where).combine_chunks()
        _check(table, where)
    except BaseException:
        cells.remove()
        raise
    cells.go_with(table)
    return table


def _check(table: pa.Table, where: str) -> None:
    _check_columns(seed_columns(table.column_names), where)
    if not table.num_rows:
        raise SeedReaderError(f"the seed dataset {where} is empty; it needs at least one row")


def _aside(table: pa.Table, config: SeedConfig, cells: LargeCells) -> pa.Table:
    try:
        return set_aside(table, cells)
    except OSError as error:
        raise SeedReaderError(
            f"large cells of the seed dataset {_name(config)} cannot be put into files in {gettempdir()}: "
            f"{_plainly(error)}; TMPDIR names another folder"
        ) from error


def _check_columns(names: Sequence[str], where: str) -> None:
    if not names:
        raise SeedReaderError(f"the seed dataset {where} has no columns")
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise SeedReaderError(f"column {place} of the seed dataset {where} has no name; give it one")
        if names.index(name) != place - 1:
            raise SeedReaderError(f"the seed dataset {where} has two columns named '{name}'; rename one")


def _read(config: SeedConfig, resolved: Callable[[str | None], str | None], cells: LargeCells) -> pa.Table:
    source = config.source
    match source:
        case LocalFileSeedSource():
            return _read_files(source, cells)
        case DataFrameSeedSource():
            return kept(_from_frame(source.df, cells), "DataFrame")
        case HuggingFaceSeedSource():
            with fetched(source, resolved(source.token)) as places:
                return _read_all(source.path, places, ReadOptions(), cells)
        case _:
            raise SeedReaderConfigError(f"nothing reads seed sources of kind '{source.seed_type}'")


def _read_files(source: LocalFileSeedSource, cells: LargeCells) -> pa.Table:
    path = source.runtime_path
    try:
        places = list(_places(path))
        if not places:
            raise SeedReaderError(f"no seed file matches {path}")
        return _read_all(path, places, source.read_options or ReadOptions(), cells)
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


def _read_all(path: str, places: Sequence[Location], options: ReadOptions, cells: LargeCells) -> pa.Table:
    # What a column is follows from its values in all files.
    match places[0].suffix.lower():
        case ".csv":
            return _typed(path, [_read_file(place, _divided(",", options)) for place in places], options)
        case ".tsv":
            return _typed(path, [_read_file(place, _divided("\t", options)) for place in places], options)
        case ".parquet":
            return _together([_read_file(place, partial(_read_parquet, cells=cells)) for place in places])
        case _:
            read = partial(json_rows, encoding=options.encoding, cells=cells)
            return table_of([row for place in places for row in _read_file(place, read)], path)


def _together(tables: Sequence[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")


def _from_frame(frame: "pd.DataFrame", cells: LargeCells) -> pa.Table:
    if named := [str(name) for name in frame.index.names if name is not None]:
        logger.warning(
            "the index %s of the seed DataFrame is left out; reset_index() makes it a column", ", ".join(named)
        )
    columns: list[tuple[pa.Field, pa.Array | pa.ChunkedArray]] = []
    for place, name in enumerate(map(str, frame.columns)):
        try:
            column, places = _lightened(frame.iloc[:, [place]], cells)
            columns += with_places(*_column_of_frame(name, column), places)
        except UnicodeEncodeError as error:
            raise SeedReaderError(f"column '{name}' of the seed DataFrame {NO_UNICODE}") from error
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise SeedReaderError(
                f"column '{name}' of the seed DataFrame cannot be read: {error}; give it one type"
            ) from error
        except RefusedError as error:
            raise SeedReaderError(f"column '{name}' of the seed DataFrame {error}") from error
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))


def _lightened(frame: "pd.DataFrame", cells: LargeCells) -> "tuple[pd.DataFrame, list[str | None]]":
    """A column without its large values, which Arrow would hold once more, and where these rest."""
    column = frame.iloc[:, 0]
    if column.dtype != object:
        return frame, []
    aside = [value_set_aside(value, cells) for value in column]
    if not any(aside):
        return frame, []
    small = [value if one is None else one.small for value, one in zip(column, aside, strict=True)]
    lightened = frame.copy(deep=False)
    lightened[frame.columns[0]] = _object_series(small, frame.index)
    return lightened, [None if one is None else one.cell.at for one in aside]


def _object_series(values: Sequence[object], index: "pd.Index") -> "pd.Series":
    import pandas as pd

    return pd.Series(values, index=index, dtype=object)


def _column_of_frame(name: str, frame: "pd.DataFrame") -> tuple[pa.Field, pa.ChunkedArray]:
    column = frame.iloc[:, 0]
    try:
        array = pa.Table.from_pandas(frame, preserve_index=False).column(0)
    except (pa.ArrowException, OverflowError):
        values = _objects(column)
        if {type(value) for value in values} - {type(None)} != {int}:
            raise
        return column_of(name, values)  # More digits than 64 bits hold.
    if column.dtype == object and makes_alike(array.type):
        return column_of(name, _objects(column), array)
    return pa.field(name, array.type), array


def _objects(column: "pd.Series") -> list[object]:
    return [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]


def _name(config: SeedConfig) -> str:
    return str(getattr(config.source, "path", "DataFrame"))


def _read_file(place: Location, read: Callable[[Location, pa.NativeFile], _Content]) -> _Content:
    try:
        content = _content(place)
        if content.size() == 0:
            raise SeedReaderError(f"the seed file {place} is empty; it needs a header and at least one row")
        return read(place, content)
    except OSError as error:
        raise SeedReaderError(f"the seed file {place} cannot be read: {_plainly(error)}") from error
    except UnicodeDecodeError as error:
        raise SeedReaderError(
            f"the seed file {place} is not {error.encoding.upper()} at byte {error.start}; save it as UTF-8"
        ) from error
    except pa.ArrowException as error:
        raise SeedReaderError(f"the seed file {place} is malformed: {error}") from error


def _content(place: Location) -> pa.NativeFile:
    """An open file; an object as a file of this machine, which goes once it is closed."""
    if isinstance(place, ObjectPath):
        with NamedTemporaryFile() as copy:
            Objects(place.parent).download(place.name, Path(copy.name))
            return pa.OSFile(copy.name)
    return pa.OSFile(str(place))


def _plainly(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _read_parquet(place: Location, content: pa.NativeFile, cells: LargeCells) -> pa.Table:
    file = pq.ParquetFile(content, pre_buffer=False)
    metadata = file.metadata
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if size < _LARGE:
        return _kept(file.read(use_threads=False), place)
    content.seek(0)
    file = pq.ParquetFile(content, pre_buffer=False, buffer_size=_BUFFER)
    rows = max(1, metadata.num_rows * _READ_AT_ONCE // size)
    batches = file.iter_batches(batch_size=rows, use_threads=False)
    parts = [set_aside(_kept(pa.Table.from_batches([batch]), place), cells) for batch in batches]
    return _together(parts)


def _kept(table: pa.Table, place: Location) -> pa.Table:
    # What whoever wrote it noted about a column is not about how seed columns are read.
    plain = pa.schema([field.remove_metadata() for field in table.schema])
    return kept(pa.Table.from_arrays(table.columns, schema=plain), str(place))


def _divided(usual: str, options: ReadOptions) -> Callable[[Location, pa.NativeFile], CsvTable]:
    return partial(read_csv, usual=usual, options=options)


def _typed(path: str, files: Sequence[CsvTable], options: ReadOptions) -> pa.Table:
    """The columns of CSV files in the types of their values, and a line in the log of how they were read."""
    text = _together([file.table for file in files])
    _check_columns(text.column_names, path)
    wanted = dict.fromkeys(text.column_names, options.dtype) if isinstance(options.dtype, str) else options.dtype or {}
    if unknown := [name for name in wanted if name not in text.column_names]:
        raise SeedReaderError(
            f"read_options.dtype names '{unknown[0]}', but the seed dataset {path} has {', '.join(text.column_names)}"
        )
    fields, columns = [], []
    for name, column in zip(text.column_names, text.columns, strict=True):
        kind = wanted.get(name)
        try:
            field, values = typed(name, column) if kind is None else as_declared(name, column, kind)
        except RefusedError as error:
            raise SeedReaderError(f"column '{name}' of the seed dataset {path} {error}") from error
        fields.append(field)
        columns.append(values)
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    _say(path, files, table, wanted)
    return table


def _say(path: str, files: Sequence[CsvTable], table: pa.Table, declared: Collection[str]) -> None:
    found = {
        "delimiter": {"spaces" if file.dialect.delimiter == SPACES else file.dialect.delimiter for file in files},
        "encoding": {file.encoding for file in files},
        "unnamed column": {file.named for file in files if file.named},
    }
    said = [f"{what}={', '.join(map(repr, sorted(values)))}" for what, values in found.items() if values]
    if left_out := max(file.left_out for file in files):
        said.append(f"empty columns left out={left_out}")
    kept_as_text = [
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name not in declared and pa.types.is_string(column.type) and looks_numeric(column)
    ]
    if kept_as_text:
        more = ", …" if len(kept_as_text) > _MOST_NAMES else ""
        said.append(f"numbers kept as text={', '.join(kept_as_text[:_MOST_NAMES])}{more}")
    logger.info("seed=%s columns=%d %s", path, table.num_columns, " ".join(said))


def _selected(table: pa.Table, config: SeedConfig) -> pa.Table:
    rows = chosen_rows(config, table.num_rows)
    return table.slice(rows.start, len(rows))


def chosen_rows(config: SeedConfig, size: int) -> range:
    """The rows, of as many as there are, that the selection means. Raises SeedDatasetError where it reaches beyond."""
    selection = config.selection_strategy
    if isinstance(selection, PartitionBlock):
        if selection.num_partitions > size:
            raise SeedDatasetError(f"{selection.num_partitions} partitions of {size} seed rows; use fewer")
        selection = selection.to_index_range(size)
    if not isinstance(selection, IndexRange):
        return range(size)
    if selection.end >= size:
        raise SeedDatasetError(f"the selection ends at row {selection.end}, but the last seed row is {size - 1}")
    return range(selection.start, selection.end + 1)


class SeedProgram:
    """Gives each record its seed row: row k mod size, or without replacement in a new order each pass."""

    def __init__(self, columns: Sequence[str], strategy: SamplingStrategy | str, seed: int, table: pa.Table) -> None:
        self._shuffled = SamplingStrategy(strategy) == SamplingStrategy.SHUFFLE
        self._seed = seed
        known = {beside(name) for name in columns}.intersection(table.column_names)
        self._table = table.select([*columns, *sorted(known)])

    def run(self, block: Block) -> Made:
        """Take the rows."""
        return Made(cells_of(self._table.take(pa.array(self._places(block.rows)))))

    def _places(self, rows: Indices) -> Indices:
        passes, places = np.divmod(rows, self._table.num_rows)
        if self._shuffled:
            for number in np.unique(passes).tolist():
                mine = passes == number
                stream = key(self._seed, "seed dataset", str(number))
                places[mine] = permuted(stream, places[mine], self._table.num_rows)
        return places
