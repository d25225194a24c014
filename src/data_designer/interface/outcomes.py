"""What became of every requested record, and how it is said."""

import logging
from dataclasses import dataclass, field
from typing import TypedDict, TypeVar

from data_designer.engine.dataset.totals import Totals
from data_designer.engine.execution.driver import RunReport
from data_designer.engine.protocol.receipt import FailureCount
from data_designer.engine.protocol.spending import Spending, by_alias
from data_designer.errors import (
    DataDesignerEarlyShutdownError,
    DataDesignerGenerationError,
    DatasetGenerationError,
)
from data_designer.models.retry import CallerStatistics
from data_designer.object_storage import Location
from data_designer.plan.model import Plan
from data_designer.values import Usage

logger = logging.getLogger(__name__)

_MOST_EXAMPLES = 5


class AttemptCount(TypedDict):
    """How many attempts failed in one way, and what the first came to."""

    count: int
    message: str


Counted = TypeVar("Counted", FailureCount, AttemptCount)


@dataclass(frozen=True, slots=True)
class RunOutcomes:
    """What became of every record, and what it cost.

    `generated + null_filled + rejected + unfinished == requested + refilled`.
    """

    requested: int
    """Records that were asked for."""
    generated: int
    """Records that are whole."""
    rejected: int
    unfinished: int
    """Records that a stop left undone; they can be made later."""
    reasons: dict[str, FailureCount]
    """Kind of failure to its count and one example."""
    usage: dict[str, Usage]
    """Model alias to what was asked."""
    null_filled: int = 0
    """Records in which a cell failed and is null, which `on_row_failure="null"` asks for."""
    refilled: int = 0
    """Further records that were drawn for rejected ones, which `on_row_failure="refill"` asks for."""
    columns: dict[str, Spending] = field(default_factory=dict)
    """Column to what was asked for its cells, and how many of them took the first reply."""
    usd: float | None = None
    """What it cost; None where a model that was asked has no price."""
    retried: dict[str, dict[str, AttemptCount]] = field(default_factory=dict)
    """Model alias to kinds of failed attempts of this run, each with its count and one example."""

    def __post_init__(self) -> None:
        there = self.generated + self.null_filled + self.rejected + self.unfinished
        if there != self.requested + self.refilled or min(self.generated, self.unfinished) < 0:
            raise DatasetGenerationError(f"the fates of the records do not add up: {self}; please report this")


def outcomes_of(plan: Plan, totals: Totals, report: RunReport, requested: int | None = None) -> RunOutcomes:
    """What became of the records of a plan.

    Args:
        plan: the plan.
        totals: those of its batches.
        report: how the run ended.
        requested: how many records were asked for, where the plan has drawn further ones.
    """
    drawn = plan.geometry.num_records
    requested = drawn if requested is None else requested
    priced = all(plan.pools[one.alias].price is not None for one in totals.spent.values())
    asked_models = any(plan.pools[one.alias].model is not None for one in totals.spent.values())
    return RunOutcomes(
        requested=requested,
        generated=totals.generated - totals.null_filled,
        rejected=totals.rejected,
        unfinished=drawn - totals.generated - totals.rejected,
        reasons=totals.reasons,
        usage=by_alias(totals.spent),
        null_filled=totals.null_filled,
        refilled=drawn - requested,
        columns=totals.spent,
        usd=sum(one.usd for one in totals.spent.values()) if priced and asked_models else None,
        retried={alias: _retried(statistics) for alias, statistics in report.statistics.items() if statistics.errors},
    )


def _retried(statistics: CallerStatistics) -> dict[str, AttemptCount]:
    return {
        kind: {"count": count, "message": statistics.examples.get(kind, "")}
        for kind, count in statistics.errors.items()
    }


def log_outcomes(outcomes: RunOutcomes) -> None:
    """Say it, a line each."""
    cost = "" if outcomes.usd is None else f" usd={outcomes.usd:.4f}"
    logger.info(
        "requested=%d generated=%d null_filled=%d rejected=%d unfinished=%d%s%s",
        outcomes.requested,
        outcomes.generated,
        outcomes.null_filled,
        outcomes.rejected,
        outcomes.unfinished,
        f" refilled={outcomes.refilled}" if outcomes.refilled else "",
        cost,
    )
    for line in top_reasons(outcomes):
        logger.warning("%s", line)
    for alias, kinds in outcomes.retried.items():
        for kind, found in _ranked(kinds):
            logger.info(
                "model=%s failed_attempts=%d kind=%s example: %s", alias, found["count"], kind, found["message"]
            )
    for column, spent in outcomes.columns.items():
        logger.info(
            "column=%s model=%s cells=%d first_pass=%.1f%% requests=%d failed_requests=%d tokens_in=%d cached=%d "
            "tokens_out=%d reasoning=%d",
            column,
            spent.alias,
            spent.cells,
            100 * spent.first_pass / max(1, spent.cells),
            spent.usage.requests,
            spent.usage.failed_requests,
            spent.usage.input_tokens,
            spent.usage.cached_tokens,
            spent.usage.output_tokens,
            spent.usage.reasoning_tokens,
        )


def top_reasons(outcomes: RunOutcomes) -> list[str]:
    """The most frequent kinds of failure, each with its count and one example, a line each."""
    return [
        f"failed={found['count']} kind={kind} column={found['column']} "
        f"example: record {found['record']}: {found['message']}"
        for kind, found in _ranked(outcomes.reasons)
    ]


def _ranked(kinds: dict[str, Counted]) -> list[tuple[str, Counted]]:
    return sorted(kinds.items(), key=lambda item: -item[1]["count"])[:_MOST_EXAMPLES]


def refuse_empty(report: RunReport, outcomes: RunOutcomes, dataset: Location | None = None) -> None:
    """Raise where no record was made, in the words of what went wrong most.

    Raises:
        DataDesignerEarlyShutdownError: too many cells of a column failed.
        DataDesignerGenerationError: anything else.
    """
    if outcomes.generated or outcomes.null_filled:
        return
    resume = [how_to_resume(dataset)] if dataset is not None and outcomes.unfinished else []
    why = [*([report.stop_reason] if report.stop_reason else []), *top_reasons(outcomes), *_attempts(outcomes)]
    error = DataDesignerEarlyShutdownError if report.tripped_column else DataDesignerGenerationError
    raise error(f"no record could be made: {'; '.join([*(why or ['every record was rejected']), *resume])}")


def _attempts(outcomes: RunOutcomes) -> list[str]:
    return [
        f"model={alias} failed_attempts={found['count']} kind={kind} example: {found['message']}"
        for alias, kinds in outcomes.retried.items()
        for kind, found in _ranked(kinds)
    ]


def how_to_resume(dataset: Location) -> str:
    """What to do about a run that ended early."""
    return (
        f"to go on: data-designer resume {dataset}, or the same script with resume='always'; what was answered is "
        "not asked again"
    )
