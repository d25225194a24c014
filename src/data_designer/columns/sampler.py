"""Sampler columns: drawn together, in the order in which they depend on each other."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa

from data_designer.columns.samplers.arrow_types import arrow_type
from data_designer.columns.samplers.checks import check_samplers
from data_designer.columns.samplers.program import SamplersProgram
from data_designer.columns.samplers.registry import needs, sampler_of
from data_designer.columns.samplers.sampler import Holds
from data_designer.config.analysis.column_statistics import MISSING, SamplerColumnStatistics
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.sampler_params import PersonSamplerParams, SamplerParams
from data_designer.plan.fingerprints import declared, digest
from data_designer.plan.kinds import ColumnKind, Joint, Statistics
from data_designer.plan.model import Plan, Step
from data_designer.plan.profile import Profile, stddev
from data_designer.plan.violation import Violation

_STEP = "samplers"


def _build(step: Step, plan: Plan, _seed_table: "pa.Table | None") -> SamplersProgram:
    return SamplersProgram(step.of(SamplerColumnConfig), plan.config.constraints or [], plan.seed)


def _check(columns: Sequence[SamplerColumnConfig], config: DataDesignerConfig) -> Iterator[Violation]:
    for column, message in check_samplers(columns, config.constraints or []):
        yield Violation("invalid_sampler", column, message)


# --- statistics ------------------------------------------------------------------------------------------


def _statistics(column: SamplerColumnConfig, profile: Profile) -> Statistics:
    form, distribution = _distribution(sampler_of(column).holds, profile)
    return SamplerColumnStatistics, {
        "column_type": column.column_type,
        "sampler_type": column.sampler_type,
        "distribution_type": form,
        "distribution": distribution,
    }


def _distribution(holds: Holds, profile: Profile) -> tuple[str, dict[str, object] | None]:
    categories = profile["categories"]
    if holds is Holds.LISTED:
        if not categories:
            return "categorical", None
        ranked = sorted(categories, key=lambda name: -categories[name])
        histogram = {"categories": ranked, "counts": [categories[name] for name in ranked]}
        return "categorical", {
            "most_common_value": ranked[0],
            "least_common_value": ranked[-1],
            "histogram": histogram,
        }
    if numbers := profile.get("numbers"):
        return "numerical", {
            "min": numbers["min"],
            "max": numbers["max"],
            "mean": numbers["mean"],
            "stddev": stddev(numbers) if numbers["m2"] is not None else math.inf,
            "median": MISSING if categories is None else _median(categories),
        }
    return "text" if holds in (Holds.TEXTS, Holds.MOMENTS) else "other", None


def _median(categories: Mapping[str, int]) -> float:
    """Of numbers as text, each with how often it is there."""
    counted = sorted((float(text), count) for text, count in categories.items())
    total, seen, middle = sum(categories.values()), 0, []
    for number, count in counted:
        middle += [number for place in ((total - 1) // 2, total // 2) if seen <= place < seen + count]
        seen += count
    return sum(middle) / len(middle)


# --- digests ---------------------------------------------------------------------------------------------


def _digests(
    columns: Sequence[SamplerColumnConfig], config: DataDesignerConfig, seed: int, _seed_data: str
) -> dict[str, str]:
    """A sampler counts with every sampler that it is drawn from, and with the constraints on each of them."""
    constraints = [constraint.model_dump(mode="json") for constraint in config.constraints or ()]
    on = {column.name: [c for c in constraints if c["target_column"] == column.name] for column in columns}
    rhs = {name: {c["rhs"] for c in on[name] if isinstance(c["rhs"], str)} for name in on}
    needed = {column.name: (needs(column) | rhs[column.name]) & on.keys() for column in columns}
    dumped = {column.name: [declared(column), on[column.name]] for column in columns}
    return {name: digest([_STEP, seed, [dumped[other] for other in _reached(name, needed)]]) for name in dumped}


def _reached(name: str, needed: Mapping[str, set[str]]) -> list[str]:
    """What a sampler depends on, directly or not: itself first, then sorted."""
    found, waiting = {name}, [name]
    while waiting:
        new = needed[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return [name, *sorted(found - {name})]


def _placed(column: SamplerColumnConfig, people: Callable[[str], str]) -> SamplerColumnConfig:
    def placed(params: SamplerParams) -> SamplerParams:
        return params.at(people(params.locale)) if isinstance(params, PersonSamplerParams) else params

    conditional = {when: placed(params) for when, params in column.conditional_params.items()}
    return column.model_copy(update={"params": placed(column.params), "conditional_params": conditional})


SAMPLER = ColumnKind(
    config=SamplerColumnConfig,
    build=_build,
    placed=_placed,
    joint=Joint(_STEP, _digests, _check),
    arrow_type=arrow_type,
    statistics=_statistics,
)
