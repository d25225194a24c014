"""Large cells of seed datasets rest in files: what is read is small, and the values are the same."""

import base64
import gc
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_designer.columns.seeds.large_cells import LARGE, loaded, resting, seed_columns
from data_designer.columns.seeds.program import SeedProgram, read_seed
from data_designer.config.seed import SamplingStrategy, SeedConfig
from data_designer.config.seed_source import LocalFileSeedSource
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.interface.compile import seed_digest
from data_designer.values import Block, LargeCell

Source = LocalFileSeedSource | DataFrameSeedSource
SMALL = 10_000
"""Bytes of a table whose large cells are elsewhere."""


def noise(number: int, size: int = 2 * LARGE) -> bytes:
    """Bytes of their own for each number."""
    return random.Random(number).randbytes(size)


def text(number: int) -> str:
    """The same as base64."""
    return base64.b64encode(noise(number)).decode()


ROWS: dict[str, list[object]] = {"n": [0, 1, 2, 3], "photo": [text(0), "small", None, text(3)]}
LISTS: list[object] = [[text(0), text(1)], [text(2)], None, [text(3)]]


def in_parquet(folder: Path) -> Source:
    """As a column of text."""
    pq.write_table(pa.table(ROWS), folder / "seed.parquet")
    return LocalFileSeedSource(path=str(folder / "seed.parquet"))


def in_lines(folder: Path) -> Source:
    """As JSON lines."""
    rows = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    (folder / "seed.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return LocalFileSeedSource(path=str(folder / "seed.jsonl"))


def in_a_list(folder: Path) -> Source:
    """As a list of JSON objects."""
    rows = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    (folder / "seed.json").write_text(json.dumps(rows))
    return LocalFileSeedSource(path=str(folder / "seed.json"))


def in_csv(folder: Path) -> Source:
    """As CSV."""
    pd.DataFrame(ROWS).to_csv(folder / "seed.csv", index=False)
    return LocalFileSeedSource(path=str(folder / "seed.csv"))


def in_a_frame(_: Path) -> Source:
    """As a frame of objects."""
    return DataFrameSeedSource(df=pd.DataFrame(ROWS, dtype=object))


def cells(table: pa.Table, records: int = 4) -> dict[str, list[object]]:
    """What the first records get."""
    program = SeedProgram(seed_columns(table.column_names), SamplingStrategy.ORDERED, 0, table)
    return program.run(Block(np.arange(records), {})).columns


@pytest.mark.parametrize("made", [in_parquet, in_lines, in_a_list, in_csv, in_a_frame])
def test_a_large_cell_is_named_by_its_row_and_read_when_it_is_needed(
    tmp_path: Path, made: Callable[[Path], Source]
) -> None:
    """From every kind of source; small and absent ones stay where they are, and types are what they would be."""
    table = read_seed(SeedConfig(source=made(tmp_path)))
    assert table.nbytes < SMALL
    assert seed_columns(table.column_names) == ["n", "photo"]
    found = cells(table)
    assert [type(value) for value in found["photo"]] == [LargeCell, str, type(None), LargeCell]
    assert {name: loaded(values) for name, values in found.items()} == ROWS
    assert table.schema.field("photo").type in (pa.string(), pa.large_string())


@pytest.mark.parametrize("values", [[noise(0), b"small", None, noise(3)], LISTS])
def test_bytes_and_lists_are_set_aside_too(tmp_path: Path, values: list[object]) -> None:
    """From a file, and from a frame."""
    pq.write_table(pa.table({"photo": values}), tmp_path / "seed.parquet")
    file = LocalFileSeedSource(path=str(tmp_path / "seed.parquet"))
    frame = DataFrameSeedSource(df=pd.DataFrame({"photo": values}))
    for source in (file, frame):
        table = read_seed(SeedConfig(source=source))
        assert table.nbytes < SMALL
        assert loaded(cells(table)["photo"]) == values


def test_a_file_of_many_megabytes_is_read_in_parts(tmp_path: Path) -> None:
    """All of its rows are there, in order, though it has one row group."""
    texts = [f"{number:04d}" * 2**18 for number in range(80)]
    pq.write_table(pa.table({"n": range(80), "photo": texts}), tmp_path / "seed.parquet")
    before = pa.total_allocated_bytes()
    table = read_seed(SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "seed.parquet"))))
    assert pa.total_allocated_bytes() - before < 2**20
    found = cells(table, 80)
    assert found["n"] == [*range(80)]
    assert loaded(found["photo"]) == texts


def test_the_same_rows_have_the_same_digest_wherever_their_cells_rest(tmp_path: Path) -> None:
    """A resumed run reads its seed anew; other content is seen."""
    source = in_parquet(tmp_path)
    first, second = read_seed(SeedConfig(source=source)), read_seed(SeedConfig(source=source))
    assert resting(first) != resting(second)
    assert seed_digest(first) == seed_digest(second)
    pq.write_table(pa.table(ROWS | {"photo": [text(5), "small", None, text(3)]}), tmp_path / "seed.parquet")
    assert seed_digest(read_seed(SeedConfig(source=source))) != seed_digest(first)


def test_the_same_value_rests_once_and_goes_with_its_table(tmp_path: Path) -> None:
    """Nothing is left once nobody has the table."""
    pq.write_table(pa.table({"photo": [text(1)] * 5}), tmp_path / "seed.parquet")
    table = read_seed(SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "seed.parquet"))))
    [cell] = resting(table)
    assert cell.size > 2 * LARGE
    folder = Path(cell.at).parent
    assert [path.name for path in folder.iterdir()] == [cell.name]
    del table
    gc.collect()
    assert not folder.exists()


def test_a_cell_that_is_gone_is_named(tmp_path: Path) -> None:
    """The message says where it was."""
    table = read_seed(SeedConfig(source=in_parquet(tmp_path)))
    cell = min(resting(table), key=lambda one: one.at)
    Path(cell.at).unlink()
    with pytest.raises(OSError, match=cell.name):
        loaded([cell])
