"""Large cells of the seed dataset: written into a dataset piece by piece, and brought to where a cluster sees them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from data_designer.columns.arrow_types import is_json
from data_designer.columns.seeds.large_cells import (
    beside,
    moved,
    places_of,
    read,
    resting,
    rests_partly,
    seed_columns,
    stored,
)
from data_designer.engine.dataset.arrow_types import array_of
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import SEED
from data_designer.object_storage import location
from data_designer.plan.contents import Digesting
from data_designer.values import LargeCell

_PIECE = 32 * 2**20
"""About the bytes of large cells that are in memory while a batch is written: those of a row group."""


def parquet_of(table: pa.Table) -> Iterator[bytes]:
    """A table as the content of a Parquet file, piece by piece. Raises OSError where a large cell cannot be read."""
    import pyarrow.parquet as pq

    made: list[bytes] = []
    schema = pa.schema([table.schema.field(name) for name in seed_columns(table.column_names)])
    with pq.ParquetWriter(pa.PythonFile(Digesting(made.append), mode="w"), schema, compression="zstd") as writer:
        for part in _parts(table):
            writer.write_table(part)
            yield from made
            made.clear()
    yield from made


def with_cells(table: pa.Table) -> pa.Table:
    """A table with its large cells. Raises OSError where one cannot be read."""
    return pa.concat_tables(_parts(table)) if rests_partly(table) else table


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """A table in parts, each with its large cells; at least one."""
    names = seed_columns(table.column_names)
    places = {name: places_of(table, name) for name in names if beside(name) in table.column_names}
    for start, stop in _ranges(table.num_rows, [*places.values()]):
        part = table.slice(start, stop - start).select(names)
        for name, known in places.items():
            number = part.schema.get_field_index(name)
            field = part.schema.field(number)
            part = part.set_column(number, field, _filled(part.column(number), field, known[start:stop]))
        yield part


def _ranges(rows: int, places: Sequence[Sequence[str | None]]) -> Iterator[tuple[int, int]]:
    start, size = 0, 0
    for row in range(rows):
        size += sum(LargeCell(at).size for known in places if (at := known[row]) is not None)
        if size >= _PIECE:
            yield start, row + 1
            start, size = row + 1, 0
    if start < rows or not rows:
        yield start, rows


def _filled(column: pa.ChunkedArray, field: pa.Field, places: Sequence[str | None]) -> pa.ChunkedArray:
    cells: list[pa.Array] = []
    for row, at in enumerate(places):
        cells += column.slice(row, 1).chunks if at is None else [_cell(LargeCell(at), field)]
    return pa.chunked_array([pa.concat_arrays(cells)] if cells else [], field.type)


def _cell(cell: LargeCell, field: pa.Field) -> pa.Array:
    array, of = stored(cell)
    if array.type == field.type and is_json(of) == is_json(field):
        return array
    # Other cells of the column may have made it wider, or JSON text.
    return array_of([read(cell)], field)


# --- where other machines find them ----------------------------------------------------------------------


def brought(table: "pa.Table | None", files: Files) -> "pa.Table | None":
    """The seed's table, whose large cells rest in the dataset from now on. Raises OSError where the disk refuses."""
    if table is None or not rests_partly(table):
        return table
    there = files.sizes(SEED)
    for cell in sorted(resting(table), key=lambda one: one.at):
        content = Path(cell.at).read_bytes()
        if there.get(f"{SEED}/{cell.name}") != len(content):
            files.write(f"{SEED}/{cell.name}", content)
    folder = location(str(files)) / SEED
    return moved(table, lambda cell: str(folder / cell.name))


def remove_brought(files: Files) -> None:
    """Remove what was brought, as far as the disk allows."""
    with suppress(OSError):
        files.remove(*files.walk(SEED))
        files.remove_folder(SEED)
