"""A coroutine on a loop of its own: what Ctrl-C and SIGTERM do to it."""

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from data_designer.interface.run import on_own_loop
from data_designer.interrupts import LEFT

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


class Stopping:
    """Stands where the driver does."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.reasons: list[str] = []

    def stop(self, reason: str) -> None:
        """Note it."""
        self.reasons.append(reason)
        self.stopped.set()


def interrupt(number: int) -> None:
    """Signal the thread that signals come to."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, number)


@BOTH
def test_what_has_not_begun_is_left(number: int) -> None:
    """It is cancelled and comes to its end before the interrupt is raised."""
    ended: list[bool] = []

    async def work(_: Callable[[Any], None]) -> None:
        try:
            interrupt(number)
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        on_own_loop(work)
    assert ended == [True]


@BOTH
def test_the_first_stops_what_runs(number: int) -> None:
    """The driver is told why, on its own loop, and what it comes to is the result."""
    drivers: list[Stopping] = []

    async def work(started: Callable[[Any], None]) -> str:
        driver = Stopping()
        drivers.append(driver)
        started(driver)
        interrupt(number)
        await driver.stopped.wait()
        return "stopped"

    assert on_own_loop(work) == "stopped"
    assert drivers[0].reasons == ["terminated" if number == signal.SIGTERM else "interrupted"]


@BOTH
def test_the_second_leaves(number: int) -> None:
    """What was stopped and has not come to its end is cancelled, and the interrupt says so."""
    ended: list[bool] = []

    async def work(started: Callable[[Any], None]) -> None:
        driver = Stopping()
        started(driver)
        interrupt(number)
        await driver.stopped.wait()
        try:
            interrupt(number)
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt, match=LEFT):
        on_own_loop(work)
    assert ended == [True]


def test_sigterm_is_what_it_was_afterwards() -> None:
    """Its handler is only replaced while something runs."""
    before = signal.getsignal(signal.SIGTERM)

    async def work(_: Callable[[Any], None]) -> Any:
        return signal.getsignal(signal.SIGTERM)

    assert on_own_loop(work) != before
    assert signal.getsignal(signal.SIGTERM) == before
