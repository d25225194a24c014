"""Faults on real clusters: the short form of `chaos.py`, and the scripts as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.usefixtures("clusters"),
    pytest.mark.skipif(sys.platform != "linux", reason="a network and a disk of its own are made the Linux way"),
]


def said(script: str, *told: str) -> str:
    """What a script says that finds everything in order."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "everything holds" in done.stdout
    return done.stdout


def test_a_dataset_is_right_whatever_is_killed_while_it_is_made(tmp_path: Path) -> None:
    """Three nodes; the disk full, then a replica, a worker, a node and the driver killed: all holds."""
    size = ["--records=1000", "--buffer-size=50", "--slots=32", "--replicas=2", "--latency=0.4"]
    told = ["--kills=5", "--every=0.5", "--disk-seconds=0", "--limit=1200", f"--log={tmp_path / 'drivers.log'}"]
    outcome = said("chaos.py", *size, *told)
    disk = [] if "no disk is filled" in outcome else ["disk"]
    for kind in (*disk, "replica", "worker", "node", "driver"):
        assert f"killed {kind}: " in outcome


@pytest.mark.usefixtures("soak")
def test_a_job_whose_driver_is_killed_asks_again_for_no_more_than_its_slots_had_in_flight() -> None:
    """Twenty times."""
    assert said("killed_jobs.py", "--kills=20").count("again=") == 20
