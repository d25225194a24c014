"""An executor in virtual time: proves the scheduler right under faults, and answers what-if questions.

Nothing here waits: a run of hours takes as long as its events take to decide. Every fault is drawn from the
generator that is passed in, so a run that went wrong can be repeated exactly.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from data_designer.engine.dataset.journal import request_digest
from data_designer.engine.protocol.rows import Flags, Rows
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.simulation.simulated_dataset import Memory, SimulatedDataset, request_of


@dataclass(frozen=True, slots=True)
class World:
    """What the simulated machines are like. Times are in seconds, rates are probabilities."""

    replicas: int = 1
    """Replicas a model alias."""
    latency: Callable[[random.Random, str], float] = lambda rng, pool: rng.uniform(0.1, 0.3)  # noqa: ARG005
    """Time of one cell, given a generator and the pool's name."""
    task_seconds: float = 0.02
    commit_seconds: float = 0.05
    linger: float = 0.02
    """How long a replica lets finished rows join before it reports them."""
    replica_death: float = 0.0
    """Chance that a replica dies when it is sent rows."""
    restart_seconds: float = 2.0
    task_death: float = 0.0
    values_loss: float = 0.0
    """Chance that the values of a report are lost after it was received."""
    commit_failure: float = 0.0
    repeated_message: float = 0.0
    late_message: float = 0.0
    """Chance that a dead replica's report still arrives."""
    rejects: Callable[[int, int], bool] = lambda row, stage: False  # noqa: ARG005
    """Whether a row fails for good at a stage."""
    poison: frozenset[int] = frozenset()
    """Rows that kill whatever runs them."""
    unreachable: float = 0.0
    """Chance that a replica that seems dead goes on until its lease ends."""
    lease: float = 10.0
    drain: float = 0.0
    """Chance that a replica is to leave its machine when it is sent rows."""
    functions: frozenset[int] = frozenset()
    """`local` stages that call functions of the user, which never give the same twice."""
    stop_at: float | None = None


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
    """Batch to the rows of its last commit; empty where a run is not recorded."""
    rejected: set[int] = field(default_factory=set)
    peak: dict[str, int] = field(default_factory=dict)
    """Most cells in flight at once, a pool."""
    busy: dict[str, float] = field(default_factory=dict)
    """Slot-seconds in use, a pool."""
    executions: int = 0
    """Cells that were run, repeats counted."""
    most_open: int = 0
    order: list[str] = field(default_factory=list)
    """`send n` and `commit n`, a batch number each, in order; empty where a run is not recorded."""
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class _Cell:
    """One row of one stage in the hands of a replica."""

    stage: int
    row: int
    ticket: int
    made_of: str = ""
    """The values that came along, where there are values."""
    known: int = 0
    """The moment for which the journal is known."""


@dataclass(slots=True)
class _Machine:
    """A simulated replica."""

    number: int
    pool: str
    epoch: int = 0
    slots: int = 0
    unacknowledged: bool = False
    up: bool = False
    """Whether it runs; the scheduler may think otherwise."""
    reached: bool = True
    queue: deque[_Cell] = field(default_factory=deque)
    """In the order in which they came."""
    running: int = 0
    """Slots in use."""
    asking: int = 0
    """Cells whose model call is under way: all that run but the poisonous ones."""
    finished: list[tuple[_Cell, str]] = field(default_factory=list)
    """Cells with their answers."""
    reporting: bool = False
    holds: set[tuple[int, int]] = field(default_factory=set)
    """(stage, row) of what it was given and has not reported."""
    memory: Memory | None = None


class StalledError(AssertionError):
    """The scheduler has nothing outstanding and asks for nothing, yet is not finished."""


