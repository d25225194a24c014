"""One alias's way to its model in one process: retries, patience, accounts."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from data_designer.errors import (
    ModelAuthenticationError,
    ModelError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelTimeoutError,
    Outage,
)
from data_designer.models.admission.request_admission import Hold, RequestAdmission
from data_designer.models.backoff import Backoff
from data_designer.models.model import GREETING, Model
from data_designer.values import Request, Response, Usage

_MOST_UNLUCKY = 10
"""Attempts at one request, each of which fails while the same model answers others."""
_TIMEOUT_WEIGHT = 2
"""As how many of these one counts that took all the time it was allowed."""
_SAID_AFTER = 2.5
"""Seconds of failures, and of rest after one, of which nothing need be said."""
_DOWN_AFTER = 1.0, 4
"""Seconds since the first of so many failures, and nothing else, after which an endpoint counts as down."""
_QUICK_STEPS = 3
"""How far the pauses between attempts grow where nothing but a probe was answered: whoever asks then is no burden."""
_SOON = 3
"""Failed attempts at a request that say nothing of an endpoint which answers others. It is asked again soon, since the
last requests of a run would wait alone; whoever fails more often waits as in an outage."""
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
    timeout: float = 60.0
    """After how long the model gives a request up."""
    greets: bool = True
    """Whether the model takes a greeting, by which it is known to answer; otherwise a request that it answered before
    is asked again, and a greeting only where there is none."""
    greeting: Request = GREETING
    retries: int | None = None
    """Attempts that may follow the first one at a request that fails; None for as many as patience allows. Where they
    are counted, no run is stopped for an outage: whoever asked is told of the failure."""
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


_MOST_TOLD = 8
"""Failed attempts at a request of which it is told what they said."""


@dataclass(slots=True)
class Asked:
    """A request and what has become of it so far, for whoever wants to tell of it."""

    request: Request
    response: Response | None = None
    failure: Usage | None = None
    """What was spent on it where it got no reply."""
    seconds: float | None = None
    """Latency of the attempt that was answered; None where the reply is of an earlier run."""
    failed: list[tuple[str, str]] | None = None
    """Kind and message of the first attempts that failed, and of the last."""

    @property
    def usage(self) -> Usage:
        """What it came to."""
        return self.response.usage if self.response is not None else self.failure or Usage()

    def note(self, error: ModelError) -> None:
        """One failed."""
        told = (type(error).__name__, str(error))
        if self.failed is None:
            self.failed = [told]
        elif len(self.failed) < _MOST_TOLD:
            self.failed.append(told)
        else:
            self.failed[-1] = told


@dataclass(frozen=True, slots=True)
class Answers:
    """What requests for the cells of one column were answered, in order."""

    column: str
    numbers: list[tuple[float, int, int]]
    """For each: seconds to the whole reply, tokens in, tokens out."""


@dataclass(slots=True)
class _Tries:
    """What became of one request so far."""

    answers: int
    """Requests that the model had answered when this one failed last."""
    probes: int
    """Those of them that were probes."""
    attempts: int = 0
    sent_at: float = 0.0
    """When the latest of them was sent."""
    failures: int = 0
    """Attempts that failed otherwise than for want of room."""
    unlucky: int = 0
    """Those of them that failed while others were answered, long ones counted more than once."""
    refused_at: float | None = None
    """When the account was first blamed for a failure."""
    beside: Usage = field(default_factory=Usage)
    """What was spent on probes for its sake."""
    seconds: float = 0.0
    """Latency of the attempt that was answered."""
    column: str = ""
    """For which the request asks; none for a probe."""
    in_flight: Callable[[bool], None] | None = None
    """Is told when it is sent, and when it is in flight no more."""


class Caller:
    """Asks until there is a reply, or none can be had.

    Failures that may pass are tried again until the endpoint has failed for longer than `CallerOptions` allow; no row
    is rejected for an outage. Whether the endpoint fails, or only this request does, others show that are answered
    meanwhile; where there are none, a probe is sent: a greeting, or a request that was answered before.
    """

    def __init__(
        self,
        model: Model,
        admission: RequestAdmission,
        options: CallerOptions,
        *,
        rng: random.Random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._model = model
        self._admission = admission
        self._options = options
        self._rng = rng
        self._clock = clock
        self._sleep = sleep
        self.told: Callable[[], None] = _nobody
        """Called when requests begin to fail that were answered before."""
        self.changing: Callable[[], None] = _nobody
        """Called before a request begins, or waits for an endpoint that fails, or waits no more."""
        self._failing_since: float | None = None
        self._failure = ""
        """What the latest failure said."""
        self._failed = 0
        """Attempts since the last answer."""
        self._refused = False
        """Whether it was a 429."""
        self._worked = False
        self._answers = 0
        self._probes = 0
        """Those of the answers that were of probes."""
        self._probing = asyncio.Lock()
        self._probed_at = float("-inf")
        """When the latest probe was sent."""
        self._known: Request | None = None
        """A request that was answered."""
        self._answered_at = float("-inf")
        self.asking = 0
        """Requests that have not come to their end."""
        self.backing_off = 0
        """Those of them that wait after a failure, or for a probe."""
        self._aftermath = 0
        """Those of these that waited already when an endpoint that was down came back."""
        self._in_flight = 0
        """Attempts at them, and probes, that are on their way."""
        self._busy_since = float("-inf")
        """When the first of those that are in flight was sent; others may have been before it."""
        self._sent_answered = float("-inf")
        """When the latest of the requests that were answered was sent."""
        self._statistics = CallerStatistics()
        # Added up once a report instead of once a request.
        self._usages: list[Usage] = []
        self._seconds: list[float] = []
        self._of_columns: defaultdict[str, list[tuple[float, int, int]]] = defaultdict(list)
        """Column to what its requests came to: seconds, tokens in, tokens out."""

    def down(self, now: float) -> int:
        """Requests that wait since nothing but failures came for a while, or did until others were answered."""
        return self.backing_off if self._is_down(now) else min(self.backing_off, self._aftermath)

    def _is_down(self, now: float) -> bool:
        """One that fails now and then answers others meanwhile."""
        seconds, failures = _DOWN_AFTER
        return self._failing_since is not None and self._failed >= failures and now - self._failing_since > seconds

    async def ask(
        self,
        request: Request,
        keep: Keep | None = None,
        column: str = "",
        told: Asked | None = None,
        *,
        in_flight: Callable[[bool], None] | None = None,
    ) -> Response:
        """Get a reply.

        Args:
            request: what is asked.
            keep: is given the reply, and awaited, before the slot of the request is given back: so a process that dies
                has never lost more replies than it has slots.
            column: for which it is asked, whose answers are counted.
            told: is told how it went.
            in_flight: is told True each time that the request has waited for its slot and is sent, and False when that
                attempt has failed, or its reply is kept.

        Raises:
            ModelError: the endpoint refused in a way that no retry can mend, or failed this very request time and
                again while it answered others.
            Outage: the endpoint has been failing for longer than the run is willing to wait.
        """
        self.changing()
        self.asking += 1
        try:
            tries = _Tries(self._answers, self._probes, column=column, in_flight=in_flight)
            return await self._reply(request, tries, keep, told)
        finally:
            self.asking -= 1

    async def _reply(self, request: Request, tries: _Tries, keep: Keep | None, told: Asked | None) -> Response:
        while True:
            tries.attempts += 1
            try:
                response = await self._attempt(request, tries, keep)
            except ModelError as error:
                error.attempts, error.beside = tries.attempts, tries.beside.numbers
                if told is not None:
                    told.note(error)
                if self._options.retries is not None:
                    if not error.retryable or tries.attempts > self._options.retries:
                        raise
                elif error.retryable:
                    await self._judge(error, tries)
                else:
                    self._check_account(error, tries)
                if self._options.retries is not None or not isinstance(error, ModelRateLimitError):
                    await self._back_off(error, tries)
            else:
                self._known = request
                if told is not None:
                    told.seconds = tries.seconds
                return response

    def remember(self, request: Request) -> None:
        """A request was answered in an earlier run."""
        self._known = self._known or request

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

    async def _judge(self, error: ModelError, tries: "_Tries") -> None:
        """Raise what is the request's own fault, or has lasted for too long, though it may pass."""
        is_refusal = isinstance(error, ModelRateLimitError)
        tries.failures += not is_refusal
        is_late = self._failing() > self._patience()
        # One that has no room is not asked for more; the first failure of a request is often the only one.
        if self._answers == tries.answers and not is_refusal and (is_late or tries.failures > 1):
            await self._probe(tries)
        if self._answers > tries.answers:
            tries.unlucky += 0 if is_refusal else _TIMEOUT_WEIGHT if isinstance(error, ModelTimeoutError) else 1
            if tries.unlucky >= _MOST_UNLUCKY:
                error.beside = tries.beside.numbers
                raise error
        elif is_late:
            failing = self._failing()
            raise Outage(f"the endpoint has been failing for {failing:.0f} s: {error}", status=error.status) from error

    async def _probe(self, tries: "_Tries") -> None:
        """Find out whether the endpoint answers anything; whoever asks at the same time shares the answer."""
        late_at = (self._failing_since or 0.0) + self._patience()
        with self._waiting():
            await self._probing.acquire()
        try:
            # One that was sent later than the attempt, or when the patience was over, says as much as another would.
            if self._answers > tries.answers or self._probed_at > min(tries.sent_at, late_at):
                return
            self._probed_at = self._clock()
            request = self._options.greeting if self._options.greets or self._known is None else self._known
            try:
                response = await self._attempt(request, _Tries(0, 0, attempts=1), None)
            except ModelError:
                tries.beside += Usage(failed_requests=1)
            else:
                self._probes += 1
                tries.beside += response.usage
        finally:
            self._probing.release()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Count a request that waits outside of its slot, since others failed."""
        self.changing()
        self.backing_off += 1
        try:
            yield
        finally:
            self.changing()
            self.backing_off -= 1
            self._aftermath = max(0, self._aftermath - 1)

    async def _back_off(self, error: ModelError, tries: "_Tries") -> None:
        answers, probes = self._answers - tries.answers, self._probes - tries.probes
        tries.answers, tries.probes = self._answers, self._probes
        steps = tries.attempts
        if answers > probes:
            steps -= 2 * (steps <= _SOON)
        elif probes:
            steps = min(steps, _QUICK_STEPS)
        delay = self._options.backoff.delay(steps, self._rng, error.retry_after)
        with self._waiting():
            await self._sleep(min(delay, self._longest_wait()))

    async def _attempt(self, request: Request, tries: "_Tries", keep: Keep | None) -> Response:
        attempt = await self._admission.enter(request)
        tries.sent_at = attempt.sent_at
        if tries.in_flight is not None:
            tries.in_flight(True)
        if not self._in_flight:
            self._busy_since = attempt.sent_at
        self._in_flight += 1
        try:
            response = await self._model.ask(request)
        except ModelError as error:
            self._admission.failed(attempt, error, self._longest_wait())
            self._fails(error, attempt.sent_at)
            raise
        else:
            self._admission.answered(attempt, response)
            self._answered(response, attempt.sent_at, tries.column)
            tries.seconds = self._answered_at - attempt.sent_at
            if tries.attempts > 1:
                response = _after(tries, response)
            if keep is not None:
                await keep(response)
            return response
        finally:
            self._in_flight -= 1
            self._admission.leave(attempt)
            if tries.in_flight is not None:
                tries.in_flight(False)

    def _answered(self, response: Response, sent_at: float, column: str) -> None:
        self._answered_at = self._clock()
        if self._failing_since is not None:
            self.changing()
            if self._is_down(self._answered_at):
                self._aftermath = self.backing_off
        self._answers += 1
        self._sent_answered = max(self._sent_answered, sent_at)
        self._worked, self._failing_since, self._failed = True, None, 0
        usage, seconds = response.usage, self._answered_at - sent_at
        self._usages.append(usage)
        self._seconds.append(seconds)
        if column:
            self._of_columns[column].append((seconds, usage.input_tokens, usage.output_tokens))

    def _fails(self, error: ModelError, sent_at: float) -> None:
        self._failure, self._refused = str(error), isinstance(error, ModelRateLimitError)
        self._failed += 1
        if error.retryable and self._failing_since is None:
            self.changing()
            self._failing_since = max(sent_at, self._answered_at)
            self.told()
        kind = type(error).__name__
        self._statistics += CallerStatistics(Usage(failed_requests=1), 0.0, 0.0, {kind: 1}, {kind: str(error)})

    def _patience(self) -> float:
        return self._options.patience if self._worked else self._options.first_patience

    def _failing(self) -> float:
        """Seconds since the first failure after the last success."""
        return 0.0 if self._failing_since is None else self._clock() - self._failing_since

    def _longest_wait(self) -> float:
        """Seconds until the last try: an endpoint that asks to be left alone for a day gets less than the day."""
        return max(self._patience() - self._failing(), self._options.backoff.first)

    def hold(self) -> Hold | None:
        """What keeps requests back, or rows waiting, if anything does."""
        if not self.asking:
            return None
        if self._failing_since is not None and self._options.retries is not None:
            text = f"{self._failure}; each request is tried {1 + self._options.retries} times"
            return Hold(text, self._failing(), _SAID_AFTER, is_trouble=True)
        if self._failing_since is not None:
            failing, rest = self._failing(), self._admission.rest()
            again = f"in {rest:.0f} s" if rest else "all the time"
            left = max(0.0, self._patience() - failing)
            text = (
                f"{self._failure}; it is asked again {again}, and the run stops, resumably, if nothing is answered "
                f"within {left:.0f} s"
            )
            return Hold(
                text,
                failing,
                0.0 if rest > _SAID_AFTER else _SAID_AFTER,
                is_trouble=True,
                kind="refused" if self._refused else "down",
                until=rest,
                patience=self._patience(),
            )
        hold = self._admission.hold()
        if hold is not None or not self._in_flight:
            return hold
        many = self._in_flight > 1
        text = (
            f"{self._in_flight} request{'s are' if many else ' is'} under way and none is answered; "
            f"{'each' if many else 'it'} is given up after {self._options.timeout:g} s"
        )
        return Hold(text, self._clock() - max(self._answered_at, self._busy_since))

    def median_latency(self) -> float | None:
        """Of what was answered since `take_statistics` was called last, in seconds; None where nothing was."""
        return sorted(self._seconds)[len(self._seconds) // 2] if self._seconds else None

    def take_statistics(self) -> CallerStatistics:
        """What was asked since the last call."""
        answered = CallerStatistics(Usage.total(self._usages), sum(self._seconds), max(self._seconds, default=0.0))
        taken, self._statistics = self._statistics + answered, CallerStatistics()
        self._usages, self._seconds = [], []
        return taken

    def take_answers(self) -> tuple[Answers, ...]:
        """What the requests of each column came to that were answered since the last call."""
        taken, self._of_columns = self._of_columns, defaultdict(list)
        return tuple(Answers(column, numbers) for column, numbers in taken.items())


def _after(tries: _Tries, response: Response) -> Response:
    """A reply that counts the failed attempts before it, and what was asked for their sake."""
    return replace(response, usage=response.usage + tries.beside + Usage(failed_requests=tries.attempts - 1))


def _nobody() -> None:
    """Nobody is told."""
