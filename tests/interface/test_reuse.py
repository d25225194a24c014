"""Columns that have not changed are taken from another dataset; everything else is asked for, and nothing twice."""

import itertools
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel
from tests import fakes
from tests.counting import CountingEndpoint, Endpoint, Reply
from tests.fakes import NOWHERE, model, numbered
from tests.interface.resuming import ALWAYS, contents

import data_designer.config as dd
from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError, DatasetGenerationError
from data_designer.interface import DataDesigner, DataDesignerGenerationError, DatasetCreationResults
from data_designer.interface.loading import load

Builder = dd.DataDesignerConfigBuilder
Edit = Callable[[Builder], object]

RECORDS = 12
BUFFER = 5
SERIALS = itertools.count()
"""No two values of the custom column are the same."""

pytestmark = pytest.mark.usefixtures("sockets")


@dataclass
class Moody:
    """A model that never answers the same twice, in the form that each column asks for."""

    refused: tuple[str, ...] = ()
    """Beginnings of prompts that are refused."""
    serials: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self, prompt: str) -> Reply:
        """Answer or refuse."""
        number = next(self.serials)
        if prompt.startswith(self.refused):
            return Reply("not this one", 400)
        match column_of(prompt):
            case "facts":
                return fenced(
                    "json", json.dumps({"name": f"fact {number}", "size": number, "tags": ["a", str(number)]})
                )
            case "grade":
                return fenced("json", json.dumps({"style": {"reasoning": f"reason {number}", "score": number % 3}}))
            case "code":
                return fenced("python", f"x = {number}")
            case _:
                return Reply(f"{number} <{prompt}>")


def fenced(language: str, text: str) -> Reply:
    """A reply in a code fence."""
    return Reply(f"```{language}\n{text}\n```")


def column_of(prompt: str) -> str:
    """The column that a prompt is for: its first word."""
    return prompt.partition(" ")[0]


class Facts(BaseModel):
    """What a structured column holds."""

    name: str
    size: int
    tags: list[str]


@dd.custom_column_generator(required_columns=["n"], side_effect_columns=["seal"])
def stamped(row: dict[str, Any]) -> dict[str, Any]:
    """Make a value that cannot be made again, and a nested one."""
    number = next(SERIALS)
    return {**row, "stamp": number, "seal": {"of": row["n"], "parts": [number, None, "x"]}}


@dd.custom_column_generator(required_columns=["n"], side_effect_columns=["seal"])
def stamped_otherwise(row: dict[str, Any]) -> dict[str, Any]:
    """Make it by other code."""
    return {**row, "stamp": -next(SERIALS), "seal": None}


def seeded(made: Builder, first: int = 0) -> Builder:
    """Seed it with rows 0, 1, 2, ..., of which the first may be another."""
    return made.with_seed_dataset(numbered(40, first))


def sampled(made: Builder, *moods: str) -> Builder:
    """Add the sampler."""
    return made.add_column(name="mood", column_type="sampler", sampler_type="category", params={"values": list(moods)})


def drafted(made: Builder, prompt: str = "draft {{ n }} {{ mood }}", *, drop: bool = True) -> Builder:
    """Add the column that is made first."""
    return made.add_column(
        name="draft", column_type="llm-text", model_alias="a", prompt=prompt, drop=drop, with_trace="all_messages"
    )


def finished(made: Builder, prompt: str = "final {{ loud }} {{ stamp }}") -> Builder:
    """Add the column that is made last."""
    return made.add_column(name="final", column_type="llm-text", model_alias="b", prompt=prompt)


def stamps(made: Builder, function: Any) -> Builder:
    """Add the custom column."""
    return made.add_column(dd.CustomColumnConfig(name="stamp", generator_function=function))


def short() -> Builder:
    """Two requests a record, the first of a dropped column."""
    made = seeded(Builder(model_configs=[model("a"), model("b")]))
    drafted(sampled(made, "calm", "wild"))
    return finished(made, "final {{ draft }}")


