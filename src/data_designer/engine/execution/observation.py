"""What observers of a run are shown. They never answer the scheduler's questions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from data_designer.engine.protocol.messages import Summary, TaskSummary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.demand import Demand
from data_designer.engine.scheduling.liveness import Computing
from data_designer.engine.scheduling.work import Work


@dataclass(frozen=True, slots=True)
class Heard:
    """What a replica reported."""

    number: int
    alias: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands, at each tick."""

    work: Work
    computing: Mapping[int, Computing] = field(default_factory=dict)
    """Stage to its CPU tasks that are under way."""
    writing: float = 0.0
    """Seconds for which the batch that has been longest about it is being written; 0 where none is."""
    held: Mapping[int, int] = field(default_factory=dict)
    """Replica to the number of rows that it was given and has not reported."""
    starting: tuple[str, ...] = ()
    """Model aliases of the replicas that have not come up."""
    opening: str = ""
    """What is about to take part in the run, such as a cluster, in words; nothing where that is there."""
    lacks: str = ""
    """What keeps work from being placed, and what helps; nothing where there is room."""


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


Observation = ev.Event | ev.Command | Heard | Granted | Computed | Idle | Standing | Receipt
"""What observers are shown. They never answer the scheduler's questions."""


Observer = Callable[[Observation], None]
