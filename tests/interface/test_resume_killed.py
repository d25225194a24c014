"""What is killed goes on: a process that is gone at once, in the middle, costs no more than what was under way."""

import signal
import uuid
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.counting import Endpoint
from tests.fakes import designer, model, numbered
from tests.interface.resuming import (
    ALWAYS,
    IDEAL,
    RECORDS,
    SLOTS,
    Undisturbed,
    begin,
    data_files,
    make,
    retry,
)
from tests.programs import started
from tests.replies import LIMIT, Holding, Refusing, answer

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults

pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture(scope="module")
def undisturbed(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The tale of `RECORDS` records, made in one go."""
    with endpoint(answer) as counted:
        return Undisturbed.of(make(counted.url, tmp_path_factory.mktemp("whole")))


def killed(holding: Holding, function: Any, url: str, *arguments: Any) -> None:
    """Call a function that asks an endpoint, in a process that is killed as soon as something it asked for is held."""
    program = started(function, url, *arguments)
    held = holding.held.wait(LIMIT)
    program.kill()
    program.join()
    assert held
    assert program.exitcode == -signal.SIGKILL
    holding.go_on.set()


def test_a_driver_that_is_killed_loses_only_what_was_under_way(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """SIGKILL after 6, 19 and 33 requests: each costs at most the rows that were out, and the dataset is the same."""
    run = {"max_in_flight_tasks": SLOTS}
    total = 0
    for answers in (6, 13, 14):
        holding = Holding(answers)
        with endpoint(holding) as counted:
            killed(holding, begin, counted.url, tmp_path, run)
            total += len(counted.prompts)
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, ALWAYS, **run)
        total += len(counted.prompts)
    assert total <= IDEAL + 3 * SLOTS
    undisturbed.check(results)


def test_a_reply_whose_slot_is_given_back_is_in_the_journal(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """SIGKILL with the usual settings: no more is asked for again than there are slots, of two models."""
    holding = Holding(30)
    with endpoint(holding) as counted:
        killed(holding, begin, counted.url, tmp_path, {})
        asked = len(counted.prompts)
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, ALWAYS)
    assert asked + len(counted.prompts) <= IDEAL + 2 * SLOTS
    undisturbed.check(results)


def numbered_story(calls: Path, strategy: str) -> dd.DataDesignerConfigBuilder:
    """A column that never comes out the same twice, a text about it, and another such column about the text."""

    def fresh(what: str) -> str:
        made = uuid.uuid4().hex
        with calls.open("a") as file:
            file.write(f"{what} {made}\n")
        return made

    @dd.custom_column_generator(required_columns=["n"])
    def one(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "serial": fresh("serial")}

    @dd.custom_column_generator(required_columns=["n"])
    def all_of_them(df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(serial=[fresh("serial") for _ in range(len(df))])

    @dd.custom_column_generator(required_columns=["text"])
    def stamped(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "stamp": fresh("stamp")}

    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a", max_parallel_requests=SLOTS)])
    builder.with_seed_dataset(numbered())
    function = one if strategy == "cell_by_cell" else all_of_them
    builder.add_column(dd.CustomColumnConfig(name="serial", generator_function=function, generation_strategy=strategy))
    builder.add_column(name="text", column_type="llm-text", model_alias="a", prompt="row {{ n }} {{ serial }}")
    return builder.add_column(dd.CustomColumnConfig(name="stamp", generator_function=stamped))


def called(calls: Path) -> dict[str, list[str]]:
    """What the functions gave, by column, in order of the calls."""
    lines = [line.split() for line in calls.read_text().splitlines()]
    return {what: [made for column, made in lines if column == what] for what in ("serial", "stamp")}


def make_numbered(url: str, path: Path, strategy: str, run: dict[str, Any]) -> DatasetCreationResults:
    """Make the story of serial numbers, or go on with it, in one batch."""
    maker = designer(url, path, buffer_size=RECORDS, **run)
    builder = numbered_story(path / "calls.txt", strategy)
    return maker.create(builder, num_records=RECORDS, dataset_name="d", resume="if_possible")


@pytest.mark.parametrize("strategy", ["cell_by_cell", "full_column"])
def test_what_a_function_came_to_is_not_computed_again(endpoint: Endpoint, tmp_path: Path, strategy: str) -> None:
    """A function that never gives the same twice, killed while models are asked: each result counts, and is kept."""
    holding = Holding(5)
    with endpoint(holding) as counted:
        killed(holding, make_numbered, counted.url, tmp_path, strategy, {})
        before = called(tmp_path / "calls.txt")["serial"]
        assert len(before) == RECORDS
        asked = len(counted.prompts)
    with endpoint(answer) as counted:
        frame = make_numbered(counted.url, tmp_path, strategy, {}).load_dataset()
        assert asked + len(counted.prompts) <= RECORDS + SLOTS
    assert called(tmp_path / "calls.txt")["serial"] == list(frame["serial"]) == before
    assert list(frame["text"]) == [f"<row {n} {serial}>" for n, serial in enumerate(before)]


def test_a_function_behind_a_model_is_called_once_but_for_what_was_under_way(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """Killed after 12 of 20 replies: of the calls that follow a reply only those of rows that were out are repeated."""
    run = {"max_in_flight_tasks": SLOTS}
    holding = Holding(12)
    with endpoint(holding) as counted:
        killed(holding, make_numbered, counted.url, tmp_path, "cell_by_cell", run)
        asked = len(counted.prompts)
    before = called(tmp_path / "calls.txt")["stamp"]
    with endpoint(answer) as counted:
        frame = make_numbered(counted.url, tmp_path, "cell_by_cell", run).load_dataset()
        assert asked + len(counted.prompts) <= RECORDS + SLOTS
    calls = called(tmp_path / "calls.txt")
    assert RECORDS <= len(calls["stamp"]) <= RECORDS + SLOTS
    assert RECORDS <= len(calls["serial"]) <= RECORDS + SLOTS
    assert len(set(before) - set(frame["stamp"])) <= SLOTS
    assert frame["stamp"].is_unique


def retry_one_by_one(url: str, path: Path) -> None:
    """Make what was rejected again, a row at a time."""
    retry(url, path, max_in_flight_tasks=1)


def test_a_retry_that_is_killed_changes_nothing_and_is_not_paid_again(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """SIGKILL during retry_failed: the dataset is as it was, and the next retry pays for what was under way only."""
    with endpoint(Refusing({3, 4, 5, 6, 17})) as counted:
        first = make(counted.url, tmp_path)
        before = data_files(tmp_path / "d")
    holding = Holding(6)
    with endpoint(holding) as counted:
        killed(holding, retry_one_by_one, counted.url, tmp_path)
        asked = len(counted.prompts)
    others = undisturbed.frame.drop([3, 4, 5, 6, 17]).reset_index(drop=True)
    pd.testing.assert_frame_equal(first.load_dataset(), others)
    assert data_files(tmp_path / "d") == before
    with endpoint(answer) as counted:
        retry_one_by_one(counted.url, tmp_path)
        assert asked + len(counted.prompts) <= 10 + 1
        results = make(counted.url, tmp_path, ALWAYS)
    pd.testing.assert_frame_equal(results.load_dataset(), undisturbed.frame)
    assert data_files(tmp_path / "d") == undisturbed.files
