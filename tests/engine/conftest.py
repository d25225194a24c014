"""What the tests of the engine share: a loop on which nobody waits, and files on a disk and in object storage."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.object_server import Bucket

from data_designer.engine.files import Files, LocalFiles, files_at
from data_designer.object_storage import ObjectPath


class _Jumping(selectors.DefaultSelector):
    """Waits for nobody: where nothing comes in at once, a second that was to be waited has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look for what came in; threads get a moment."""
        if timeout is None:
            return super().select()
        found = super().select(min(timeout, 0.001))
        if not found:
            self.passed += min(timeout, 1.0)
        return found


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop on which a minute passes as soon as everybody waits for it."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The time, with what nobody had to wait for."""
        return super().time() + self._jumping.passed


@pytest.fixture(scope="session")
def in_virtual_time() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run a scenario on such a loop; one that waits for ever is over soon."""
    return _run


def _run(scenario: Coroutine[Any, Any, None]) -> None:

    async def limited() -> None:
        async with asyncio.timeout(3600.0):
            await scenario

    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        runner.run(limited())


@pytest.fixture
def objects(bucket: Bucket) -> Files:
    """Files in the bucket."""
    return files_at(ObjectPath(f"{bucket.url}/d"))


@pytest.fixture(params=["disk", "objects"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Files on a disk, and in object storage."""
    if request.param == "disk":
        return LocalFiles(tmp_path)
    made: Files = request.getfixturevalue("objects")
    return made
