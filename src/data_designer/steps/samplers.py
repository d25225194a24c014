"""Sampler columns: drawn together, in the order in which they depend on each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_constraints import ColumnInequalityConstraint, ScalarInequalityConstraint
from data_designer.config.sampler_params import (
    PersonFromFakerSamplerParams,
    SubcategorySamplerParams,
    TimeDeltaSamplerParams,
)
from data_designer.steps.distributions import Drawn, choose, draw
from data_designer.steps.people import person
from data_designer.steps.streams import Indices, key, uniforms, words
from data_designer.values import Block, Made, Reason

Constraint = ScalarInequalityConstraint | ColumnInequalityConstraint

_MOST_TRIES = 5000
"""Draws of one record before its constraints are held to be unsatisfiable."""

_ISO = "%Y-%m-%dT%H:%M:%S"
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip


@cache
def environment() -> SandboxedEnvironment:
    """Where conditions of conditional parameters are evaluated."""
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def condition_names(condition: str) -> set[str]:
    """Columns a condition refers to. Raises jinja2.TemplateError where it does not parse."""
    return meta.find_undeclared_variables(environment().parse(f"{{{{ {condition} }}}}"))


def depends_on(config: SamplerColumnConfig, constraints: Sequence[Constraint]) -> set[str]:
    """Sampler columns that must be drawn before this one."""
    names: set[str] = set()
    for condition in config.conditional_params:
        names |= condition_names(condition)
    for params in [config.params, *config.conditional_params.values()]:
        if isinstance(params, SubcategorySamplerParams):
            names.add(params.category)
        elif isinstance(params, TimeDeltaSamplerParams):
            names.add(params.reference_column_name)
    for constraint in constraints:
        if isinstance(constraint, ColumnInequalityConstraint) and constraint.target_column == config.name:
            names.add(constraint.rhs)
    return names - {config.name}


@dataclass(slots=True)
class _Table:
    """Columns drawn so far: raw for constraints and references, final for conditions and results."""

    rows: Indices
    raw: dict[str, Drawn] = field(default_factory=dict)
    final: dict[str, list[Any]] = field(default_factory=dict)
    drops: dict[int, Reason] = field(default_factory=dict)


class SamplersProgram:
    """Draws all sampler columns of the records of a block; a record's values depend on nothing but its index."""

    def __init__(self, configs: Sequence[SamplerColumnConfig], constraints: Sequence[Constraint], seed: int) -> None:
        self._names = [config.name for config in configs]
        self._columns = [_Column(config, constraints, seed) for config in _in_order(configs, constraints)]

    def run(self, block: Block) -> Made:
        """Draw every column for every row."""
        table = _Table(block.rows)
        for column in self._columns:
            column.draw(table)
        return Made({name: table.final[name] for name in self._names}, table.drops)


def _in_order(configs: Sequence[SamplerColumnConfig], constraints: Sequence[Constraint]) -> list[SamplerColumnConfig]:
    waiting = {config.name: config for config in configs}
    ordered: list[SamplerColumnConfig] = []
    while waiting:
        ready = [c for c in waiting.values() if not depends_on(c, constraints) & set(waiting)]
        # A circle is refused before a run; here it only must not hang.
        ready = ready or list(waiting.values())
        ordered.extend(ready)
        for config in ready:
            del waiting[config.name]
    return ordered


