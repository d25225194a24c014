"""Datasets in object storage, made on Ray."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ray
from tests.distributed.driving import joined
from tests.distributed.head import Head
from tests.interface.test_resume import ALWAYS, answer, data_files, make, tokens
from tests.object_server import ELSEWHERE, Bucket, FaultyWay, environment

from data_designer.object_storage import ObjectPath

Endpoint = Callable[..., Any]

DRIVER = "driver"
RECORDS, BATCH, SECONDS = 240, 8, 0.15
BESIDE_THE_DATA = ("receipts/", "accounts/", "lock/", "metadata.json", "builder_config.json", "journal/")
"""What the driver writes itself: how the run goes, too, and the journal of what is asked from its process."""


@pytest.mark.skipif(ELSEWHERE is not None, reason="a storage that knows its users lets no made-up one in")
def test_workers_write_the_dataset_and_the_driver_carries_none_of_it(
    head: Head, endpoint: Endpoint, tmp_path: Path, bucket: Bucket, way: FaultyWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of a dataset made in one process on a disk; once Ray has joined the driver carries no row of it."""
    there = ObjectPath(f"{bucket.url}/all")

    def once_ray_works(prompt: str) -> str:
        if len(counted.prompts) > RECORDS // 4:
            ray_works.wait(60)
            time.sleep(SECONDS)  # In the meantime its replicas come up.
        return answer(prompt)

    with joined(words="Ray does CPU work") as ray_works, endpoint(once_ray_works) as counted:
        ray_works.set()
        inline = make(counted.url, tmp_path, records=RECORDS)
        counted.prompts.clear()
        ray_works.clear()
        workers = {"env_vars": {name: os.environ[name] for name in environment(way.url)}}
        ray.init(address=head.ray, runtime_env=workers, log_to_driver=False, logging_level="ERROR")
        try:
            with monkeypatch.context() as patch:
                # The processes of the cluster have another name at the storage than this one.
                patch.setenv("AWS_ACCESS_KEY_ID", DRIVER)
                make(counted.url, there, records=RECORDS, executor="ray", non_inference_max_parallel_workers=2)
        finally:
            ray.shutdown()
        asked = list(way.asked)
        assert len(counted.prompts) == 2 * RECORDS
        results = make(counted.url, there, ALWAYS, RECORDS)
    pd.testing.assert_frame_equal(results.load_dataset(), inline.load_dataset())
    assert tokens(results) == tokens(inline)
    names = {key.removeprefix("all/d/") for key in bucket.keys("all/d")}
    assert {name for name in names if name.endswith(".parquet")} == set(data_files(tmp_path / "d"))
    assert not [name for name in names if name.startswith(("journal", "lock")) or name.endswith(".tmp")]
    brought = {
        one.path.partition("/all/d/")[2] for one in asked if one.who == DRIVER and one.method == "PUT" and one.size
    }
    assert brought
    data = {name for name in brought if not name.startswith(BESIDE_THE_DATA)}
    early = tuple(f"batch_{batch:05d}" for batch in range(RECORDS // BATCH - 5))
    assert not [name for name in data if not any(batch in name for batch in early)]
    assert not [one for one in asked if one.who == DRIVER and one.method == "GET" and ".parquet" in one.path]
    assert [one for one in asked if one.who != DRIVER and one.method == "PUT" and ".parquet" in one.path]
