"""CSV files of all kinds: what is read is what is written, and how it was read is said."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_designer.columns.seeds.csv_dialect import dialect_of
from data_designer.columns.seeds.csv_files import _Lines
from data_designer.columns.seeds.program import SeedProgram, read_seed
from data_designer.config.seed import SeedConfig
from data_designer.config.seed_source import LocalFileSeedSource
from data_designer.errors import SeedReaderError
from data_designer.values import Block


def table_of(path: Path, content: str | bytes, **options: Any) -> pa.Table:
    """Write a file and read it."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_seed(SeedConfig(source=LocalFileSeedSource(path=str(path), read_options=options or None)))


def values_of(table: pa.Table) -> dict[str, list[Any]]:
    """Take every row once, in order."""
    program = SeedProgram(table.column_names, "ordered", 7, table)
    return program.run(Block(np.arange(table.num_rows, dtype=np.int64), {})).columns


def read(path: Path, content: str | bytes, **options: Any) -> dict[str, list[Any]]:
    """Write a file and read its values."""
    return values_of(table_of(path, content, **options))


# --- numbers, and what only looks like them ----------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        ["02134", "01001"],
        ["1.10", "1.9"],
        ["19.90", "5.00"],
        ["1E5", "2"],
        ["1e5", "2"],
        ["+1", "2"],
        ["-0", "1"],
        ["1_000", "2"],
        ["1,5", "2,5"],
        ["$5", "6"],
        ["nan", "1.5"],
        ["inf", "1.5"],
        [".5", "1.5"],
        ["5.", "1.5"],
        ["27", "28.0"],
        ["89410123456789012345", "1"],
        ["4111111111111111", "1"],
        ["12345678901234567.89", "1.5"],
        ["0.00001", "1.5"],
        ["2024-01-05 10:00:00", "2024-01-06 11:30:00"],
        ["2024-01-05", "2024-01-06"],
        ["10:00", "11:30"],
        ["true", "false"],
        ["TRUE", "FALSE"],
        ["NA", "1"],
        ["٣", "1"],
        ["1", "x"],
    ],
)
def test_what_would_print_otherwise_stays_text(tmp_path: Path, written: list[str]) -> None:
    """A column is a number only where every value prints as it is written."""
    made = read(tmp_path / "rows.csv", "a;b\n" + "".join(f"{text};x\n" for text in written))
    assert made["a"] == written


@pytest.mark.parametrize(
    ("written", "values", "arrow"),
    [
        (["27", "-31", "0"], [27, -31, 0], "int64"),
        (["999999999999999", ""], [999999999999999, None], "int64"),
        (["27", "31.6"], [27, 31.6], "double"),
        (["27.0", "31.6"], [27.0, 31.6], "double"),
        (["0.30000000000000004", "1e-05"], [0.30000000000000004, 1e-05], "double"),
        (["-0.5", "-0.0"], [-0.5, -0.0], "double"),
        (["True", "", "False"], [True, None, False], "bool"),
    ],
)
def test_numbers_stay_numbers(tmp_path: Path, written: list[str], values: list[Any], arrow: str) -> None:
    """What prints as it is written is a number; whole ones stay whole beside others, and beside nothing."""
    table = table_of(tmp_path / "rows.csv", "a,b\n" + "".join(f"{text},x\n" for text in written))
    assert repr(values_of(table)["a"]) == repr(values)
    assert str(table.schema.field("a").type) == arrow


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20), min_size=1))
def test_every_number_prints_as_it_is_written(tmp_path_factory: pytest.TempPathFactory, numbers: list[Any]) -> None:
    """Whatever a column becomes, its values print what stands in the file."""
    made = read(tmp_path_factory.mktemp("csv") / "rows.csv", "a\n" + "".join(f"{number}\n" for number in numbers))
    assert list(map(str, made["a"])) == list(map(str, numbers))