class _Column:
    """One sampler column, ready to draw."""

    def __init__(self, config: SamplerColumnConfig, constraints: Sequence[Constraint], seed: int) -> None:
        self._config = config
        self._seed = seed
        self._constraints = [c for c in constraints if c.target_column == config.name]
        self._branches = [
            (
                environment().compile_expression(condition, undefined_to_none=False),
                condition_names(condition),
                params,
            )
            for condition, params in config.conditional_params.items()
        ]

    def draw(self, table: _Table) -> None:
        """Draw for every row, and again for those that violate a constraint."""
        size = len(table.rows)
        branch = self._choose_branches(table)
        values: Drawn = np.empty(size, dtype=object)
        pending = np.arange(size, dtype=np.int64)
        for attempt in range(_MOST_TRIES):
            self._draw_pending(table, values, branch, pending, attempt)
            pending = pending[~self._satisfied(table, values, pending)]
            if not len(pending):
                break
        for place in pending.tolist():
            message = f"no value satisfied the constraints in {_MOST_TRIES} draws; loosen them"
            table.drops[place] = Reason("RejectionSamplingError", message, self._config.name)
        table.raw[self._config.name] = values
        table.final[self._config.name] = [self._finished(value) for value in values.tolist()]

    def _choose_branches(self, table: _Table) -> npt.NDArray[np.int64]:
        """For each row the number of the last condition that holds, or -1."""
        branch = np.full(len(table.rows), -1, dtype=np.int64)
        for number, (condition, names, _) in enumerate(self._branches):
            for place in range(len(table.rows)):
                try:
                    holds = condition(**{name: table.final[name][place] for name in names if name in table.final})
                except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
                    message = f"a condition of its conditional_params failed: {error}"
                    table.drops[place] = Reason("InvalidSamplerParamsError", message, self._config.name)
                    continue
                if holds is True:
                    branch[place] = number
        return branch

    def _draw_pending(
        self,
        table: _Table,
        values: Drawn,
        branch: npt.NDArray[np.int64],
        pending: npt.NDArray[np.int64],
        attempt: int,
    ) -> None:
        stream = key(self._seed, self._config.name, "values", str(attempt))
        for number in np.unique(branch[pending]).tolist():
            places = pending[branch[pending] == number]
            params = self._config.params if number < 0 else self._branches[number][2]
            values[places] = self._drawn(params, table, places, stream)

    def _drawn(self, params: Any, table: _Table, places: npt.NDArray[np.int64], stream: int) -> Drawn:
        rows = table.rows[places]
        match params:
            case SubcategorySamplerParams():
                return _subcategories(params, table.final[params.category], places, uniforms(stream, rows))
            case TimeDeltaSamplerParams():
                return _later(params, table.raw[params.reference_column_name][places], uniforms(stream, rows))
            case PersonFromFakerSamplerParams():
                made = np.empty(len(rows), dtype=object)
                made[:] = [person(params, word) for word in words(stream, rows).tolist()]
                return made
            case _:
                return self._objects(draw(params, stream, rows), params)

    def _objects(self, drawn: Drawn, params: Any) -> Drawn:
        """Plain Python values; conversion comes before constraints are checked, as users expect of `int`."""
        if drawn.dtype.kind == "M" or drawn.dtype == object:
            values: list[Any] = list(drawn) if drawn.dtype.kind == "M" else drawn.tolist()
        else:
            values = drawn.tolist()
        digits = getattr(params, "decimal_places", None)
        if digits is not None:
            values = [round(value, digits) for value in values]
        made = np.empty(len(values), dtype=object)
        made[:] = values
        return made

    def _satisfied(self, table: _Table, values: Drawn, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        passed = np.ones(len(places), dtype=np.bool_)
        for constraint in self._constraints:
            compare = _COMPARE[str(constraint.operator)]
            for i, place in enumerate(places.tolist()):
                if isinstance(constraint, ColumnInequalityConstraint):
                    right = _comparable(table.final[constraint.rhs][place], table.raw[constraint.rhs][place])
                else:
                    right = constraint.rhs
                left = _comparable(self._finished(values[place]), values[place])
                passed[i] &= bool(compare(left, right))
        return passed

    def _finished(self, value: Any) -> Any:
        """The value as it stands in the dataset."""
        convert = self._config.convert_to
        if isinstance(value, np.datetime64):
            moment: datetime = value.item()
            return moment.strftime(convert or _ISO)
        if convert is None or isinstance(value, dict):
            return value
        match convert:
            case "int":
                return round(float(value))
            case "float":
                return float(value)
            case "str":
                return str(value)
            case _:
                return value


def _comparable(final: Any, raw: Any) -> Any:
    """Moments compare as moments, everything else as it stands in the dataset."""
    return raw if isinstance(raw, np.datetime64) else final


def _subcategories(
    params: SubcategorySamplerParams, parents: Sequence[Any], places: npt.NDArray[np.int64], drawn: Drawn
) -> Drawn:
    made = np.empty(len(places), dtype=object)
    chosen = [str(parents[place]) for place in places.tolist()]
    for parent in set(chosen):
        mine = np.array([value == parent for value in chosen], dtype=np.bool_)
        made[mine] = choose(params.values[parent], None, drawn[mine])
    return made


def _later(params: TimeDeltaSamplerParams, references: Drawn, drawn: Drawn) -> Drawn:
    steps = params.dt_min + np.floor(drawn * (params.dt_max - params.dt_min)).astype(np.int64)
    made = np.empty(len(steps), dtype=object)
    deltas = steps.astype(f"timedelta64[{params.unit}]")
    made[:] = [(moment + delta).astype("datetime64[s]") for moment, delta in zip(references, deltas, strict=True)]
    return made
