"""The seed dataset: what is read, what is refused, and which row each record gets."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_designer.columns.arrow_types import field_of
from data_designer.columns.seeds.program import SeedProgram, read_seed
from data_designer.config.seed import IndexRange, PartitionBlock, SeedConfig
from data_designer.config.seed_source import LocalFileSeedSource
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.errors import SeedDatasetError, SeedReaderError
from data_designer.values import Block


def seed_file(path: Path, content: str | bytes) -> SeedConfig:
    """Write a seed file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return SeedConfig(source=LocalFileSeedSource(path=str(path)))


def read(path: Path, content: str | bytes) -> dict[str, list[Any]]:
    """Write a seed file and read it as the engine does: the values of every column, once each row."""
    return values_of(read_seed(seed_file(path, content)))


def values_of(table: pa.Table) -> dict[str, list[Any]]:
    """Take every row once, in order."""
    program = SeedProgram(table.column_names, "ordered", 7, table)
    return program.run(Block(np.arange(table.num_rows, dtype=np.int64), {})).columns


def refused(path: Path, content: str | bytes) -> str:
    """Expect a file to be refused, naming it."""
    config = seed_file(path, content)
    with pytest.raises(SeedReaderError) as caught:
        read_seed(config)
    assert str(path) in str(caught.value)
    return str(caught.value)


# --- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "n,text\n1,one\n,two\n3,\n"),
        ("rows.csv", "\ufeffn,text\r\n1,one\r\n,two\r\n3,\r\n"),
        ("rows.jsonl", '{"n": 1, "text": "one"}\n\n{"text": "two"}\n{"n": 3, "text": null}\n'),
        ("rows.json", '{"n": 1, "text": "one"}\n{"text": "two"}\n{"n": 3}'),
        ("rows.json", '[{"n": 1, "text": "one"},\n {"text": "two"},\n {"n": 3}]'),
    ],
)
def test_text_files_are_read_alike(tmp_path: Path, name: str, content: str) -> None:
    """CSV, JSON lines and a JSON list give the same rows; integers stay integers next to nulls."""
    made = read(tmp_path / name, content)
    assert made == {"n": [1, None, 3], "text": ["one", "two", None]}
    assert type(made["n"][0]) is int


def test_parquet_values_are_those_of_python(tmp_path: Path) -> None:
    """A value is what Python has for it, with all its digits."""
    table = pa.table(
        {
            "n": pa.array([1, None], pa.int32()),
            "x": [1.5, None],
            "short": pa.array([0.1, None], pa.float32()),
            "flag": [True, None],
            "day": [date(2024, 2, 29), None],
            "moment": [datetime(2024, 2, 29, 12, 30, tzinfo=UTC), None],
            "span": [timedelta(minutes=2), None],
            "price": [Decimal("1.20"), None],
            "raw": [b"abc\xff", None],
            "nested": [{"when": date(2024, 1, 1), "tags": ["a", None]}, None],
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "coded": pa.array(["a", None]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    made = values_of(read_seed(SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "rows.parquet")))))
    assert {name: drawn[0] for name, drawn in made.items()} == {
        "n": 1,
        "x": 1.5,
        "short": 0.1,
        "flag": True,
        "day": date(2024, 2, 29),
        "moment": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        "span": timedelta(minutes=2),
        "price": Decimal("1.20"),
        "raw": b"abc\xff",
        "nested": {"when": date(2024, 1, 1), "tags": ["a", None]},
        "map": [("k", 1)],
        "coded": "a",
    }
    assert {drawn[1] for drawn in made.values()} == {None}


def test_a_folder_that_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    """A file has the columns it holds, wherever it lies."""
    folder = tmp_path / "lang=en"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1]}), folder / "rows.parquet")
    assert values_of(read_seed(SeedConfig(source=LocalFileSeedSource(path=str(folder / "rows.parquet"))))) == {"a": [1]}


def test_words_that_look_like_null_stay_words(tmp_path: Path) -> None:
    """Only an empty CSV field is null."""
    assert read(tmp_path / "rows.csv", "country\nNA\nnull\nNaN\n")["country"] == ["NA", "null", "NaN"]


