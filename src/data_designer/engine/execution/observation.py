"""What observers of a run are shown. They never answer the scheduler's questions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data_designer.engine.protocol.messages import Summary, TaskSummary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.demand import Demand


@dataclass(frozen=True, slots=True)
class Heard:
    """What a replica reported."""

    number: int
    alias: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class Granted:
    """A replica has so many slots now. The scheduler is told in its turn."""

    number: int
    slots: int


@dataclass(frozen=True, slots=True)
class Computed:
    """A CPU task is done."""

    stage: int
    rows: int
    summary: TaskSummary


@dataclass(frozen=True, slots=True)
class Idle:
    """What idle slots wait for. Shown several times a second."""

    demand: Mapping[str, Demand]
    """Of each alias."""


Observation = ev.Event | ev.Command | Heard | Granted | Computed | Idle | Receipt
"""What observers are shown. They never answer the scheduler's questions."""


Observer = Callable[[Observation], None]
