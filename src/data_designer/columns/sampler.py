"""Sampler columns: drawn together, in the order in which they depend on each other."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa

from data_designer.columns.arrow_types import inferred
from data_designer.columns.samplers.checks import check_samplers
from data_designer.columns.samplers.program import SamplersProgram
from data_designer.config.analysis.column_statistics import SamplerColumnStatistics
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.sampler_params import CategorySamplerParams, SubcategorySamplerParams, TimeDeltaSamplerParams
from data_designer.config.templates import references
from data_designer.plan.fingerprints import declared, digest
from data_designer.plan.kinds import ColumnKind, Joint, Statistics
from data_designer.plan.model import Plan, Step
from data_designer.plan.profile import Profile, stddev
from data_designer.plan.violation import Violation

_STEP = "samplers"

_NUMERIC = {
    "uniform": pa.float64(),
    "gaussian": pa.float64(),
    "bernoulli_mixture": pa.float64(),
    "scipy": pa.float64(),
}
_INTEGRAL = {"bernoulli": pa.int64(), "binomial": pa.int64(), "poisson": pa.int64()}
_TEXTUAL = {"uuid": pa.string(), "datetime": pa.string(), "timedelta": pa.string()}
_SAMPLED = _NUMERIC | _INTEGRAL | _TEXTUAL
_CONVERTED = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}


def _build(step: Step, plan: Plan, _seed_table: "pa.Table | None") -> SamplersProgram:
    return SamplersProgram(step.of(SamplerColumnConfig), plan.config.constraints or [], plan.seed)


def _check(columns: Sequence[SamplerColumnConfig], config: DataDesignerConfig) -> Iterator[Violation]:
    for column, message in check_samplers(columns, config.constraints or []):
        yield Violation("invalid_sampler", column, message)


# --- types -----------------------------------------------------------------------------------------------


def _arrow_type(config: SamplerColumnConfig) -> "pa.DataType | None":
    kind = str(config.sampler_type)
    if kind in _TEXTUAL:
        return pa.string()
    if config.convert_to in _CONVERTED:
        return _CONVERTED[config.convert_to]
    if kind in ("category", "subcategory"):
        values = list(_declared_values(config))
        return inferred(values) if values else None
    return _SAMPLED.get(kind)


def _declared_values(config: SamplerColumnConfig) -> Iterator[object]:
    for params in [config.params, *config.conditional_params.values()]:
        match params:
            case CategorySamplerParams(values=values):
                yield from values
            case SubcategorySamplerParams(values=values):
                yield from chain.from_iterable(values.values())


# --- statistics ------------------------------------------------------------------------------------------


def _statistics(column: SamplerColumnConfig, profile: Profile) -> Statistics:
    sampler = str(column.sampler_type)
    form, distribution = _distribution(sampler, profile)
    return SamplerColumnStatistics, {
        "column_type": column.column_type,
        "sampler_type": sampler,
        "distribution_type": form,
        "distribution": distribution,
    }


def _distribution(sampler: str, profile: Profile) -> tuple[str, dict[str, object] | None]:
    categories = profile["categories"]
    if sampler in ("category", "subcategory"):
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
            "stddev": stddev(numbers),
        }
    return "text" if sampler in ("uuid", "datetime", "timedelta") else "other", None


# --- digests ---------------------------------------------------------------------------------------------


def _digests(
    columns: Sequence[SamplerColumnConfig], config: DataDesignerConfig, seed: int, _seed_data: str
) -> dict[str, str]:
    """A sampler counts with every sampler that it is drawn from, and with the constraints on each of them."""
    constraints = [constraint.model_dump(mode="json") for constraint in config.constraints or ()]
    on = {column.name: [c for c in constraints if c["target_column"] == column.name] for column in columns}
    needs = {column.name: _needs(column, on[column.name]) & on.keys() for column in columns}
    dumped = {column.name: [declared(column), on[column.name]] for column in columns}
    return {name: digest([_STEP, seed, [dumped[other] for other in _reached(name, needs)]]) for name in dumped}


def _needs(column: SamplerColumnConfig, constraints: Sequence[Mapping[str, object]]) -> set[str]:
    """Names that a sampler's declaration refers to."""
    names = {str(c["rhs"]) for c in constraints if isinstance(c["rhs"], str)}
    for condition, params in [("", column.params), *column.conditional_params.items()]:
        names |= references(f"{{{{ {condition} }}}}") if condition else set()
        match params:
            case SubcategorySamplerParams(category=name) | TimeDeltaSamplerParams(reference_column_name=name):
                names.add(name)
    return names


def _reached(name: str, needs: Mapping[str, set[str]]) -> list[str]:
    """What a sampler depends on, directly or not: itself first, then sorted."""
    found, waiting = {name}, [name]
    while waiting:
        new = needs[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return [name, *sorted(found - {name})]


SAMPLER = ColumnKind(
    config=SamplerColumnConfig,
    build=_build,
    joint=Joint(_STEP, _digests, _check),
    arrow_type=_arrow_type,
    statistics=_statistics,
)
