"""Cells of a seed dataset that are large, such as images in base64: they rest in files, and rows say where.

So what a run holds, and what its processes send each other, does not grow with them. Reading a seed sets them aside one
by one, and whoever computes with one, or writes it, reads its file then. A table in which a column has such cells holds
null in their places, and another column beside it holds where each of them rests. A file is named by its content: the
same value rests once, and a seed that is read again is the same.
"""

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from pyarrow import types

from data_designer.object_storage import ObjectPath, Objects, location
from data_designer.values import LargeCell

LARGE = 64 * 1024
"""Bytes of a cell from which on it is set aside: it costs a file."""
_BESIDE = "__large__:"
"""How the name of a column begins that holds where cells of another one rest."""
_BUCKETS = 8


class LargeCells:
    """A folder of this machine for the large cells of one seed dataset; it goes with the table that names them."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def put(self, cell: pa.Array, field: pa.Field) -> LargeCell:
        """Set a cell aside, an array of one. Raises OSError where the disk refuses."""
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, pa.schema([field])) as writer:
            writer.write_batch(pa.record_batch([cell], schema=pa.schema([field])))
        content = out.getvalue()
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="data-designer-seed-"))
        path = self._folder / f"{hashlib.sha256(content).hexdigest()}-{content.size}"
        if not path.exists():
            path.write_bytes(content)
        return LargeCell(str(path))

    def go_with(self, table: pa.Table) -> None:
        """Remove them all once nobody has the table any more."""
        if self._folder is not None:
            weakref.finalize(table, shutil.rmtree, self._folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove them all."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Aside:
    """A value that was set aside before its column is known."""

    cell: LargeCell
    small: object
    """One of its type."""


# --- setting aside ---------------------------------------------------------------------------------------


def set_aside(table: pa.Table, cells: LargeCells) -> pa.Table:
    """A table without its large cells, which are put into files. Raises OSError where the disk refuses."""
    columns: list[tuple[pa.Field, pa.Array | pa.ChunkedArray]] = []
    known = set(table.column_names)
    for field, column in zip(table.schema, table.columns, strict=True):
        large = set() if beside(field.name) in known else set(_large(column))
        places: list[str | None] = [None] * len(column)
        for place in large:
            places[place] = cells.put(_whole(column.slice(place, 1)), field).at
        columns += with_places(field, column, places)
    return pa.Table.from_arrays([column for _, column in columns], schema=pa.schema([field for field, _ in columns]))


def with_places(
    field: pa.Field, column: "pa.Array | pa.ChunkedArray", places: Sequence[str | None]
) -> "list[tuple[pa.Field, pa.Array | pa.ChunkedArray]]":
    """A column without the cells that rest somewhere, and the one beside it that says where, if there are any."""
    if not any(places):
        return [(field, column)]
    taken = column.take(pa.array([None if at else place for place, at in enumerate(places)], pa.int64()))
    return [(field, taken), (pa.field(beside(field.name), pa.string()), pa.array(places, pa.string()))]


def value_set_aside(value: object, cells: LargeCells) -> Aside | None:
    """A text, bytes or a list of them, set aside where it is large; None for any other value."""
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str | bytes) for text in texts) or len({*map(type, texts)}) != 1:
        return None
    if sum(map(len, texts)) < LARGE:
        return None
    try:
        cell = pa.array([value])
    except UnicodeEncodeError:
        return None  # Whoever makes a column of it says so.
    small = type(texts[0])()
    put = cells.put(cell, pa.field("value", cell.type))
    return Aside(put, [small] if isinstance(value, list) else small)


def _large(column: pa.ChunkedArray) -> Iterable[int]:
    """Places of cells that are large: texts by their own length, lists and the like if they are it on average."""
    import pyarrow.compute as pc

    if column.nbytes < LARGE:
        return ()
    if types.is_string(column.type) or types.is_large_string(column.type) or _is_binary(column.type):
        places = pc.indices_nonzero(pc.greater_equal(pc.binary_length(column), LARGE))
    elif types.is_nested(column.type) and column.nbytes >= LARGE * (len(column) - column.null_count):
        places = pc.indices_nonzero(column.is_valid())
    else:
        return ()
    found: list[int] = places.to_pylist()
    return found


def _is_binary(arrow: pa.DataType) -> bool:
    return bool(types.is_binary(arrow) or types.is_large_binary(arrow))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


# --- tables that have some -------------------------------------------------------------------------------


def beside(name: str) -> str:
    """The column that holds where cells of a column rest."""
    return f"{_BESIDE}{name}"


def seed_columns(names: Iterable[str]) -> list[str]:
    """Columns of a table, those apart that hold where cells rest."""
    return [name for name in names if not name.startswith(_BESIDE)]


def rests_partly(table: pa.Table) -> bool:
    """Whether cells of a table rest elsewhere."""
    return any(name.startswith(_BESIDE) for name in table.column_names)


def places_of(table: pa.Table, name: str) -> list[str | None]:
    """Where the cells of a column rest; None for those that are in the table."""
    known = beside(name) in table.column_names
    found: list[str | None] = table.column(beside(name)).to_pylist() if known else [None] * table.num_rows
    return found


def cells_of(table: pa.Table) -> dict[str, list[object]]:
    """The values of a table's columns, with a `LargeCell` for each that rests elsewhere."""
    from data_designer.columns.seeds.arrow_types import values_of

    found: dict[str, list[object]] = {}
    for name in seed_columns(table.column_names):
        values = values_of(table.column(name), table.schema.field(name))
        if beside(name) in table.column_names:
            places = places_of(table, name)
            values = [value if at is None else LargeCell(at) for value, at in zip(values, places, strict=True)]
        found[name] = values
    return found


