"""Files on a disk and in object storage."""

from pathlib import Path

import pytest
from tests.object_server import Bucket

from data_designer.engine.dataset.files import Files, LocalFiles, files_at
from data_designer.object_storage import ObjectPath


@pytest.fixture
def objects(bucket: Bucket) -> Files:
    """Files in the bucket."""
    return files_at(ObjectPath(f"{bucket.url}/d"))


@pytest.fixture(params=["disk", pytest.param("objects", marks=pytest.mark.needs("processes"))])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Files on a disk, and in object storage."""
    if request.param == "disk":
        return LocalFiles(tmp_path)
    made: Files = request.getfixturevalue("objects")
    return made
