"""What became of the records of a batch that is committed, and what they cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.encoding import json_text
from data_designer.engine.dataset.failures import Failure
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import FAILED, REJECTED, SPENT, Parcel, Values, held, pick
from data_designer.engine.protocol.spending import Spending
from data_designer.models.admission.budget_lease import cost
from data_designer.plan.model import Plan, beside
from data_designer.values import Reason, Usage

_LOST = Reason("LostWork", "the reason was lost with the machine that held it")


@dataclass(slots=True)
class Accounts:
    """Failures and costs of one batch."""

    rejected: list[Failure] = field(default_factory=list)
    nulled: list[Failure] = field(default_factory=list)
    """Cells that are null instead."""
    spent: dict[str, Spending] = field(default_factory=dict)
    """Column to what its cells cost."""


def accounts_of(plan: Plan, job: CommitJob, values: Sequence[Values]) -> Accounts:
    """Gather them from the values of a batch."""
    return _Bookkeeping(plan, values).accounts(job)


@dataclass(slots=True)
class _OfRecord:
    attempts: int = 0
    usd: float | None = 0.0
    seed: str | None = None


class _Bookkeeping:
    def __init__(self, plan: Plan, values: Sequence[Values]) -> None:
        self._values = values
        self._alias = {step.name: step.pool for step in plan.steps}
        self._alias.update({beside(step.name, alias): alias for step in plan.steps for alias in step.asks})
        freely = {step.name for step in plan.steps if KINDS[step.kind].asks_freely}
        self._freely = freely | {
            beside(step.name, alias) for step in plan.steps if step.name in freely for alias in step.asks
        }
        self._prices = {alias: pool.price for alias, pool in plan.pools.items()}
        seeds = [stage for stage in plan.stages if KINDS[stage.steps[0].kind].from_seed]
        self._seed_stage = seeds[0].number if seeds else None
        # Others of the same stage are computed from them.
        self._seed_columns = seeds[0].steps[0].makes if seeds else ()

    def accounts(self, job: CommitJob) -> Accounts:
        nulled = [(row, reason) for row, some in self._cells((job.kept,), FAILED) for reason in some]
        found = dict(self._cells(job.rejects, REJECTED))
        rejected = {row: found.get(row, _LOST) for row in sorted(job.rejected.tolist())}
        wrong = {(row, reason.column) for row, reason in [*nulled, *rejected.items()]}
        of_record = {row: _OfRecord(seed=seed) for row, seed in self._seeds(job, {row for row, _ in wrong})}
        asked: dict[str, list[tuple[int, ...]]] = {}
        at_once: dict[str, int] = {}
        """Column to its cells that took the first reply."""
        failed: dict[str, int] = {}
        for row, entries in self._cells((job.kept, *job.rejects), SPENT):
            for column, numbers in entries:
                asked.setdefault(column, []).append(numbers)
                good = not wrong or (row, column) not in wrong
                # A request that several cells share is counted with one of them.
                at_once[column] = at_once.get(column, 0) + (good and _attempts(Usage(*numbers)) <= 1)
                if not good:
                    failed[column] = failed.get(column, 0) + 1
                if row in of_record:
                    self._charge(of_record[row], column, numbers)
        return Accounts(
            [_failure(row, reason, of_record[row]) for row, reason in rejected.items()],
            [_failure(row, reason, of_record[row]) for row, reason in nulled],
            {name: self._spending(name, cells, at_once[name], failed.get(name, 0)) for name, cells in asked.items()},
        )

    def _cells(self, parcels: Sequence[Parcel], name: str) -> Iterator[tuple[int, Any]]:
        return held(parcels, self._values, name)

    def _spending(self, column: str, cells: Sequence[tuple[int, ...]], first_pass: int, failed: int) -> Spending:
        alias = self._alias[column]
        usage = Usage(*(sum(numbers) for numbers in zip(*cells, strict=True)))
        first = None if column in self._freely else first_pass
        return Spending(alias, usage, len(cells), first, cost(usage, self._prices.get(alias)), failed)

    def _charge(self, record: _OfRecord, column: str, numbers: tuple[int, ...]) -> None:
        usage, price = Usage(*numbers), self._prices.get(self._alias[column])
        record.attempts += usage.requests + usage.failed_requests
        known = record.usd is not None and price is not None
        record.usd = (record.usd or 0.0) + cost(usage, price) if known else None

    def _seeds(self, job: CommitJob, wanted: set[int]) -> Iterator[tuple[int, str | None]]:
        """Rows of the seed dataset that records were made from, as JSON."""
        seeds: dict[int, str] = {}
        for parcel in (job.kept, *job.rejects):
            places = [place for place, row in enumerate(parcel.rows.tolist()) if row in wanted]
            for source in parcel.sources if places else ():
                if source.stage == self._seed_stage:
                    columns = {name: pick(source, self._values, name) for name in self._seed_columns}
                    for place in places:
                        row = {name: cells[place] for name, cells in columns.items()}
                        seeds[int(parcel.rows[place])] = json_text(row)
        for record in wanted:
            yield record, seeds.get(record)


def _attempts(usage: Usage) -> int:
    """Replies that were to be the cell's value."""
    return usage.requests - usage.tool_turns


def _failure(row: int, reason: Reason, record: _OfRecord) -> Failure:
    return Failure(row, reason, record.attempts, record.usd, record.seed)
