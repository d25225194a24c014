"""What became of every requested record."""

from collections.abc import Iterable, Mapping
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

_MOST_EXAMPLES = 5
_NEXT_LINE = "\n   "
"""Between two reasons."""


class AttemptCount(TypedDict):
    """How many attempts failed in one way, and what the first came to."""

    count: int
    message: str


Counted = TypeVar("Counted", FailureCount, AttemptCount)


@dataclass(frozen=True, slots=True, repr=False)
class RunOutcomes:
    """What became of every record, and what it cost.

    `generated + null_filled + rejected + unfinished == requested + refilled`.
    """

    requested: int
    """Records that were asked for."""
    generated: int
    """Records that are whole."""
    rejected: int
    """Records that were left out; `load_rejected()` says why."""
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
            raise DatasetGenerationError(f"the fates of the records do not add up: {self!r}; please report this")

    def __repr__(self) -> str:
        """The counts alone: of the rest there may be screens."""
        names = ("requested", "generated", "null_filled", "rejected", "unfinished", "refilled", "usd")
        always = ("requested", "generated", "rejected")
        shown = {name: getattr(self, name) for name in names if getattr(self, name) or name in always}
        texts = (f"{name}={value if isinstance(value, int) else round(value, 6)}" for name, value in shown.items())
        return f"RunOutcomes({', '.join(texts)})"

    def __str__(self) -> str:
        from data_designer.interface.ending import Ending
        from data_designer.interface.ending_views import as_text

        return as_text(Ending(self))

    def _repr_html_(self) -> str:
        from data_designer.interface.ending import Ending
        from data_designer.interface.ending_views import as_html

        return as_html(Ending(self))

    @property
    def there(self) -> int:
        """Records that are in the dataset."""
        return self.generated + self.null_filled


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
    return RunOutcomes(
        requested=requested,
        generated=totals.generated - totals.null_filled,
        rejected=totals.rejected,
        unfinished=drawn - totals.generated - totals.rejected,
        reasons=totals.reasons,
        usage=by_alias(totals.spent),
        null_filled=totals.null_filled,
        refilled=drawn - requested,
        columns={name: totals.spent[name] for name in _as_declared(plan, totals.spent)},
        usd=usd_of(plan, totals.spent),
        retried={alias: _retried(statistics) for alias, statistics in report.statistics.items() if statistics.errors},
    )


def _as_declared(plan: Plan, names: Iterable[str]) -> list[str]:
    """Names of columns in the order in which they are declared."""
    places = {column.name: place for place, column in enumerate(plan.config.columns)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def usd_of(plan: Plan, spent: Mapping[str, Spending]) -> float | None:
    """What the columns of a plan cost; None where no model was asked, or one that was has no price."""
    priced = {model.alias for model in plan.config.model_configs or () if model.price is not None}
    free = {alias for alias, pool in plan.pools.items() if pool.model is None}
    of_models = [one for one in spent.values() if one.alias not in free]
    if not of_models or not priced.issuperset(one.alias for one in of_models):
        return None
    return sum(one.usd for one in of_models)


def _retried(statistics: CallerStatistics) -> dict[str, AttemptCount]:
    return {
        kind: {"count": count, "message": statistics.examples.get(kind, "")}
        for kind, count in statistics.errors.items()
    }


def top_reasons(outcomes: RunOutcomes) -> list[str]:
    """The most frequent kinds of failure, each with its count and one example, a line each."""
    return [
        f"{found['count']}x {kind} in column '{found['column']}', such as record {found['record']}: {found['message']}"
        for kind, found in ranked(outcomes.reasons)
    ]


def ranked(kinds: Mapping[str, Counted]) -> list[tuple[str, Counted]]:
    """The most frequent ones first, and no more than a few."""
    return sorted(kinds.items(), key=lambda item: -item[1]["count"])[:_MOST_EXAMPLES]


def refuse_empty(report: RunReport, outcomes: RunOutcomes, dataset: Location | None = None) -> None:
    """Raise where no record was made, in the words of what went wrong most.

    Raises:
        DataDesignerEarlyShutdownError: too many cells of a column failed.
        DataDesignerGenerationError: anything else.
    """
    if outcomes.there:
        return
    resume = [how_to_resume(dataset)] if dataset is not None and outcomes.unfinished else []
    why = [*([report.stop_reason] if report.stop_reason else []), *top_reasons(outcomes), *_attempts(outcomes)]
    error = DataDesignerEarlyShutdownError if report.tripped_column else DataDesignerGenerationError
    raise error(f"no record could be made: {_NEXT_LINE.join([*(why or ['every record was rejected']), *resume])}")


def _attempts(outcomes: RunOutcomes) -> list[str]:
    return [
        f"{found['count']} requests to '{alias}' failed with {kind}, such as: {found['message']}"
        for alias, kinds in outcomes.retried.items()
        for kind, found in ranked(kinds)
    ]


def how_to_resume(dataset: Location) -> str:
    """What to do about a run that ended early."""
    return (
        f"to go on: data-designer resume {dataset}, or the same script with resume='always'; what was answered is "
        "not asked again"
    )
