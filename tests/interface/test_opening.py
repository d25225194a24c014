"""A dataset that is there gives its results again, without its script, its models, its seed file and its keys."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.fakes import NOWHERE, designer, model, numbered, story
from tests.object_server import Bucket

import data_designer.config as dd
from data_designer.engine.dataset.run_accounts import write_accounts
from data_designer.engine.protocol.slot_time import RunAccounts
from data_designer.errors import ArtifactStorageError, DatasetGenerationError
from data_designer.interface import DataDesigner, DatasetCreationResults
from data_designer.interface.results import PreviewResults
from data_designer.object_storage import Location, ObjectPath

OLD = Path(__file__).with_name("old_datasets")
RECORDS = 12
PRICE = dd.Price(input=1.0, output=2.0)


def opener(path: Location) -> DataDesigner:
    """A designer that knows nothing of any model."""
    return DataDesigner(path, auto_configure_logging=False)


def odd_story(folder: Path) -> dd.DataDesignerConfigBuilder:
    """A chain with all that no declaration carries: a file of seeds, functions, and parameters of one."""

    @dd.custom_column_generator(required_columns=["draft"], side_effect_columns=["size"])
    def loud(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "loud": row["draft"].upper(), "size": len(row["draft"])}

    def judged(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"is_valid": [True] * len(frame)})

    made = dd.DataDesignerConfigBuilder(model_configs=[model("draft", "open?refusal_rate=0.3", price=PRICE)])
    made.with_seed_dataset(dd.LocalFileSeedSource.from_dataframe(numbered().df, str(folder / "seeds.parquet")))
    made.add_column(name="draft", column_type="llm-text", model_alias="draft", prompt="row {{ n }}")
    made.add_column(dd.CustomColumnConfig(name="loud", generator_function=loud))
    return made.add_column(
        name="fine",
        column_type="validation",
        target_columns=["draft"],
        validator_type="local_callable",
        validator_params={"validation_function": judged},
    )


def is_the_same(opened: DatasetCreationResults, made: DatasetCreationResults) -> None:
    """Check that results of a dataset that was opened are those of the run that made it."""
    pd.testing.assert_frame_equal(opened.load_dataset(), made.load_dataset())
    pd.testing.assert_frame_equal(opened.load_rejected(), made.load_rejected())
    assert opened.load_analysis() == made.load_analysis()
    assert opened.count_records() == made.count_records()
    assert opened.dataset_metadata == made.dataset_metadata
    assert opened.early_shutdown == made.early_shutdown
    for name in ("requested", "generated", "rejected", "unfinished", "null_filled", "refilled", "reasons", "columns"):
        assert getattr(opened.outcomes, name) == getattr(made.outcomes, name), name
    assert opened.outcomes.usd == pytest.approx(made.outcomes.usd)
    assert opened.ending().next_step == made.ending().next_step


def test_a_dataset_that_is_opened_is_as_it_was_made(
    simulated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows, statistics, outcomes, costs; its seed file is gone by then."""
    settings = {"max_conversation_restarts": 0, "disable_early_shutdown": True}
    made = designer(simulated, tmp_path, **settings).create(odd_story(tmp_path), num_records=RECORDS, dataset_name="d")
    assert made.outcomes.rejected > 0
    (tmp_path / "seeds.parquet").unlink()
    for name in ("d", tmp_path / "d", str(tmp_path / "d")):
        is_the_same(opener(tmp_path).open(name), made)
    opened = opener(tmp_path).open("d")
    opened.display_sample_record()
    opened.load_analysis().to_report()
    assert "loud" in capsys.readouterr().out
    assert opened.export(tmp_path / "rows.csv") == tmp_path / "rows.csv"
    assert opened.to_config_builder().model_configs[0].model == "open?refusal_rate=0.3"
    assert (opened.seconds, opened.task_traces) == (None, [])
    assert "<table>" in opened._repr_html_()
    assert len(repr(opened).splitlines()) == 1


def test_a_preview_is_short_and_readable_too(simulated: str, tmp_path: Path) -> None:
    """In a line, printed, and in a notebook."""
    preview = designer(simulated, tmp_path).preview(story(model("a", price=PRICE)), num_records=3)
    assert repr(preview).startswith("PreviewResults(RunOutcomes(requested=3, generated=3, rejected=0, usd=")
    first, *_, last = str(preview).splitlines()
    assert first == "3 of 3 records"
    assert last.startswith("a ")
    assert "<table>" in (preview._repr_html_() or "")
    nothing = PreviewResults(config_builder=preview.config_builder)
    assert (str(nothing), nothing._repr_html_()) == ("PreviewResults(None)", None)


def test_a_dataset_of_a_frame_is_opened(simulated: str, tmp_path: Path) -> None:
    """Its seed columns are those of before."""
    made = designer(simulated, tmp_path).create(story(model("a")), num_records=3, dataset_name="d")
    is_the_same(opener(tmp_path).open("d"), made)


def test_a_function_that_is_not_kept_says_so(simulated: str, tmp_path: Path) -> None:
    """Whoever goes on with the opened declaration needs the script."""
    designer(simulated, tmp_path).create(odd_story(tmp_path), num_records=3, dataset_name="d")
    [column] = opener(tmp_path).open("d").config_builder.get_columns_of_type("custom")
    assert isinstance(column, dd.CustomColumnConfig)
    with pytest.raises(DatasetGenerationError, match="column 'loud': the function loud is not kept with the dataset"):
        column.generator_function({})


