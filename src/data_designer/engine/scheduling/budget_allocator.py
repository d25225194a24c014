"""Shares a run's budget out among replicas: granted in blocks before anything is sent, settled with the results."""

import math
from collections import Counter
from collections.abc import Iterator

from data_designer.config.run_config import Budget
from data_designer.engine.scheduling.events import Started
from data_designer.engine.scheduling.slot_allocator import Incarnation
from data_designer.engine.dataset.journal import read_replay
from data_designer.engine.dataset.store import Store
from data_designer.models.admission.budget_lease import NOTHING, Amount, PurseReport, amount_of
from data_designer.plan.model import Plan


class Treasury:
    """What is left of a budget, and who holds how much of it.

    A replica spends only what it was given, so the budget is never exceeded, whatever is in flight. What a lost
    replica held counts as spent, since nobody knows. Pure.

    Args:
        limit: the budget; infinite in the parts that are not limited.
        spent: what was spent of it before.
    """

    def __init__(self, limit: Amount, spent: Amount = NOTHING) -> None:
        self.limit = limit
        self.spent = spent
        self._left = limit - spent
        self._given: dict[Incarnation, Amount] = {}
        self._waiting: dict[Incarnation, PurseReport] = {}
        """Replicas that want more than was left when they asked."""
        self._busy: set[Incarnation] = set()
        """Replicas that may still give something back."""
        self._grants_to: Counter[Incarnation] = Counter()
        """How often each was sent something."""
        self._lost: set[Incarnation] = set()

    def __repr__(self) -> str:
        return f"Treasury(left={self._left}, given={self._given})"

    def __str__(self) -> str:
        parts = (
            ("USD", self.limit.usd, self.spent.usd),
            ("tokens", self.limit.tokens, self.spent.tokens),
            ("requests", self.limit.requests, self.spent.requests),
        )
        return ", ".join(f"{spent:.10g} of {limit:.10g} {unit}" for unit, limit, spent in parts if limit < math.inf)

    def settle(self, replica: Incarnation, report: PurseReport) -> list[tuple[Incarnation, Amount]]:
        """Take a report in; gives what to send to whom. What a lost replica had counts as spent already."""
        if replica in self._lost:
            return []
        self.spent += report.spent
        self._left += report.returned
        self._given[replica] = self._given.get(replica, NOTHING) - report.spent - report.returned
        self._waiting.pop(replica, None)
        self._busy.discard(replica)
        # Who has not yet got what it was sent does not know yet what it lacks; it will say so.
        on_the_way = report.funded < self._grants_to[replica]
        if report.busy or on_the_way:
            self._busy.add(replica)
        if report.wanted is not None and not on_the_way:
            self._waiting[replica] = report
        return list(self._grants())

    def lose(self, replica: Incarnation) -> None:
        """A replica is gone, and with it what it held."""
        self._lost.add(replica)
        self.spent += self._given.pop(replica, NOTHING)
        self._waiting.pop(replica, None)
        self._busy.discard(replica)
        self._grants_to.pop(replica, None)

    @property
    def exhausted(self) -> bool:
        """Whether somebody waits for more than there will ever be."""
        return not self._busy and any(report.starved for report in self._waiting.values())

    def _grants(self) -> Iterator[tuple[Incarnation, Amount]]:
        for replica, report in list(self._waiting.items()):
            if report.wanted is None or not self._left.covers(report.least):
                continue
            amount = _part(report.wanted, report.least, self._left)
            self._left -= amount
            self._given[replica] = self._given.get(replica, NOTHING) + amount
            self._busy.add(replica)
            self._grants_to[replica] += 1
            del self._waiting[replica]
            yield replica, amount


def limit_of(budget: Budget) -> Amount:
    """A budget as an amount."""
    parts = (budget.usd, budget.tokens, budget.requests)
    return Amount(*(math.inf if part is None else float(part) for part in parts))


def spent_before(plan: Plan, store: Store, standing: Started) -> Amount:
    """What earlier runs of a dataset have spent: by its receipts, and by the journal of what they do not speak of."""
    spent = NOTHING
    for receipt in store.receipts():
        for one in receipt.spent.values():
            spent += amount_of(one.usage, plan.pools[one.alias].model.price)
    alias = {fingerprint: plan.stage_of(column).pool for column, fingerprint in plan.fingerprints.items()}
    for batch in store.journaled():
        wanted = standing.partial.get(batch)
        if batch in standing.committed and wanted is None:
            continue
        rows = None if wanted is None else set(wanted.tolist())
        for fingerprint, record, usage in read_replay(store.files, [batch]).usages():
            pool = plan.pools.get(alias.get(fingerprint, ""))
            if pool is not None and (rows is None or record in rows):
                spent += amount_of(usage, pool.model.price)
    return spent


def treasury_of(plan: Plan, store: Store | None, standing: Started, known: Amount = NOTHING) -> Treasury | None:
    """What a run may spend; None where nothing but time is limited.

    Args:
        plan: the plan.
        store: the dataset; None for a preview.
        standing: what is there already.
        known: what earlier runs said that they had spent, attempts that failed for nothing included.
    """
    budget = plan.run.budget
    if budget is None or not budget.limits_spending:
        return None
    spent = NOTHING if store is None else spent_before(plan, store, standing)
    return Treasury(limit_of(budget), spent.or_more(known))


def _part(wanted: Amount, least: Amount, left: Amount) -> Amount:
    """As much of what is wanted as there is, and no less than is of use."""
    shares = [
        available / asked
        for asked, available in ((wanted.usd, left.usd), (wanted.tokens, left.tokens), (wanted.requests, left.requests))
        if asked > 0
    ]
    amount = wanted.times(max(0.0, min([1.0, *shares])))
    return amount if amount.covers(least) else least
