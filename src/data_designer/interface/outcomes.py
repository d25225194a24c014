"""What became of every requested record, and how it is said."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_designer.engine.driver import RunReport
from data_designer.engine.totals import Totals
from data_designer.errors import DataDesignerEarlyShutdownError, DataDesignerGenerationError
from data_designer.plan.model import Plan
from data_designer.values import Usage

logger = logging.getLogger(__name__)

_MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class RunOutcomes:
    """What became of every requested record, and what it cost."""

    requested: int
    generated: int
    rejected: int
    unfinished: int
    """Records that a stop left undone; they can be made later."""
    reasons: dict[str, dict[str, Any]]
    """Kind of rejection to its count and one example."""
    usage: dict[str, Usage]
    """Model alias to what was asked."""


def outcomes_of(plan: Plan, totals: Totals) -> RunOutcomes:
    """What became of the records of a plan, by the totals of its batches."""
    requested = plan.geometry.num_records
    unfinished = requested - totals.generated - totals.rejected
    return RunOutcomes(requested, totals.generated, totals.rejected, unfinished, totals.reasons, totals.usage)


def log_outcomes(outcomes: RunOutcomes) -> None:
    """Say it, a line each."""
    logger.info(
        "requested=%d generated=%d rejected=%d unfinished=%d",
        outcomes.requested,
        outcomes.generated,
        outcomes.rejected,
        outcomes.unfinished,
    )
    for line in _listed(outcomes.reasons):
        logger.warning("%s", line)
    for alias, spent in outcomes.usage.items():
        logger.info(
            "model=%s requests=%d failed_requests=%d tokens_in=%d tokens_out=%d",
            alias,
            spent.requests,
            spent.failed_requests,
            spent.input_tokens,
            spent.output_tokens,
        )


def _listed(reasons: dict[str, dict[str, Any]]) -> list[str]:
    ranked = sorted(reasons.items(), key=lambda item: -item[1]["count"])[:_MOST_EXAMPLES]
    return [
        f"rejected={found['count']} kind={kind} column={found['column']} "
        f"example: record {found['record']}: {found['message']}"
        for kind, found in ranked
    ]


def refuse_empty(report: RunReport, outcomes: RunOutcomes, dataset: Path | None = None) -> None:
    """Raise where no record was made, in the words of what went wrong most.

    Raises:
        DataDesignerEarlyShutdownError: too many cells of a column failed.
        DataDesignerGenerationError: anything else.
    """
    if outcomes.generated:
        return
    resume = [how_to_resume(dataset)] if dataset is not None and outcomes.unfinished else []
    why = [*([report.stop_reason] if report.stop_reason else []), *_listed(outcomes.reasons)]
    error = DataDesignerEarlyShutdownError if report.tripped_column else DataDesignerGenerationError
    raise error(f"no record could be made: {'; '.join([*(why or ['every record was rejected']), *resume])}")


def how_to_resume(dataset: Path) -> str:
    """What to do about a run that ended early."""
    return (
        f"to go on: data-designer resume {dataset}, or the same script with resume='always'; what was answered is "
        "not asked again"
    )