def test_a_run_that_was_stopped_is_opened_with_its_reason(simulated: str, tmp_path: Path) -> None:
    """And with what there is to do."""
    run = designer(simulated, tmp_path, budget=dd.Budget(requests=18))
    made = run.create(story(model("a", price=PRICE), model("b", price=PRICE)), num_records=RECORDS, dataset_name="d")
    assert made.early_shutdown is not None
    opened = opener(tmp_path).open("d")
    is_the_same(opened, made)
    assert opened.ending().next_step is not None
    assert "--set 'budget={requests: 36}'" in opened.ending().next_step[1]
    resumed = designer(simulated, tmp_path).create(
        story(model("a", price=PRICE), model("b", price=PRICE)), num_records=RECORDS, dataset_name="d", resume="always"
    )
    assert opener(tmp_path).open("d").early_shutdown is None
    is_the_same(opener(tmp_path).open("d"), resumed)


def test_a_dataset_in_object_storage_is_opened(simulated: str, bucket: Bucket) -> None:
    """By its name in the folder, and by its URL."""
    root = ObjectPath(f"{bucket.url}/all")
    made = designer(simulated, root).create(story(model("a")), num_records=3, dataset_name="d")
    is_the_same(opener(root).open("d"), made)
    is_the_same(opener(Path("elsewhere")).open(f"{bucket.url}/all/d"), made)
    with pytest.raises(ArtifactStorageError, match=r"no dataset at s3://.*/all/dd; did you mean 'd'\?"):
        opener(root).open("dd")


@pytest.mark.parametrize("name", ["finished", "extended", "interrupted", "lacking", "stopped"])
def test_a_dataset_of_an_earlier_version_is_opened(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it did not record is not there, and nothing complains."""
    opened = opener(OLD).open(name)
    outcomes = opened.outcomes
    assert len(opened.load_dataset()) == outcomes.there
    assert outcomes.there + outcomes.rejected + outcomes.unfinished == outcomes.requested
    assert opened.dataset_metadata.seed_column_names == ["n"]
    assert (opened.early_shutdown, opened.accounts) == (None, None)
    opened.display_sample_record(0)
    opened.load_analysis().to_report()
    print(opened)
    assert f"{outcomes.there} of {outcomes.requested} records" in capsys.readouterr().out


def test_accounts_of_its_runs_are_there_where_they_were_left(tmp_path: Path) -> None:
    """All runs of the dataset together."""
    shutil.copytree(OLD / "finished", tmp_path / "d")
    opened = opener(tmp_path).open("d")
    for run, seconds in ((1, 3.0), (2, 4.0)):
        write_accounts(opened.artifact_storage.store.files, RunAccounts(run, 0.0, seconds))
    assert opened.accounts is not None
    assert opened.accounts.seconds == 7.0
    assert "7.00 s in all runs" in str(opened)


def test_a_name_that_is_none_is_told_which_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was meant, else all of them, else that there is none."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactStorageError, match="there is no dataset at .*/fnished; did you mean 'finished'"):
        opener(OLD).open("fnished")
    with pytest.raises(ArtifactStorageError, match="; there are extended, finished, interrupted, lacking, stopped"):
        opener(OLD).open("qqqqqq")
    with pytest.raises(ArtifactStorageError, match=f"; there is none in {tmp_path}"):
        opener(tmp_path).open("d")
    with pytest.raises(ArtifactStorageError, match="there is no dataset at /nowhere/d"):
        opener(tmp_path).open("/nowhere/d")


def test_a_declaration_that_is_gone_is_named(tmp_path: Path) -> None:
    """The rows are there, but not what they are."""
    shutil.copytree(OLD / "finished", tmp_path / "d")
    (tmp_path / "d/builder_config.json").unlink()
    with pytest.raises(ArtifactStorageError, match=r"builder_config.json cannot be read"):
        opener(tmp_path).open("d")


def test_nobody_is_asked(tmp_path: Path) -> None:
    """A designer whose models are out of reach opens datasets all the same."""
    assert designer(NOWHERE, OLD).open("finished").count_records() == 6


def test_a_file_that_was_cut_is_named_when_its_rows_are_wanted(simulated: str, tmp_path: Path) -> None:
    """Not as whatever the reader of Parquet makes of it."""
    maker = designer(simulated, tmp_path, buffer_size=4)
    results = maker.create(story(model("draft")), num_records=RECORDS, dataset_name="d")
    file = tmp_path / "d/parquet-files/batch_00001.parquet"
    content = file.read_bytes()
    for left in (content[:-9], content[:20] + b"?" + content[21:]):
        file.write_bytes(left)
        for use in (results.load_dataset, lambda: results.export(tmp_path / "all.csv")):
            with pytest.raises(ArtifactStorageError, match=r"parquet-files/batch_00001\.parquet is damaged"):
                use()
    file.unlink()
    with pytest.raises(ArtifactStorageError, match=r"parquet-files/batch_00001\.parquet is missing"):
        results.load_dataset()
