"""The same dataset on three nodes as in one process, also when one of them is lost."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.distributed import nodes_drive

from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A simulated model."""
    with SimulatedServerProcess(SimulatedModel()) as address:
        yield address


@pytest.fixture(scope="module")
def undisturbed(url: str, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The dataset, made in this process."""
    path = tmp_path_factory.mktemp("inline")
    nodes_drive.make(url, path, executor="inline")
    return rows(path)


def rows(path: Path) -> pd.DataFrame:
    """The rows of the dataset, in order."""
    files = sorted((path / "d" / "parquet-files").glob("*.parquet"))
    return pd.concat([pd.read_parquet(one) for one in files], ignore_index=True)


def made(url: str, path: Path, what: str) -> dict[str, Any]:
    """What the driver says that made the dataset on three nodes."""
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


def test_three_nodes_make_what_one_process_makes(url: str, undisturbed: pd.DataFrame, tmp_path: Path) -> None:
    """With the same seed, row by row; the replicas are on more than one of them."""
    assert made(url, tmp_path, "keeps")["homes"] > 1
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)


def test_a_node_that_is_lost_costs_no_row(url: str, undisturbed: pd.DataFrame, tmp_path: Path) -> None:
    """Killed with all its processes in the middle, and replaced by another."""
    made(url, tmp_path, "loses")
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)


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
