"""Sampler columns: drawn together, in the order in which they depend on each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from data_designer.columns.random_streams import Indices, key
from data_designer.columns.samplers.conditions import compiled_condition, condition_names
from data_designer.columns.samplers.conversion import CONVERSIONS, as_text
from data_designer.columns.samplers.registry import needs, sampler_of
from data_designer.columns.samplers.sampler import CONVERTED, Draw, Drawn, Holds, objects
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_constraints import AnyConstraint, ColumnInequalityConstraint
from data_designer.config.sampler_params import SamplerParams
from data_designer.values import Block, Made, Reason

Places = npt.NDArray[np.int64]
"""Positions in a block."""

_MOST_TRIES = 5000
"""Draws of one record before its constraints are held to be unsatisfiable."""

_COMPARE: Mapping[str, np.ufunc] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def depends_on(config: SamplerColumnConfig, constraints: Sequence[AnyConstraint]) -> set[str]:
    """Columns that must be drawn before this one; itself where it refers to itself."""
    others = {
        c.rhs for c in constraints if isinstance(c, ColumnInequalityConstraint) and c.target_column == config.name
    }
    return needs(config) | others


@dataclass(slots=True)
class _Table:
    """Columns made so far."""

    rows: Indices
    drawn: dict[str, Drawn] = field(default_factory=dict)
    """As they were drawn; what subcategories and time differences start from."""
    compared: dict[str, Drawn] = field(default_factory=dict)
    """Converted, but moments still moments; what constraints compare."""
    final: dict[str, list[object]] = field(default_factory=dict)
    """As they stand in the dataset; what conditions see."""
    drops: dict[int, Reason] = field(default_factory=dict)

    def drop(self, place: int, kind: str, message: str, column: str) -> None:
        """Reject a row; the first reason stands."""
        self.drops.setdefault(place, Reason(kind, message, column))


class SamplersProgram:
    """Draws all sampler columns of the records of a block; a record's values depend on nothing but its index."""

    def __init__(self, configs: Sequence[SamplerColumnConfig], constraints: Sequence[AnyConstraint], seed: int) -> None:
        self._names = [config.name for config in configs]
        self._columns = [_Column(config, constraints, seed) for config in _in_order(configs, constraints)]

    def run(self, block: Block) -> Made:
        """Draw every column for every row."""
        table = _Table(block.rows)
        for column in self._columns:
            column.draw(table)
        return Made({name: table.final[name] for name in self._names}, table.drops)


def _in_order(
    configs: Sequence[SamplerColumnConfig], constraints: Sequence[AnyConstraint]
) -> list[SamplerColumnConfig]:
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

    def __init__(self, config: SamplerColumnConfig, constraints: Sequence[AnyConstraint], seed: int) -> None:
        self._name = config.name
        self._seed = seed
        holds = sampler_of(config).holds
        self._moments = holds is Holds.MOMENTS
        self._pattern = config.convert_to if self._moments else None
        self._convert = CONVERSIONS.get(config.convert_to or "") if holds in CONVERTED else None
        self._constraints = [c for c in constraints if c.target_column == config.name]
        self._conditions = [
            (compiled_condition(condition), condition_names(condition)) for condition in config.conditional_params
        ]
        # The last one is for rows that meet no condition.
        self._draws = [_draw(params) for params in (*config.conditional_params.values(), config.params)]

    def draw(self, table: _Table) -> None:
        """Draw for every row, and again for those that violate a constraint."""
        size = len(table.rows)
        branch = self._choose_branches(table)
        drawn: Drawn = np.full(size, np.datetime64("NaT", "s")) if self._moments else np.empty(size, dtype=object)
        compared = drawn if self._convert is None else np.empty(size, dtype=object)
        pending = np.array([place for place in range(size) if place not in table.drops], dtype=np.int64)
        for attempt in range(_MOST_TRIES):
            self._draw_pending(table, drawn, branch, pending, attempt)
            if self._convert is not None:
                compared[pending] = objects([self._convert(value) for value in drawn[pending].tolist()])
            pending = pending[~self._satisfied(table, compared, pending)]
            if not len(pending):
                break
        for place in pending.tolist():
            message = f"no value satisfied the constraints in {_MOST_TRIES} draws; loosen them"
            table.drop(place, "RejectionSamplingError", message, self._name)
        table.drawn[self._name], table.compared[self._name] = drawn, compared
        final = as_text(compared, self._pattern) if self._moments else compared
        table.final[self._name] = final.tolist()

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
        for number in set(branch[pending].tolist()):
            places = pending[branch[pending] == number]
            draw, names = self._draws[number]
            others = {name: table.drawn[name][places] for name in names}
            with np.errstate(over="ignore"):  # What is beyond the largest number is infinite.
                picked = draw(stream, table.rows[places], others)
            # Through a list, since an array of numbers would leave its own scalars behind.
            drawn[places] = picked if self._moments else objects(picked.tolist())

    def _satisfied(self, table: _Table, compared: Drawn, places: Places) -> npt.NDArray[np.bool_]:
        passed = np.ones(len(places), dtype=np.bool_)
        for constraint in self._constraints:
            right = constraint.rhs if isinstance(constraint.rhs, float) else table.compared[constraint.rhs][places]
            passed &= _COMPARE[str(constraint.operator)](compared[places], right).astype(np.bool_)
        return passed


def _draw(params: SamplerParams) -> tuple[Draw, set[str]]:
    """How values are drawn, and from which columns."""
    sampler = sampler_of(params)
    return sampler.draw(params), sampler.needs(params)
