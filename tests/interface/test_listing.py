"""A folder's datasets are listed with how far they are, by what is written beside their data."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes import designer, model, story
from tests.object_server import Bucket

import data_designer.config as dd
from data_designer.engine.dataset.layout import METADATA, PARQUET
from data_designer.engine.dataset.lock import Process
from data_designer.engine.dataset.run_snapshot import NOW
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.errors import DataDesignerError
from data_designer.interface.listing import Listed, State, datasets_in, names_in
from data_designer.object_storage import ObjectPath

OLD = Path(__file__).with_name("old_datasets")
PRICE = dd.Price(input=1.0, output=2.0)
HERE = Process.this()
ELSEWHERE = replace(HERE, machine="another")


def by_name(folder: Path | ObjectPath) -> dict[str, Listed]:
    """Name to dataset."""
    return {one.name: one for one in datasets_in(folder)}


def test_datasets_of_an_earlier_version_are_listed() -> None:
    """Their receipts say how far they are."""
    found = {name: (one.state, one.made, one.requested, one.rejected) for name, one in by_name(OLD).items()}
    assert found == {
        "finished": (State.COMPLETE, 6, 6, 0),
        "extended": (State.COMPLETE, 8, 8, 0),
        "interrupted": (State.STOPPED, 3, 6, 0),
        "lacking": (State.COMPLETE, 5, 6, 1),
        "stopped": (State.STOPPED, 4, 6, 0),
    }


def test_a_dataset_is_listed_as_its_run_has_ended(simulated: str, tmp_path: Path) -> None:
    """Complete, stopped, or without any record; newest first, with what it cost."""
    first = designer(simulated, tmp_path).create(story(model("a", price=PRICE)), num_records=5, dataset_name="whole")
    designer(simulated, tmp_path, budget=dd.Budget(requests=3), buffer_size=1).create(
        story(model("a")), num_records=5, dataset_name="part"
    )
    with pytest.raises(DataDesignerError):
        designer(simulated, tmp_path, max_conversation_restarts=0, disable_early_shutdown=True).create(
            story(model("a", "x?refusal_rate=1")), num_records=3, dataset_name="none"
        )
    assert [(one.name, one.state, one.made) for one in datasets_in(tmp_path)] == [
        ("none", State.FAILED, 0),
        ("part", State.STOPPED, 3),
        ("whole", State.COMPLETE, 5),
    ]
    found = by_name(tmp_path)
    assert found["whole"].usd == pytest.approx(first.outcomes.usd)
    assert found["part"].usd is None
    assert found["none"].rejected == 3
    assert all(abs(time.time() - (one.written_at or 0)) < 600 for one in found.values())
    assert [one.name for one in datasets_in(tmp_path / "whole")] == ["whole"]


def test_the_data_is_not_read(simulated: str, tmp_path: Path) -> None:
    """Of a run that has ended, nothing but its metadata is."""
    designer(simulated, tmp_path).create(story(model("a")), num_records=5, dataset_name="d")
    shutil.rmtree(tmp_path / "d" / PARQUET)
    shutil.rmtree(tmp_path / "d/receipts")
    assert by_name(tmp_path)["d"].made == 5


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A dataset of three records of six, which somebody may write."""
    shutil.copytree(OLD / "interrupted", tmp_path / "d")
    return Store.at(tmp_path / "d")


def snapshot(at: float) -> bytes:
    """What a run says of itself."""
    said = Snapshot("d", "running", at, elapsed=9.0, target=6, generated=4, rejected=1, done=0.8, usd=0.25)
    return json.dumps(said.to_dict()).encode()


def test_a_dataset_that_is_written_now_runs(store: Store, tmp_path: Path) -> None:
    """As far as its run says, else as far as its receipts do; when the run is over it is as it was."""
    with store.take(owner=HERE):
        before = by_name(tmp_path)["d"]
        assert (before.state, before.made, before.rejected) == (State.RUNNING, 3, 0)
        store.files.write(NOW, snapshot(time.time()))
        now = by_name(tmp_path)["d"]
        assert (now.state, now.made, now.rejected, now.usd) == (State.RUNNING, 4, 1, 0.25)
    assert by_name(tmp_path)["d"].state == State.STOPPED


@pytest.mark.parametrize(("age", "state"), [(5.0, State.RUNNING), (3600.0, State.STOPPED)])
def test_a_run_of_another_machine_runs_as_long_as_it_says_something(
    store: Store, tmp_path: Path, age: float, state: State
) -> None:
    """Whether its process lives cannot be seen from here."""
    with store.take(owner=ELSEWHERE):
        assert by_name(tmp_path)["d"].state == State.RUNNING
        store.files.write(NOW, snapshot(time.time() - age))
        assert by_name(tmp_path)["d"].state == state


def test_a_dataset_that_is_damaged_is_listed_with_what_is_wrong(store: Store, tmp_path: Path) -> None:
    """The others are listed all the same."""
    shutil.copytree(OLD / "finished", tmp_path / "fine")
    (tmp_path / "d" / METADATA).write_text("{}")
    found = by_name(tmp_path)
    assert (found["d"].state, found["fine"].state) == (State.DAMAGED, State.COMPLETE)
    assert "is damaged or was edited" in found["d"].problem


def test_what_is_no_dataset_is_not_listed(tmp_path: Path) -> None:
    """Files, and folders of others."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    assert datasets_in(tmp_path) == []
    assert names_in(tmp_path) == []


def test_datasets_in_object_storage_are_listed(bucket: Bucket) -> None:
    """As on a disk."""
    for name in ("finished", "lacking"):
        for path in sorted((OLD / name).rglob("*")):
            if path.is_file():
                bucket.put(f"all/{path.relative_to(OLD)}", path.read_bytes())
    found = by_name(ObjectPath(f"{bucket.url}/all"))
    assert {name: (one.state, one.made) for name, one in found.items()} == {
        "finished": (State.COMPLETE, 6),
        "lacking": (State.COMPLETE, 5),
    }
    assert names_in(ObjectPath(f"{bucket.url}/all")) == ["finished", "lacking"]
