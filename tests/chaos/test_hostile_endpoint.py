"""A dataset at an endpoint that answers with whatever comes to its mind: the short form of `hostile_endpoint.py`."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.usefixtures("processes")
def test_a_hostile_endpoint_costs_some_records_and_nothing_else() -> None:
    """A few hundred cells; `make soak` makes twenty thousand."""
    command = [sys.executable, str(Path(__file__).with_name("hostile_endpoint.py")), "--cells=300"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "everything holds" in done.stdout
