"""The benchmarks' own machinery."""

import argparse
import sys
from pathlib import Path

import drive
import pytest
from accounting import CommandFailedError, run

from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

pytestmark = pytest.mark.usefixtures("processes")


@pytest.mark.parametrize("kind", [*drive.KINDS, "first"])
def test_every_workload_makes_its_records(kind: str, tmp_path: Path) -> None:
    """Each kind of workload runs and says how many rows it made."""
    with SimulatedServerProcess(SimulatedModel()) as url:
        command = [sys.executable, drive.__file__, kind, "5", "--url", url, "--model", "m", "--model2", "n"]
        cost = run([*command, "--executor", "inline"], tmp_path / "log", {})
    assert cost.result["rows"] == 5
    assert cost.cpu_seconds > 0
    assert cost.peak_bytes > 10_000_000


def test_the_bare_loop_asks_for_every_cell() -> None:
    """The ceiling that others are compared with does all the work they do."""
    with SimulatedServerProcess(SimulatedModel()) as url:
        options = argparse.Namespace(url=url, model="m", records=20, slots=4)
        assert drive.bare(options)["rows"] == 20


def test_processes_that_have_ended_are_counted(tmp_path: Path) -> None:
    """CPU time of a child that is gone before its parent ends is in the account."""
    burn = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    cost = run([sys.executable, "-c", parent], tmp_path / "log", {})
    # Where no cgroup can be made the account is a little too low.
    assert cost.cpu_seconds >= 0.3


def test_a_command_that_fails_says_its_last_words(tmp_path: Path) -> None:
    """A benchmark never takes a failure for a figure."""
    with pytest.raises(CommandFailedError, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log", {})
