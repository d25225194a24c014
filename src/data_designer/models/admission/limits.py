"""How many requests may be in flight, and how long to wait before the next one."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass

from data_designer.config.run_config import RequestAdmissionTuningConfig


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

    def __repr__(self) -> str:
        return f"Slots({self.statistics()})"

    @property
    def total(self) -> int:
        """The granted share."""
        return self._total

    @total.setter
    def total(self, total: int) -> None:
        self._total = total
        self._wake()

    @property
    def limit(self) -> int:
        """How many may be in use now."""
        return self._total if self._limit is None else min(self._total, self._limit)

    def lower(self, limit: int | None) -> None:
        """Allow fewer than the granted share; None allows all of it again."""
        self._limit = limit
        self._wake()

    @property
    def in_use(self) -> int:
        """How many are in use."""
        return self._in_use

    async def acquire(self) -> None:
        """Wait for a slot."""
        if self._in_use < self.limit and not self._waiters:
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


_SHORTEST_CALM = 10
"""Once the endpoint's ceiling is known, pauses that pass before a try to rise above it, so that such tries cost a
tenth of the time at most; doubled after each that fails."""
_LONGEST_CALM = 60.0
"""Seconds until the next such try, at most."""


class AdaptiveLimit:
    """Additive increase, multiplicative decrease: follows how many requests an endpoint accepts at once.

    A burst of refusals lowers the limit once: refusals of requests that were sent before the last decrease belong
    to the same burst. Where the limit had been rising, or there was none, what was in flight and not refused is what
    the endpoint takes, so that becomes the limit; where a level that had been fine is refused, or nothing at all is
    accepted, the limit is multiplied. Pure: time is an argument, in seconds.
    """

    def __init__(self, tuning: RequestAdmissionTuningConfig | None = None) -> None:
        self._tuning = tuning or RequestAdmissionTuningConfig()
        self.limit: int | None = None
        """None while nothing was refused, or everything is accepted again."""
        self.not_before = 0.0
        """No request may be sent before this time."""
        self._decreased_at = float("-inf")
        self._streak = 0
        self._in_flight = self._refused = 0
        """When the burst began, and those of them that were refused since."""
        self._least = self._most = 1
        """What the burst may leave of the limit: where nothing is accepted, and at most."""
        self._ceiling: int | None = None
        """The lowest limit that is known to be refused."""
        self._calm = 0.0
        self._calm_until = 0.0
        """No try to rise to the ceiling before this time."""
        self.ramping = self._tuning.startup_ramp_seconds > 0
        """Whether the limit still grows from one to the granted share at the start of a run."""
        self._began: float | None = None

    def allowed(self, now: float, total: int) -> int | None:
        """How many of `total` slots may be in use; None for all of them."""
        if self.ramping:
            self._began = now if self._began is None else self._began
            risen = (now - self._began) / self._tuning.startup_ramp_seconds
            if risen < 1:
                return 1 + int((total - 1) * risen)
            self.ramping = False
        return self.limit

    def rest(self, until: float) -> None:
        """The endpoint has no room before a time, and refuses nothing yet."""
        self.not_before = max(self.not_before, until)

    def refused(self, now: float, sent_at: float, in_flight: int, retry_after: float | None) -> None:
        """A request was answered with 429.

        Args:
            now: the time.
            sent_at: when it was sent.
            in_flight: requests that are, this one included.
            retry_after: seconds that the endpoint asked to be left alone.
        """
        pause = retry_after or self._tuning.cooldown_seconds
        self.not_before = max(self.not_before, now + pause)
        self._streak = 0
        self.ramping = False
        if sent_at >= self._decreased_at:
            self._begin_burst(now, in_flight, pause)
        self._refused += 1
        accepted = self._in_flight - self._refused
        self.limit = max(1, min(self._most, accepted) if accepted > 0 else self._least)
        self._ceiling = self.limit + 1

    def _begin_burst(self, now: float, in_flight: int, pause: float) -> None:
        at_most = in_flight if self.limit is None else min(self.limit, in_flight)
        rising = self.limit is None or (self._ceiling is not None and self.limit >= self._ceiling)
        self._least = int(at_most * self._tuning.multiplicative_decrease_factor)
        self._most = at_most if rising else self._least
        self._in_flight, self._refused = in_flight, 0
        self._decreased_at = now
        self._calm = min(max(_SHORTEST_CALM * pause, 2 * self._calm), max(_LONGEST_CALM, pause))
        self._calm_until = now + self._calm

    def accepted(self, total: int, now: float) -> None:
        """A request was answered outside a cooldown."""
        if self.limit is None:
            return
        self._streak += 1
        if self._streak < self._tuning.successes_until_increase:
            return
        if self._ceiling is not None and self.limit >= self._ceiling:
            # What was refused once is accepted now.
            self._ceiling, self._calm = None, 0.0
        higher = self.limit + self._tuning.additive_increase_step
        if self._ceiling is not None and higher >= self._ceiling and now < self._calm_until:
            return
        self._streak = 0
        self.limit = higher
        if self.limit >= total:
            self.limit = self._ceiling = None


_MOST_DOUBLINGS = 64
"""Beyond these a number may become too large to be one, and the longest wait is reached long before."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before another attempt: exponential, jittered, never less than the endpoint asked."""

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0

    def delay(self, attempt: int, rng: random.Random, retry_after: float | None = None) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1)."""
        full = min(self.longest, self.first * self.factor ** min(attempt - 1, _MOST_DOUBLINGS))
        return max(full * rng.uniform(0.5, 1.0), retry_after or 0.0)
