"""`DataDesigner` as a script uses it."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.fakes import NOWHERE, designer, model

import data_designer.config as dd
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError, InvalidConfigError, InvalidFileFormatError
from data_designer.interface import DataDesigner, DataDesignerGenerationError


def topics() -> dd.DataDesignerConfigBuilder:
    """A builder with one model."""
    return dd.DataDesignerConfigBuilder(model_configs=[model("m")]).add_column(
        name="topic", column_type="sampler", sampler_type="category", params={"values": ["tea", "rain"]}
    )


def test_a_config_error_is_bare_from_validate_and_chained_from_the_others(tmp_path: Path) -> None:
    """An unknown name in a prompt: InvalidConfigError from validate, a generation error caused by it from preview."""
    builder = topics().add_column(name="t", column_type="llm-text", prompt="{{ nope }}", model_alias="m")
    with pytest.raises(InvalidConfigError, match="nope"):
        designer(NOWHERE, tmp_path).validate(builder)
    with pytest.raises(DataDesignerGenerationError) as caught:
        designer(NOWHERE, tmp_path).preview(builder)
    assert isinstance(caught.value.__cause__, InvalidConfigError)


@pytest.mark.parametrize("number", [0, -1, 2.5, True])
def test_a_number_of_records_that_is_none_is_refused(tmp_path: Path, number: Any) -> None:
    """num_records must be a positive integer."""
    with pytest.raises(DataDesignerGenerationError, match="positive integer"):
        designer(NOWHERE, tmp_path).create(topics(), num_records=number)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no word of resume": ({"resume": "sometimes"}, "resume must be one of never, always, if_possible; not 'sometimes'"),
    "no word at all": ({"resume": True}, "resume must be one of never, always, if_possible; not True"),
    "a name that is no text": ({"dataset_name": None}, "the dataset name must be text, not None"),
    "half a character": ({"dataset_name": "\ud83d"}, "holds half a character"),
    "too many records": ({"num_records": 10**20}, "is too large"),
    "no function": ({"on_batch_complete": "print"}, "on_batch_complete cannot be called: 'print'"),
    "no dataset": ({"reuse": "gone"}, "there is no dataset at"),
    "no builder": ({"config_builder": {"columns": []}}, "a DataDesignerConfigBuilder is needed, not dict"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_arguments_are_refused_before_anything_is_made(tmp_path: Path, what: str) -> None:
    """Each with a sentence that names it; no folder is left behind."""
    wrong, expected = WRONG[what]
    with pytest.raises((DataDesignerGenerationError, ArtifactStorageError), match=re.escape(expected)):
        designer(NOWHERE, tmp_path).create(**{"config_builder": topics(), **wrong})
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["max_attempts", "retry_backoff_seconds"])
def test_how_often_models_are_greeted_cannot_be_set(tmp_path: Path, name: str) -> None:
    """It is said that these arguments do nothing."""
    with pytest.warns(UserWarning, match=f"does nothing with {name} of check_models; "):
        designer(NOWHERE, tmp_path).check_models(topics(), **{name: 2})


def test_settings_that_are_none_are_refused(tmp_path: Path) -> None:
    """A dict would only be noticed where a setting is read."""
    with pytest.raises(InvalidConfigError, match="a RunConfig is needed, not dict"):
        designer(NOWHERE, tmp_path).set_run_config({"seed": 1})  # type: ignore[arg-type]


def test_receipts_are_read_once_for_each_time_that_metadata_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, after the first batch, and at the end, where files are given one schema too."""
    reads = []
    read = Store.receipts
    monkeypatch.setattr(Store, "receipts", lambda store: reads.append(len(store.batches())) or read(store))
    designer(NOWHERE, tmp_path).create(topics(), num_records=20, dataset_name="d")
    assert (len(reads), reads[0], reads[-1]) == (3, 0, 3)


def test_the_layout_on_disk_and_every_way_to_read_it_agree(simulated: str, tmp_path: Path) -> None:
    """ceil(n / buffer_size) files, metadata, a loadable builder config, and exports that agree."""
    builder = topics().add_column(
        name="t", column_type="llm-text", prompt="{{ topic }}", model_alias="m", with_trace="last_message", drop=True
    )
    builder.add_column(name="upper", column_type="expression", expr="{{ t | upper }}")
    builder.add_processor(
        processor_type="schema_transform", name="chat", template={"q": "{{ topic }}", "n": 1, "a": "{{ t }}"}
    )
    results = designer(simulated, tmp_path, buffer_size=4).create(builder, num_records=10, dataset_name="d")
    folder = results.artifact_storage.base_dataset_path
    assert [p.name for p in sorted((folder / "parquet-files").iterdir())] == [
        "batch_00000.parquet", "batch_00001.parquet", "batch_00002.parquet",
    ]  # fmt: skip
    metadata = results.artifact_storage.read_metadata()
    assert (metadata["actual_num_records"], metadata["total_num_batches"], metadata["seed"]) == (10, 3, 1)
    assert dd.DataDesignerConfigBuilder.from_config(folder / "builder_config.json").build() == builder.build()
    frame = results.load_dataset()
    assert list(frame.columns) == ["topic", "t__trace", "upper"]
    assert frame["t__trace"][0][0]["role"] == "assistant"
    assert results.count_records() == len(frame) == 10
    both = results.artifact_storage.load_dataset_with_dropped_columns()
    assert list(both["upper"]) == [text.upper() for text in both["t"]]
    chat = results.load_processor_dataset("chat")
    assert list(chat["q"]) == list(frame["topic"])
    assert set(chat["n"]) == {1}
    csv = pd.read_csv(results.export(tmp_path / "x.csv"))
    jsonl = pd.read_json(results.export(tmp_path / "x.jsonl"), lines=True)
    parquet = pd.read_parquet(results.export(tmp_path / "x.parquet"))
    assert list(csv["upper"]) == list(jsonl["upper"]) == list(parquet["upper"]) == list(frame["upper"])
    with pytest.raises(InvalidFileFormatError):
        results.export(tmp_path / "x.txt")
    with pytest.raises(ArtifactStorageError):
        results.load_processor_dataset("nothing")