def resting(table: pa.Table) -> set[LargeCell]:
    """All cells of a table that rest elsewhere."""
    names = [name for name in table.column_names if name.startswith(_BESIDE)]
    return {LargeCell(at) for name in names for at in table.column(name).to_pylist() if at is not None}


def moved(table: pa.Table, place: Callable[[LargeCell], str]) -> pa.Table:
    """The same table, of which cells rest at other places."""
    for number, name in enumerate(table.column_names):
        if name.startswith(_BESIDE):
            new = [None if at is None else place(LargeCell(at)) for at in table.column(number).to_pylist()]
            table = table.set_column(number, name, pa.chunked_array([pa.array(new, pa.string())]))
    return table


def by_content(table: pa.Table) -> pa.Table:
    """The same for the same rows, wherever large cells rest."""
    return moved(table, lambda cell: cell.name)


# --- reading ---------------------------------------------------------------------------------------------


def has_large(values: Iterable[object]) -> bool:
    """Whether one of some values rests elsewhere."""
    return any(type(value) is LargeCell for value in values)


def loaded(values: Sequence[object]) -> list[object]:
    """Values, those that rest somewhere read from there. Raises OSError where one cannot be read."""
    return [read(value) if isinstance(value, LargeCell) else value for value in values]


def read(cell: LargeCell) -> object:
    """The value of a cell. Raises OSError where it cannot be read."""
    from data_designer.columns.seeds.arrow_types import values_of

    column, field = stored(cell)
    return values_of(pa.chunked_array([column]), field)[0]


def stored(cell: LargeCell) -> "tuple[pa.Array, pa.Field]":
    """The same as Arrow has it, an array of one, and its field. Raises OSError where it cannot be read."""
    place = location(cell.at)
    try:
        content = _bucket(place.parent).read(place.name) if isinstance(place, ObjectPath) else place.read_bytes()
        table = pa.ipc.open_stream(content).read_all()
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise OSError(f"a large cell of the seed dataset is not at {cell.at} any more: {error}") from error
    return _whole(table.column(0)), table.schema.field(0)


@lru_cache(_BUCKETS)
def _bucket(folder: ObjectPath) -> Objects:
    return Objects(folder)
