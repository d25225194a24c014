"""Odd values from models and functions: each ends its own record at most, and what was seen is what is stored."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE, designer, model, rows
from tests.odd_values import HALF, KEPT, REFUSED, same
from tests.properties import examples
from tests.replies import row_of

import data_designer.config as dd
from data_designer.engine.dataset.promotion import promote
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import total
from data_designer.interface import DatasetCreationResults
from data_designer.interface.stored import StoredDataset

ODD: list[tuple[str, Callable[[], Any]]] = [
    *((name, lambda given=given: given) for name, (given, _) in KEPT.items()),
    *((name, make) for name, make in REFUSED.items() if name != "a bomb"),  # It takes a second.
]
"""What a function gives for each record of an odd number; for those of an even one it gives their number as text."""
RECORDS = 2 * len(ODD)


def given_by(number: int) -> Any:
    """What a function gives for a record."""
    return ODD[number // 2][1]() if number % 2 else f"plain {number}"


def build(records: int = RECORDS) -> dd.DataDesignerConfigBuilder:
    """Records that know their number."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    return made.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": range(records)})))


def create(
    url: str, path: Path, made: dd.DataDesignerConfigBuilder, records: int, **run: Any
) -> DatasetCreationResults:
    """Make the dataset, or go on with it."""
    settings = {"buffer_size": 16, "disable_early_shutdown": True, "max_conversation_restarts": 0, **run}
    return designer(url, path, **settings).create(made, num_records=records, dataset_name="d", resume="if_possible")