def test_quoted_numbers_are_text(tmp_path: Path) -> None:
    """Who quotes a number means a text; others in the same file stay numbers, and the header is no number."""
    made = read(tmp_path / "rows.csv", '"2020",n,t\n"1",1,"he said ""7"""\n2,2,"a,""8"",b"\n')
    assert made == {"2020": ["1", "2"], "n": [1, 2], "t": ['he said "7"', 'a,"8",b']}


def test_an_empty_text_is_no_missing_value(tmp_path: Path) -> None:
    """Two quotes are a text without characters; nothing at all is null."""
    assert read(tmp_path / "rows.csv", 'a,b\n"",x\n,y\n')["a"] == ["", None]


# --- dialects --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("a;b\n1,5;x\n3,0;y\n", {"a": ["1,5", "3,0"], "b": ["x", "y"]}),
        ("a\tb\nx, y\t1\nz\t2\n", {"a": ["x, y", "z"], "b": [1, 2]}),
        ("a|b\n1|x\n", {"a": [1], "b": ["x"]}),
        ("sep=;\na;b\n1;2\n", {"a": [1], "b": [2]}),
        ("name age\nAda 36\nBob 41\n", {"name": ["Ada", "Bob"], "age": [36, 41]}),
        ("  a    b\n  1    2\n 10   20 \n", {"a": [1, 10], "b": [2, 20]}),
        ('"a"  "b c"\n"x y"  1\n', {"a": ["x y"], "b c": [1]}),
        ("a, b\n1, 2\n3, 4\n", {"a": [1, 3], "b": [2, 4]}),
        ('a, b\n1, "x, y"\n2, z\n', {"a": [1, 2], "b": ["x, y", "z"]}),
        ('a, b\n"l1\nl, 2", 1\n', {"a": ["l1\nl, 2"], "b": [1]}),
        ("a,b\r\n1,2\r\n", {"a": [1], "b": [2]}),
        ("a\r1\r2\r", {"a": [1, 2]}),
        ("a,b\n1,2", {"a": [1], "b": [2]}),
        # An ordinary file with commas, or one column, is never taken for another.
        ("topic\nhello world\nwide world\n", {"topic": ["hello world", "wide world"]}),
        ("full name\nAda Lovelace\nAlan Turing\n", {"full name": ["Ada Lovelace", "Alan Turing"]}),
        ("text\nred; green\nblue\n", {"text": ["red; green", "blue"]}),
        ('text\n"red, green"\nblue\n', {"text": ["red, green", "blue"]}),
        ("id,tags\n1,x;y\n2,z;w\n", {"id": [1, 2], "tags": ["x;y", "z;w"]}),
        ("id,tags\n1,x|y\n2,z|w\n", {"id": [1, 2], "tags": ["x|y", "z|w"]}),
        ("a,b\nx, 2\ny,3\n", {"a": ["x", "y"], "b": [" 2", "3"]}),
        ('a,b\nx"y,1\nz 5" pipe,2\n', {"a": ['x"y', 'z 5" pipe'], "b": [1, 2]}),
    ],
)
def test_what_divides_fields_is_found_out(tmp_path: Path, content: str, values: dict[str, list[Any]]) -> None:
    """From what divides the header and all rows alike."""
    assert read(tmp_path / "rows.csv", content) == values


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("a\tb\n1\tx,y\n", {"a": [1], "b": ["x,y"]}),
        ("a,b\n1,x\n", {"a": [1], "b": ["x"]}),
        ("x\ny z\n", {"x": ["y z"]}),
        ("a\tb\ng1\t1\t2\ng2\t3\t4\n", {"index": ["g1", "g2"], "a": [1, 3], "b": [2, 4]}),
    ],
)
def test_tsv_files_are_read(tmp_path: Path, content: str, values: dict[str, list[Any]]) -> None:
    """Their fields are divided by tabs, if not by something else."""
    assert read(tmp_path / "rows.tsv", content) == values


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (",name\n0,Ada\n1,Bob\n", {"index": [0, 1], "name": ["Ada", "Bob"]}),
        ('"","name"\n"1","Ada"\n', {"index": ["1"], "name": ["Ada"]}),
        (",index\nx,y\n", {"index_": ["x"], "index": ["y"]}),
        ('"name","age"\n"a","Ada",36\n"b","Bob",41\n', {"index": ["a", "b"], "name": ["Ada", "Bob"], "age": [36, 41]}),
        ('"name" "age"\n"1" "Ada L" 36\n', {"index": ["1"], "name": ["Ada L"], "age": [36]}),
        ("n,m\n1,x,7\n2,y,8\n3,z,9\n", {"index": [1, 2, 3], "n": ["x", "y", "z"], "m": [7, 8, 9]}),
        ("a,b,\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4]}),
        (" a , b \n1,2\n", {"a": [1], "b": [2]}),
    ],
)
def test_columns_without_a_name(tmp_path: Path, content: str, values: dict[str, list[Any]]) -> None:
    """The index that pandas and R write is called so; a column of nothing at all is left out."""
    assert read(tmp_path / "rows.csv", content) == values


