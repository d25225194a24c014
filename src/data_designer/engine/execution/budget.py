"""What a run may spend: its budget, less what earlier runs have spent of it."""

import math

from data_designer.config.run_config import Budget
from data_designer.engine.dataset.journal import read_replay
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.scheduling.budget_allocator import BudgetAllocator
from data_designer.models.admission.budget_lease import NOTHING, Amount, amount_of
from data_designer.plan.model import Plan, beside


def limit_of(budget: Budget) -> Amount:
    """A budget as an amount."""
    parts = (budget.usd, budget.tokens, budget.requests)
    return Amount(*(math.inf if part is None else float(part) for part in parts))


def spent_before(plan: Plan, store: Store, resume_point: ResumePoint) -> Amount:
    """What earlier runs of a dataset have spent: by its receipts, and by the journal of what they do not speak of."""
    spent = NOTHING
    for receipt in store.receipts():
        for one in receipt.spent.values():
            spent += amount_of(one.usage, plan.pools[one.alias].price)
    alias = {fingerprint: plan.stage_of(column).pool for column, fingerprint in plan.fingerprints.items()}
    for step in plan.steps:
        alias.update({beside(plan.fingerprints[step.name], further): further for further in step.asks})
    for batch in store.journaled():
        wanted = resume_point.partial.get(batch)
        if batch in resume_point.committed and wanted is None:
            continue
        rows = None if wanted is None else set(wanted.tolist())
        for fingerprint, record, usage in read_replay(store.files, [batch]).usages():
            pool = plan.pools.get(alias.get(fingerprint, ""))
            if pool is not None and (rows is None or record in rows):
                spent += amount_of(usage, pool.price)
    return spent


def budget_allocator_of(
    plan: Plan, store: Store | None, resume_point: ResumePoint, known: Amount = NOTHING
) -> BudgetAllocator | None:
    """What a run may spend; None where nothing but time is limited.

    Args:
        plan: the plan.
        store: the dataset; None for a preview.
        resume_point: what is there already.
        known: what earlier runs said that they had spent, attempts that failed for nothing included.
    """
    budget = plan.run.budget
    if budget is None or not budget.limits_spending:
        return None
    spent = NOTHING if store is None else spent_before(plan, store, resume_point)
    return BudgetAllocator(limit_of(budget), spent.or_more(known))
