"""One alias's way to its model in one process: retries, patience, accounts."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from data_designer.errors import (
    ModelAuthenticationError,
    ModelError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    Outage,
)
from data_designer.models.gate import Gate
from data_designer.models.limits import Backoff
from data_designer.models.model import Model
from data_designer.values import Request, Response, Usage

_MOST_ATTEMPTS = 10
"""Attempts at one request, each of which fails while the same model answers others."""
_OF_THE_ACCOUNT = (ModelAuthenticationError, ModelQuotaExceededError)
"""Refusals that no row is to blame for, where the same key worked before."""


Keep = Callable[[Response], Awaitable[None]]
"""Makes a reply safe."""


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """How patient a caller is. All times are in seconds."""

    patience: float = 1800.0
    """How long an endpoint that has worked may fail before the run stops."""
    first_patience: float = 60.0
    """The same, for one that has never worked."""
    stops_for_account: bool = True
    """Whether a key that worked before and is refused, or an account that is empty, stops the run; otherwise such
    refusals reject rows."""
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


@dataclass(slots=True)
class _Tries:
    """What became of one request so far."""

    answers: int
    """Requests that the model had answered when this one failed last."""
    attempts: int = 0
    unlucky: int = 0
    """Attempts that failed while others were answered."""
    refused_at: float | None = None
    """When the account was first blamed for a failure."""


class Caller:
    """Asks until there is a reply, or none can be had.

    Failures that may pass are tried again until the endpoint has failed for longer than `CallerOptions` allow; no row
    is rejected for an outage.
    """

    def __init__(
        self,
        model: Model,
        gate: Gate,
        options: CallerOptions,
        *,
        rng: random.Random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._model = model
        self._gate = gate
        self._options = options
        self._rng = rng
        self._clock = clock
        self._sleep = sleep
        self._failing_since: float | None = None
        self._worked = False
        self._answers = 0
        self._sent_answered = float("-inf")
        """When the latest of the requests that were answered was sent."""
        self._statistics = CallerStatistics()
        # Added up once a report instead of once a request.
        self._usages: list[Usage] = []
        self._seconds: list[float] = []

    async def ask(self, request: Request, keep: Keep | None = None) -> Response:
        """Get a reply.

        Args:
            request: what is asked.
            keep: is given the reply, and awaited, before the slot of the request is given back: so a process that dies
                has never lost more replies than it has slots.

        Raises:
            ModelError: the endpoint refused in a way that no retry can mend, or failed this very request time and
                again while it answered others.
            Outage: the endpoint has been failing for longer than the run is willing to wait.
        """
        tries = _Tries(answers=self._answers)
        while True:
            tries.attempts += 1
            try:
                return await self._attempt(request, tries.attempts, keep)
            except ModelError as error:
                error.attempts = tries.attempts
                if error.retryable:
                    self._check_patience(error)
                else:
                    self._check_account(error, tries)
                if not isinstance(error, ModelRateLimitError):
                    await self._back_off(error, tries)

    def _check_account(self, error: ModelError, tries: "_Tries") -> None:
        """Raise what no retry can mend; a key that has worked is tried once more, since some endpoints err once."""
        if not (self._worked and self._options.stops_for_account and isinstance(error, _OF_THE_ACCOUNT)):
            raise error
        if tries.refused_at is None:
            tries.refused_at = self._clock()
        elif self._sent_answered > tries.refused_at:
            # The key still works for others, so this one request is to blame.
            raise error
        else:
            raise Outage(str(error), status=error.status) from error

    async def _back_off(self, error: ModelError, tries: "_Tries") -> None:
        # A request that fails while others are answered is its own fault, not an outage.
        tries.unlucky += self._answers > tries.answers
        tries.answers = self._answers
        if tries.unlucky >= _MOST_ATTEMPTS:
            raise error
        delay = self._options.backoff.delay(tries.attempts, self._rng, error.retry_after)
        await self._sleep(min(delay, self._longest_wait()))

    async def _attempt(self, request: Request, number: int, keep: Keep | None) -> Response:
        passage = await self._gate.enter(request)
        try:
            response = await self._model.ask(request, self._rng)
        except ModelError as error:
            self._gate.failed(passage, error, self._longest_wait())
            self._failed(error, passage.sent_at)
            raise
        else:
            self._gate.answered(passage, response)
            self._answered(response, passage.sent_at)
            if number > 1:
                response = _after(number - 1, response)
            if keep is not None:
                await keep(response)
            return response
        finally:
            self._gate.leave(passage)

    def _answered(self, response: Response, sent_at: float) -> None:
        self._answers += 1
        self._sent_answered = max(self._sent_answered, sent_at)
        self._worked, self._failing_since = True, None
        self._usages.append(response.usage)
        self._seconds.append(self._clock() - sent_at)

    def _failed(self, error: ModelError, sent_at: float) -> None:
        if error.retryable and self._failing_since is None:
            self._failing_since = sent_at
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


def _after(failures: int, response: Response) -> Response:
    """A reply that counts the failed attempts before it."""
    return replace(response, usage=response.usage + Usage(failed_requests=failures))
