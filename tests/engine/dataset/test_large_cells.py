"""Large cells in files of batches: written a few at a time, and read back as the values that they stand for."""

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_designer.columns.seeds.large_cells import LARGE, LargeCells, resting, set_aside, value_set_aside
from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.batch_files import stage_table
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.large_cells import brought, parquet_of, remove_brought, with_cells
from data_designer.engine.dataset.schema import Tables
from data_designer.values import LargeCell

MEGABYTE = 2**20


@pytest.fixture
def cells() -> Iterator[LargeCells]:
    """Where cells are set aside."""
    made = LargeCells()
    yield made
    made.remove()


def large(text: str, cells: LargeCells) -> LargeCell:
    """A text that was set aside."""
    aside = value_set_aside(text, cells)
    assert aside is not None
    return aside.cell


def test_a_batch_is_written_in_row_groups_of_some_megabytes(cells: LargeCells) -> None:
    """No more than one is in memory; their rows are those of the batch, in order."""
    texts = [f"{number:08d}" * MEGABYTE for number in range(5)]
    columns = {"n": [*range(5)], "text": [large(text, cells) for text in texts]}
    table = Tables({"n": pa.int64(), "text": pa.string()}).table(columns)
    file = pq.ParquetFile(io.BytesIO(b"".join(parquet_of(table))))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [4, 1]
    assert file.schema_arrow.names == ["n", "text"]
    assert file.read().to_pydict() == {"n": [*range(5)], "text": texts}


def test_other_values_decide_how_a_column_is_stored(cells: LargeCells) -> None:
    """Beside those of other kinds a large text is JSON text, as a small one would be."""
    text = "text " * LARGE
    table = with_cells(Tables({}).table({"mixed": [large(text, cells), 7, None, "small", [1]]}))
    assert cells_of(table.column("mixed"), table.schema.field("mixed")) == [text, 7, None, "small", [1]]


def test_what_is_said_of_a_file_is_true(cells: LargeCells, tmp_path: Path) -> None:
    """Its size, its checksum and its schema, which is that of a file without large cells."""
    files, tables = LocalFiles(tmp_path), Tables({"text": pa.string()})
    plain = tables.table({"text": ["small"]})
    small = stage_table(files, "a.parquet", plain)
    made = stage_table(files, "b.parquet", tables.table({"text": [large("text " * LARGE, cells)]}))
    content = files.read(made.staged)
    assert made.schema == small.schema
    assert (made.rows, made.bytes) == (1, len(content))
    assert pq.read_table(io.BytesIO(content)).column("text").to_pylist() == ["text " * LARGE]


def test_cells_are_brought_into_the_dataset_once(cells: LargeCells, tmp_path: Path) -> None:
    """Those that a run before has left are used; nothing is left in the end."""
    table = set_aside(pa.table({"text": ["a" * LARGE, "b" * LARGE, "c"]}), cells)
    files = LocalFiles(tmp_path / "dataset")
    first = brought(table, files)
    assert first is not None
    assert {Path(cell.at).parent for cell in resting(first)} == {tmp_path / "dataset" / "seed-cells"}
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "dataset" / "seed-cells").iterdir()}
    second = brought(table, files)
    assert second is not None
    assert second.equals(first)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    cells.remove()
    assert with_cells(second).column("text").to_pylist() == ["a" * LARGE, "b" * LARGE, "c"]
    remove_brought(files)
    assert not (tmp_path / "dataset" / "seed-cells").exists()