def story() -> Builder:
    """A column of every kind that costs something: five requests a record, and a function."""
    made = seeded(Builder(model_configs=[model("a"), model("b")]))
    drafted(sampled(made, "calm", "wild"))
    made.add_column(name="loud", column_type="expression", expr="{{ draft | upper }}")
    made.add_column(
        name="facts", column_type="llm-structured", model_alias="b", prompt="facts {{ n }}", output_format=Facts
    )
    made.add_column(
        name="code", column_type="llm-code", model_alias="a", prompt="code {{ loud }}", code_lang="python",
        with_trace="last_message", extract_reasoning_content=True,
    )  # fmt: skip
    score = dd.Score(name="style", description="How it reads.", options={0: "badly", 1: "so so", 2: "well"})
    made.add_column(
        name="grade", column_type="llm-judge", model_alias="b", prompt="grade {{ code }}", scores=[score], drop=True
    )
    return finished(stamps(made, stamped))


def titled(made: Builder) -> Builder:
    """Add a column."""
    return made.add_column(
        name="title", column_type="llm-text", model_alias="a", prompt="title {{ draft }} {{ final }}"
    )


def remodelled(*models: dd.ModelConfig) -> Edit:
    """Declare models otherwise."""

    def edit(made: Builder) -> None:
        for one in models:
            made.delete_model_config(one.alias)
            made.add_model_config(one)

    return edit


def reordered(made: Builder) -> None:
    """Declare the same columns the other way round."""
    made._columns = {column.name: column for column in reversed(made.get_column_configs())}


def designer(url: str, path: Path, **run: Any) -> DataDesigner:
    """A designer whose batches are of five records, unless told otherwise; the last of a dataset has room left."""
    return fakes.designer(url, path, **{"buffer_size": BUFFER, **run})


def asked(counted: CountingEndpoint) -> Counter[str]:
    """How often each column was asked for since the last look."""
    columns = Counter(map(column_of, counted.prompts))
    counted.prompts.clear()
    return columns


def times(number: int, *columns: str) -> Counter[str]:
    """So many requests for each of some columns."""
    return Counter(dict.fromkeys(columns, number))


