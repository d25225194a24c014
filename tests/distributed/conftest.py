"""One cluster's head for all tests that can share it."""

from collections.abc import Iterator

import pytest
from tests.distributed.head import Head, running_head


@pytest.fixture(scope="session")
def head(clusters: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """`ray start --head` on this machine, which takes jobs, drivers and nodes."""
    with running_head(tmp_path_factory.mktemp("head")) as running:
        yield running


@pytest.fixture
def beside(head: Head, monkeypatch: pytest.MonkeyPatch) -> Head:
    """The head, on which the test itself drives runs."""
    monkeypatch.setenv("RAY_ADDRESS", head.ray)
    return head