# --- encodings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"])
def test_encodings_are_found_out(tmp_path: Path, encoding: str) -> None:
    """By the mark at the beginning, or because it is no UTF-8."""
    assert read(tmp_path / "rows.csv", "name,n\nJosé,1\n".encode(encoding)) == {"name": ["José"], "n": [1]}


def test_another_encoding_may_show_late(tmp_path: Path) -> None:
    """The whole file decides, not its beginning."""
    content = b"a\n" + (b"x" * 99 + b"\n") * 2_000 + "é\n".encode("cp1252")
    assert read(tmp_path / "rows.csv", content)["a"][-1] == "é"


def test_a_file_with_a_damaged_letter_is_not_read_as_another_encoding(tmp_path: Path) -> None:
    """Else all its other letters would change."""
    with pytest.raises(SeedReaderError, match="is UTF-8, but not in line 2002"):
        read(tmp_path / "rows.csv", ("a\né\n" + ("x" * 99 + "\n") * 1_999).encode() + b"\xe9\n")


def test_how_a_file_was_read_is_said_in_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Delimiter, encoding, the name of a column that had none, what was kept as text."""
    with caplog.at_level(logging.INFO):
        read(tmp_path / "rows.csv", ";zip;city;\n0;02134;José;\n".encode("cp1252"))
    found = "delimiter=';' encoding='cp1252' unnamed column='index' empty columns left out=1 numbers kept as text=zip"
    assert [one.getMessage() for one in caplog.records] == [f"seed={tmp_path / 'rows.csv'} columns=3 {found}"]


# --- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "options", "values"),
    [
        ("a;b\n1;2\n", {"delimiter": ","}, {"a;b": ["1;2"]}),
        ("a b\nx y\n", {"delimiter": " "}, {"a": ["x"], "b": ["y"]}),
        ("a^b\n1^2\n", {"delimiter": "^"}, {"a": [1], "b": [2]}),
        ("a,b\n1,02\n", {"dtype": "str"}, {"a": ["1"], "b": ["02"]}),
        ("a,b\n1,02\n", {"dtype": {"b": "int"}}, {"a": [1], "b": [2]}),
        ('a\n"1"\n" 2"\n', {"dtype": {"a": "float"}}, {"a": [1.0, 2.0]}),
        ("a,b\ntrue,1\n,0\n", {"dtype": "bool"}, {"a": [True, None], "b": [True, False]}),
        ("a\nŁ\n".encode("cp1250"), {"encoding": "cp1250"}, {"a": ["Ł"]}),
        ("\ufeffa\nx\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, {"a": ["x"]}),
    ],
)
def test_options_win(
    tmp_path: Path, content: str | bytes, options: dict[str, Any], values: dict[str, list[Any]]
) -> None:
    """What the user says of a file is not found out."""
    made = read(tmp_path / "rows.csv", content, **options)
    assert repr(made) == repr(values)


@pytest.mark.parametrize("content", ['a,b\n1,x\n2,"y\n3,z\n4,z\n', 'a,b\r\n1,x\r\n2,"y', 'a,b\n1,x\n2,"y ""z""\n'])
def test_a_quote_that_nothing_closes_is_refused(tmp_path: Path, content: str) -> None:
    """Else all rows that follow were a part of its text, and nobody would be told."""
    with pytest.raises(SeedReaderError, match="a quote that nothing closes, in the row that begins at line 3;"):
        read(tmp_path / "rows.csv", content)


def test_a_last_row_in_quotes_needs_no_line_break(tmp_path: Path) -> None:
    """Nor do quotes within a field need another one."""
    assert read(tmp_path / "rows.csv", 'a,b\n1,"x ""y"""') == {"a": [1], "b": ['x "y"']}
    assert read(tmp_path / "rows.csv", 'a,b\n1,5"') == {"a": [1], "b": ['5"']}


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("a,b\n1,x\n", {"dtype": {"b": "int"}}, "column 'b' of .* cannot be read as int: .*'x'"),
        ("a,b\n1,x\n", {"dtype": {"c": "int"}}, "dtype names 'c', but .* has a, b"),
        (b"a\n\xff\n", {"encoding": "utf-8-sig"}, "is not in utf-8-sig: invalid start byte"),
    ],
)
def test_options_that_do_not_hold_are_refused(
    tmp_path: Path, content: str | bytes, options: dict[str, Any], said: str
) -> None:
    """Before anything is made."""
    with pytest.raises(SeedReaderError, match=said):
        read(tmp_path / "rows.csv", content, **options)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("rows.csv", {"delimiter": ";;"}, "one ASCII character"),
        ("rows.csv", {"delimiter": '"'}, "one ASCII character"),
        ("rows.csv", {"encoding": "nope"}, "there is no encoding 'nope'"),
        ("rows.csv", {"dtype": "decimal"}, "'str', 'int', 'float' or 'bool'"),
        ("rows.csv", {"sep": ";"}, "there is no such field"),
        ("rows.jsonl", {"delimiter": ";"}, "read_options.delimiter has no meaning for"),
        ("rows.parquet", {"encoding": "utf-8"}, "read_options.encoding has no meaning for"),
    ],
)
def test_options_are_checked_when_they_are_declared(
    tmp_path: Path, name: str, options: dict[str, Any], said: str
) -> None:
    """Nothing is read for that."""
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=said):
        LocalFileSeedSource(path=str(tmp_path / name), read_options=options)


