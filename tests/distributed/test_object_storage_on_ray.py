"""Datasets in object storage, made on Ray."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ray
from tests.distributed.head import Head
from tests.interface.test_resume import ALWAYS, IDEAL, answer, data_files, make, tokens
from tests.object_server import ELSEWHERE, Bucket, FaultyWay, environment

from data_designer.object_storage import ObjectPath

Endpoint = Callable[..., Any]

DRIVER = "driver"
BESIDE_THE_DATA = ("receipts/", "lock/", "metadata.json", "builder_config.json")
"""What the driver writes itself."""


@pytest.mark.skipif(ELSEWHERE is not None, reason="a storage that knows its users lets no made-up one in")
def test_workers_write_the_dataset_and_the_driver_carries_none_of_it(
    head: Head, endpoint: Endpoint, tmp_path: Path, bucket: Bucket, way: FaultyWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of a dataset made in one process on a disk; the driver puts receipts and metadata, and reads no row."""
    there = ObjectPath(f"{bucket.url}/all")
    with endpoint(answer) as counted:
        inline = make(counted.url, tmp_path)
        counted.prompts.clear()
        workers = {"env_vars": {name: os.environ[name] for name in environment(way.url)}}
        ray.init(address=head.ray, runtime_env=workers, log_to_driver=False, logging_level="ERROR")
        try:
            with monkeypatch.context() as patch:
                # The processes of the cluster have another name at the storage than this one.
                patch.setenv("AWS_ACCESS_KEY_ID", DRIVER)
                make(counted.url, there, executor="ray", non_inference_max_parallel_workers=2)
        finally:
            ray.shutdown()
        asked = list(way.asked)
        assert len(counted.prompts) == IDEAL
        results = make(counted.url, there, ALWAYS)
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
