"""What is wrong with sampler columns, found before anything is drawn."""

from collections.abc import Iterator, Mapping, Sequence

from data_designer.columns.samplers.conditions import condition_names
from data_designer.columns.samplers.conversion import CONVERSIONS
from data_designer.columns.samplers.program import depends_on
from data_designer.columns.samplers.registry import all_params, listed, sampler_of
from data_designer.columns.samplers.sampler import CONVERTED, Holds, Known
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.near_names import suggestion
from data_designer.config.sampler_constraints import (
    AnyConstraint,
    ColumnInequalityConstraint,
    ScalarInequalityConstraint,
)
from data_designer.config.sampler_params import SamplerParams
from data_designer.errors import UserJinjaTemplateSyntaxError

Found = tuple[str, str]
"""Column, and what is wrong with it."""


def check_samplers(configs: Sequence[SamplerColumnConfig], constraints: Sequence[AnyConstraint]) -> list[Found]:
    """Everything that is wrong with the sampler columns of a configuration, as (column, message).

    Names that are declared twice are left to the check of all columns.
    """
    known = {config.name: config for config in configs}
    found: list[Found] = []
    unparsed = False
    for config in configs:
        wrong = [*_syntax(config)]
        unparsed |= bool(wrong)
        wrong += [*_names(config, known), *_conversion(config)]
        for params in all_params(config):
            wrong += [*_kind(params, config), *sampler_of(params).check(params, known)]
        found.extend((config.name, message) for message in dict.fromkeys(wrong))
    found.extend(_constraints(constraints, known))
    found.extend(_contradictions(constraints))
    return found if unparsed else [*found, *_circles(configs, constraints)]


def _syntax(config: SamplerColumnConfig) -> Iterator[str]:
    for condition in config.conditional_params:
        try:
            condition_names(condition)
        except UserJinjaTemplateSyntaxError as error:
            reason = str(error).rstrip(".")
            yield f"the condition {condition!r} is no expression: {reason}; write it without braces"


def _names(config: SamplerColumnConfig, known: Known) -> Iterator[str]:
    for condition in config.conditional_params:
        try:
            names = condition_names(condition)
        except UserJinjaTemplateSyntaxError:
            continue
        for name in sorted(names - set(known)):
            yield f"the condition {condition!r} refers to '{name}', which is no sampler column{suggestion(name, known)}"


def _kind(params: SamplerParams, config: SamplerColumnConfig) -> Iterator[str]:
    if params.sampler_type != config.sampler_type:
        yield f"sampler_type is {config.sampler_type}, but its params are those of {params.sampler_type}"


def _conversion(config: SamplerColumnConfig) -> Iterator[str]:
    holds, convert = sampler_of(config).holds, config.convert_to
    if convert is None:
        return
    if holds is Holds.MOMENTS and "%" not in convert:
        yield f"convert_to of a {config.sampler_type} is a strftime pattern such as %Y-%m-%d, not {convert!r}"
    if holds not in CONVERTED:
        return
    if convert not in CONVERSIONS:
        yield f"convert_to is one of int, float, str; not {convert!r}"
        return
    for value in listed(config):
        try:
            CONVERSIONS[convert](value)
        except ValueError:
            yield f"its value {value!r} cannot be converted to {convert}; leave convert_to away or change the value"


def _constraints(constraints: Sequence[AnyConstraint], known: Known) -> Iterator[Found]:
    for constraint in constraints:
        target = constraint.target_column
        sides = [target, constraint.rhs] if isinstance(constraint, ColumnInequalityConstraint) else [target]
        unknown = [name for name in sides if name not in known]
        for name in unknown:
            yield target, f"a constraint compares '{name}', which is no sampler column{suggestion(name, known)}"
        if unknown:
            continue
        natures = [_nature(known[name]) for name in sides]
        if len(sides) == 1 and natures[0] != "numbers":
            yield target, f"a constraint compares it with the number {constraint.rhs}, but it holds {natures[0]}"
        elif natures[0] != natures[-1] or natures[0] in _ORDERLESS:
            yield target, f"a constraint compares its {natures[0]} with the {natures[-1]} of '{constraint.rhs}'"


def _contradictions(constraints: Sequence[AnyConstraint]) -> Iterator[Found]:
    """Columns that no value can be in: between what it has to be above, and what below, is nothing."""
    sides: dict[tuple[str, str | None], list[AnyConstraint]] = {}
    for one in constraints:
        other = one.rhs if isinstance(one, ColumnInequalityConstraint) else None
        sides.setdefault((one.target_column, other), []).append(one)
    for (target, other), some in sides.items():
        # Strict bounds come after others of the same number from below, and before them from above.
        below = max((_bound(one) for one in some if one.operator in ("gt", "ge")), default=None)
        above = min((_bound(one) for one in some if one.operator in ("lt", "le")), default=None)
        if below is not None and above is not None and below > above:
            listed = " and ".join(f"{one.operator} {one.rhs if other is None else repr(other)}" for one in some)
            yield target, f"no value satisfies its constraints together: {listed}"


def _bound(constraint: AnyConstraint) -> tuple[float, int]:
    number = constraint.rhs if isinstance(constraint, ScalarInequalityConstraint) else 0.0
    return number, {"gt": 1, "ge": 0, "lt": -1, "le": 0}[str(constraint.operator)]


_ORDERLESS = frozenset({"people", "numbers and texts"})


def _nature(config: SamplerColumnConfig) -> str:
    """What the values of a column are when constraints compare them."""
    match sampler_of(config).holds:
        case (Holds.MOMENTS | Holds.TEXTS | Holds.PEOPLE) as holds:
            return holds.value
        case Holds.LISTED if config.convert_to is None:
            texts = {isinstance(value, str) for value in listed(config)}
            return "numbers and texts" if len(texts) > 1 else "texts" if True in texts else "numbers"
        case _:
            return "texts" if config.convert_to == "str" else "numbers"


def _circles(configs: Sequence[SamplerColumnConfig], constraints: Sequence[AnyConstraint]) -> Iterator[Found]:
    waiting = {config.name: depends_on(config, constraints) for config in configs}
    while waiting:
        ready = [name for name, needs in waiting.items() if not needs & set(waiting)]
        if not ready:
            yield min(waiting), f"samplers depend on each other in a circle: {_circle(waiting)}"
            return
        for name in ready:
            del waiting[name]


def _circle(waiting: Mapping[str, set[str]]) -> str:
    """One circle among columns each of which waits for another."""
    path = [min(waiting)]
    while path[-1] not in path[:-1]:
        path.append(min(waiting[path[-1]] & set(waiting)))
    return " -> ".join(path[path.index(path[-1]) :])
