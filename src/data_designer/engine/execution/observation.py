"""What observers of a run are shown. They never answer the scheduler's questions."""

from collections.abc import Callable
from dataclasses import dataclass

from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.task_trace import TaskTrace
from data_designer.engine.scheduling import events as ev


@dataclass(frozen=True, slots=True)
class Heard:
    """What a replica reported."""

    number: int
    alias: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class Traced:
    """What a CPU task said of the columns that it made, where the run is traced."""

    traces: tuple[TaskTrace, ...]


Observation = ev.Event | ev.Command | Heard | Receipt | Traced
"""What observers are shown. They never answer the scheduler's questions."""


Observer = Callable[[Observation], None]
