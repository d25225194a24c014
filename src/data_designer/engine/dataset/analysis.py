"""What is known of a finished dataset, folded from the receipts of its batches."""

from data_designer.columns.registry import KINDS
from data_designer.config.analysis.column_statistics import GeneralColumnStatistics
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.base import SingleColumnConfig
from data_designer.engine.dataset.profile import distinct
from data_designer.engine.dataset.totals import Totals
from data_designer.plan.model import Plan
from data_designer.plan.profile import Profile

_MOST_COMMON = 20


def analyse(plan: Plan, totals: Totals, requested: int) -> DatasetProfilerResults:
    """Statistics of a dataset from the totals of its committed batches, and the records that were asked for."""
    profiles = totals.profile
    columns = [column for column in plan.config.columns if not column.drop]
    # Those of the seed dataset come last.
    shown = sorted(columns, key=lambda column: KINDS[column.column_type].from_seed)
    names = {column.name for column in shown}
    return DatasetProfilerResults(
        num_records=totals.generated,
        target_num_records=requested,
        column_statistics=[_statistics(c, profiles[c.name]) for c in shown if c.name in profiles],
        side_effect_column_names=[name for name in profiles if name not in names],
    )


def _statistics(column: SingleColumnConfig, profile: Profile) -> GeneralColumnStatistics:
    general: dict[str, object] = {
        "column_name": column.name,
        "num_records": profile["rows"],
        "num_null": profile["nulls"],
        "num_unique": min(distinct(profile), profile["rows"]),
        "pyarrow_dtype": profile["arrow_type"],
        "simple_dtype": _simple(profile["arrow_type"]),
        "most_common": _most_common(profile),
    }
    statistics, own = KINDS[column.column_type].statistics(column, profile)
    return statistics.model_validate(general | {**own})


def _most_common(profile: Profile) -> dict[str, int] | None:
    """The most common values, where they are few and say something."""
    categories = profile["categories"]
    # Judgements and verdicts have counts of their own.
    if not categories or "scores" in profile or "valid" in profile or max(categories.values()) < 2:
        return None
    ranked = sorted(categories.items(), key=lambda one: (-one[1], one[0]))
    return dict(ranked[:_MOST_COMMON])


def _simple(arrow_type: str) -> str:
    if arrow_type.startswith("int"):
        return "int"
    if arrow_type.startswith(("double", "float")):
        return "float"
    return "dict" if arrow_type.startswith("struct") else arrow_type
