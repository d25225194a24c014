"""Opens the way from a replica to its alias's model: one HTTP session, one client, one admission."""

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from data_designer.models.admission.budget_lease import Amount, BudgetLease, BudgetReport, Estimate
from data_designer.models.admission.request_admission import AdmissionLimits, Hold, RequestAdmission
from data_designer.models.admission.slots import Slots, SlotStatistics
from data_designer.models.client import DEFAULT_TIMEOUT, ModelClient
from data_designer.models.http_sessions import open_session
from data_designer.models.model import Model
from data_designer.models.retry import Caller, CallerOptions, CallerStatistics, Keep
from data_designer.models.wires import greeting, longest_reply
from data_designer.plan.model import Plan, Pool
from data_designer.values import Request, Response


class ModelLine:
    """A caller, its admission, and what they share out."""

    def __init__(
        self,
        caller: Caller,
        admission: RequestAdmission,
        slots: Slots,
        whole: int,
        budget_lease: BudgetLease | None = None,
    ) -> None:
        self._caller = caller
        self._admission = admission
        self._slots = slots
        self._whole = whole
        self._budget = budget_lease

    async def ask(self, request: Request, keep: Keep) -> Response:
        """Get a reply that is kept before its slot is free, or raise a ModelError that no retry can mend."""
        return await self._caller.ask(request, keep)

    def take_statistics(self) -> CallerStatistics:
        """What was asked since the last call."""
        return self._caller.take_statistics()

    async def resize(self, slots: int) -> None:
        """Allow so many requests in flight; returns once no more than that are."""
        self._admission.share(min(1.0, slots / self._whole))
        self._slots.total = slots
        await self._slots.settled()

    def load(self) -> SlotStatistics:
        """Requests that are and may be in flight."""
        return self._slots.statistics()

    def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        self._admission.fund(amount)

    def when_stuck(self, stuck: Callable[[], None]) -> None:
        """Have a function called when a request begins to wait for funds, or the endpoint to fail."""
        self._caller.told = stuck
        if self._budget is not None:
            self._budget.short = stuck

    def hold(self) -> Hold | None:
        """What keeps requests back, if anything does."""
        return self._caller.hold()

    def remember(self, request: Request) -> None:
        """A request was answered in an earlier run."""
        self._caller.remember(request)

    def budget_report(self) -> BudgetReport | None:
        """What was spent since the last report, and what is wanted; None where there is no budget."""
        return None if self._budget is None else self._budget.report(self._slots.total)


def line_to(model: Model, plan: Plan, pool: Pool, clock: Callable[[], float] = time.monotonic) -> ModelLine:
    """The way to an alias's model, with no slots yet."""
    slots, params, run = Slots(0), pool.params, plan.run
    budget_lease = BudgetLease() if run.budget is not None and run.budget.limits_spending else None
    limits = AdmissionLimits(
        run.request_admission,
        params.requests_per_minute,
        params.tokens_per_minute,
        Estimate(pool.price, longest_reply(pool)),
        budget_lease,
    )
    admission = RequestAdmission(slots, limits, clock=clock)
    options = CallerOptions(
        patience=run.outage_patience,
        stops_for_account=not run.disable_early_shutdown,
        timeout=float(params.timeout or DEFAULT_TIMEOUT),
        greets=pool.is_greeted,
        greeting=greeting(pool),
    )
    caller = Caller(model, admission, options, rng=random.Random(plan.seed), clock=clock)
    whole = min(pool.slots, pool.provider.max_parallel_requests or pool.slots)
    return ModelLine(caller, admission, slots, whole, budget_lease)


@asynccontextmanager
async def open_line(plan: Plan, pool: Pool, api_key: str | None) -> AsyncIterator[ModelLine]:
    """Open the way to an alias's model, with no slots yet."""
    async with open_session() as session:
        yield line_to(ModelClient(pool, api_key, session), plan, pool)