class Seen:
    """What a column's readers saw of it, record by record."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.values: dict[int, Any] = {}

    def watched(self, made: dd.DataDesignerConfigBuilder) -> dd.DataDesignerConfigBuilder:
        """Add a column that sees the other one."""

        @dd.custom_column_generator(required_columns=["n", self.column])
        def look(row: dict[str, Any]) -> dict[str, Any]:
            self.values[row["n"]] = row[self.column]
            return {**row, "looked": True}

        return made.add_column(name="looked", column_type="custom", generator_function=look)

    def holds(self, results: DatasetCreationResults, records: int, column: str | None = None) -> None:
        """Every record is there as it was seen, or is rejected for the column; those of even numbers are there."""
        there = results.load_dataset().to_dict("records")
        rejected = results.load_rejected()
        stored = {row["n"]: row[self.column] for row in there}
        assert set(rejected["column"]) <= {column or self.column}
        assert sorted([*stored, *rejected["record_index"]]) == list(range(records))
        assert set(range(0, records, 2)) <= stored.keys()
        assert [n for n, cell in stored.items() if not same(_plain(cell), _plain(self.values[n]))] == []


def _plain(cell: Any) -> Any:
    """A column without a common type is JSON text, in which moments, decimals and bytes are text."""
    from data_designer.engine.dataset.encoding import decode_json, encode_json

    return decode_json(encode_json(None if cell is pd.NA else cell))


def nothing_is_left(url: str, path: Path, made: dd.DataDesignerConfigBuilder, before: DatasetCreationResults) -> None:
    """A resume asks nothing and computes nothing."""
    again = create(url, path, made, before.outcomes.requested)
    assert again.count_records() == before.count_records()
    assert again.outcomes.rejected == before.outcomes.rejected


# --- functions -------------------------------------------------------------------------------------------------


def cell_by_cell() -> dd.DataDesignerConfigBuilder:
    """A custom column whose function sees a record."""

    @dd.custom_column_generator(required_columns=["n"])
    def odd(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": given_by(row["n"])}

    return build().add_column(name="c", column_type="custom", generator_function=odd)


def awaited() -> dd.DataDesignerConfigBuilder:
    """One whose function is `async def`."""

    @dd.custom_column_generator(required_columns=["n"])
    async def odd(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": given_by(row["n"])}

    return build().add_column(name="c", column_type="custom", generator_function=odd)


def full_column() -> dd.DataDesignerConfigBuilder:
    """One whose function sees a table."""

    @dd.custom_column_generator(required_columns=["n"])
    def odd(df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(c=pd.Series([given_by(n) for n in df["n"]], dtype=object, index=df.index))

    return build().add_column(name="c", column_type="custom", generator_function=odd, generation_strategy="full_column")


def side_effect() -> dd.DataDesignerConfigBuilder:
    """A column beside another one."""

    @dd.custom_column_generator(required_columns=["n"], side_effect_columns=["c"])
    def odd(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "main": "x", "c": given_by(row["n"])}

    return build().add_column(name="main", column_type="custom", generator_function=odd)


@pytest.mark.parametrize(
    ("declare", "column"), [(cell_by_cell, "c"), (awaited, "c"), (full_column, "c"), (side_effect, "main")]
)
def test_what_a_function_gives(sockets: None, tmp_path: Path, declare: Callable[[], Any], column: str) -> None:
    """Every odd value is stored as later columns saw it, or ends its record with the column named, and no other."""
    seen = Seen("c")
    made = seen.watched(declare())
    results = create(NOWHERE, tmp_path, made, RECORDS)
    seen.holds(results, RECORDS, column)
    # pandas takes a decimal that is no number for a missing value.
    assert results.outcomes.rejected == len(ODD) - len(KEPT) - (declare is full_column)
    nothing_is_left(NOWHERE, tmp_path, made, results)


def test_what_a_validator_gives(sockets: None, tmp_path: Path) -> None:
    """A verdict may hold anything that a cell may."""

    def judge(df: pd.DataFrame) -> pd.DataFrame:
        odd = pd.Series([given_by(n) for n in df["n"]], dtype=object, index=df.index)
        return df.assign(is_valid=True, odd=odd)[["is_valid", "odd"]]

    seen = Seen("v")
    made = build().add_column(
        name="v",
        column_type="validation",
        target_columns=["n"],
        validator_type="local_callable",
        validator_params={"validation_function": judge},
        batch_size=1,
    )
    seen.watched(made)
    results = create(NOWHERE, tmp_path, made, RECORDS)
    seen.holds(results, RECORDS)
    nothing_is_left(NOWHERE, tmp_path, made, results)


def test_a_function_that_ends_the_process_as_python_does_ends_its_record(sockets: None, tmp_path: Path) -> None:
    """What no `except Exception` catches is no reason to end a run either where it is an error of a library."""

    class PanicException(BaseException):
        pass

    @dd.custom_column_generator(required_columns=["n"])
    def odd(row: dict[str, Any]) -> dict[str, Any]:
        if row["n"] == 1:
            raise PanicException("index out of bounds")
        return {**row, "c": 1}

    made = build(4).add_column(name="c", column_type="custom", generator_function=odd)
    results = create(NOWHERE, tmp_path, made, 4)
    [rejected] = results.load_rejected().to_dict("records")
    assert (rejected["record_index"], rejected["column"]) == (1, "c")
    assert "PanicException" in rejected["message"]


# --- replies ---------------------------------------------------------------------------------------------------

TEXTS = [
    HALF,
    "\ud83c\udf75",
    "\x00\x1b[2J\u202e",
    "NaN",
    "1e999",
    "{",
    "[" * 3000,
    "x" * 200_000,
    "```json",
    "~~~",
    "<think>",
    "</think> tea",
    "\\ud83d",
    "\ufeff",
    "\u2028",
]
JSONS = [
    r'"tea \ud83d"',
    r'{"\ud83d": 2}',
    "1" * 20,
    "-" + "9" * 400,
    "9" * 6000,
    "[" * 190 + "]" * 190,
    "[" * 300 + "]" * 300,
    "[" * 100_000,
    '{"a":' * 50_000,
    "NaN",
    "[-Infinity, 1e999]",
    "1.10",
    "0.1000000000000000055511151231257827",
    '{"a": 1, "a": 2}',
    '""',
    "[]",
    "{}",
    "null",
    "tru",
    '"\x00"',
]
FREE = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
TYPED = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "n": {"type": "integer"}, "x": {"type": "number"}},
    "required": ["a", "n", "x"],
}


def answered(body: Callable[[str], str], plain: str) -> Callable[[str], Reply]:
    """A model that gives odd texts for records of odd numbers and a plain one for the others."""

    def behave(prompt: str) -> Reply:
        number = row_of(prompt)
        return Reply(body(ODD_TEXTS[number // 2]) if number % 2 else plain)

    return behave


ODD_TEXTS = [*TEXTS, *JSONS]
ASKED = 2 * len(ODD_TEXTS)


def fenced(text: str, tag: str = "json") -> str:
    """As models write it."""
    return f"```{tag}\n{text}\n```"


def kind(column: str) -> tuple[dict[str, Any], Callable[[str], str], str]:
    """Declaration of a column, a reply with something odd in it, and a plain reply."""
    match column:
        case "text":
            return {"column_type": "llm-text"}, str, "plain"
        case "reasoned":
            return (
                {"column_type": "llm-text", "extract_reasoning_content": True, "with_trace": "all_messages"},
                (lambda odd: f"<think>{odd}</think>{odd}"),
                "<think>plain</think>plain",
            )
        case "code":
            declared = {"column_type": "llm-code", "code_lang": "python"}
            return declared, lambda odd: fenced(odd, "python"), fenced("1", "python")
        case "free":
            declared = {"column_type": "llm-structured", "output_format": FREE}
            return declared, lambda odd: fenced(f'{{"a": {odd}}}'), fenced('{"a": 1}')
        case "typed":
            declared = {"column_type": "llm-structured", "output_format": TYPED}
            odd = lambda odd: fenced(f'{{"a": "x", "n": {odd}, "x": {odd}}}')  # noqa: E731
            return declared, odd, fenced('{"a": "x", "n": 1, "x": 0.5}')
        case _:
            score = dd.Score(name="style", description="How it reads.", options={1: "bad", 2: "good"})
            declared = {"column_type": "llm-judge", "scores": [score]}
            plain = {"style": {"reasoning": "plain", "score": 1}}
            return (
                declared,
                lambda odd: fenced(json.dumps({"style": {"reasoning": odd, "score": 1}})),
                fenced(json.dumps(plain)),
            )


@pytest.mark.parametrize("column", ["text", "reasoned", "code", "free", "typed", "judge"])
def test_what_a_model_says(endpoint: Endpoint, tmp_path: Path, column: str) -> None:
    """Every odd reply is stored as later columns saw it, or ends its record with the column named, and no other."""
    declared, body, plain = kind(column)
    seen = Seen("c")
    with endpoint(answered(body, plain)) as counted:
        made = build(ASKED).add_column(name="c", model_alias="m", prompt="row {{ n }}", **declared)
        seen.watched(made)
        results = create(counted.url, tmp_path, made, ASKED)
        seen.holds(results, ASKED)
        asked = len(counted.prompts)
        nothing_is_left(counted.url, tmp_path, made, results)
        assert len(counted.prompts) == asked
    assert results.outcomes.generated >= ASKED // 2 + (0 if column == "typed" else 5)


# --- files -----------------------------------------------------------------------------------------------------


@examples(15)
@given(data=st.data())
def test_files_of_one_dataset_read_as_one(sockets: None, tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """Whatever kinds of values come in whatever batches, other readers find one table, with the values as they were."""
    some = st.sampled_from(
        [None, 1, 2, 0.5, "a", True, [1], ["a"], {"a": 1}, {"a": None}, {"a": "x"}, {"b": 1}, 10**20]
    )
    cells = data.draw(st.lists(some, min_size=1, max_size=12))

    @dd.custom_column_generator(required_columns=["n"])
    def give(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": cells[row["n"]]}

    made = build(len(cells)).add_column(name="c", column_type="custom", generator_function=give)
    path = tmp_path_factory.mktemp("files")
    results = create(NOWHERE, path, made, len(cells), buffer_size=3)
    stored = results.load_dataset()["c"].tolist()
    assert all(same(None if one is pd.NA else one, other) for one, other in zip(stored, cells, strict=True))
    files = sorted((path / "d" / "parquet-files").glob("*.parquet"))
    schemas = {str(ds.dataset(file).schema) for file in files}
    assert len(schemas) == 1
    assert ds.dataset(files).to_table().num_rows == len(cells)
    assert len(rows(path / "d")) == len(cells)


def test_files_that_are_widened_halfway_are_read_and_finished(sockets: None, tmp_path: Path) -> None:
    """Where the disk refuses in the middle, every cell is still what it was; the next time the rest is done."""
    cells = [1, 2, "a", None, {"b": 1}, 3]

    @dd.custom_column_generator(required_columns=["n"])
    def give(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": cells[row["n"]]}

    made = build(len(cells)).add_column(name="c", column_type="custom", generator_function=give)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data_designer.interface.making.promote", lambda *_: 0)
        # One batch after the other, so that the first two files are the narrow ones.
        results = create(NOWHERE, tmp_path, made, len(cells), buffer_size=1, max_concurrent_row_groups=1)
    store = Store.at(tmp_path / "d")
    with store.take():
        publish = store.publish
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "publish", lambda _, receipt: publish(receipt) if receipt.batch < 1 else refuse())
            with pytest.raises(OSError, match="full"):
                promote(store, total(store.receipts()).examples)
        assert [None if cell is pd.NA else cell for cell in results.load_dataset()["c"]] == cells
        store.recover()
        assert [promote(store, total(store.receipts()).examples) for _ in range(2)] == [1, 0]
    assert [None if cell is pd.NA else cell for cell in results.load_dataset()["c"]] == cells
    assert StoredDataset.at(tmp_path / "d").verify().problems == []


def refuse() -> Any:
    """A disk that takes no more."""
    raise OSError("the disk is full")


def test_shapes_that_are_known_are_types(endpoint: Endpoint, tmp_path: Path) -> None:
    """Persons, scores, traces, verdicts, structures and functions' values are no JSON text."""

    @dd.custom_column_generator(required_columns=["n"], side_effect_columns=["many"])
    def give(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": {"half": row["n"] / 2, "day": pd.Timestamp("2024-01-05")}, "many": [row["n"]]}

    made = build(6)
    made.add_column(name="person", column_type="sampler", sampler_type="person_from_faker", params={})
    made.add_column(name="c", column_type="custom", generator_function=give)
    declared, _, plain = kind("judge")
    made.add_column(name="judge", model_alias="m", prompt="row {{ n }}", with_trace="all_messages", **declared)
    with endpoint(lambda _: Reply(plain)) as counted:
        create(counted.url, tmp_path, made, 6)
    [file] = (tmp_path / "d" / "parquet-files").glob("*.parquet")
    types = {field.name: str(field.type) for field in ds.dataset(file).schema}
    assert types["c"] == "struct<half: double, day: timestamp[us]>"
    assert types["many"] == "list<element: int64>"
    assert types["person"].startswith("struct<")
    assert types["judge"] == "struct<style: struct<reasoning: string, score: int64>>"
    assert types["judge__trace"].startswith("list<element: struct<role: string")
    assert not any(field.metadata for field in ds.dataset(file).schema if b"encoding" in str(field.metadata).encode())


def test_exports_hold_what_the_dataset_holds(sockets: None, tmp_path: Path) -> None:
    """Nested values of CSV are JSON text; JSONL has every digit; a column of several kinds is decoded in both."""
    cells = [1, "a", [1, {"b": None}], {"c": 0.1 + 0.2}, 10**20, math.nan]

    @dd.custom_column_generator(required_columns=["n"])
    def give(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": cells[row["n"]]}

    made = build(6).add_column(name="c", column_type="custom", generator_function=give)
    results = create(NOWHERE, tmp_path, made, 6)
    lines = Path(results.export(tmp_path / "x.jsonl")).read_text().splitlines()
    assert all(same(json.loads(line)["c"], cell) for line, cell in zip(lines, cells, strict=True))
    lines = Path(results.export(tmp_path / "again.csv")).read_text().splitlines()
    assert lines[:2] == ["n,c", "0,1"]
    text = pd.read_csv(results.export(tmp_path / "x.csv"), dtype=str, keep_default_na=False)["c"].tolist()
    assert text == ["1", "a", '[1,{"b":null}]', '{"c":0.30000000000000004}', "1" + "0" * 20, "nan"]


def test_a_journal_entry_of_another_shape_is_left_out(tmp_path: Path) -> None:
    """What cannot be used is asked for again, and said; it ends no resume."""
    from zlib import crc32

    import orjson

    from data_designer.engine.dataset.files import LocalFiles
    from data_designer.engine.dataset.journal import read_replay
    from data_designer.engine.dataset.layout import journal_folder

    spent = [1, 0, 3, 2, 0, 0]
    odd = [None, 7, [], [1, 2], ["a", None, None, [], [1, 2]], ["a", None, None, [], [1] * 5 + ["x"]], {"a": 1}]
    odd += [
        [7, None, None, [], spent],
        ["a", 7, None, [], spent],
        ["a", None, 7, [], spent],
        ["a", None, None, 7, spent],
    ]
    entries = [["f", record, 0, "d", said] for record, said in enumerate(odd)]
    entries += [["f", 30, -1, "", said] for said in (None, 7, {"a": 1}, [{"$date": 7}])]
    good = [["f", 40, 0, "d", ["a", None, "stop", [], spent]], ["f", 41, -1, "", ["a"]]]
    (tmp_path / journal_folder(0)).mkdir(parents=True)
    with (tmp_path / journal_folder(0) / "000001-w.log").open("wb") as segment:
        for text in map(orjson.dumps, entries + good):
            segment.write(b"%08x %b\n" % (crc32(text), text))
    replay = read_replay(LocalFiles(tmp_path), [0])
    assert (replay.damaged, len(replay)) == (len(entries), len(good))
    assert replay.result("f", 41) == ["a"]


def test_a_csv_export_is_read_back_as_what_it_was(sockets: None, tmp_path: Path) -> None:
    """Text that looks like a number, a word for nothing, or nothing at all is in quotes; null is nothing."""
    texts = ["", None, "007", "1.10", "NaN", "true", " a ", 'say "x", y', "two\nlines", "plain"]

    @dd.custom_column_generator(required_columns=["n"])
    def give(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "c": texts[row["n"]]}

    made = build(len(texts)).add_column(name="c", column_type="custom", generator_function=give)
    exported = create(NOWHERE, tmp_path, made, len(texts)).export(tmp_path / "x.csv")
    again = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    again.with_seed_dataset(dd.LocalFileSeedSource(path=str(exported)))
    again.add_column(name="o", column_type="expression", expr="x")
    read = create(NOWHERE, tmp_path / "again", again, len(texts)).load_dataset()
    assert [None if cell is pd.NA else cell for cell in read["c"]] == texts
    assert read["n"].tolist() == list(range(len(texts)))
