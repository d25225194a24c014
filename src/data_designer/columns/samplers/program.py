"""Sampler columns: drawn together, in the order in which they depend on each other."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import TemplateError

from data_designer.columns.random_streams import Indices, key, uniforms
from data_designer.columns.samplers.distributions import Drawn, choice, compiled, objects
from data_designer.columns.templating.environments import expression_environment
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_constraints import ColumnInequalityConstraint, ScalarInequalityConstraint
from data_designer.config.sampler_params import SubcategorySamplerParams, TimeDeltaSamplerParams
from data_designer.config.templates import references
from data_designer.errors import UserJinjaTemplateSyntaxError
from data_designer.values import Block, Made, Reason

Places = npt.NDArray[np.int64]
"""Positions in a block."""

Constraint = ScalarInequalityConstraint | ColumnInequalityConstraint

_MOST_TRIES = 5000
"""Draws of one record before its constraints are held to be unsatisfiable."""

_LARGEST = math.nextafter(2.0**63, 0)
"""Numbers beyond it become it when converted to `int`, since no integer column is wider than 64 bits."""

MOMENTS = frozenset({"datetime", "timedelta"})
"""Kinds whose values are moments while they are drawn and text once they are done."""
UNCONVERTED = frozenset({"uuid", "person", "person_from_faker"})
"""Kinds that `convert_to` does not touch."""

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@cache
def condition_names(condition: str) -> frozenset[str]:
    """Columns a condition refers to.

    Raises:
        UserJinjaTemplateSyntaxError: it is no single expression.
    """
    _expression(condition)
    return references(f"{{{{ {condition} }}}}")


def _expression(condition: str) -> Callable[[Mapping[str, Any]], Any]:
    try:
        expression = expression_environment().compile_expression(condition, undefined_to_none=False)
    except TemplateError as error:
        raise UserJinjaTemplateSyntaxError(str(error.message)) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise UserJinjaTemplateSyntaxError("it is nested too deeply") from error
    return expression


def depends_on(config: SamplerColumnConfig, constraints: Sequence[Constraint]) -> set[str]:
    """Columns that must be drawn before this one; itself where it refers to itself."""
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
    return names


@dataclass(slots=True)
class _Table:
    """Columns made so far."""

    rows: Indices
    drawn: dict[str, Drawn] = field(default_factory=dict)
    """As they were drawn; what subcategories and time differences start from."""
    compared: dict[str, Drawn] = field(default_factory=dict)
    """Converted, but moments still moments; what constraints compare."""
    final: dict[str, list[Any]] = field(default_factory=dict)
    """As they stand in the dataset; what conditions see."""
    drops: dict[int, Reason] = field(default_factory=dict)

    def drop(self, place: int, kind: str, message: str, column: str) -> None:
        """Reject a row; the first reason stands."""
        self.drops.setdefault(place, Reason(kind, message, column))


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


_Pick = Callable[[_Table, Places, int], Drawn]
"""Rows (as places in the table) and a stream in, one value each out."""


class _Column:
    """One sampler column, ready to draw."""

    def __init__(self, config: SamplerColumnConfig, constraints: Sequence[Constraint], seed: int) -> None:
        self._name = config.name
        self._seed = seed
        self._kind = str(config.sampler_type)
        self._moments = self._kind in MOMENTS
        self._convert = None if self._kind in UNCONVERTED else config.convert_to
        self._constraints = [c for c in constraints if c.target_column == config.name]
        self._conditions = [
            (_expression(condition), condition_names(condition)) for condition in config.conditional_params
        ]
        # The last one is for rows that meet no condition.
        self._picks = [_pick(params) for params in (*config.conditional_params.values(), config.params)]

    def draw(self, table: _Table) -> None:
        """Draw for every row, and again for those that violate a constraint."""
        size = len(table.rows)
        branch = self._choose_branches(table)
        drawn: Drawn = np.full(size, np.datetime64("NaT", "s")) if self._moments else np.empty(size, dtype=object)
        compared = drawn if self._moments or self._convert is None else np.empty(size, dtype=object)
        pending = np.setdiff1d(np.arange(size), list(table.drops))
        for attempt in range(_MOST_TRIES):
            self._draw_pending(table, drawn, branch, pending, attempt)
            if compared is not drawn:
                compared[pending] = objects([converted(value, self._convert) for value in drawn[pending].tolist()])
            pending = pending[~self._satisfied(table, compared, pending)]
            if not len(pending):
                break
        for place in pending.tolist():
            message = f"no value satisfied the constraints in {_MOST_TRIES} draws; loosen them"
            table.drop(place, "RejectionSamplingError", message, self._name)
        table.drawn[self._name], table.compared[self._name] = drawn, compared
        table.final[self._name] = _as_text(compared, self._convert) if self._moments else compared.tolist()

    def _choose_branches(self, table: _Table) -> Places:
        """For each row the number of the last condition that holds, or -1."""
        branch = np.full(len(table.rows), -1, dtype=np.int64)
        for number, (condition, names) in enumerate(self._conditions):
            columns = {name: table.final[name] for name in names if name in table.final}
            for place in range(len(table.rows)):
                if place in table.drops:
                    continue
                try:
                    holds = condition({name: values[place] for name, values in columns.items()})
                except Exception as error:  # noqa: BLE001 - a condition is the user's code: its row fails, not the run
                    message = f"a condition of its conditional_params failed: {error}"
                    table.drop(place, "InvalidSamplerParamsError", message, self._name)
                    continue
                if holds is True:
                    branch[place] = number
        return branch

    def _draw_pending(self, table: _Table, drawn: Drawn, branch: Places, pending: Places, attempt: int) -> None:
        stream = key(self._seed, self._name, "values", str(attempt))
        for number in np.unique(branch[pending]).tolist():
            places = pending[branch[pending] == number]
            picked = self._picks[number](table, places, stream)
            # Through a list, since an array of numbers would leave its own scalars behind.
            drawn[places] = picked if self._moments else objects(picked.tolist())

    def _satisfied(self, table: _Table, compared: Drawn, places: Places) -> npt.NDArray[np.bool_]:
        passed = np.ones(len(places), dtype=np.bool_)
        for constraint in self._constraints:
            match constraint:
                case ColumnInequalityConstraint(rhs=name):
                    right: Any = table.compared[name][places]
                case ScalarInequalityConstraint(rhs=number):
                    right = number
            passed &= _COMPARE[str(constraint.operator)](compared[places], right).astype(np.bool_)
        return passed


def _pick(params: Any) -> _Pick:
    match params:
        case SubcategorySamplerParams():
            return _subcategory(params)
        case TimeDeltaSamplerParams():
            return _later(params)
        case _:
            draw = compiled(params)
            return lambda table, places, stream: draw(stream, table.rows[places])


def _subcategory(params: SubcategorySamplerParams) -> _Pick:
    choices = {parent: choice(options) for parent, options in params.values.items()}

    def pick(table: _Table, places: Places, stream: int) -> Drawn:
        parents = np.array([str(parent) for parent in table.drawn[params.category][places]], dtype=object)
        uniform = uniforms(stream, table.rows[places])
        made: Drawn = np.empty(len(places), dtype=object)
        for parent in set(parents.tolist()):
            mine = parents == parent
            made[mine] = choices[parent](uniform[mine])
        return made

    return pick


def _later(params: TimeDeltaSamplerParams) -> _Pick:
    def pick(table: _Table, places: Places, stream: int) -> Drawn:
        span = uniforms(stream, table.rows[places]) * (params.dt_max - params.dt_min)
        steps = params.dt_min + np.floor(span).astype(np.int64)
        moved: Drawn = table.drawn[params.reference_column_name][places] + steps.astype(f"timedelta64[{params.unit}]")
        return moved

    return pick


def converted(value: Any, convert_to: str | None) -> Any:
    """A number or text as `convert_to` asks. Raises ValueError for text that is no number."""
    match convert_to:
        case "int":
            return _whole(value)
        case "float":
            return float(value)
        case "str":
            return str(value)
        case _:
            return value


def _whole(value: Any) -> int:
    """Round a number or text; what is written as an integer keeps all its digits."""
    try:
        return int(value) if isinstance(value, int | str) else round(max(-_LARGEST, min(_LARGEST, value)))
    except ValueError:
        return round(max(-_LARGEST, min(_LARGEST, float(value))))


def _as_text(moments: Drawn, pattern: str | None) -> list[str]:
    if pattern is None:
        texts: list[str] = np.datetime_as_string(moments, unit="s").tolist()
        return texts
    return [moment.strftime(pattern) if moment is not None else "" for moment in moments.tolist()]
