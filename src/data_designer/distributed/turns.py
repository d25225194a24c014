"""How many CPU jobs run at once: as few processes as keep up, since each takes a second of CPU to start."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LONGEST_WAIT = 0.5
"""Seconds that a job may wait before one more runs beside the others."""


@dataclass(slots=True)
class Turns:
    """Jobs take turns, in order of arrival. One runs at a time; when jobs wait too long, one more, up to `most`."""

    most: int
    clock: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    allowed: int = 1
    """How many may run at once now."""
    running: int = 0
    _waiting: deque[tuple[float, asyncio.Future[None]]] = field(default_factory=deque)

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
            self.running -= 1
            self._next()

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self.clock(), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.running -= 1
                self._next()
            raise

    def _next(self) -> None:
        if self._waiting and self.allowed < self.most and self.clock() - self._waiting[0][0] > LONGEST_WAIT:
            self.allowed += 1
        while self._waiting and self.running < self.allowed:
            _, turn = self._waiting.popleft()
            if not turn.done():
                self.running += 1
                turn.set_result(None)
