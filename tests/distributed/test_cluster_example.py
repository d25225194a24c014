"""The cluster job of the examples, on a head that is there already."""

import subprocess
from pathlib import Path

import pandas as pd
from tests.distributed.head import PATIENCE, Head

SCRIPT = Path(__file__).parents[2] / "examples" / "cluster_job.sh"


def test_the_cluster_job_of_the_examples_runs_and_goes_on(head: Head, tmp_path: Path) -> None:
    """A job makes the dataset, which is checked and explained; typed again, it has nothing left to do."""
    said = [
        subprocess.run(
            ["/bin/sh", str(SCRIPT), head.address, str(tmp_path)],
            env={**head.environment, "RECORDS": "40"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        for _ in range(2)
    ]
    for done in said:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "40 of 40 records" in done.stdout
        assert "every file is as it was committed" in done.stdout
        assert "Where the time of the slots went" in done.stdout
    assert "Ray has joined" in said[0].stdout
    assert len(pd.read_parquet(tmp_path / "reviews" / "parquet-files")) == 40
