"""The same dataset on several nodes as in one process, also when nodes are lost, are drained and join."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.distributed import nodes_drive

from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A simulated model."""
    with SimulatedServerProcess(SimulatedModel()) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    """The simulated model, which has been asked for nothing yet."""
    with urllib.request.urlopen(server.replace("/v1", "/reset"), data=b"") as reply:  # noqa: S310 - a loopback address
        reply.read()
    return server


def counted(url: str) -> dict[str, dict[str, int]]:
    """What the server counted, for each model."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        found: dict[str, dict[str, int]] = json.loads(reply.read())["models"]
    return found


@dataclass(frozen=True)
class Undisturbed:
    """The dataset, made in one process, and what that asked."""

    rows: pd.DataFrame
    requests: dict[str, int]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What is to be made, by a model of its own, which answers the same."""
    path = tmp_path_factory.mktemp("inline")
    with SimulatedServerProcess(SimulatedModel()) as url:
        nodes_drive.make(url, path, executor="inline")
        return Undisturbed(rows(path), {name: one["requests"] for name, one in counted(url).items()})


def rows(path: Path) -> pd.DataFrame:
    """The rows of the dataset, in order."""
    files = sorted((path / "d" / "parquet-files").glob("*.parquet"))
    return pd.concat([pd.read_parquet(one) for one in files], ignore_index=True)


def made(url: str, path: Path, what: str) -> dict[str, Any]:
    """What the driver says that made the dataset."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, nodes_drive.__file__, url, str(path), what],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return said


def test_a_node_that_is_lost_costs_no_row(url: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Replicas are on all three; one is killed with all its processes in the middle, and replaced by another."""
    assert made(url, tmp_path, "loses")["homes"] == 3
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed.rows)


def test_a_node_that_is_drained_costs_no_row_and_no_request(undisturbed: Undisturbed, url: str, tmp_path: Path) -> None:
    """Its replicas leave before it is taken away; nothing is asked twice, and slots stay a cap for all nodes."""
    said = made(url, tmp_path, "drains")
    assert said["had"] > 0
    assert said["left"]
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed.rows)
    asked = counted(url)
    assert {name: one["requests"] for name, one in asked.items()} == undisturbed.requests
    assert all(one["peak_in_flight"] <= nodes_drive.SLOTS for one in asked.values())


def test_a_node_that_joins_gets_what_the_others_are_too_slow_for(url: str, tmp_path: Path) -> None:
    """CPU tasks, and a replica where the one there is needs all of its CPU; never more requests than slots."""
    said = made(url, tmp_path, "joins")
    assert (said["tasks there"], said["replica there"]) == (True, True)
    made_rows = rows(tmp_path)
    assert made_rows["id"].is_unique
    assert [one["peak_in_flight"] <= nodes_drive.WIDE for one in counted(url).values()] == [True]


def why_no_mounts() -> str | None:
    """Why this machine gives no process a file system of its own; None where it does."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "this needs root and the program `unshare`"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip() or None


@pytest.mark.skipif(why_no_mounts() is not None, reason=f"no node can have files of its own: {why_no_mounts()}")
def test_a_node_that_does_not_share_the_folder_is_named_before_anything_is_made(url: str, tmp_path: Path) -> None:
    """Its batches would be missing, and nobody would know where they are."""
    said = made(url, tmp_path / "apart", "hides")["said"]
    assert f"does not reach the dataset {tmp_path / 'apart' / 'd'}" in said
    assert "what the driver has written is not there" in said