class Simulation:
    """Runs a scheduler against a world. `run()` returns the report.

    Args:
        shape: the plan.
        world: the machines.
        rng: draws every latency and fault.
        check: check the scheduler's invariants at every event.
        record: keep in the report which rows were committed, and in which order batches went; without it, nothing
            here grows with the number of records.
        dataset: where values, journal and commits are kept; without it they are only counted.
    """

    def __init__(
        self,
        shape: ev.Shape,
        world: World,
        rng: random.Random,
        *,
        check: bool = True,
        record: bool = True,
        dataset: SimulatedDataset | None = None,
    ) -> None:
        self.stopwatch: Callable[[], float] | None = None
        """Seconds of real time, to measure what deciding takes; None for not at all."""
        self._shape = shape
        self._world = world
        self._rng = rng
        self._check = check
        self._record = record
        self._dataset = dataset
        self._scheduler = Scheduler(shape)
        self._now = 0.0
        self._sequence = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._machines: dict[int, _Machine] = {}
        self._report = Report()
        self._computing: set[tuple[int, int]] = set()
        """(stage, row) of what CPU tasks run."""
        self._in_flight: dict[str, int] = dict.fromkeys(shape.slots, 0)

    def run(self) -> Report:
        """Run to the end. Raises StalledError or AssertionError where the scheduler breaks its promises."""
        for pool in self._shape.slots:
            for _ in range(self._world.replicas):
                machine = _Machine(len(self._machines), pool)
                self._machines[machine.number] = machine
                self._at(self._rng.uniform(0, 0.5), lambda m=machine: self._come_up(m))  # type: ignore[misc]
        self._tell(ev.Started() if self._dataset is None else ev.Started(self._dataset.open()))
        if self._world.stop_at is not None:
            self._at(self._world.stop_at, lambda: self._tell(ev.Stop("asked to")))
        self._at(0.25, self._tick)
        while not self._scheduler.finished:
            if not self._agenda:
                raise StalledError(str(self._scheduler.waiting_for()))
            when, _, act = heapq.heappop(self._agenda)
            self._now = when
            act()
        if self._dataset is not None:
            self._dataset.close()
        self._report.seconds = self._now
        self._report.stopped = self._scheduler.stop_reason
        return self._report

    # --- time --------------------------------------------------------------------------------------------

    def _at(self, delay: float, act: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._agenda, (self._now + delay, self._sequence, act))

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability

    def _tick(self) -> None:
        self._tell(ev.Tick(self._now))
        idle = len(self._agenda) == 0
        if idle and not self._scheduler.finished:
            raise StalledError(str(self._scheduler.waiting_for()))
        self._at(0.25, self._tick)

    def _tell(self, event: ev.Event) -> None:
        began = self.stopwatch() if self.stopwatch else 0.0
        commands = self._scheduler.handle(event)
        self._report.deciding += self.stopwatch() - began if self.stopwatch else 0.0
        self._report.events += 1
        self._report.most_open = max(self._report.most_open, self._scheduler.open_batches)
        if self._check:
            self._scheduler.check_invariants()
        for command in commands:
            self._obey(command)

    def _obey(self, command: ev.Command) -> None:  # noqa: C901 - one arm a command is the plainest form
        match command:
            case ev.Send():
                self._receive(command)
            case ev.RunTask():
                self._run_task(command)
            case ev.Commit():
                self._commit(command)
            case ev.Reject(rows=rows):
                self._report.rejected.update(rows.tolist())
            case ev.Regrant():
                self._at(0.001, lambda: self._regrant(command))
            case ev.Dismiss():
                self._at(0.001, lambda: self._dismiss(command))
            case ev.Abandon():
                self._at(self._rng.uniform(0, 1), lambda: self._tell(ev.Drained()))
            case ev.Forget(batch):
                if self._dataset is not None:
                    self._dataset.forget(batch)
            case ev.HoldBack():
                pass

    # --- replicas ----------------------------------------------------------------------------------------

    def _come_up(self, machine: _Machine) -> None:
        machine.epoch += 1
        machine.slots = machine.running = machine.asking = 0
        machine.up, machine.reached, machine.reporting, machine.unacknowledged = True, True, False, False
        machine.queue.clear()
        machine.holds.clear()
        machine.finished = []
        if self._dataset is not None:
            machine.memory = self._dataset.memory(f"r{machine.number:03d}-{machine.epoch:03d}")
        self._tell(ev.ReplicaUp(machine.number, machine.epoch, machine.pool))

    def _regrant(self, command: ev.Regrant) -> None:
        machine = self._machines[command.replica]
        if machine.up and machine.reached and machine.epoch == command.epoch:
            machine.slots = command.slots
            machine.unacknowledged = True
            self._acknowledge(machine)
            self._start_cells(machine)

    def _acknowledge(self, machine: _Machine) -> None:
        """A smaller number of slots is acknowledged once no more requests than that are in flight."""
        if machine.unacknowledged and machine.reached and machine.running <= machine.slots:
            machine.unacknowledged = False
            self._tell(ev.Regranted(machine.number, machine.epoch, machine.slots))

    def _receive(self, command: ev.Send) -> None:
        machine = self._machines[command.replica]
        if not machine.up or not machine.reached or machine.epoch != command.epoch:
            return
        rows = command.rows.tolist()
        if self._record:
            batches = set(self._shape.geometry.batches_of(command.rows).tolist())
            self._report.order.extend(f"send {batch}" for batch in batches)
        if machine.memory is not None:
            try:
                machine.memory.learn(command.replays)
            except OSError:
                # The disk refuses: the process cannot know what was answered, and must not ask again.
                self._at(0.01, lambda: self._tell(ev.Undelivered(machine.number, command.epoch, command.ticket)))
                return
        made_of = ("" if self._dataset is None else self._dataset.made_of(command.stage, row) for row in rows)
        known = machine.memory.known_since(command.replays) if machine.memory is not None else 0
        cells = (_Cell(command.stage, row, command.ticket, m, known) for row, m in zip(rows, made_of, strict=True))
        machine.queue.extend(cells)
        machine.holds.update((command.stage, row) for row in rows)
        if self._chance(self._world.replica_death):
            epoch = machine.epoch
            self._at(self._rng.uniform(0, 0.2), lambda: self._die(machine, epoch))
        if self._chance(self._world.drain):
            leaving = ev.ReplicaLeaving(machine.number, machine.epoch)
            self._at(self._rng.uniform(0, 0.2), lambda: self._tell(leaving))
        self._start_cells(machine)

    def _start_cells(self, machine: _Machine) -> None:
        while machine.queue and machine.running < machine.slots:
            cell = machine.queue.popleft()
            machine.running += 1
            self._report.executions += 1
            epoch = machine.epoch
            if cell.row in self._world.poison:
                self._at(0.01, lambda e=epoch: self._die(machine, e))  # type: ignore[misc]
                continue
            answer = self._ask(machine.memory, cell)
            if answer is None:  # It is in the journal.
                known = machine.memory.known((cell.stage, cell.row), cell.made_of) if machine.memory else None
                self._at(0.0, lambda c=cell, e=epoch, k=known: self._cell_done(machine, e, c, k or ""))  # type: ignore[misc]
                machine.asking += 1
                self._in_flight[machine.pool] += 1
                continue
            seconds = self._world.latency(self._rng, machine.pool)
            machine.asking += 1
            self._in_flight[machine.pool] += 1
            peak = self._report.peak.get(machine.pool, 0)
            self._report.peak[machine.pool] = max(peak, self._in_flight[machine.pool])
            self._report.busy[machine.pool] = self._report.busy.get(machine.pool, 0.0) + seconds
            self._at(seconds, lambda c=cell, e=epoch, a=answer: self._answered(machine, e, c, a))  # type: ignore[misc]

    def _ask(self, memory: Memory | None, cell: _Cell) -> str | None:
        """Pay for an answer; None where the journal has it."""
        if memory is None or self._dataset is None:
            return ""
        if memory.known((cell.stage, cell.row), cell.made_of) is not None:
            return None
        digest = request_digest(request_of(cell.made_of))
        return self._dataset.account.pay((cell.stage, cell.row), digest, cell.made_of, cell.known)

    def _answered(self, machine: _Machine, epoch: int, cell: _Cell, answer: str) -> None:
        if machine.up and machine.epoch == epoch and machine.memory is not None:
            machine.memory.note((cell.stage, cell.row), cell.made_of, answer)
        self._give_back(machine, epoch, cell, answer)

    def _give_back(self, machine: _Machine, epoch: int, cell: _Cell, answer: str) -> None:
        """Give the slot of an answer back once that is written."""
        if self._flush(machine, epoch):
            self._cell_done(machine, epoch, cell, answer)
        else:
            self._at(0.5, lambda: self._give_back(machine, epoch, cell, answer))

    def _flush(self, machine: _Machine, epoch: int) -> bool:
        """Write the journal of a replica; says whether nothing is left to write."""
        if machine.memory is None or not machine.up or machine.epoch != epoch:
            return True
        try:
            machine.memory.flush()
        except OSError:
            return False
        if machine.memory.unsynced:
            self._at(1.0, lambda: self._sync(machine, epoch))
        return True

    def _sync(self, machine: _Machine, epoch: int) -> None:
        if machine.memory is not None and machine.up and machine.epoch == epoch:
            with suppress(OSError):  # The next time makes up for it.
                machine.memory.sync()

    def _cell_done(self, machine: _Machine, epoch: int, cell: _Cell, answer: str) -> None:
        if not machine.up or machine.epoch != epoch:
            return
        self._in_flight[machine.pool] -= 1
        machine.running -= 1
        machine.asking -= 1
        machine.finished.append((cell, answer))
        self._acknowledge(machine)
        if not machine.reporting:
            machine.reporting = True
            finished = machine.finished
            self._at(self._world.linger, lambda: self._send_report(machine, epoch, finished))
        self._start_cells(machine)

    def _send_report(self, machine: _Machine, epoch: int, finished: list[tuple[_Cell, str]]) -> None:
        dead = not machine.up or not machine.reached or machine.epoch != epoch
        if dead and not self._chance(self._world.late_message):
            return
        if not self._flush(machine, epoch):
            self._at(0.5, lambda: self._send_report(machine, epoch, finished))
            return
        if not dead:
            machine.reporting = False
            machine.finished = []
            machine.holds.difference_update((cell.stage, cell.row) for cell, _ in finished)
        for stage in sorted({cell.stage for cell, _ in finished}):
            cells = [(cell, answer) for cell, answer in finished if cell.stage == stage]
            rows = np.array([cell.row for cell, _ in cells], dtype=np.int64)
            tickets = np.array([cell.ticket for cell, _ in cells], dtype=np.int64)
            message = ev.RowsDone(machine.number, epoch, stage, rows, tickets, self._kept(stage, rows), 100)
            self._report_done(message, [answer for _, answer in cells])
            if self._chance(self._world.repeated_message):
                self._at(self._rng.uniform(0, 1), lambda m=message: self._tell(m))  # type: ignore[misc]
            self._maybe_lose_values(stage, rows)

    def _report_done(self, message: ev.RowsDone | ev.TaskDone, answers: list[str]) -> None:
        if self._dataset is not None:
            stage, rows, awaited = self._scheduler.awaited(message)
            if len(rows):
                self._dataset.place(stage, rows, awaited, answers)
        self._tell(message)

    def _die(self, machine: _Machine, epoch: int) -> None:
        if not machine.up or not machine.reached or machine.epoch != epoch:
            return
        if self._chance(self._world.unreachable):
            machine.reached = False
            if self._dataset is not None:
                self._dataset.account.doubtful |= machine.holds
            self._tell(ev.ReplicaLost(machine.number, epoch, silent=False))
            self._at(self._world.lease, lambda: self._end(machine, epoch))
            return
        self._end(machine, epoch)

    def _end(self, machine: _Machine, epoch: int) -> None:
        machine.up = False
        self._in_flight[machine.pool] -= machine.asking
        self._tell(ev.ReplicaLost(machine.number, epoch))
        self._at(self._world.restart_seconds, lambda: self._come_up(machine))

    def _dismiss(self, command: ev.Dismiss) -> None:
        machine = self._machines[command.replica]
        if not machine.up or not machine.reached or machine.epoch != command.epoch:
            return
        if not self._flush(machine, command.epoch):
            self._at(0.5, lambda: self._dismiss(command))
            return
        assert not machine.running, "a replica is dismissed with requests in flight"
        self._send_report(machine, command.epoch, machine.finished)
        self._end(machine, command.epoch)

    def _kept(self, stage: int, rows: Rows) -> Flags:
        return np.array([not self._world.rejects(row, stage) for row in rows.tolist()], dtype=np.bool_)

    def _maybe_lose_values(self, stage: int, rows: Rows) -> None:
        if self._chance(self._world.values_loss):
            self._at(self._rng.uniform(0, 1), lambda: self._lose_values(stage, rows))

    def _lose_values(self, stage: int, rows: Rows) -> None:
        if self._dataset is not None:
            self._dataset.lose(stage, rows)
            # What is being made of them right now is made once more, of the same, by somebody else; a stage that
            # sees a whole batch makes all of it once more.
            batches = self._shape.geometry.batches_of(rows)
            lost = {row for batch in set(batches.tolist()) for row in self._shape.geometry.records(batch)}
            held = self._computing.union(*(machine.holds for machine in self._machines.values()))
            self._dataset.account.doubtful.update(cell for cell in held if cell[1] in lost)
        self._tell(ev.ValuesLost(stage, rows))

    # --- tasks and commits -------------------------------------------------------------------------------

    def _run_task(self, command: ev.RunTask) -> None:
        self._report.executions += len(command.rows)
        poisoned = not self._world.poison.isdisjoint(command.rows.tolist())
        if poisoned or self._chance(self._world.task_death):
            self._at(0.01, lambda: self._tell(ev.TaskLost(command.ticket, "killed")))
            return
        made_of = (
            [] if self._dataset is None else [self._dataset.made_of(command.stage, r) for r in command.rows.tolist()]
        )

        cells = {(command.stage, row) for row in command.rows.tolist()}
        self._computing |= cells

        def done() -> None:
            self._computing.difference_update(cells)
            try:
                answers = self._computed(command, made_of)
            except OSError:
                self._tell(ev.TaskLost(command.ticket, "disk full", started=False))
                return
            self._report_done(ev.TaskDone(command.ticket, self._kept(command.stage, command.rows), 100), answers)
            self._maybe_lose_values(command.stage, command.rows)

        self._at(self._world.task_seconds, done)

    def _computed(self, command: ev.RunTask, made_of: list[str]) -> list[str]:
        """What a task comes to. Raises OSError where a function's results cannot be kept."""
        if self._dataset is None:
            return []
        stage, rows = command.stage, command.rows.tolist()
        if stage not in self._world.functions:
            return [f"{stage}.{row}.0({made})" for row, made in zip(rows, made_of, strict=True)]
        memory = self._dataset.memory(f"t{command.ticket:09d}")
        memory.learn(command.replays)
        answers = []
        for row, made in zip(rows, made_of, strict=True):
            cell = _Cell(stage, row, command.ticket, made, memory.known_since(command.replays))
            answer = self._ask(memory, cell)
            if answer is None:
                answer = memory.known((stage, row), made) or ""
            else:
                memory.note((stage, row), made, answer)
            answers.append(answer)
        memory.flush()
        if memory.unsynced:
            memory.sync()
        return answers

    def _commit(self, command: ev.Commit) -> None:
        def done() -> None:
            failure = self._written(command)
            if failure is not None:
                self._tell(ev.CommitFailed(command.batch, failure))
                return
            self._report.committed += len(command.rows)
            if self._record:
                self._report.rows[command.batch] = frozenset(command.rows.tolist())
                self._report.order.append(f"commit {command.batch}")
            self._tell(ev.Committed(command.batch))

        pause = min(2.0 ** (command.failures - 1), 60.0) if command.failures else 0.0
        self._at(self._world.commit_seconds + pause, done)

    def _written(self, command: ev.Commit) -> str | None:
        """Write a batch; says why that failed, if it did."""
        if self._chance(self._world.commit_failure):
            return "disk full"
        try:
            if self._dataset is not None:
                self._dataset.commit(command)
        except OSError as error:
            return str(error)
        except KeyError:
            # Values went while the commit was on its way; the scheduler knows, and asks anew.
            return "some of its values are gone"
        return None
