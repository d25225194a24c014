"""What is known of a finished dataset, folded from the receipts of its batches."""

import math
from typing import Any

from data_designer.config.analysis.column_statistics import (
    MISSING,
    GeneralColumnStatistics,
    LLMColumnStatistics,
    SamplerColumnStatistics,
    ValidationColumnStatistics,
)
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.column_types import COLUMN_PLUGINS
from data_designer.engine.dataset.profile import Profile, distinct
from data_designer.engine.dataset.totals import Totals
from data_designer.plan.model import Plan

_CHARACTERS_A_TOKEN = 4
_MODEL_WRITTEN = frozenset({"llm-text", "llm-code", "llm-structured", "llm-judge"})


def analyse(plan: Plan, totals: Totals) -> DatasetProfilerResults:
    """Statistics of a dataset from the totals of its committed batches."""
    profiles = totals.profile
    declared = [column for column in plan.config.columns if column.column_type != "seed-dataset" and not column.drop]
    names = {column.name for column in declared}
    return DatasetProfilerResults(
        num_records=totals.generated,
        target_num_records=plan.geometry.num_records,
        column_statistics=[_statistics(c, profiles[c.name]) for c in declared if c.name in profiles],
        side_effect_column_names=[name for name in profiles if name not in names],
    )


def _statistics(column: Any, profile: Profile) -> GeneralColumnStatistics:
    general = {
        "column_name": column.name,
        "num_records": profile["rows"],
        "num_null": profile["nulls"],
        "num_unique": min(distinct(profile), profile["rows"]),
        "pyarrow_dtype": profile["arrow_type"],
        "simple_dtype": _simple(profile["arrow_type"]),
    }
    kind = column.column_type
    if kind in _MODEL_WRITTEN:
        return LLMColumnStatistics(**general, column_type=kind, **_tokens(profile))
    if kind == "sampler":
        sampler = str(column.sampler_type)
        form, distribution = _distribution(sampler, profile)
        return SamplerColumnStatistics(
            **general,
            column_type=kind,
            sampler_type=sampler,
            distribution_type=form,
            distribution=distribution,
        )
    if kind == "validation":
        return ValidationColumnStatistics(**general, column_type=kind, num_valid_records=profile.get("valid", 0))
    by_kind = kind == "expression" or kind in COLUMN_PLUGINS
    return GeneralColumnStatistics(**general, column_type=kind if by_kind else "general")


def _simple(arrow_type: str) -> str:
    if arrow_type.startswith("int"):
        return "int"
    if arrow_type.startswith(("double", "float")):
        return "float"
    return "dict" if arrow_type.startswith("struct") else arrow_type


def _tokens(profile: Profile) -> dict[str, Any]:
    """About four characters a token: no tokenizer has to be fetched."""
    characters = profile.get("characters")
    if not characters:
        return {"output_tokens_mean": MISSING, "output_tokens_stddev": MISSING}
    return {
        "output_tokens_mean": round(characters["mean"] / _CHARACTERS_A_TOKEN, 1),
        "output_tokens_stddev": round(_stddev(characters) / _CHARACTERS_A_TOKEN, 1),
    }


def _stddev(moments: dict[str, float]) -> float:
    return math.sqrt(moments["m2"] / moments["count"]) if moments["count"] else 0.0


def _distribution(sampler: str, profile: Profile) -> tuple[str, dict[str, Any] | None]:
    categories = profile["categories"]
    if sampler in ("category", "subcategory"):
        if not categories:
            return "categorical", None
        ranked = sorted(categories, key=lambda name: -categories[name])
        histogram = {"categories": ranked, "counts": [categories[name] for name in ranked]}
        shown = {"most_common_value": ranked[0], "least_common_value": ranked[-1], "histogram": histogram}
        return "categorical", shown
    numbers = profile.get("numbers")
    if numbers:
        shown = {
            "min": numbers["min"],
            "max": numbers["max"],
            "mean": numbers["mean"],
            "stddev": _stddev(numbers),
        }
        return "numerical", shown
    return "text" if sampler in ("uuid", "datetime", "timedelta") else "other", None
