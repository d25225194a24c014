"""The short form of `chaos.py`."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray


@pytest.mark.skipif(sys.platform != "linux", reason="a network and a disk of its own are made the Linux way")
def test_a_dataset_is_right_whatever_is_killed_while_it_is_made(tmp_path: Path) -> None:
    """Three nodes; the disk full, then a replica, a worker, a node and the driver killed, twice each: all holds."""
    script = Path(__file__).with_name("chaos.py")
    told = ["--records=4000", "--buffer-size=200", "--every=3", "--kills=9", "--limit=600"]
    told.append(f"--log={tmp_path / 'drivers.log'}")
    done = subprocess.run([sys.executable, str(script), *told], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "everything holds" in done.stdout