def test_quoted_fields_hold_commas_and_lines(tmp_path: Path) -> None:
    """Quoting works as usual."""
    assert read(tmp_path / "rows.csv", 'a,b\n"x, y","two\nlines"\n') == {"a": ["x, y"], "b": ["two\nlines"]}


def test_a_column_may_turn_from_numbers_to_text_late(tmp_path: Path) -> None:
    """The type of a CSV column is that of all its values, however late one differs."""
    made = read(tmp_path / "rows.csv", "a\n" + "1\n" * 600_000 + "x\n")
    assert (made["a"][0], made["a"][-1]) == ("1", "x")


def test_json_text_may_hold_any_character(tmp_path: Path) -> None:
    """Line separators of Unicode do not end a line of JSON."""
    assert read(tmp_path / "rows.jsonl", '{"a": "x\u2028y\x85z"}\n')["a"] == ["x\u2028y\x85z"]


@pytest.mark.parametrize(
    "values",
    [
        ["x", 1, {"b": 2}, None],
        [{"x": 1}, {"y": 2}],
        [[1, 2.5]],
        [{}],
        [True, 1],
        [27, 28.0],
        [[[[[[1]]]]], [[["x"]]]],
    ],
)
def test_json_values_without_a_common_type_stay_what_they_are(tmp_path: Path, values: list[Any]) -> None:
    """No absent member becomes null, no whole number a float, no number a text."""
    made = read(tmp_path / "rows.jsonl", "\n".join(json.dumps({"a": value}) for value in values))["a"]
    assert repr(made) == repr(values)


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        ('{"a": 27}\n{"a": 31.6}', ["27", "31.6"]),
        ('{"a": 18446744073709551615}', ["18446744073709551615"]),
        ('{"a": 123456789012345678901}\n{"a": 1}', ["123456789012345678901", "1"]),
        ('{"a": 12345678901234567.89}\n{"a": 1.50}', ["12345678901234567.89", "1.50"]),
    ],
)
def test_json_numbers_keep_their_digits(tmp_path: Path, content: str, printed: list[str]) -> None:
    """However many there are; they stay numbers."""
    table = read_seed(seed_file(tmp_path / "rows.jsonl", content))
    assert [str(value) for value in values_of(table)["a"]] == printed
    assert not pa.types.is_string(table.schema.field("a").type)


def test_a_pattern_reads_its_files_in_order(tmp_path: Path) -> None:
    """Files of a pattern follow each other by name; columns that only some have are null elsewhere."""
    (tmp_path / "b.jsonl").write_text('{"n": 2.5, "extra": "x"}\n')
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n')
    config = SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "*.jsonl")))
    assert values_of(read_seed(config)) == {"n": [1.0, 2.5], "extra": [None, "x"]}


