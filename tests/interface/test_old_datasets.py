"""Datasets that an earlier commit has made go on as if this one had; `tests/old_datasets.py` made them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.counting import CountingEndpoint, Endpoint
from tests.fakes import designer
from tests.old_datasets import COLUMNS, EXTENDED, RECORDS, REFUSED, answer, asked, declared, make
from typer.testing import CliRunner

from data_designer.cli.main import app
from data_designer.errors import ArtifactStorageError
from data_designer.interface import DatasetCreationResults

pytestmark = pytest.mark.usefixtures("processes")  # A linter looks at the code of a column.

MADE = Path(__file__).with_name("old_datasets")
ANSWERED: dict[str, list[str]] = json.loads((MADE / "answered.json").read_text())
"""Dataset to what was answered, of those that are not whole."""
ROWS = [json.loads(line) for line in (MADE / "rows.jsonl").read_text().splitlines()]
"""What the earlier commit makes of `EXTENDED` records."""

whole = pytest.mark.parametrize("name", ["finished", "extended"])
in_part = pytest.mark.parametrize("name", ["interrupted", "stopped"])


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of copies."""
    return Path(shutil.copytree(MADE, tmp_path / "datasets"))


@pytest.fixture
def model(endpoint: Endpoint) -> Iterator[CountingEndpoint]:
    """The model that was asked, which counts from now on."""
    with endpoint(answer) as counted:
        yield counted


def all_of(records: range) -> list[str]:
    """What has to be asked for some records."""
    return sorted(f"{column} {record}" for column in COLUMNS for record in records)


def rows(results: DatasetCreationResults, path: Path) -> list[dict[str, Any]]:
    """Its rows, as JSON holds them."""
    exported = results.export(path / "rows.jsonl")
    assert isinstance(exported, Path)
    return [json.loads(line) for line in exported.read_text().splitlines()]


def is_sound(dataset: Path) -> bool:
    """Whether a check finds nothing wrong."""
    return CliRunner().invoke(app, ["check", str(dataset)]).exit_code == 0


@pytest.mark.parametrize("name", ["finished", "extended", "interrupted", "stopped", "lacking"])
def test_a_check_finds_nothing_wrong(there: Path, name: str) -> None:
    """Every file is as it was committed, and nothing lies about."""
    assert is_sound(there / name)


@whole
def test_a_dataset_that_is_whole_is_given_back(there: Path, model: CountingEndpoint, name: str) -> None:
    """Nothing is asked, and the rows are those of before."""
    records = EXTENDED if name == "extended" else RECORDS
    settings = {"buffer_size": 2} if name == "extended" else {}
    results = make(model.url, there, name, records, resume="always", run=settings)
    assert (rows(results, there), model.prompts) == (ROWS[:records], [])
    assert is_sound(there / name)


@in_part
def test_what_was_paid_for_is_not_asked_again(there: Path, model: CountingEndpoint, name: str) -> None:
    """A run that was killed, and one that a budget stopped, are ended with the rest of the requests."""
    results = make(model.url, there, name, resume="always")
    assert sorted([*ANSWERED[name], *asked(model.prompts)]) == all_of(range(RECORDS))
    assert rows(results, there) == ROWS[:RECORDS]
    assert is_sound(there / name)


@pytest.mark.parametrize("name", ["finished", "interrupted"])
def test_records_are_added(there: Path, model: CountingEndpoint, name: str) -> None:
    """Further records are asked for, and come out as the earlier commit makes them."""
    results = make(model.url, there, name, EXTENDED, resume="always")
    assert sorted([*ANSWERED.get(name, all_of(range(RECORDS))), *asked(model.prompts)]) == all_of(range(EXTENDED))
    assert rows(results, there) == ROWS
    assert is_sound(there / name)


def test_nothing_is_tried_again_where_a_file_is_gone(there: Path, model: CountingEndpoint) -> None:
    """Its batch would be made again as a whole, and its rejected records forgotten."""
    for path in (there / "lacking" / "parquet-files").glob("*.parquet"):
        path.unlink()
    before = {path: path.read_bytes() for path in there.rglob("*") if path.is_file()}
    with pytest.raises(ArtifactStorageError, match="gone|missing"):
        designer(model.url, there).retry_failed(declared(), dataset_name="lacking")
    assert not model.prompts
    assert {path: path.read_bytes() for path in there.rglob("*") if path.is_file()} == before


def test_what_was_rejected_is_made_again(there: Path, model: CountingEndpoint) -> None:
    """The record that was refused is asked for, and takes its place."""
    retried = designer(model.url, there).retry_failed(declared(), dataset_name="lacking")
    assert asked(model.prompts) == all_of(range(REFUSED, REFUSED + 1))
    assert (rows(retried, there), len(retried.load_rejected())) == (ROWS[:RECORDS], 0)
    assert is_sound(there / "lacking")


def test_columns_are_taken_from_it(there: Path, model: CountingEndpoint) -> None:
    """Another dataset of the same declaration takes its columns, and asks for none."""
    results = make(model.url, there, "other", reuse=there / "finished")
    assert (rows(results, there), model.prompts) == (ROWS[:RECORDS], [])


def test_metadata_say_what_they_said(tmp_path: Path, model: CountingEndpoint) -> None:
    """Every key is written with the value that it had, but for what was renamed since.

    The declaration is in order now, seed columns are counted, and the rate of errors is as it was given.
    """
    make(model.url, tmp_path, "finished")
    before, now = (json.loads((folder / "finished/metadata.json").read_text()) for folder in (MADE, tmp_path))
    before["file_paths"]["processor-files"] = before["file_paths"].pop("processors-files")
    assert before["run_config"].pop("shutdown_error_rate") == 1.0
    elsewhere = {key: now[key] for key in ("checksum", "directory", "builder_config_sha256", "column_statistics")}
    assert now["column_statistics"][: len(before["column_statistics"])] == before["column_statistics"]
    assert {one["column_type"] for one in now["column_statistics"][len(before["column_statistics"]) :]} == {
        "seed-dataset"
    }
    assert now == {**now, **before, **elsewhere}
    first, second = ((folder / "finished/builder_config.json").read_text() for folder in (MADE, tmp_path))
    assert json.loads(first) == json.loads(second)
