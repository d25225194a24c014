"""One alias's way to its model in one process: slots, retries, accounts."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from data_designer.config.run_config import RequestAdmissionTuningConfig
from data_designer.errors import ModelError, ModelRateLimitError, Outage
from data_designer.models.limits import AdaptiveLimit, Backoff, Slots
from data_designer.values import Request, Response, Usage

_MOST_ATTEMPTS = 10
"""Attempts at one request, each of which fails while the same model answers others."""
_RAMP_STEP = 0.1
"""Seconds between looks at how many slots a start-up ramp opens."""


class Client(Protocol):
    """What sends one request."""

    async def ask(self, request: Request, rng: random.Random) -> Response:
        """Get one reply or raise a ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """How patient a caller is. All times are in seconds."""

    patience: float = 1800.0
    """How long an endpoint that has worked may fail before the run stops."""
    first_patience: float = 60.0
    """The same, for one that has never worked."""
    tuning: RequestAdmissionTuningConfig | None = None
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class CallerStatistics:
    """What was asked, and how it went. Adds up."""

    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    """Sum of the latencies of answered requests."""
    slowest: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    """Kind of failed attempt to its count."""
    examples: dict[str, str] = field(default_factory=dict)
    """One message a kind."""

    def __add__(self, other: "CallerStatistics") -> "CallerStatistics":
        kinds = {**self.errors, **other.errors}
        return CallerStatistics(
            self.usage + other.usage,
            self.seconds + other.seconds,
            max(self.slowest, other.slowest),
            {kind: self.errors.get(kind, 0) + other.errors.get(kind, 0) for kind in kinds},
            {**other.examples, **self.examples},
        )


class Caller:
    """Asks until there is a reply, or none can be had.

    A slot is held only while a request is in flight, never while waiting. Failures that may pass are tried again
    until the endpoint has failed for longer than `CallerOptions` allow; no row is rejected for an outage.
    """

    def __init__(
        self,
        client: Client,
        slots: Slots,
        options: CallerOptions,
        *,
        rng: random.Random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._slots = slots
        self._options = options
        self._rng = rng
        self._clock = clock
        self._sleep = sleep
        self._adaptive = AdaptiveLimit(options.tuning)
        self._opening: asyncio.Task[None] | None = None
        self._failing_since: float | None = None
        self._worked = False
        self._answers = 0
        self._statistics = CallerStatistics()
        # Added up once a report instead of once a request.
        self._usages: list[Usage] = []
        self._seconds: list[float] = []

    async def ask(self, request: Request) -> Response:
        """Get a reply.

        Raises:
            ModelError: the endpoint refused in a way that no retry can mend, or failed this very request time and
                again while it answered others.
            Outage: the endpoint has been failing for longer than the run is willing to wait.
        """
        attempt = unlucky = 0
        answered_before = self._answers
        while True:
            attempt += 1
            try:
                return await self._attempt(request)
            except ModelError as error:
                if not error.retryable:
                    raise
                self._check_patience(error)
                if not isinstance(error, ModelRateLimitError):
                    # A request that fails while others are answered is its own fault, not an outage.
                    unlucky += self._answers > answered_before
                    answered_before = self._answers
                    if unlucky >= _MOST_ATTEMPTS:
                        raise
                    delay = self._options.backoff.delay(attempt, self._rng, error.retry_after)
                    await self._sleep(min(delay, self._longest_wait()))

    async def _attempt(self, request: Request) -> Response:
        await self._acquire()
        sent_at = self._clock()
        try:
            response = await self._client.ask(request, self._rng)
        except ModelError as error:
            self._failed(error, sent_at)
            raise
        else:
            self._answered(response, sent_at)
            return response
        finally:
            self._slots.release()

    async def _acquire(self) -> None:
        """Take a slot outside the cooldown, which may begin while waiting for the slot."""
        while True:
            while (wait := self._adaptive.not_before - self._clock()) > 0:
                await self._sleep(wait)
            if self._adaptive.ramping:
                self._slots.lower(self._adaptive.allowed(self._clock(), self._slots.total))
                if self._opening is None:
                    self._opening = asyncio.create_task(self._open_slots())
            await self._slots.acquire()
            if self._adaptive.not_before <= self._clock():
                return
            self._slots.release()

    async def _open_slots(self) -> None:
        """Let waiting requests in as the ramp rises, which no reply may come to do for long."""
        while self._adaptive.ramping:
            await self._sleep(_RAMP_STEP)
            self._slots.lower(self._adaptive.allowed(self._clock(), self._slots.total))

    def _answered(self, response: Response, sent_at: float) -> None:
        now, total = self._clock(), self._slots.total
        seconds = now - sent_at
        self._answers += 1
        self._worked, self._failing_since = True, None
        if self._adaptive.limit is not None or self._adaptive.ramping:
            if now >= self._adaptive.not_before:
                self._adaptive.accepted(total)
            self._slots.lower(self._adaptive.allowed(now, total))
        self._usages.append(response.usage)
        self._seconds.append(seconds)

    def _failed(self, error: ModelError, sent_at: float) -> None:
        now = self._clock()
        if error.retryable and self._failing_since is None:
            self._failing_since = sent_at
        if isinstance(error, ModelRateLimitError):
            pause = None if error.retry_after is None else min(error.retry_after, self._longest_wait())
            self._adaptive.refused(now, sent_at, self._slots.in_use, pause)
            self._slots.lower(self._adaptive.limit)
        kind = type(error).__name__
        self._statistics += CallerStatistics(Usage(failed_requests=1), 0.0, 0.0, {kind: 1}, {kind: str(error)})

    def _check_patience(self, error: ModelError) -> None:
        failing = self._failing()
        if failing > self._patience():
            raise Outage(f"the endpoint has been failing for {failing:.0f} s: {error}", status=error.status) from error

    def _patience(self) -> float:
        return self._options.patience if self._worked else self._options.first_patience

    def _failing(self) -> float:
        """Seconds since the first failure after the last success."""
        return 0.0 if self._failing_since is None else self._clock() - self._failing_since

    def _longest_wait(self) -> float:
        """Seconds until the last try: an endpoint that asks to be left alone for a day gets less than the day."""
        return max(self._patience() - self._failing(), self._options.backoff.first)

    def take_statistics(self) -> CallerStatistics:
        """What was asked since the last call."""
        answered = CallerStatistics(Usage.total(self._usages), sum(self._seconds), max(self._seconds, default=0.0))
        taken, self._statistics = self._statistics + answered, CallerStatistics()
        self._usages, self._seconds = [], []
        return taken
