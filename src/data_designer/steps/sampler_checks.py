"""What is wrong with sampler columns, found before anything is drawn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_constraints import ColumnInequalityConstraint
from data_designer.config.sampler_params import (
    BernoulliMixtureSamplerParams,
    CategorySamplerParams,
    DatetimeSamplerParams,
    GaussianSamplerParams,
    PersonSamplerParams,
    ScipySamplerParams,
    SubcategorySamplerParams,
    TimeDeltaSamplerParams,
    UniformSamplerParams,
)
from data_designer.errors import InvalidSamplerParamsError
from data_designer.steps.distributions import frozen, seconds
from data_designer.steps.samplers import Constraint, condition_names, depends_on

Found = tuple[str, str]
"""Column, and what is wrong with it."""

_NUMBERS = frozenset({"int", "float", "str"})
_UNCONVERTED = frozenset({"uuid", "person", "person_from_faker"})


def check_samplers(configs: Sequence[SamplerColumnConfig], constraints: Sequence[Constraint]) -> list[Found]:
    """Everything that is wrong with the sampler columns of a configuration, as (column, message)."""
    by_name = {config.name: config for config in configs}
    found: list[Found] = []
    for config in configs:
        found.extend((config.name, message) for message in _conditions(config, by_name))
        for params in [config.params, *config.conditional_params.values()]:
            found.extend((config.name, message) for message in _params(params, config, by_name))
        found.extend((config.name, message) for message in _conversion(config))
    found.extend(_constraints(constraints, by_name))
    return found or [*_circles(configs, constraints)]


def _conditions(config: SamplerColumnConfig, known: Mapping[str, Any]) -> Iterator[str]:
    for condition in config.conditional_params:
        try:
            names = condition_names(condition)
        except TemplateError as error:
            yield f"the condition {condition!r} does not parse: {error}; write it without braces"
            continue
        for name in sorted(names - set(known)):
            yield f"the condition {condition!r} refers to '{name}', which is no sampler column"


def _params(  # noqa: C901 - one arm a kind of sampler
    params: Any, config: SamplerColumnConfig, known: Mapping[str, SamplerColumnConfig]
) -> Iterator[str]:
    if str(params.sampler_type) != str(config.sampler_type):
        yield f"sampler_type is {config.sampler_type}, but its params are those of {params.sampler_type}"
    match params:
        case UniformSamplerParams(low=low, high=high) if low > high:
            yield f"low ({low:g}) is greater than high ({high:g})"
        case GaussianSamplerParams(stddev=stddev) if stddev < 0:
            yield f"stddev ({stddev:g}) is negative"
        case CategorySamplerParams(weights=weights) if weights and min(weights) < 0:
            yield "a weight is negative"
        case DatetimeSamplerParams() if seconds(params.start) >= seconds(params.end):
            yield f"start ({params.start}) is not before end ({params.end})"
        case ScipySamplerParams() | BernoulliMixtureSamplerParams():
            yield from _distribution(params)
        case SubcategorySamplerParams():
            yield from _subcategory(params, known)
        case TimeDeltaSamplerParams(reference_column_name=name):
            if getattr(known.get(name), "sampler_type", None) not in ("datetime", "timedelta"):
                yield f"its reference column '{name}' is no datetime sampler"
        case PersonSamplerParams(locale=locale):
            yield f"managed person data for {locale} is not supported by this version; use person_from_faker"
        case _:
            pass


def _distribution(params: Any) -> Iterator[str]:
    try:
        frozen(params.dist_name, params.dist_params)
    except InvalidSamplerParamsError as error:
        yield str(error)


def _subcategory(params: SubcategorySamplerParams, known: Mapping[str, SamplerColumnConfig]) -> Iterator[str]:
    parent = known.get(params.category)
    if parent is None or str(parent.sampler_type) != "category":
        yield f"its category '{params.category}' is no category sampler"
        return
    values: set[str] = set()
    for some in [parent.params, *parent.conditional_params.values()]:
        values.update(str(value) for value in getattr(some, "values", ()))
    for missing in sorted(values - set(params.values)):
        yield f"there are no subcategories for '{missing}' of '{params.category}'"
    for extra in sorted(set(params.values) - values):
        yield f"'{extra}' is no value of '{params.category}'"
    for empty in sorted(name for name, options in params.values.items() if not options):
        yield f"the subcategories of '{empty}' are empty"


def _conversion(config: SamplerColumnConfig) -> Iterator[str]:
    kind, convert = str(config.sampler_type), config.convert_to
    if convert is None or kind in _UNCONVERTED:
        return
    if kind in ("datetime", "timedelta"):
        if "%" not in convert:
            yield f"convert_to of a {kind} is a strftime pattern such as %Y-%m-%d, not {convert!r}"
    elif convert not in _NUMBERS:
        yield f"convert_to is one of int, float, str; not {convert!r}"


def _constraints(constraints: Sequence[Constraint], known: Mapping[str, Any]) -> Iterator[Found]:
    for constraint in constraints:
        names = [constraint.target_column]
        if isinstance(constraint, ColumnInequalityConstraint):
            names.append(constraint.rhs)
        for name in names:
            if name not in known:
                yield constraint.target_column, f"a constraint compares '{name}', which is no sampler column"


def _circles(configs: Sequence[SamplerColumnConfig], constraints: Sequence[Constraint]) -> Iterator[Found]:
    waiting = {config.name: depends_on(config, constraints) for config in configs}
    while waiting:
        ready = [name for name, needs in waiting.items() if not needs & set(waiting)]
        if not ready:
            yield min(waiting), f"samplers depend on each other in a circle: {', '.join(sorted(waiting))}"
            return
        for name in ready:
            del waiting[name]
