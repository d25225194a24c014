"""The prompt of a cell whose conversation was not kept, rendered again from the record's values."""

from collections.abc import Mapping
from typing import cast

from data_designer.columns.random_streams import key
from data_designer.columns.registry import KINDS
from data_designer.columns.templating.seeded_random import draw_for
from data_designer.plan.model import Plan, Step
from data_designer.plan.program import CellProgram
from data_designer.values import Message, Outcome, Reason


def prompt_of(plan: Plan, column: str, values: Mapping[str, object], record: int) -> "list[Message] | str":
    """The first messages of a cell; or why they cannot be told.

    Args:
        plan: the dataset's.
        column: the cell's, which a model makes.
        values: of the record's columns, as they are stored.
        record: its index.
    """
    step = step_of(plan, column)
    if missing := [name for name in step.needs if name not in values]:
        return f"the values of {', '.join(missing)} are not kept with the dataset"
    draw_for(key(plan.seed, step.name), record)
    program = cast(CellProgram, KINDS[step.kind].build(step, plan, None))
    exchange = program.exchange({name: values[name] for name in step.needs}, record)
    try:
        return list(next(exchange).messages)
    except StopIteration as stop:
        return _why(stop.value)
    finally:
        exchange.close()


def step_of(plan: Plan, column: str) -> Step:
    """What makes a column."""
    return next(step for step in plan.steps if column in step.makes)


def asked_columns(plan: Plan) -> list[str]:
    """Columns for whose cells a model is asked, as they are declared."""
    return [column.name for column in plan.config.columns if any(column.get_model_aliases())]


def _why(outcome: Outcome) -> str:
    reason = getattr(outcome, "reason", None)
    return reason.message if isinstance(reason, Reason) else "the column asks nothing"
