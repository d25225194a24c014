"""The Arrow types of a dataset's columns: by declaration where it fixes them, else by their values.

What no declaration fixes (objects of the user's functions, free-form maps, members that may be absent) gets the type
that its values have so far, and JSON text where they have none in common; see `columns.arrow_types`. Files that came
out with different types read as one once `engine.dataset.promotion` has widened them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from data_designer.columns.arrow_types import Type, all_fit, field_of, fits, inferred, type_of, unified
from data_designer.columns.registry import KINDS
from data_designer.columns.seeds.large_cells import with_places
from data_designer.config.base import SingleColumnConfig
from data_designer.engine.dataset.arrow_types import array_of
from data_designer.engine.dataset.encoding import lacks_json
from data_designer.plan.model import Plan, Step
from data_designer.values import LargeCell

logger = logging.getLogger(__name__)


def declared_types(plan: Plan, seed_schema: "pa.Schema | None" = None) -> dict[str, pa.DataType]:
    """The types of columns that the plan alone fixes.

    Args:
        plan: the plan.
        seed_schema: types of the seed dataset's columns, where there is one.
    """
    found = {config.name: _declared_type(config, step, plan) for step in plan.steps for config in step.configs}
    for step in plan.steps:
        found.update((name, pa.string()) for name in step.makes if name.endswith("__reasoning_content"))
    if seed_schema is not None:
        found.update({field.name: type_of(field) for field in seed_schema})
    return {name: arrow for name, arrow in found.items() if arrow is not None}


@dataclass(frozen=True, slots=True)
class Fit:
    """Tells what fits the declared type of a column."""

    cell: Callable[[object], bool]
    column: Callable[[Sequence[object]], bool]
    """The same of all cells of a column together."""


def declared_fits(step: Step, plan: Plan) -> tuple[Fit | None, ...]:
    """What fits each column that a step makes; None where nothing is declared."""
    declared = {} if step.joint else {config.name: _declared_type(config, step, plan) for config in step.configs}
    types = [declared.get(name) for name in step.makes]
    return tuple(None if arrow is None else Fit(fits(arrow), all_fit(arrow)) for arrow in types)


def _declared_type(config: SingleColumnConfig, step: Step, plan: Plan) -> "pa.DataType | None":
    """The type of a column; None where its values decide, as they do where a skip value is of another kind."""
    kind, pool = KINDS[config.column_type], plan.pools.get(step.pool)
    pooled = kind.pooled_type
    arrow = kind.arrow_type(config) if pooled is None or pool is None else pooled(config, pool)
    return arrow if arrow is None or config.skip is None or fits(arrow)(config.skip.value) else None


class Tables:
    """Makes the tables of one dataset's batches, as one process sees them.

    A column without a declared type gets the one that holds all its values in this process so far, so that later
    tables seldom differ.
    """

    def __init__(self, declared: Mapping[str, pa.DataType]) -> None:
        self._declared = dict(declared)
        self._found: dict[str, Type] = {}
        self._warned: set[str] = set()

    def table(self, columns: Mapping[str, Sequence[object]]) -> pa.Table:
        """Rows as a table with the columns in their order; large cells go on resting where they do.

        Every value that was kept (see `encoding`) has a form.
        """
        found: list[tuple[pa.Field, pa.Array]] = []
        for name, cells in columns.items():
            places = [cell.at if isinstance(cell, LargeCell) else None for cell in cells]
            values = [None if at else cell for cell, at in zip(cells, places, strict=True)] if any(places) else cells
            arrow = self._declared.get(name)
            if arrow is None:
                arrow = self._found[name] = unified(self._found.get(name, pa.null()), inferred(values))
            found += with_places(*self._column(name, values, arrow), places)
        return pa.Table.from_arrays([array for _, array in found], schema=pa.schema([field for field, _ in found]))

    def _column(self, name: str, values: Sequence[object], arrow: Type) -> tuple[pa.Field, pa.Array]:
        if arrow is not None:
            field = field_of(name, arrow)
            try:
                return field, array_of(values, field)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                logger.debug("column=%s does not fit %s", name, arrow)
        self._declared.pop(name, None)
        self._found[name] = None
        if name not in self._warned and any(map(lacks_json, values)):
            self._warned.add(name)
            logger.warning(
                "column=%s holds values of several kinds, so it is stored as JSON text, in which moments, decimals and "
                "bytes are text; give values of one kind to keep them",
                name,
            )
        field = field_of(name, None)
        return field, array_of(values, field)
