"""What stands between a request and the wire: slots, the endpoint's own limits, rates and the budget."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

from data_designer.config.run_config import RequestAdmissionTuningConfig
from data_designer.errors import ModelError, ModelRateLimitError
from data_designer.models.admission.adaptive_limit import AdaptiveLimit
from data_designer.models.admission.budget_lease import NOTHING, Amount, BudgetLease, Estimate
from data_designer.models.admission.slots import Slots
from data_designer.models.admission.token_bucket import Sent, TokenBucket
from data_designer.values import Request, Response, Usage

_RAMP_STEP = 0.1
"""Seconds between looks at how many slots a start-up ramp opens."""
_LONGEST_PAUSE = 60.0
"""Seconds of rest that a good reply can ask for; an endpoint that has no room then either says so by a refusal."""
_LONGEST_LOOK = 1.0
"""Seconds until a request that waits for its turn looks again: its share may have changed meanwhile."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """What requests are held to, beside its slots."""

    tuning: RequestAdmissionTuningConfig | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    estimate: Estimate = field(default_factory=lambda: Estimate(None, None))
    budget_lease: BudgetLease | None = None
    """None where the run has no budget."""


HoldKind = Literal["down", "refused", "rest", "rate", "silent"]
"""What keeps requests back: nothing is answered; nothing but 429; the endpoint wants to be left alone; a rate of the
alias's own; all that is under way takes its time."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an alias's requests back."""

    text: str
    """Why, and until when."""
    lasted: float = 0.0
    """Seconds since it began, as far as that is known."""
    worth_saying_after: float = 5.0
    """Seconds for which it is nothing out of the ordinary."""
    is_trouble: bool = False
    kind: HoldKind = "silent"
    until: float = 0.0
    """Seconds until requests may go again, where that is known."""
    patience: float = 0.0
    """Seconds after its beginning at which the run stops; 0 for never."""


@dataclass(slots=True)
class Attempt:
    """One attempt at a request, from its admission to its end."""

    sent_at: float
    reserved: Amount
    tokens: Sent | None = None
    """Where there is a rate of tokens: what it came to in advance."""
    settled: bool = False


class RequestAdmission:
    """Lets a request through when there is a slot, the endpoint wants one, the rate allows it and the budget pays it.

    A slot is held only while a request is in flight, never while one waits for something else. Where there are rates
    or a budget, requests pass in the order in which they came.
    """

    def __init__(
        self,
        slots: Slots,
        limits: AdmissionLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        limits = limits or AdmissionLimits()
        self._slots = slots
        self._budget = limits.budget_lease
        self._estimate = limits.estimate
        self._clock = clock
        self._sleep = sleep
        self._adaptive = AdaptiveLimit(limits.tuning)
        self._requests = None if limits.requests_per_minute is None else TokenBucket(limits.requests_per_minute)
        self._tokens = None if limits.tokens_per_minute is None else TokenBucket(limits.tokens_per_minute)
        self._queue = asyncio.Lock() if self._requests or self._tokens or self._budget else None
        self._opening: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def share(self, part: float) -> None:
        """From now on this process has a part, from 0 to 1, of the alias's rates."""
        for bucket in (self._requests, self._tokens):
            if bucket is not None:
                bucket.share(part, self._clock())
        self._changed.set()

    def fund(self, amount: Amount) -> None:
        """Put something into the budget_lease."""
        if self._budget is not None:
            self._budget.fund(amount)
            self._changed.set()

    # --- in ----------------------------------------------------------------------------------------------

    async def enter(self, request: Request) -> Attempt:
        """Wait until a request may be sent. Each attempt ends with `answered` or `failed`."""
        if self._queue is None:
            await self._admitted(NOTHING)
            return Attempt(self._clock(), NOTHING)
        if self._budget is not None:
            self._budget.waiting += 1
        try:
            async with self._in_turn():
                amount = self._estimate.of(request)
                await self._may_pay(amount)
                tokens = self._take(amount)
        finally:
            if self._budget is not None:
                self._budget.waiting -= 1
        return Attempt(self._clock(), amount, tokens)

    async def _may_pay(self, amount: Amount) -> None:
        try:
            await self._admitted(amount)
        except asyncio.CancelledError:
            if self._budget is not None:
                self._budget.forget()
            raise

    def _in_turn(self) -> AbstractAsyncContextManager[None]:
        return self._queue or nullcontext()

    async def _admitted(self, amount: Amount) -> None:
        """Take a slot at a time when nothing else stands in the way, which may change while waiting for the slot."""
        while True:
            await self._unhindered(amount)
            if self._adaptive.ramping:
                self._ramp()
            await self._slots.acquire()
            if not self._hindrance(amount):
                return
            self._slots.release()

    async def _unhindered(self, amount: Amount) -> None:
        while wait := self._hindrance(amount):
            if self._queue is None:
                await self._sleep(wait)
            else:
                await self._pass_time(min(wait, _LONGEST_LOOK))

    async def _pass_time(self, seconds: float) -> None:
        """Wait, but no longer than until a reply gives something back or funds come."""
        self._changed.clear()
        ways = [asyncio.ensure_future(self._sleep(seconds)), asyncio.create_task(self._changed.wait())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    def _hindrance(self, amount: Amount) -> float:
        """Seconds that something other than a slot keeps a request back; infinite while there are no funds for it."""
        now = self._clock()
        wait = max(0.0, self._adaptive.not_before - now)
        if self._requests is not None:
            wait = max(wait, self._requests.wait(now, 1.0))
        if self._tokens is not None:
            wait = max(wait, self._tokens.wait(now, amount.tokens))
        if not wait and self._budget is not None and not self._budget.holds(amount):
            return float("inf")
        return wait

    def _take(self, amount: Amount) -> Sent | None:
        if self._budget is not None:
            self._budget.reserve(amount)
        if self._requests is not None:
            self._requests.take(1.0)
        return None if self._tokens is None else self._tokens.take(amount.tokens)

    def _ramp(self) -> None:
        self._slots.lower(self._adaptive.allowed(self._clock(), self._slots.total))
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_slots())

    async def _open_slots(self) -> None:
        """Let waiting requests in as the ramp rises, which no reply may come to do for long."""
        while self._adaptive.ramping:
            await self._sleep(_RAMP_STEP)
            self._slots.lower(self._adaptive.allowed(self._clock(), self._slots.total))

    def rest(self) -> float:
        """Seconds for which the endpoint wants to be left alone."""
        return max(0.0, self._adaptive.not_before - self._clock())

    def rises_in(self) -> float | None:
        """Seconds until the limit that refusals have brought down may rise again; None where they have not."""
        return self._adaptive.rises_in(self._clock())

    def hold(self) -> Hold | None:
        """What keeps requests back beside the slots, if anything does."""
        rest = self.rest()
        if rest > 0:
            text, said = f"it wants to be left alone for {rest:.0f} s more", max(0.0, 5.0 - rest)
            return Hold(text, worth_saying_after=said, kind="rest", until=rest)
        if self._queue is None or not self._queue.locked():
            return None
        for name, bucket in (("requests_per_minute", self._requests), ("tokens_per_minute", self._tokens)):
            wait = 0.0 if bucket is None else bucket.wait(self._clock(), 1.0)
            if wait > 0:
                return Hold(f"its {name} allow the next request in {wait:.0f} s", kind="rate", until=wait)
        return None

    # --- out ---------------------------------------------------------------------------------------------

    def answered(self, attempt: Attempt, response: Response) -> None:
        """A request was answered."""
        now, total = self._clock(), self._slots.total
        if response.pause:
            self._adaptive.rest(now + min(response.pause, _LONGEST_PAUSE))
        if self._adaptive.limit is not None or self._adaptive.ramping:
            if now >= self._adaptive.not_before:
                self._adaptive.accepted(total, now)
            self._slots.lower(self._adaptive.allowed(now, total))
        self._settle(attempt, response.usage, is_known=response.counted)

    def failed(self, attempt: Attempt, error: ModelError, longest_wait: float) -> None:
        """A request failed.

        Args:
            attempt: the attempt.
            error: how.
            longest_wait: seconds that it may ask to be left alone.
        """
        if isinstance(error, ModelRateLimitError) and not error.elsewhere:
            pause = None if error.retry_after is None else min(error.retry_after, longest_wait)
            self._adaptive.refused(self._clock(), attempt.sent_at, self._slots.in_use, pause)
            self._slots.lower(self._adaptive.limit)
        self._settle(attempt, Usage(failed_requests=1))

    def leave(self, attempt: Attempt) -> None:
        """A request is in flight no more, however it ended."""
        self._settle(attempt, Usage(failed_requests=1))
        self._slots.release()

    def _settle(self, attempt: Attempt, usage: Usage, *, is_known: bool = True) -> None:
        if attempt.settled or self._queue is None:
            return
        attempt.settled = True
        spent = self._estimate.settle(usage)
        if not is_known:
            # What nobody counted gives nothing back of what was set aside for it.
            spent = spent.or_more(attempt.reserved)
        if self._tokens is not None and attempt.tokens is not None:
            self._tokens.correct(attempt.tokens, spent.tokens)
        if self._budget is not None:
            self._budget.settle(attempt.reserved, spent)
        self._changed.set()
