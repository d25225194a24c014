"""A loop on which nobody waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

import pytest


class _Jumping(selectors.DefaultSelector):
    """Waits for nobody: where nothing comes in at once, what was to be waited has passed."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look for what came in."""
        if timeout is None:
            return super().select()
        found = super().select(0)
        if not found:
            self.now += timeout
        return found


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop on which a minute passes as soon as everybody waits for it, and none while somebody computes.

    What is given to a thread is done on the loop, in its turn, so that no thread's speed decides what comes when.
    """

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The time, which nobody had to wait for."""
        return self._jumping.now

    def run_in_executor(self, _: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Call a function."""
        result = self.create_future()

        def call() -> None:
            if result.cancelled():
                return
            try:
                result.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
                result.set_exception(error)

        self.call_soon(call)
        return result


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
