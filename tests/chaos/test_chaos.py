"""The short form of `chaos.py`."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("clusters")


@pytest.mark.skipif(sys.platform != "linux", reason="a network and a disk of its own are made the Linux way")
def test_a_dataset_is_right_whatever_is_killed_while_it_is_made(tmp_path: Path) -> None:
    """Three nodes; the disk full, then a replica, a worker, a node and the driver killed: all holds."""
    script = Path(__file__).with_name("chaos.py")
    told = ["--records=2000", "--buffer-size=100", "--every=1", "--kills=5", "--disk-seconds=1", "--limit=1200"]
    told.append(f"--log={tmp_path / 'drivers.log'}")
    done = subprocess.run([sys.executable, str(script), *told], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "everything holds" in done.stdout
