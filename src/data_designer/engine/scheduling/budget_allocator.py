"""Shares a run's budget out among replicas: granted in blocks before anything is sent, settled with the results."""

import math
from collections import Counter
from collections.abc import Iterator

from data_designer.engine.scheduling.slot_allocator import Incarnation
from data_designer.models.admission.budget_lease import NOTHING, Amount, BudgetReport


class BudgetAllocator:
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
        self._waiting: dict[Incarnation, BudgetReport] = {}
        """Replicas that want more than was left when they asked."""
        self._busy: set[Incarnation] = set()
        """Replicas that may still give something back."""
        self._grants_to: Counter[Incarnation] = Counter()
        """How often each was sent something."""
        self._lost: set[Incarnation] = set()

    def __repr__(self) -> str:
        return f"BudgetAllocator(left={self._left}, given={self._given})"

    def __str__(self) -> str:
        parts = (
            ("USD", self.limit.usd, self.spent.usd),
            ("tokens", self.limit.tokens, self.spent.tokens),
            ("requests", self.limit.requests, self.spent.requests),
        )
        return ", ".join(f"{spent:.10g} of {limit:.10g} {unit}" for unit, limit, spent in parts if limit < math.inf)

    def settle(self, replica: Incarnation, report: BudgetReport) -> list[tuple[Incarnation, Amount]]:
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


def _part(wanted: Amount, least: Amount, left: Amount) -> Amount:
    """As much of what is wanted as there is, and no less than is of use."""
    shares = [
        available / asked
        for asked, available in ((wanted.usd, left.usd), (wanted.tokens, left.tokens), (wanted.requests, left.requests))
        if asked > 0
    ]
    amount = wanted.times(max(0.0, min([1.0, *shares])))
    return amount if amount.covers(least) else least