def test_options_are_part_of_a_configuration(tmp_path: Path) -> None:
    """They are written with it; where there are none, it is written as it always was."""
    (tmp_path / "rows.csv").touch()
    source = LocalFileSeedSource(path=str(tmp_path / "rows.csv"), read_options={"delimiter": ";"})
    assert LocalFileSeedSource.model_validate(source.model_dump(mode="json")).read_options == source.read_options
    assert "read_options" not in LocalFileSeedSource(path=source.path).model_dump()


# --- large files -----------------------------------------------------------------------------------------


@example(content='1",", \n"\n', size=1)
@example(content='5",a, b\n"c, \n",1\n', size=9)
@given(content=st.text('ab",; \n1', max_size=60), size=st.integers(1, 7))
def test_pieces_of_a_file_are_read_as_the_whole(content: str, size: int) -> None:
    """Where a piece ends changes nothing."""
    dialect = dialect_of("a, b\n1, 2\n", ",")
    pieces = iter([content[place : place + size] for place in range(0, len(content), size)])
    assert _read_all(_Lines(pieces, dialect)) == _read_all(_Lines(iter([content]), dialect))


def _read_all(lines: _Lines) -> bytes:
    parts = []
    while part := lines.read(1 << 20):
        parts.append(part)
    return b"".join(parts)
