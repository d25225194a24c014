"""Where the time of a dataset's runs went, and what to change: of any dataset that is there, by whom it may be made."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.engine.observe.accounted import accounts, alias, asked, pipeline, steady
from tests.fakes import designer, model, story

import data_designer.config as dd
from data_designer.engine.dataset.kept_advice import ADVICE, read_advice
from data_designer.engine.dataset.run_accounts import write_accounts
from data_designer.engine.dataset.store import Store
from data_designer.engine.observe.bottlenecks.evidence import Bottleneck
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, RunAccounts
from data_designer.errors import ArtifactStorageError
from data_designer.interface import DatasetCreationResults
from data_designer.interface.explain import Explanation, advice_of, explain
from data_designer.interface.explanation_text import lines

OLD = Path(__file__).with_name("old_datasets")


def made(url: str, path: Path, builder: dd.DataDesignerConfigBuilder | None = None) -> DatasetCreationResults:
    """A dataset of two models, one after the other, or of what is declared."""
    declared = builder or story(model("draft"), model("final"))
    return designer(url, path).create(declared, num_records=20, dataset_name="d")


def with_function() -> dd.DataDesignerConfigBuilder:
    """A text, and a function of it."""

    @dd.custom_column_generator(required_columns=["draft"])
    def shout(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "loud": row["draft"].upper()}

    return story(model("draft")).add_column(dd.CustomColumnConfig(name="loud", generator_function=shout))


def full(results: DatasetCreationResults) -> RunAccounts:
    """Accounts of a run of it, whose slots were full for a minute: written in place of what was."""
    store = results.artifact_storage.store
    asked_of = {"draft": asked("draft", steady(12.0)), "final": asked("final", steady(1.0))}
    kept = accounts({"draft": alias(4), "final": alias(4, upstream=0.9)}, asked_of, records=20)
    write_accounts(store.files, kept)
    return kept


def test_a_dataset_is_explained_without_its_models(simulated: str, tmp_path: Path) -> None:
    """From its folder alone, its seed rows gone: where its time went, its columns, and what to change."""
    results = made(simulated, tmp_path)
    kept = full(results)
    found = explain(tmp_path / "d")
    assert (found.accounts, found.requested, found.lacking) == (kept, 20, "")
    assert found.first("draft") == 1.0
    assert found.first("id") is None
    assert found.advice[0].subject == "draft"
    assert found.advice[0].bottleneck == Bottleneck.SLOTS
    data = json.loads(json.dumps(found.to_dict()))
    assert data["advice"][0]["changes"][0]["after"] == 8
    assert data["columns"]["draft"]["seconds"]["p50"] == pytest.approx(12, rel=0.05)
    assert RunAccounts.from_dict(data["accounts"]) == kept


def test_a_run_keeps_its_advice_with_the_dataset(simulated: str, tmp_path: Path) -> None:
    """What it has found is what is shown, as long as no later run has other accounts."""
    results = made(simulated, tmp_path)
    full(results)
    store = results.artifact_storage.store
    found = advice_of(store, results.plan)
    assert read_advice(store.files) == (1, [one.to_dict() for one in found])
    assert list(explain(tmp_path / "d").advice) == found
    kept = json.loads(store.files.read(ADVICE))
    store.files.put(ADVICE, json.dumps({**kept, "run": 0}).encode())
    assert read_advice(store.files) is None
    assert list(explain(tmp_path / "d").advice) == found


def test_advice_that_cannot_be_kept_is_given_all_the_same(simulated: str, tmp_path: Path) -> None:
    """A disk that refuses is no error of the run."""
    results = made(simulated, tmp_path)
    full(results)
    folder = tmp_path / "d" / "accounts"
    (folder / "advice.json").mkdir()
    assert advice_of(results.artifact_storage.store, results.plan)


def test_functions_need_the_advice_that_the_run_has_left(simulated: str, tmp_path: Path) -> None:
    """No file can carry them, so that the plan is not known; the accounts are shown, and why there is no advice."""
    results = made(simulated, tmp_path, with_function())
    full(results)
    (tmp_path / "d" / ADVICE).unlink(missing_ok=True)
    found = explain(tmp_path / "d")
    assert found.advice == ()
    assert found.lacking == (
        "no advice: the latest run was short or has not ended, and the configuration holds functions, "
        "which no file can carry"
    )
    assert found.accounts is not None
    advice_of(results.artifact_storage.store, results.plan)
    assert explain(tmp_path / "d").advice


@pytest.mark.parametrize("name", ["finished", "interrupted"])
def test_old_datasets_say_that_nothing_was_recorded(name: str, tmp_path: Path) -> None:
    """They have no accounts."""
    dataset = shutil.copytree(OLD / name, tmp_path / name)
    found = explain(dataset)
    assert found.accounts is None
    assert "where its time went" in found.lacking
    assert list(lines(found, 80)) == [found.lacking]
    assert advice_of(Store.at(dataset), pipeline()) == []


def test_damaged_accounts_are_told_from_missing_ones(simulated: str, tmp_path: Path) -> None:
    """The folder is named."""
    made(simulated, tmp_path)
    for file in (tmp_path / "d" / "accounts").iterdir():
        file.write_text("garbage")
    assert explain(tmp_path / "d").lacking == f"where its time went cannot be read: {tmp_path}/d/accounts is damaged"


def test_where_there_is_no_dataset_that_is_said(tmp_path: Path) -> None:
    """As by all commands that take one."""
    with pytest.raises(ArtifactStorageError, match="there is no dataset at"):
        explain(tmp_path)


# --- text ----------------------------------------------------------------------------------------------------


def explained(aliases: dict[str, AliasAccounts], columns: int = 2) -> Explanation:
    """Of so many columns of each alias."""
    named = {f"{name}_column_{n}": asked(name, steady(0.2)) for name in aliases for n in range(columns)}
    kept = accounts(aliases, named, cpu={"id, topic": 12.0}, writing=150.0)
    return Explanation(Path("d"), 1000, kept)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("aliases", [0, 1, 3, 12])
def test_no_line_is_wider_than_the_terminal(width: int, aliases: int) -> None:
    """However many aliases there are, and however long their names."""
    found = explained({f"model_with_a_long_name_{n}": alias(refused=3, held=0.2) for n in range(aliases)})
    text = list(lines(found, width))
    assert max(map(len, text)) <= width
    shown = "\n".join(text)
    assert shown.count("asking the model") == shown.count("slots  ")
    assert "of these refused (429)" in shown or not aliases


def test_accounts_are_told_in_plain_words() -> None:
    """A column an alias, a line an account, of those that are not empty anywhere."""
    found = explained({"writer": alias(cpu=0.25), "judge": alias(upstream=0.9, cpu=0.001)}, columns=1)
    text = [line.split() for line in lines(found, 80)]
    assert ["writer", "judge"] in text
    assert ["asking", "the", "model", "75", "%", "10", "%"] in text
    assert ["waiting", "for", "other", "models", "–", "90", "%"] in text  # noqa: RUF001
    assert ["waiting", "for", "CPU", "columns", "25", "%", "0.1", "%"] in text
    assert not any("down" in line for line in text)
    assert ["Writing", "batches:", "2", "min", "30", "s"] in text


def test_names_of_others_steer_no_terminal() -> None:
    """They are shown as they are."""
    shown = "\n".join(lines(explained({"a\x1b[2J": alias()}), 120))
    assert "\x1b" not in shown
    assert r"a\x1b[2J" in shown


def test_all_accounts_have_words() -> None:
    """None is left out of the table."""
    shares = {account.value: 0.1 for account in Account if account != Account.ASKING}
    shown = list(lines(explained({"writer": alias(**shares)}), 80))
    assert sum(line.endswith(("10 %", "20 %")) for line in shown) == len(Account)