def all_of(results: DatasetCreationResults) -> list[dict[str, Any]]:
    """Every row with every column, dropped ones included."""
    frame = results.artifact_storage.load_dataset_with_dropped_columns()
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@dataclass(frozen=True)
class Made:
    """A dataset that others reuse."""

    path: Path
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def reused(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The story of `RECORDS` records. Nobody who reuses it changes a byte of it."""
    folder = tmp_path_factory.mktemp("reused")
    with endpoint(Moody()) as counted:
        results = designer(counted.url, folder).create(story(), num_records=RECORDS, dataset_name="d")
        assert asked(counted) == times(RECORDS, "draft", "facts", "code", "grade", "final")
    made = Made(folder / "d", all_of(results))
    before = contents(made.path)
    yield made
    assert contents(made.path) == before


# --- what an edit costs ----------------------------------------------------------------------------------------

EDITS: dict[str, tuple[Edit, set[str]]] = {
    "nothing": (lambda _: None, set()),
    "the last prompt": (lambda made: finished(made, "final {{ loud }}"), {"final"}),
    "the first prompt": (lambda made: drafted(made, "draft {{ n }}"), {"draft", "code", "grade", "final"}),
    "a temperature": (remodelled(model("b", temperature=0.5)), {"facts", "grade", "final"}),
    "a sampler": (lambda made: sampled(made, "calm", "mad"), {"draft", "code", "grade", "final"}),
    "seed rows": (lambda made: seeded(made, 39), {"draft", "facts", "code", "grade", "final"}),
    "a function": (lambda made: stamps(made, stamped_otherwise), {"final"}),
    "one column more": (titled, {"title"}),
    "one sampler more": (
        lambda made: made.add_column(name="s", column_type="sampler", sampler_type="uuid", params={}),
        set(),
    ),
    "one column less": (lambda made: made.delete_column("final"), set()),
    "what is dropped": (lambda made: drafted(made, drop=False), set()),
    "the order": (reordered, set()),
    "slots and time": (remodelled(model("a", max_parallel_requests=9), model("b", timeout=7)), set()),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_pays_for_what_it_changes(endpoint: Endpoint, tmp_path: Path, reused: Made, edit: str) -> None:
    """Columns that an edit can change are asked for once a record; all others have the values of before."""
    act, columns = EDITS[edit]
    act(made := story())
    with endpoint(Moody(serials=itertools.count(1000))) as counted:
        results = designer(counted.url, tmp_path).create(made, num_records=RECORDS, dataset_name="x", reuse=reused.path)
        assert asked(counted) == times(RECORDS, *columns)
    usage = results.outcomes.usage.values()
    assert sum(spent.requests for spent in usage) == RECORDS * len(columns)
    found = all_of(results)
    assert len(found) == RECORDS
    kept = {"draft", "draft__trace", "facts", "code", "code__trace", "grade", "final"} - columns
    kept -= {f"{name}__trace" for name in columns}
    kept &= set(found[0])
    assert [{name: row[name] for name in kept} for row in found] == [
        {name: row[name] for name in kept} for row in reused.rows
    ]


@pytest.mark.parametrize("size", [1, 3, BUFFER, RECORDS])
def test_values_of_every_kind_come_over_equal(endpoint: Endpoint, tmp_path: Path, reused: Made, size: int) -> None:
    """Structured, judged and nested values, code, traces and dropped columns, whatever the size of the batches."""
    with endpoint(Moody()) as counted:
        results = designer(counted.url, tmp_path, buffer_size=size).create(
            story(), num_records=RECORDS, dataset_name="x", reuse=reused.path
        )
        assert counted.prompts == []
    assert all_of(results) == reused.rows
    one = reused.rows[3]
    assert isinstance(one["facts"]["size"], int)
    assert one["grade"]["style"]["score"] in (0, 1, 2)
    assert one["seal"] == {"of": 3, "parts": [one["stamp"], None, "x"]}
    assert [message["role"] for message in one["draft__trace"]] == ["user", "assistant"]
    sizes = [len(pd.read_parquet(path)) for path in sorted(results.artifact_storage.final_dataset_path.iterdir())]
    assert sizes[0] == size


@dd.custom_column_generator(required_columns=["n"])
def all_at_once(df: pd.DataFrame) -> pd.DataFrame:
    """Make a column of values that cannot be made again."""
    return df.assign(whole=[next(SERIALS) for _ in df["n"]])


def verdicts(df: pd.DataFrame) -> pd.DataFrame:
    """Judge, never twice the same."""
    return df.assign(is_valid=True, serial=[next(SERIALS) for _ in df["whole"]])


def whole() -> Builder:
    """Functions that see all rows of a batch together."""
    made = seeded(Builder(model_configs=[model("a")]))
    strategy = "full_column"
    made.add_column(dd.CustomColumnConfig(name="whole", generator_function=all_at_once, generation_strategy=strategy))
    return made.add_column(
        name="good", column_type="validation", target_columns=["whole"], validator_type="local_callable",
        validator_params=dd.LocalCallableValidatorParams(validation_function=verdicts),
    )  # fmt: skip


@pytest.mark.parametrize("size", [3, BUFFER])
def test_functions_that_see_whole_batches_are_not_called_for_what_is_there(tmp_path: Path, size: int) -> None:
    """Where all of a batch is known, its functions are not called; where some of it is not, they see all of it."""
    before = designer(NOWHERE, tmp_path).create(whole(), num_records=RECORDS, dataset_name="d")
    made = designer(NOWHERE, tmp_path, buffer_size=size)
    after = made.create(whole(), num_records=RECORDS + 1, dataset_name="x", reuse=tmp_path / "d")
    there, here = (results.load_dataset()[["whole", "good"]].to_dict("records") for results in (before, after))
    last = RECORDS // size * size
    assert here[:last] == there[:last]
    assert len({row["whole"] for row in here}) == RECORDS + 1
    assert {row["whole"] for row in here[last:]}.isdisjoint({row["whole"] for row in there})


def test_a_chain_of_datasets_hands_on_what_it_has(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """A dataset that was made by reuse can be reused: what it took and what it made itself."""
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        first = maker.create(titled(story()), num_records=RECORDS, dataset_name="x", reuse=reused.path)
        assert asked(counted) == times(RECORDS, "title")
        made = titled(finished(story(), "final {{ n }}"))
        second = maker.create(made, num_records=RECORDS, dataset_name="y", reuse=tmp_path / "x")
        assert asked(counted) == times(RECORDS, "title", "final")
    assert [row["grade"] for row in all_of(second)] == [row["grade"] for row in all_of(first)]


# --- records that are not there --------------------------------------------------------------------------------


def test_more_records_than_the_other_has(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """Records beyond the other's last are made, in the middle of a batch too; those that are there are as they were."""
    with endpoint(Moody()) as counted:
        results = designer(counted.url, tmp_path).create(
            story(), num_records=RECORDS + 7, dataset_name="x", reuse=reused.path
        )
        assert asked(counted) == times(7, "draft", "facts", "code", "grade", "final")
    assert all_of(results)[:RECORDS] == reused.rows
    assert results.count_records() == RECORDS + 7


def test_fewer_records_than_the_other_has(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """The first records of a larger dataset cost nothing."""
    with endpoint(Moody()) as counted:
        results = designer(counted.url, tmp_path).create(story(), num_records=5, dataset_name="x", reuse=reused.path)
        assert counted.prompts == []
    assert all_of(results) == reused.rows[:5]


def test_a_dataset_that_has_grown_is_reused_as_a_whole(endpoint: Endpoint, tmp_path: Path) -> None:
    """Records that were added in batches of other sizes come over like the first; those beyond the last are made."""
    with endpoint(Moody()) as counted:
        for number, size in ((7, 4), (9, 1), (RECORDS, 5)):
            maker = designer(counted.url, tmp_path, buffer_size=size)
            grown = maker.create(short(), num_records=number, dataset_name="d", resume="if_possible")
        assert asked(counted) == times(RECORDS, "draft", "final")
        maker = designer(counted.url, tmp_path, buffer_size=6)
        results = maker.create(short(), num_records=RECORDS + 9, dataset_name="x", reuse=tmp_path / "d")
        assert asked(counted) == times(9, "draft", "final")
    assert all_of(results)[:RECORDS] == all_of(grown)


def test_a_batch_that_is_being_replaced_counts_as_it_will_be(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """Where a crash has left a batch between two receipts, what is new counts, though its files have no names yet."""
    folder = tmp_path / "d"
    shutil.copytree(reused.path, folder)
    receipt = Store.at(folder).receipt(1)
    assert receipt is not None
    files = tuple(replace(file, staged=f"{file.path}.tmp") for file in receipt.files)
    for file in files:
        (folder / file.path).rename(folder / file.staged)
    before = replace(
        receipt, generated=0, kept=(), unfinished=receipt.kept, files=(), successor=replace(receipt, files=files)
    )
    (folder / "receipts/batch_00001.json").write_bytes(receipts.written(before))
    with endpoint(Moody()) as counted:
        results = designer(counted.url, tmp_path).create(story(), num_records=RECORDS, dataset_name="x", reuse=folder)
        assert counted.prompts == []
    assert all_of(results) == reused.rows


@pytest.mark.parametrize("size", [BUFFER, 4])
def test_records_that_were_rejected_there_are_asked_for(endpoint: Endpoint, tmp_path: Path, size: int) -> None:
    """A record that failed in the other dataset is tried from its first column; its neighbours cost nothing."""
    with endpoint(Moody(refused=("final 3 ", "final 11 "))) as counted:
        maker = designer(counted.url, tmp_path)
        before = maker.create(finished(short(), "final {{ n }} {{ draft }}"), num_records=RECORDS, dataset_name="d")
        assert (before.outcomes.generated, before.outcomes.rejected) == (RECORDS - 2, 2)
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path, buffer_size=size)
        results = maker.create(
            finished(short(), "final {{ n }} {{ draft }}"), num_records=RECORDS, dataset_name="x", reuse=tmp_path / "d"
        )
        assert {prompt.split()[1] for prompt in counted.prompts} == {"3", "11"}
        assert asked(counted) == times(2, "draft", "final")
    there = [row for row in all_of(results) if row["n"] not in (3, 11)]
    assert there == all_of(before)
    assert [row["n"] for row in all_of(results)] == list(range(RECORDS))


@pytest.mark.parametrize("answers", [5, 14, 22])
def test_records_that_the_other_has_not_finished_are_asked_for(
    endpoint: Endpoint, tmp_path: Path, answers: int
) -> None:
    """An unfinished dataset gives what it has committed, parts of batches too; it can go on afterwards."""
    with endpoint(Moody()) as counted, suppress(DataDesignerGenerationError):
        maker = designer(counted.url, tmp_path, budget=dd.Budget(requests=answers))
        maker.create(short(), num_records=RECORDS, dataset_name="d")
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        there = {row["n"] for row in committed(tmp_path / "d")}
        assert len(there) < RECORDS
        results = maker.create(short(), num_records=RECORDS, dataset_name="x", reuse=tmp_path / "d")
        assert asked(counted) == +times(RECORDS - len(there), "draft", "final")
        assert [row for row in all_of(results) if row["n"] in there] == committed(tmp_path / "d")
        whole = maker.create(short(), num_records=RECORDS, dataset_name="d", resume=ALWAYS)
    assert whole.outcomes.unfinished == 0


def committed(folder: Path) -> list[dict[str, Any]]:
    """Every row of a dataset, dropped columns included, as another run finds it."""
    files = [sorted((folder / name).glob("*.parquet")) for name in ("parquet-files", "dropped-columns-parquet-files")]
    if not files[0]:
        return []
    frame = pd.concat([load(file.read_bytes() for file in some) for some in files], axis=1)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


# --- refusals --------------------------------------------------------------------------------------------------


def test_another_seed_is_refused_with_the_reason(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """No record of another seed is the same: refused before anything is asked, and the name stays free."""
    with endpoint(Moody()) as counted:
        with pytest.raises(DataDesignerGenerationError, match="made with seed 1, this one with 2") as caught:
            designer(counted.url, tmp_path, seed=2).create(
                story(), num_records=RECORDS, dataset_name="x", reuse=reused.path
            )
        assert isinstance(caught.value.__cause__, DatasetGenerationError)
        assert str(reused.path) in str(caught.value)
        assert counted.prompts == []
        results = designer(counted.url, tmp_path, seed=2).create(short(), num_records=2, dataset_name="x")
    assert results.artifact_storage.resolved_dataset_name == "x"


def test_without_a_seed_the_others_is_taken(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """Who gives no seed gets the other dataset's, and with it its records."""
    with endpoint(Moody()) as counted:
        results = designer(counted.url, tmp_path, seed=None).create(
            story(), num_records=RECORDS, dataset_name="x", reuse=reused.path
        )
        assert counted.prompts == []
    assert results.artifact_storage.read_metadata()["seed"] == 1


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "another folder"])
def test_a_dataset_that_is_not_there_cannot_be_reused(tmp_path: Path, there: str) -> None:
    """A clear error about the disk that names the folder, and no dataset is begun."""
    if there != "nothing":
        (tmp_path / "d").mkdir()
    if there == "another folder":
        (tmp_path / "d/notes.txt").write_text("mine")
    with pytest.raises(ArtifactStorageError, match=f"there is no dataset at {tmp_path / 'd'}"):
        designer(NOWHERE, tmp_path).create(story(), num_records=RECORDS, dataset_name="x", reuse=tmp_path / "d")
    assert not (tmp_path / "x").exists()


def cut(text: bytes) -> bytes:
    """The first half."""
    return text[: len(text) // 2]


def flipped(text: bytes) -> bytes:
    """One bit is another."""
    middle = len(text) // 2
    return text[:middle] + bytes([text[middle] ^ 1]) + text[middle + 1 :]


def gone(_: bytes) -> None:
    """The file is not there."""


ROWS = ("parquet-files/batch_00001.parquet", "dropped-columns-parquet-files/batch_00001.parquet")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *itertools.product((*ROWS, "metadata.json"), (cut, flipped, gone)),
        *itertools.product(("receipts/batch_00001.json",), (cut, flipped)),
    ],
)
def test_damage_of_the_other_ends_the_run_and_costs_nothing(
    endpoint: Endpoint, tmp_path: Path, reused: Made, name: str, damage: Callable[[bytes], bytes | None]
) -> None:
    """A file that is damaged or missing is named, what was made is kept, and once it is restored the run goes on."""
    folder = tmp_path / "d"
    shutil.copytree(reused.path, folder)
    before = (folder / name).read_bytes()
    (folder / name).unlink()
    if (after := damage(before)) is not None:
        (folder / name).write_bytes(after)
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        with pytest.raises(ArtifactStorageError, match=f"{Path(name).name} is (damaged|missing)"):
            maker.create(titled(story()), num_records=RECORDS, dataset_name="x", reuse=folder)
        assert set(map(column_of, counted.prompts)) <= {"title"}
        (folder / name).write_bytes(before)
        resume = "if_possible" if name == "metadata.json" else "always"
        results = maker.create(titled(story()), num_records=RECORDS, dataset_name="x", resume=resume, reuse=folder)
        assert asked(counted) == times(RECORDS, "title")
    assert [{name: row[name] for name in reused.rows[0]} for row in all_of(results)] == reused.rows
    assert {path.name for path in tmp_path.iterdir()} == {"d", "x"}


def test_a_batch_without_a_receipt_is_asked_for(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """A receipt makes a batch: where it is gone, so are the batch's records, and they are made."""
    folder = tmp_path / "d"
    shutil.copytree(reused.path, folder)
    (folder / "receipts/batch_00001.json").unlink()
    with endpoint(Moody()) as counted:
        results = designer(counted.url, tmp_path).create(story(), num_records=RECORDS, dataset_name="x", reuse=folder)
        assert asked(counted) == times(BUFFER, "draft", "facts", "code", "grade", "final")
    found = all_of(results)
    assert found[:BUFFER] + found[2 * BUFFER :] == reused.rows[:BUFFER] + reused.rows[2 * BUFFER :]


# --- going on --------------------------------------------------------------------------------------------------


def test_a_resume_goes_on_reusing_without_being_told(
    endpoint: Endpoint, tmp_path: Path, reused: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped half way and resumed elsewhere, then extended: nothing that the other dataset has is ever asked for."""
    monkeypatch.chdir(reused.path.parent)
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path, budget=dd.Budget(requests=5))
        with suppress(DataDesignerGenerationError):
            maker.create(titled(story()), num_records=8, dataset_name="x", reuse="d")
        assert set(asked(counted)) == {"title"}
    monkeypatch.chdir(tmp_path)
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        maker.create(titled(story()), num_records=8, dataset_name="x", resume=ALWAYS)
        assert asked(counted) == times(8 - 5, "title")
        results = maker.create(titled(story()), num_records=RECORDS, dataset_name="x", resume=ALWAYS)
        assert asked(counted) == times(RECORDS - 8, "title")
    assert [{name: row[name] for name in reused.rows[0]} for row in all_of(results)] == reused.rows
    assert results.artifact_storage.read_metadata()["reuse"] == str(reused.path)


def test_a_dataset_that_is_there_may_begin_to_reuse(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """A resume can be told of a dataset to reuse: what it makes from then on is taken from there."""
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        before = all_of(maker.create(story(), num_records=3, dataset_name="x"))
        asked(counted)
        results = maker.create(story(), num_records=RECORDS, dataset_name="x", resume=ALWAYS, reuse=reused.path)
        assert counted.prompts == []
    assert all_of(results) == before + reused.rows[3:]


# --- skip conditions -------------------------------------------------------------------------------------------


def gated() -> Builder:
    """A column that is skipped for calm records, and one that needs it."""
    made = seeded(Builder(model_configs=[model("a"), model("b")]))
    sampled(made, "calm", "wild")
    made.add_column(
        name="draft", column_type="llm-text", model_alias="a", prompt="draft {{ n }}", with_trace="last_message",
        skip=dd.SkipConfig(when="{{ mood == 'calm' }}", value="-"),
    )  # fmt: skip
    return made.add_column(name="final", column_type="llm-text", model_alias="b", prompt="final {{ draft }}")


def test_what_was_skipped_is_skipped_again(endpoint: Endpoint, tmp_path: Path) -> None:
    """Skipped cells come over as skipped: a column that needs one is skipped too, one that only reads it is not."""
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        before = maker.create(gated(), num_records=RECORDS, dataset_name="d").load_dataset()
        calm = before["mood"] == "calm"
        assert 0 < calm.sum() < RECORDS
        assert asked(counted) == times(int((~calm).sum()), "draft", "final")
        made = gated().add_column(name="title", column_type="llm-text", model_alias="a", prompt="title {{ final }}")
        made.add_column(
            name="label", column_type="llm-text", model_alias="a", prompt="label {{ draft }}", propagate_skip=False
        )
        after = maker.create(made, num_records=RECORDS, dataset_name="x", reuse=tmp_path / "d").load_dataset()
        assert counted.prompts.count("label -") == calm.sum()
        assert asked(counted) == Counter(title=int((~calm).sum()), label=RECORDS)
    pd.testing.assert_frame_equal(after[list(before.columns)], before)
    assert set(after["draft"][calm]) == {"-"}
    assert after["final"][calm].isna().all()
    assert after["title"].isna().tolist() == calm.tolist()


def test_another_skip_condition_makes_another_column(endpoint: Endpoint, tmp_path: Path) -> None:
    """Where a skip condition changes, the column is asked for wherever it is not skipped now, and what needs it too."""
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        before = maker.create(gated(), num_records=RECORDS, dataset_name="d").load_dataset()
        asked(counted)
        made = gated()
        skip = dd.SkipConfig(when="{{ mood == 'wild' }}", value="-")
        made.add_column(made.get_column_config("draft").model_copy(update={"skip": skip}))
        after = maker.create(made, num_records=RECORDS, dataset_name="x", reuse=tmp_path / "d").load_dataset()
        assert asked(counted) == times(int((before["mood"] == "calm").sum()), "draft", "final")
    assert (after["draft"] == "-").tolist() == (before["mood"] == "wild").tolist()


# --- what does not fit together --------------------------------------------------------------------------------


def test_no_row_is_put_together_of_different_answers(endpoint: Endpoint, tmp_path: Path) -> None:
    """Where the other has a column but not what it was made from, both are asked for: they belong together."""
    with endpoint(Moody()) as counted:
        designer(counted.url, tmp_path, preserve_dropped_columns=False).create(short(), num_records=3, dataset_name="d")
        asked(counted)
        results = designer(counted.url, tmp_path).create(
            titled(short()), num_records=3, dataset_name="x", reuse=tmp_path / "d"
        )
    for row in all_of(results):
        assert f"<final {row['draft']}>" in row["final"]
        assert f"<title {row['draft']} {row['final']}>" in row["title"]


def test_what_is_made_of_a_whole_batch_belongs_to_it(endpoint: Endpoint, tmp_path: Path) -> None:
    """Where a function makes all of a batch again since one record is new, what needs its values is made again too."""
    made = whole().add_column(name="label", column_type="llm-text", model_alias="a", prompt="label {{ whole }}")
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        maker.create(made, num_records=3, dataset_name="d")
        results = maker.create(made, num_records=4, dataset_name="x", reuse=tmp_path / "d")
    for row in results.load_dataset().to_dict("records"):
        assert row["label"].endswith(f"<label {row['whole']}>")


def test_what_a_dataset_has_begun_by_itself_is_not_mixed_with_what_it_takes(endpoint: Endpoint, tmp_path: Path) -> None:
    """Stopped after its function was called, then told of a dataset to reuse: each row is of one or of the other."""
    made = stamps(seeded(Builder(model_configs=[model("a")])), stamped)
    made.add_column(name="final", column_type="llm-text", model_alias="a", prompt="final {{ stamp }}")
    with endpoint(Moody()) as counted:
        designer(counted.url, tmp_path).create(made, num_records=RECORDS, dataset_name="d")
    with endpoint(Moody()) as counted, suppress(DataDesignerGenerationError):
        maker = designer(counted.url, tmp_path, budget=dd.Budget(requests=3))
        maker.create(made, num_records=RECORDS, dataset_name="x")
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        results = maker.create(made, num_records=RECORDS, dataset_name="x", resume=ALWAYS, reuse=tmp_path / "d")
    for row in results.load_dataset().to_dict("records"):
        assert row["final"].endswith(f"<final {row['stamp']}>")


BASE = 100
"""What the function of `based` reads."""


@dd.custom_column_generator(required_columns=["n"])
def based(row: dict[str, Any]) -> dict[str, Any]:
    """Use a constant."""
    return {**row, "based": row["n"] + BASE}


def test_what_a_function_uses_belongs_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a constant beside a function is another now its column is made anew, all of it; what is not, is taken."""
    caplog.set_level("INFO", "data_designer")
    made = stamps(seeded(Builder(model_configs=[model("a")])), stamped)
    made.add_column(dd.CustomColumnConfig(name="based", generator_function=based))
    maker = designer(NOWHERE, tmp_path)
    before = maker.create(made, num_records=3, dataset_name="d").load_dataset()
    monkeypatch.setattr(sys.modules[__name__], "BASE", 200)
    after = maker.create(made, num_records=6, dataset_name="x", reuse=tmp_path / "d").load_dataset()
    assert list(before["based"]) == [100, 101, 102]
    assert list(after["based"]) == [200, 201, 202, 203, 204, 205]
    assert list(after["stamp"][:3]) == list(before["stamp"])
    assert "the code of the function of column 'based': constant BASE" in caplog.text


@dd.custom_column_generator(required_columns=["n"])
def dated(row: dict[str, Any]) -> dict[str, Any]:
    """Make a value that no JSON can hold."""
    return {**row, "day": date(2000 + row["n"], 1, 2)}


@dd.custom_column_generator(required_columns=["day"])
def of_year(row: dict[str, Any]) -> dict[str, Any]:
    """Use it."""
    return {**row, "year": row["day"].year}


def test_values_that_no_file_holds_as_they_are_are_made_again(tmp_path: Path) -> None:
    """A function that is given another's value gets it as it was made, never as it was written."""
    made = seeded(Builder(model_configs=[model("a")]))
    made.add_column(dd.CustomColumnConfig(name="day", generator_function=dated))
    maker = designer(NOWHERE, tmp_path)
    maker.create(made, num_records=3, dataset_name="d")
    made.add_column(dd.CustomColumnConfig(name="year", generator_function=of_year))
    results = maker.create(made, num_records=3, dataset_name="x", reuse=tmp_path / "d")
    assert list(results.load_dataset()["year"]) == [2000, 2001, 2002]


def test_rejected_records_are_retried_with_what_the_other_has(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """`retry_failed` of a dataset that was made by reuse asks for what failed, not for what came from elsewhere."""
    moody = Moody()
    with endpoint(moody) as counted:
        maker = designer(counted.url, tmp_path)
        made = story().add_column(
            name="title", column_type="llm-text", model_alias="a", prompt="title {{ n }} {{ final }}"
        )
        moody.refused = ("title 3 ",)
        maker.create(made, num_records=RECORDS, dataset_name="x", reuse=reused.path)
        asked(counted)
        moody.refused = ()
        results = maker.retry_failed(made, dataset_name="x")
        assert asked(counted) == times(1, "title")
    assert [row["grade"] for row in all_of(results)] == [row["grade"] for row in reused.rows]


def test_a_dataset_outlives_the_one_it_was_made_from(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """Once all of it is made, a resume needs nothing of the other dataset, which may be gone."""
    shutil.copytree(reused.path, tmp_path / "d")
    with endpoint(Moody()) as counted:
        maker = designer(counted.url, tmp_path)
        maker.create(story(), num_records=RECORDS, dataset_name="x", reuse=tmp_path / "d")
        shutil.rmtree(tmp_path / "d")
        results = maker.create(story(), num_records=RECORDS, dataset_name="x", resume=ALWAYS)
        assert counted.prompts == []
    assert all_of(results) == reused.rows


def test_the_dataset_whose_file_is_damaged_is_named(endpoint: Endpoint, tmp_path: Path, reused: Made) -> None:
    """Two datasets have a file of that name: the message says of which it speaks."""
    folder = tmp_path / "d"
    shutil.copytree(reused.path, folder)
    (folder / "parquet-files/batch_00001.parquet").write_bytes(b"")
    with endpoint(Moody()) as counted, pytest.raises(ArtifactStorageError, match=str(folder)):
        designer(counted.url, tmp_path).create(story(), num_records=RECORDS, dataset_name="x", reuse=folder)
