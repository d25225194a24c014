"""The benchmarks' own machinery."""

import sys
import time
from pathlib import Path

import drive
import pytest
from accounting import CommandFailedError, run

pytestmark = pytest.mark.usefixtures("processes")


def workload(kind: str, url: str) -> list[str]:
    """The arguments of a small one."""
    return [kind, "5", "--url", url, "--model", "m", "--model2", "n", "--executor", "inline"]


@pytest.mark.parametrize("kind", [*drive.KINDS, "plain", "bare", "first", "begin"])
def test_every_workload_makes_its_records(kind: str, simulated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of workload runs and says how many rows it made; so do those that it is compared with."""
    monkeypatch.setenv("BENCHMARK_BEGAN", str(time.time()))
    assert drive.run(drive.told(workload(kind, simulated)))["rows"] == 5


def test_a_workload_in_a_process_of_its_own_is_accounted_for(simulated: str, tmp_path: Path) -> None:
    """What it says of itself, and what it used."""
    cost = run([sys.executable, drive.__file__, *workload("text", simulated)], tmp_path / "log", {})
    assert cost.result["rows"] == 5
    assert cost.cpu_seconds > 0
    assert cost.peak_bytes > 10_000_000
    assert cost.peak_shared_bytes == 0 or 1_000_000 < cost.peak_shared_bytes < 2 * cost.peak_bytes


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