def test_a_second_create_leaves_the_first_dataset_alone(tmp_path: Path) -> None:
    """The same name again: a sibling with a time stamp, the first untouched."""
    maker = designer(NOWHERE, tmp_path)
    first = maker.create(topics(), num_records=3, dataset_name="d")
    second = maker.create(topics(), num_records=4, dataset_name="d")
    assert second.artifact_storage.resolved_dataset_name.startswith("d_")
    assert (first.count_records(), second.count_records()) == (3, 4)


def test_rows_on_which_a_custom_function_raises_are_recorded_and_the_others_kept(tmp_path: Path) -> None:
    """A function that raises on some rows costs those rows, each with its index, column and reason."""

    @dd.custom_column_generator(required_columns=["n"])
    def picky(row: dict[str, Any]) -> dict[str, Any]:
        if row["n"] % 3 == 0:
            raise ValueError(f"cannot do {row['n']}")
        return {**row, "picky": row["n"] * 10}

    builder = dd.DataDesignerConfigBuilder()
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": range(10)})))
    builder.add_column(dd.CustomColumnConfig(name="picky", generator_function=picky))
    results = designer(NOWHERE, tmp_path, buffer_size=4).create(builder, num_records=10)
    assert list(results.load_dataset()["picky"]) == [n * 10 for n in range(10) if n % 3]
    rejected = results.load_rejected()
    assert list(rejected["record_index"]) == [0, 3, 6, 9]
    assert set(rejected["column"]) == {"picky"}
    assert "cannot do 3" in rejected["message"][1]
    outcomes = results.outcomes
    assert outcomes.generated + outcomes.rejected + outcomes.unfinished == outcomes.requested == 10


def test_skipped_cells_cost_nothing_and_propagate(simulated: str, tmp_path: Path) -> None:
    """A skip condition writes its value, asks nothing, and what needs the cell is skipped too."""
    builder = topics()
    builder.add_column(
        name="t", column_type="llm-text", prompt="{{ topic }}", model_alias="m",
        skip=dd.SkipConfig(when="{{ topic == 'tea' }}", value="-"),
    )  # fmt: skip
    builder.add_column(name="u", column_type="llm-text", prompt="More of {{ t }}", model_alias="m")
    results = designer(simulated, tmp_path).create(builder, num_records=40)
    frame = results.load_dataset()
    tea = frame["topic"] == "tea"
    assert set(frame["t"][tea]) == {"-"}
    assert frame["u"][tea].isna().all()
    assert frame["u"][~tea].notna().all()
    assert results.outcomes.usage["m"].requests == 2 * int((~tea).sum())


def test_a_model_without_a_provider_uses_the_first_one_given(simulated: str, tmp_path: Path) -> None:
    """The guide's models name no provider: theirs is the first of the designer's."""
    given = [dd.ModelProvider(name="mine", endpoint=simulated), dd.ModelProvider(name="b", endpoint="http://h")]
    builder = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model="x")])
    builder.add_column(name="t", column_type="llm-text", prompt="Say hello", model_alias="m")
    results = DataDesigner(tmp_path, model_providers=given).preview(builder, num_records=2)
    assert results.dataset is not None
    assert len(results.dataset) == 2


def test_it_works_from_a_running_event_loop(tmp_path: Path) -> None:
    """Notebooks have a loop of their own: preview and acreate work inside it."""

    async def cell() -> int:
        preview = designer(NOWHERE, tmp_path).preview(topics(), num_records=3)
        created = await designer(NOWHERE, tmp_path).acreate(topics(), num_records=4)
        return len(preview.dataset) + created.count_records()

    assert asyncio.run(cell()) == 7


@pytest.mark.usefixtures("processes")
def test_a_preview_starts_no_ray_and_shows_its_records(tmp_path: Path) -> None:
    """Previews run in this process: Ray is not even imported, and nothing is written."""
    code = (
        "import sys, data_designer.config as dd\n"
        "from data_designer.interface import DataDesigner\n"
        "b = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias='m', model='s', provider='simulated')])\n"
        "b.add_column(name='t', column_type='llm-text', prompt='Say hello', model_alias='m')\n"
        "r = DataDesigner().preview(b, num_records=2)\n"
        "r.display_sample_record(save_path='r.html')\n"
        "r.analysis.to_report(save_path='r.svg')\n"
        "assert len(r.dataset) == 2\n"
        "assert 'ray' not in sys.modules\n"
    )
    environment = {**os.environ, "DATA_DESIGNER_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.svg"]


def test_what_is_not_there_cannot_be_resumed(tmp_path: Path) -> None:
    """`resume="always"` without a dataset is a clear error, not a fresh run."""
    with pytest.raises(ArtifactStorageError, match="no dataset at"):
        designer(NOWHERE, tmp_path).create(topics(), resume="always")
