"""The cluster job of the examples, on a head that is there already."""

import re
import subprocess
from pathlib import Path

import pandas as pd
from tests.distributed.head import PATIENCE, Head

SCRIPT = Path(__file__).parents[2] / "examples" / "cluster_job.sh"


def test_the_cluster_job_of_the_examples_runs(head: Head, tmp_path: Path) -> None:
    """A job makes the dataset, which is checked and explained."""
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), head.address, str(tmp_path)],
        env={**head.environment, "RECORDS": "40"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^job raysubmit_\w+$", done.stdout, re.MULTILINE)
    assert "40 of 40 records" in done.stdout
    assert "every file is as it was committed" in done.stdout
    assert "Where the time of the slots went" in done.stdout
    assert len(pd.read_parquet(tmp_path / "reviews" / "parquet-files")) == 40
