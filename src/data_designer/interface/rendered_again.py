"""The prompt of a cell whose conversation was not kept, rendered again from what is known of its record."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

import numpy as np

from data_designer.columns.media import contexts_of
from data_designer.columns.random_streams import key
from data_designer.columns.registry import KINDS
from data_designer.columns.templating.seeded_random import draw_for
from data_designer.config.column_configs import ImageColumnConfig, LLMTextColumnConfig
from data_designer.engine.execution.stage_runner import StageRunner
from data_designer.engine.protocol.parcels import REJECTED
from data_designer.plan.model import LOCAL, Plan, Stage, Step
from data_designer.plan.program import CellProgram
from data_designer.values import Block, Message, Outcome, Reason

_SHOWN: Final = (LLMTextColumnConfig, ImageColumnConfig)
"""Kinds of columns that may show media."""
_ELSEWHERE: Final = ("tool_alias", "multi_modal_context")
"""Fields of columns that name what is not part of the dataset."""


def prompt_of(plan: Plan, column: str, values: Mapping[str, object], record: int) -> "list[Message] | str":
    """The first messages of a cell; or why they cannot be told.

    Args:
        plan: the dataset's.
        column: the cell's, which a model makes.
        values: of the record's columns, as far as they are stored; what depends on the seed alone is made again.
        record: its index.
    """
    step = next(step for step in plan.steps if column in step.makes)
    known = _with_what_is_drawn(plan, step, values, record)
    if missing := [name for name in step.needs if name not in known]:
        return f"of this record the values of {', '.join(missing)} are not kept"
    draw_for(key(plan.seed, step.name), record)
    shown = [context for config in step.configs if isinstance(config, _SHOWN) for context in contexts_of(config)]
    if shown and any(isinstance(config, _SHOWN) and not config.prompt for config in step.configs):
        return "it has no words, media only"
    program = cast(CellProgram, KINDS[step.kind].build(_in_words(step), plan, None))
    exchange = program.exchange({name: known[name] for name in step.needs}, record)
    try:
        return _with_media([*next(exchange).turns], [context.modality.value for context in shown])
    except StopIteration as stop:
        return _why(stop.value)
    finally:
        exchange.close()


def asked_columns(plan: Plan) -> list[str]:
    """Columns for whose cells a model is asked, as they are declared."""
    return [column.name for column in plan.config.columns if any(column.get_model_aliases())]


def _with_what_is_drawn(plan: Plan, wanted: Step, values: Mapping[str, object], record: int) -> dict[str, object]:
    """The values with those of samplers and expressions that a step needs, which come out as they did."""
    known = dict(values)
    needed = _upstream(plan, wanted)
    for step in plan.steps:
        is_there = all(name in known for name in step.makes) or needed.isdisjoint(step.makes)
        if is_there or not _comes_out_the_same(step) or not all(name in known for name in step.needs):
            continue
        block = Block(np.array([record], dtype=np.int64), {name: [known[name]] for name in step.needs})
        made = StageRunner(plan, Stage(0, (step,), (), 0)).run_block(block)
        if REJECTED not in made.columns:
            known.update({name: made.columns[name][0] for name in step.makes})
    return known


def _in_words(step: Step) -> Step:
    """The step without what its servers of tools and its files of media would have to be asked for."""
    configs = tuple(
        config.model_copy(update={name: None for name in _ELSEWHERE if name in type(config).model_fields})
        for config in step.configs
    )
    return replace(step, configs=configs)


def _with_media(turns: list[Message], kinds: Sequence[str]) -> list[Message]:
    """The messages, the last of which names what is shown beside its words."""
    if not kinds:
        return turns
    content = turns[-1]["content"]
    words = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return [*turns[:-1], {**turns[-1], "content": [*({"type": kind} for kind in kinds), *words]}]


def _upstream(plan: Plan, wanted: Step) -> set[str]:
    """All columns from which a step is made."""
    needed = set(wanted.needs)
    for step in reversed(plan.steps):
        if not needed.isdisjoint(step.makes):
            needed.update(step.needs)
    return needed


def _comes_out_the_same(step: Step) -> bool:
    """Whether a step makes the same again of one record, without a model, a seed dataset or a function of the user."""
    kind = KINDS[step.kind]
    functions = any(kind.functions(config) for config in step.configs)
    return (
        step.pool == LOCAL
        and not (kind.from_seed or kind.any_value or functions)
        and (step.scope == "cell" or step.joint)
    )


def _why(outcome: Outcome) -> str:
    reason = getattr(outcome, "reason", None)
    return reason.message if isinstance(reason, Reason) else "the column asks nothing"
