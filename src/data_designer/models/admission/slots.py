"""Slots: how many requests may be in flight."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotStatistics:
    """A snapshot of `Slots`."""

    total: int
    limit: int
    in_use: int
    waiting: int


class Slots:
    """A bounded number of requests in flight, handed out in the order in which they were asked for.

    `total` is the share that was granted; `limit` lowers it while an endpoint refuses. Both may change at any
    time: holders are never interrupted, so `in_use` may exceed them until enough holders have released.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._limit: int | None = None
        self._in_use = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._settling: list[asyncio.Future[None]] = []
        self.changing: Callable[[], None] = _nobody
        """Called before slots are taken or given back."""

    def __repr__(self) -> str:
        return f"Slots({self.statistics()})"

    @property
    def total(self) -> int:
        """The granted share."""
        return self._total

    @total.setter
    def total(self, total: int) -> None:
        self.changing()
        self._total = total
        self._wake()

    @property
    def limit(self) -> int:
        """How many may be in use now."""
        return self._total if self._limit is None else min(self._total, self._limit)

    def lower(self, limit: int | None) -> None:
        """Allow fewer than the granted share; None allows all of it again."""
        self.changing()
        self._limit = limit
        self._wake()

    @property
    def in_use(self) -> int:
        """How many are in use."""
        return self._in_use

    async def acquire(self) -> None:
        """Wait for a slot."""
        if self._in_use < self.limit and not self._waiters:
            self.changing()
            self._in_use += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back."""
        self.changing()
        self._in_use -= 1
        self._wake()

    async def settled(self) -> None:
        """Wait until no more slots are in use than were granted."""
        while self._in_use > self._total:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settling.append(future)
            await future

    def statistics(self) -> SlotStatistics:
        """A snapshot."""
        waiting = sum(not waiter.done() for waiter in self._waiters)
        return SlotStatistics(self._total, self.limit, self._in_use, waiting)

    def _wake(self) -> None:
        while self._waiters and self._in_use < self.limit:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._in_use += 1
                waiter.set_result(None)
        if self._in_use <= self._total:
            settling, self._settling = self._settling, []
            for future in settling:
                if not future.done():
                    future.set_result(None)


def _nobody() -> None:
    """Nobody is told."""
