"""Drivers on a Ray of their own that are stopped by signals: the exit code, what is said, and what is left behind."""

import signal
from pathlib import Path

import pytest
from tests.chaos.exit_codes import driver, stopped

from data_designer.interface.stored import StoredDataset

pytestmark = pytest.mark.usefixtures("clusters")

RECORDS = 600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_commits_and_ends_with_one(simulated: str, tmp_path: Path, number: int) -> None:
    """Once it has committed something: it says how to go on and Ray says nothing, and none of its processes is left."""
    _serve_by(simulated, tmp_path)
    with driver(tmp_path, "command", RECORDS, {}) as started:
        end = stopped(started, number, "runs")
    dataset = tmp_path / "artifacts" / "d"
    assert end.code == 1, end.said
    assert not end.complaint, end.said
    assert "] stopping: " in end.said
    assert "data-designer resume artifacts/d" in end.said
    assert not (dataset / "lock").exists()
    verdict = StoredDataset.at(dataset).verify()
    assert not verdict.problems
    assert verdict.generated > 0


def test_a_run_that_is_stopped_while_ray_starts_ends_with_one(simulated: str, tmp_path: Path) -> None:
    """What was made meanwhile is committed, Ray is not waited for and goes with the driver, the dataset is free."""
    _serve_by(simulated, tmp_path)
    with driver(tmp_path, "command", RECORDS, {}) as started:
        end = stopped(started, signal.SIGTERM, "starts")
    dataset = tmp_path / "artifacts" / "d"
    assert end.code == 1, end.said
    assert not end.complaint, end.said
    assert "] stopping: " in end.said
    assert "Ray has joined" not in end.said
    assert "data-designer resume artifacts/d" in end.said
    assert not (dataset / "lock").exists()


@pytest.mark.parametrize("part", ["raylet", "gcs_server"])
def test_a_run_whose_ray_dies_says_what_has_died_and_how_to_go_on(simulated: str, tmp_path: Path, part: str) -> None:
    """At once: Ray itself would end the driver after a while, without a word. Nothing is left behind."""
    _serve_by(simulated, tmp_path)
    with driver(tmp_path, "command", 50 * RECORDS, {}) as started:
        started.until(lambda: any(one.startswith("ray::") for one in started.processes()))
        started.kill_part(part)
        end = started.ended()
    dataset = tmp_path / "artifacts" / "d"
    assert end.code == 1, end.said
    assert not end.left
    assert f"❌ Ray is gone: its {part} (process " in end.said
    assert "was killed by signal 9" in end.said
    assert f"data-designer resume {dataset}" in end.said
    assert "Traceback" not in end.said
    assert not (dataset / "lock").exists()


def _serve_by(url: str, home: Path) -> None:
    """Have a driver's simulated models asked at an address, so that no signal to its group reaches who serves them."""
    provider = f"{{name: simulated, provider_type: simulated, endpoint: '{url}'}}"
    (home / "model_providers.yaml").write_text(f"providers: [{provider}]", encoding="utf-8")
