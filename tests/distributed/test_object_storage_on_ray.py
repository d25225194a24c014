"""Datasets in object storage, made on Ray. Run as a program, it is the driver."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.interface.test_resume import ALWAYS, IDEAL, LIMIT, answer, data_files, make, tokens
from tests.object_server import ELSEWHERE, Bucket, FaultyWay

from data_designer.object_storage import ObjectPath

pytestmark = pytest.mark.ray

Endpoint = Callable[..., Any]

DRIVER = "driver"
BESIDE_THE_DATA = ("receipts/", "lock/", "metadata.json", "builder_config.json")
"""What the driver writes itself."""


@pytest.mark.skipif(ELSEWHERE is not None, reason="a storage that knows its users lets no made-up one in")
def test_workers_write_the_dataset_and_the_driver_carries_none_of_it(
    endpoint: Endpoint, tmp_path: Path, bucket: Bucket, way: FaultyWay
) -> None:
    """The bytes of a dataset made in one process on a disk; the driver puts receipts and metadata, and reads no row."""
    with endpoint(answer) as counted:
        inline = make(counted.url, tmp_path)
        counted.prompts.clear()
        command = [
            sys.executable,
            "-m",
            "tests.distributed.test_object_storage_on_ray",
            counted.url,
            f"{bucket.url}/all",
        ]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=3 * LIMIT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        asked = list(way.asked)
        assert len(counted.prompts) == IDEAL
        results = make(counted.url, ObjectPath(f"{bucket.url}/all"), ALWAYS)
    pd.testing.assert_frame_equal(results.load_dataset(), inline.load_dataset())
    assert tokens(results) == tokens(inline)
    names = {key.removeprefix("all/d/") for key in bucket.keys("all/d")}
    assert {name for name in names if name.endswith(".parquet")} == set(data_files(tmp_path / "d"))
    assert not [name for name in names if name.startswith(("journal", "lock")) or name.endswith(".tmp")]
    brought = {
        one.path.partition("/all/d/")[2] for one in asked if one.who == DRIVER and one.method == "PUT" and one.size
    }
    assert brought
    assert all(name.startswith(BESIDE_THE_DATA) for name in brought)
    assert not [one for one in asked if one.who == DRIVER and one.method == "GET" and ".parquet" in one.path]
    assert [one for one in asked if one.who != DRIVER and one.method == "PUT" and ".parquet" in one.path]


def drive(url: str, root: str) -> None:
    """Make the story on a Ray whose processes have another name at the storage than this one."""
    from data_designer.distributed.cluster import connected

    with connected(2):
        os.environ["AWS_ACCESS_KEY_ID"] = DRIVER
        make(url, Path(root), executor="ray", non_inference_max_parallel_workers=2)


if __name__ == "__main__":
    drive(*sys.argv[1:])
