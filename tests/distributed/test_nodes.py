"""The same dataset on three nodes as in one process, also when one of them is lost."""

import json
import os
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
