"""How many CPU jobs run at once: as few processes as keep up, since each takes a second of CPU to start."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE = 0.5
"""Seconds for which jobs may be waiting without a pause before one more runs beside the others."""


@dataclass(slots=True)
class Turns:
    """Jobs take turns, in order of arrival.

    One runs at a time. When every job that ends leaves others waiting, for longer than `PATIENCE`, one more may run,
    up to `most`. The time that the first job takes, which includes starting a process, does not count.
    """

    most: int
    clock: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    allowed: int = 1
    """How many may run at once now."""
    running: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _crowded_since: float | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        if self.running < self.allowed:
            self.running += 1
        else:
            await self._wait()
        try:
            yield
        finally:
            self._ended()

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._ended()
            raise

    def _ended(self) -> None:
        self.running -= 1
        self._notice()
        while self._waiting and self.running < self.allowed:
            turn = self._waiting.popleft()
            if not turn.done():
                self.running += 1
                turn.set_result(None)

    def _notice(self) -> None:
        """Allow one more where jobs have been waiting for long."""
        if not self._waiting:
            self._crowded_since = None
            return
        now = self.clock()
        if self._crowded_since is None:
            self._crowded_since = now
        elif now - self._crowded_since > PATIENCE and self.allowed < self.most:
            self.allowed += 1
            self._crowded_since = now
