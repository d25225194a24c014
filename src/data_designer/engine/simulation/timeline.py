"""What happens when in a simulated run: an agenda, and the scheduler that is told of it. Nothing here waits."""

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.rows import Flags, Rows
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.demand import Demand
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.simulation.dataset import CellKey, Dataset
from data_designer.engine.simulation.world import Faults, World


class StalledError(AssertionError):
    """The scheduler has nothing outstanding and asks for nothing, yet is not finished."""


class Watcher(Protocol):
    """Is shown what happens, as the observers of a real run are."""

    def __call__(self, event: ev.Event) -> None:
        """The scheduler is told something."""

    def hear(self, number: int, summary: Summary) -> None:
        """A replica says what its slots have done."""

    def look(self, demand: Mapping[str, Demand]) -> None:
        """What the idle slots of each alias wait for."""


@dataclass(slots=True)
class Report:
    """What came of a simulated run."""

    seconds: float = 0.0
    events: int = 0
    deciding: float = 0.0
    """Seconds of real time in the scheduler, where they are measured."""
    committed: int = 0
    """Rows of all commits."""
    rows: dict[int, frozenset[int]] = field(default_factory=dict)
    """Batch to the rows of its last commit, where they are kept."""
    rejected: set[int] = field(default_factory=set)
    peak: dict[str, int] = field(default_factory=dict)
    """Most cells in flight at once, a pool."""
    busy: dict[str, float] = field(default_factory=dict)
    """Slot-seconds in use, a pool."""
    executions: int = 0
    """Cells that were run, repeats counted."""
    most_open: int = 0
    stopped: str | None = None

    def slot_use(self, pool: str, slots: int) -> float:
        """Share of a pool's slots that were in use, over the whole run."""
        return self.busy.get(pool, 0.0) / (self.seconds * slots) if self.seconds else 0.0


@dataclass(slots=True, kw_only=True)
class Timeline:
    """The time that the machines of a simulated run share, and everything that they tell the scheduler."""

    shape: ev.Shape
    world: World
    faults: Faults
    rng: random.Random
    dataset: Dataset
    obey: Callable[[ev.Command], None]
    check: bool
    stopwatch: Callable[[], float] | None = None
    """Seconds of real time, to measure what deciding takes."""
    scheduler: Scheduler = field(init=False)
    report: Report = field(default_factory=Report)
    now: float = 0.0
    in_flight: dict[str, int] = field(init=False)
    """Cells that are being asked for, a pool."""
    held: list[set[CellKey]] = field(default_factory=list)
    """What each process was given and has not reported."""
    watchers: list[Watcher] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None
    """Shows them how things stand, at each tick."""
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.shape)
        self.in_flight = dict.fromkeys(self.shape.slots, 0)

    # --- time --------------------------------------------------------------------------------------------

    def at(self, delay: float, act: Callable[[], None]) -> None:
        """Do something some seconds from now."""
        self._sequence += 1
        heapq.heappush(self._agenda, (self.now + delay, self._sequence, act))

    def soon(self, most: float, act: Callable[[], None]) -> None:
        """Do something within some seconds."""
        self.at(self.rng.uniform(0, most), act)

    def run(self) -> None:
        """Let everything happen that is to happen. Raises StalledError where nothing would end the run."""
        while not self.scheduler.finished:
            if not self._agenda:
                raise StalledError(str(self.scheduler.waiting_for()))
            self.now, _, act = heapq.heappop(self._agenda)
            act()

    def tick(self) -> None:
        """Tell the time, now and four times a second."""
        self.tell(ev.Tick(self.now))
        if self.watchers:
            self.watch()
        if not self._agenda and not self.scheduler.finished:
            raise StalledError(str(self.scheduler.waiting_for()))
        self.at(0.25, self.tick)

    # --- faults ------------------------------------------------------------------------------------------

    def happens(self, probability: float) -> bool:
        """Whether something of some probability happens."""
        return probability > 0 and self.rng.random() < probability

    def kept(self, stage: int, rows: Rows) -> Flags:
        """Which rows do not fail for good at a stage."""
        return np.array([not self.world.rejects(row, stage) for row in rows.tolist()], dtype=np.bool_)

    def maybe_lose_values(self, stage: int, rows: Rows) -> None:
        """Lose the values of some rows after they were reported, now and then."""
        if self.happens(self.faults.values_loss):
            self.soon(1, lambda: self._lose_values(stage, rows))

    def _lose_values(self, stage: int, rows: Rows) -> None:
        self.dataset.lose(stage, rows, set().union(*self.held))
        self.tell(ev.ValuesLost(stage, rows))

    # --- the scheduler -----------------------------------------------------------------------------------

    def tell(self, event: ev.Event) -> None:
        """Tell the scheduler, and do what it answers."""
        for watcher in self.watchers:
            watcher(event)
        began = self.stopwatch() if self.stopwatch else 0.0
        commands = self.scheduler.handle(event)
        self.report.deciding += self.stopwatch() - began if self.stopwatch else 0.0
        self.report.events += 1
        self.report.most_open = max(self.report.most_open, self.scheduler.open_batches)
        if self.check:
            self.scheduler.check_invariants()
        for command in commands:
            self.obey(command)

    def tell_done(self, message: ev.RowsDone | ev.TaskDone, answers: Sequence[str]) -> None:
        """Tell the scheduler of rows that are done, and hold their values where they are still awaited."""
        stage, rows, awaited = self.scheduler.awaited(message)
        if len(rows):
            self.dataset.place(stage, rows, awaited, answers)
        self.tell(message)
