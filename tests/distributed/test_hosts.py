"""Several hosts for real: network namespaces with addresses of their own, one of which is cut off and comes back."""

import json
import os
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tests.distributed import hosts_drive
from tests.distributed.chain import SLOTS
from tests.distributed.driving import batches
from tests.distributed.head import PATIENCE, until
from tests.distributed.hosts import hosts, why_not

pytestmark = [
    pytest.mark.usefixtures("clusters", "soak"),
    pytest.mark.skipif(why_not() is not None, reason=f"no hosts can be made here: {why_not()}"),
]

RECORDS, LONGER_THAN_A_LEASE = 1200, 15.0


def rows(path: Path) -> pd.DataFrame:
    """The rows of the dataset, in order."""
    files = sorted((path / "d" / "parquet-files").glob("*.parquet"))
    return pd.concat([pd.read_parquet(one) for one in files], ignore_index=True)


def peaks(logs: Path) -> list[int]:
    """The most requests of each model that its server had in flight at once, as the driver tells."""
    lines = [line for log in logs.glob("host0-*.log") for line in log.read_text().splitlines()]
    found: dict[str, int] = next(json.loads(line) for line in lines if line.startswith("{"))
    return list(found.values())


def test_a_host_that_is_cut_off_and_comes_back_costs_no_row(tmp_path: Path) -> None:
    """The dataset is the one that a single process makes, row by row; at no time are there more requests than slots."""
    hosts_drive.make(tmp_path / "inline", RECORDS, executor="inline")
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    environment = {**os.environ, **quiet, "PYTHONPATH": str(Path(__file__).parents[2])}
    with hosts(3, environment, tmp_path) as network:
        command = [sys.executable, hosts_drive.__file__, str(tmp_path / "ray"), str(RECORDS)]
        driver = network.spawn(0, command, RAY_ADDRESS=network.ray_address)
        until(lambda: driver.poll() is not None or batches(tmp_path / "ray" / "d") > 0, "a batch")
        assert driver.poll() is None, network.words()
        network.cut_off(1)
        time.sleep(LONGER_THAN_A_LEASE)
        network.bring_back(1)
        assert driver.wait(PATIENCE) == 0, network.words()
    pd.testing.assert_frame_equal(rows(tmp_path / "ray"), rows(tmp_path / "inline"))
    assert [peak <= SLOTS for peak in peaks(tmp_path)] == [True, True]