def test_a_data_frame_is_read_without_its_index() -> None:
    """The columns of a DataFrame are the seed's, missing values null."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "t": pd.to_datetime(["2024-01-01", None])}, index=[5, 6])
    made = values_of(read_seed(SeedConfig(source=DataFrameSeedSource(df=frame))))
    assert made == {"a": [1, 2], "b": ["x", None], "t": [datetime(2024, 1, 1), None]}  # noqa: DTZ001 - as in the frame


def test_a_file_of_a_dataset_is_read_as_what_stands_in_it(tmp_path: Path) -> None:
    """A column that holds values as JSON text is a column of text to others."""
    written = pa.table({"a": ['"x"', "1"]}, schema=pa.schema([field_of("a", None)]))
    pq.write_table(written, tmp_path / "rows.parquet")
    made = values_of(read_seed(SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "rows.parquet")))))
    assert made == {"a": ['"x"', "1"]}


@pytest.mark.parametrize(
    "values",
    [
        [{"x": 1}, {"y": 2}],
        [[1, 2.5], None],
        [{"a": None}, {"a": "x"}],
        [1, 2.5],
        [2**70, 1],
        [Decimal("19.90"), Decimal("12345678901234567.89")],
        [b"\x89PNG\xff", None],
        [time(1, 2), None],
    ],
)
def test_objects_of_a_data_frame_stay_what_they_are(values: list[Any]) -> None:
    """Cells of a DataFrame come out as they are, nested ones too."""
    frame = pd.DataFrame({"a": pd.Series(values, dtype=object)})
    made = values_of(read_seed(SeedConfig(source=DataFrameSeedSource(df=frame))))
    assert made["a"] == values
    assert list(map(str, made["a"])) == list(map(str, values))


# --- refusing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", "", "is empty"),
        ("rows.jsonl", "", "is empty"),
        ("rows.parquet", "", "is empty"),
        ("rows.csv", "a,b\n", "is empty; it needs at least one row"),
        ("rows.json", "[]", "has no columns"),
        ("rows.csv", "a,b\n1,2\n1,2,3\n", "row 3 (the header is row 1) has 3 fields instead of 2"),
        ("rows.csv", "a,b\n1\n", "row 2 (the header is row 1) has 1 fields instead of 2"),
        ("rows.csv", "a,b,a\n1,2,3\n", "two columns named 'a'; rename one"),
        ("rows.csv", "a,\n1,2\n", "column 2 of"),
        ("rows.csv", "a,,b\n1,2,3\n", "column 2 of"),
        ("rows.csv", "\n\n", "is empty; it needs a header"),
        ("rows.csv", "a,b\n1,'x\n'\n\n1,2,3\n", "row 3 (the header is row 1) has 1 fields instead of 2, at line 3"),
        ("rows.csv", 'a,b\n1,"x\ny"\n\n1,2,3\n', "row 3 (the header is row 1) has 3 fields instead of 2, at line 5"),
        ("rows.csv", "a;b;c\n1;2;3\n1;2\n", "fill it up with ';', which divides fields here"),
        ("rows.csv", "name,city\nAda,Paris, France\nBob,Rome, Italy\n", "row 2 (the header is row 1) has 3 fields"),
        ("rows.csv", "price\n1,234\n", "row 2 (the header is row 1) has 2 fields instead of 1"),
        ("rows.csv", "name\nJos\u00e9\n".encode() + b"Ren\xe9\n", "is UTF-8, but not in line 3"),
        ("rows.csv", "a,b\n1,2\n".encode("utf-16-le"), "in UTF-16 without a mark; name that in read_options.encoding"),
        ("rows.csv", "a\n\U0010fffe5\n", "holds U+10FFFE in line 2"),
        ("rows.csv", b"PK\x03\x04\x14\x00", "holds NUL bytes"),
        ("rows.json", '{\n  "a": 1,\n  "b": [2]\n}', "one JSON object over several lines, and no rows"),
        ("rows.jsonl", '{"a": "\\ud83d"}', "column 'a' of"),
        ("rows.jsonl", '{"a": 1e400}', "column 'a' of"),
        ("rows.jsonl", b'{"a": "\xe9"}', "not UTF-8 at byte 7; save it as UTF-8"),
        ("rows.jsonl", '{"a": 1}\n\n{"a": \n', "malformed at line 3: Expecting value"),
        ("rows.json", '[{"a": 1},\n {"a" 2}]', "malformed at line 2"),
        ("rows.jsonl", '{"a": 1}\n7\n', "row 2 is no JSON object"),
        ("rows.parquet", "not parquet at all", "malformed"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    """The message names the file, the place, and what to do."""
    assert said in refused(tmp_path / name, content)


def test_a_file_that_has_gone_is_refused(tmp_path: Path) -> None:
    """A seed file deleted since it was declared is named."""
    config = seed_file(tmp_path / "rows.csv", "a\n1\n")
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(SeedReaderError, match="rows.csv cannot be read: No such file"):
        read_seed(config)


def test_a_pattern_whose_files_have_gone_is_refused(tmp_path: Path) -> None:
    """So is a pattern that matches nothing any more."""
    seed_file(tmp_path / "rows.csv", "a\n1\n")
    config = SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "*.csv")))
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(SeedReaderError, match="no seed file matches"):
        read_seed(config)


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """A column that is a number here and a text there is named."""
    pq.write_table(pa.table({"n": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(SeedReaderError, match="do not fit together.*Field n"):
        read_seed(SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "*.parquet"))))


@pytest.mark.parametrize(("other", "values"), [("n\nx\n", ["1", "x"]), ("n\n2.5\n", [1, 2.5])])
def test_what_a_column_is_follows_from_all_files(tmp_path: Path, other: str, values: list[Any]) -> None:
    """A column of CSV files has one type, that of its values in all of them."""
    (tmp_path / "a.csv").write_text("n\n1\n")
    (tmp_path / "b.csv").write_text(other)
    made = values_of(read_seed(SeedConfig(source=LocalFileSeedSource(path=str(tmp_path / "*.csv")))))
    assert repr(made["n"]) == repr(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "x"], "give it one type"),
        ([1j, 2], "give it one type"),
        (["\ud83d", "x"], "half of a surrogate pair"),
        ([datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))], "several kinds"),
        (pd.period_range("2024", periods=2, freq="M").to_list(), "give it one type"),
    ],
)
def test_a_column_of_a_data_frame_that_cannot_be_kept_is_refused(values: Any, said: str) -> None:
    """Because its values have no type in common, or none at all; the message names it."""
    with pytest.raises(SeedReaderError, match=f"column 'mixed' of.*{said}"):
        read_seed(SeedConfig(source=DataFrameSeedSource(df=pd.DataFrame({"mixed": values}, dtype=object))))


# --- selecting -------------------------------------------------------------------------------------------


def selected(tmp_path: Path, selection: Any) -> list[int]:
    """Select of ten rows numbered from 0."""
    config = seed_file(tmp_path / "rows.csv", "n\n" + "".join(f"{n}\n" for n in range(10)))
    numbers: list[int] = read_seed(config.model_copy(update={"selection_strategy": selection})).column("n").to_pylist()
    return numbers


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        (None, range(10)),
        (IndexRange(start=2, end=4), range(2, 5)),
        (IndexRange(start=9, end=9), range(9, 10)),
        (PartitionBlock(index=0, num_partitions=3), range(3)),
        (PartitionBlock(index=2, num_partitions=3), range(6, 10)),
    ],
)
def test_a_selection_gives_its_rows(tmp_path: Path, selection: Any, rows: range) -> None:
    """Ranges include both ends; the last partition takes the remainder."""
    assert selected(tmp_path, selection) == list(rows)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (IndexRange(start=0, end=10), "ends at row 10, but the last seed row is 9"),
        (PartitionBlock(index=0, num_partitions=11), "11 partitions of 10 seed rows"),
    ],
)
def test_a_selection_beyond_the_rows_is_refused(tmp_path: Path, selection: Any, said: str) -> None:
    """What is selected must be there."""
    with pytest.raises(SeedDatasetError, match=said):
        selected(tmp_path, selection)


# --- which row a record gets -----------------------------------------------------------------------------


def numbers(size: int, rows: Any, strategy: str, seed: int = 7) -> list[int]:
    """The seed rows that some records get, of a table whose rows are numbered."""
    table = pa.table({"n": range(size), "m": range(size)})
    made = SeedProgram(["n"], strategy, seed, table).run(Block(np.asarray(rows, dtype=np.int64), {}))
    assert list(made.columns) == ["n"]
    return made.columns["n"]


def test_ordered_rows_wrap_around() -> None:
    """Record k gets row k modulo the number of rows, in any block."""
    assert numbers(3, range(8), "ordered") == [0, 1, 2, 0, 1, 2, 0, 1]
    assert numbers(3, [7, 0, 4], "ordered") == [1, 0, 1]


def test_shuffled_rows_come_once_a_pass_and_in_another_order_each() -> None:
    """Within a pass no row comes twice; passes differ."""
    passes = np.array(numbers(50, range(150), "shuffle")).reshape(3, 50)
    assert [sorted(one) for one in passes.tolist()] == [list(range(50))] * 3
    assert len({tuple(one) for one in [*passes.tolist(), range(50)]}) == 4


def test_shuffled_rows_do_not_depend_on_the_block() -> None:
    """A record gets the same row alone as in company, over the ends of passes too."""
    whole = numbers(7, range(30), "shuffle")
    assert numbers(7, [29, 6, 7, 0], "shuffle") == [whole[29], whole[6], whole[7], whole[0]]


def test_the_seed_decides_the_shuffle() -> None:
    """Another seed gives another order."""
    assert numbers(50, range(50), "shuffle", seed=1) != numbers(50, range(50), "shuffle", seed=2)
