"""What does not travel between processes is left out of a report, and the rows that it belongs to are rejected."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from data_designer.engine.protocol.messages import Finished, Summary
from data_designer.engine.protocol.parcels import REJECTED, Values
from data_designer.values import Block, Reason

KIND = "DataConversionError"

Travels = Callable[[object], bool]


def without_what_stays(summary: Summary, values: Values, travels: Travels) -> tuple[Summary, Values]:
    """A report of the same rows that comes through.

    Args:
        summary: what the driver reads of it.
        values: of the rows, by stage.
        travels: whether something can be sent.
    """
    sound = {stage: _sound(block, travels) for stage, block in values.items()}
    finished = tuple(_matching(part, sound[part.stage]) for part in summary.finished)
    statistics = summary.statistics if travels(summary.statistics) else None
    return replace(summary, finished=finished, statistics=statistics), sound


def _matching(part: Finished, block: Block) -> Finished:
    reasons = block.columns.get(REJECTED) or [None] * len(block)
    return replace(part, kept=np.array([reason is None for reason in reasons], dtype=np.bool_))


def _sound(block: Block, travels: Travels) -> Block:
    if travels(block):
        return block
    columns = {name: list(cells) for name, cells in block.columns.items()}
    reasons: list[Reason | None] = columns.pop(REJECTED, [None] * len(block))
    for name, cells in columns.items():
        for place, cell in enumerate(cells):
            if not travels(cell):
                cells[place] = None
                reasons[place] = reasons[place] or Reason(KIND, "its value cannot be sent to other processes", name)
    reasons = [
        reason if reason is None or travels(reason) else Reason(KIND, "why it failed cannot be sent", reason.column)
        for reason in reasons
    ]
    return Block(block.rows, {**columns, REJECTED: reasons} if any(reasons) else columns)
