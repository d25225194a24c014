"""Where the progress of a run is shown, and what is left of it beside the dataset."""

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.engine.observe.test_views import PLAIN
from tests.fakes import designer, model, story
from tests.object_server import Bucket

import data_designer.config as dd
from data_designer.engine.dataset.files import files_at
from data_designer.engine.dataset.run_snapshot import NOW, read_snapshot
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.errors import DataDesignerGenerationError
from data_designer.interface import progress_views
from data_designer.interface.progress_views import form_of
from data_designer.object_storage import location


@pytest.mark.parametrize(
    ("settings", "terminal", "notebook", "form"),
    [
        ({}, 80, False, "panel"),
        ({}, 59, False, "lines"),
        ({}, None, False, "lines"),
        ({}, None, True, "notebook"),
        ({"display_tui": True}, 60, False, "panel"),
        ({"display_tui": True}, None, False, "lines"),
        ({"display_tui": False}, 80, False, "lines"),
        ({"display_tui": False}, None, True, "lines"),
        ({"display_tui": False, "progress": "panel"}, 80, False, "panel"),
        ({"progress": "panel"}, None, False, "lines"),
        ({"progress": "lines"}, 80, True, "lines"),
        ({"progress": "json"}, 80, True, "json"),
        ({"progress": "none"}, 80, True, "none"),
    ],
)
def test_settings_and_the_place_choose_the_form(
    settings: dict[str, Any], terminal: int | None, notebook: bool, form: str
) -> None:
    """A panel where there is room for one, unless lines are wanted."""
    assert form_of(dd.RunConfig(**settings), terminal=terminal, notebook=notebook) == form


def made(url: str, path: Path, **settings: Any) -> Path:
    """A dataset of twelve records, in batches of four."""
    results = designer(url, path, buffer_size=4, **settings).create(story(model("a"), model("b")), num_records=12)
    return Path(str(results.artifact_storage.base_dataset_path))


def test_json_goes_to_standard_output_and_nothing_else_does(
    simulated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line is a snapshot; the last says that it is over."""
    made(simulated, tmp_path, progress="json", progress_interval=0.001)
    found = [Snapshot.from_dict(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert [one.state for one in found][-1] == "ended"
    assert (found[-1].generated, found[-1].done) == (12, 1.0)
    assert {name: column.done for name, column in found[-1].columns.items()} == {"n": 12, "id": 12, "a": 12, "b": 12}
    assert found[-1].input_tokens > 0


def test_lines_go_to_the_log(simulated: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The last says what there is."""
    with caplog.at_level(logging.INFO, "data_designer"):
        made(simulated, tmp_path)
    said = [one.getMessage() for one in caplog.records if one.name.endswith(".lines")]
    assert said[-1].startswith("100 %, 12/12 records, ")


def test_none_says_nothing(
    simulated: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anywhere."""
    with caplog.at_level(logging.INFO, "data_designer"):
        made(simulated, tmp_path, progress="none", progress_interval=0.001)
    assert [one for one in caplog.records if "observe" in one.name] == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_json_needs_a_standard_output(
    simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    """A service may have none, or a closed one."""
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    assert made(simulated, tmp_path, progress="json").is_dir()


def test_how_it_ended_stays_beside_the_dataset(simulated: str, tmp_path: Path) -> None:
    """For whoever looks later."""
    left = read_snapshot(files_at(made(simulated, tmp_path, progress="none")))
    assert left is not None
    assert (left.state, left.generated, left.done, left.reasons) == ("ended", 12, 1.0, ())
    assert left.dataset == str(tmp_path / "dataset")


def test_a_run_that_stopped_says_so_beside_the_dataset(simulated: str, tmp_path: Path) -> None:
    """Also where no record came of it."""
    made = designer(simulated, tmp_path)
    with pytest.raises(DataDesignerGenerationError):
        made.create(story(model("a", "a?latency=long")), num_records=12)
    left = read_snapshot(files_at(tmp_path / "dataset"))
    assert left is not None
    assert left.state == "stopped"


def test_how_it_was_shown_is_no_part_of_the_dataset(simulated: str, tmp_path: Path) -> None:
    """Whoever resumes it sits elsewhere."""
    path = made(simulated, tmp_path, progress="none", display_tui=True)
    kept = json.loads((path / "metadata.json").read_text())
    assert "display_tui" not in json.dumps(kept)
    assert '"progress"' not in json.dumps(kept)


def test_it_is_written_into_object_storage(simulated: str, bucket: Bucket) -> None:
    """Under the same name."""
    place = location(f"{bucket.url}/all")
    designer(simulated, place).create(story(model("a")), num_records=4)
    assert f"all/dataset/{NOW}" in bucket.keys("all")
    left = read_snapshot(files_at(place / "dataset"))
    assert left is not None
    assert left.state == "ended"


def test_a_terminal_has_room_for_one_panel(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further runs of this process log lines meanwhile."""
    monkeypatch.setenv("TERM", "xterm")
    first, second = (progress_views._Panel(io.StringIO(), 5.0) for _ in range(2))
    with caplog.at_level(logging.INFO, "data_designer"):
        first.show(PLAIN)
        second.show(PLAIN)
        second.close(PLAIN)
        assert caplog.records[0].getMessage().startswith("48 %, 57/120 records")
        said = len(caplog.records)
        third = progress_views._Panel(io.StringIO(), 5.0)
        third.show(PLAIN)
        assert len(caplog.records) > said
    first.close(PLAIN)
    third.close(PLAIN)
    assert not progress_views._terminal.locked()
