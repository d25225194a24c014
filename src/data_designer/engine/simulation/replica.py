"""A simulated replica: slots, a queue, and reports; it dies, leaves and seems dead as it is told."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from data_designer.engine.protocol.messages import Summary
from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.dataset import Cell, CellKey, Process
from data_designer.engine.simulation.timeline import Timeline
from data_designer.models.admission.slot_ledger import SlotLedger
from data_designer.models.admission.slots import SlotStatistics


@dataclass(slots=True)
class _Request:
    """Cells that are asked for together, with one slot."""

    left: int
    """Cells that are not done."""
    asking: bool = False
    """Whether it is under way."""
    seconds: float | None = None
    """How long it takes, once a model is asked."""


@dataclass(slots=True)
class SimulatedReplica:
    """One replica in all its incarnations. What it does takes place on the timeline."""

    number: int
    pool: str
    timeline: Timeline
    epoch: int = 0
    slots: int = 0
    _unacknowledged: bool = False
    _up: bool = False
    """Whether it runs; the scheduler may think otherwise."""
    _reached: bool = True
    _queue: deque[Cell] = field(default_factory=deque)
    """In the order in which they came."""
    _running: int = 0
    """Slots in use."""
    _asking: int = 0
    """Requests that are under way: all that run but those of poisonous cells alone."""
    _finished: list[tuple[Cell, str]] = field(default_factory=list)
    """Cells with their answers."""
    _reporting: bool = False
    _holds: set[CellKey] = field(default_factory=set)
    """What it was given and has not reported."""
    _process: Process = field(init=False)
    _ledger: SlotLedger = field(init=False)
    _settled_at: float = 0.0
    _granted: int = 0
    """Slots that nobody else has."""

    def __post_init__(self) -> None:
        self.timeline.held.append(self._holds)

    def come_up(self) -> None:
        """Start the next incarnation."""
        self.epoch += 1
        self.slots = self._granted = self._running = self._asking = 0
        self._ledger, self._settled_at = SlotLedger(), self.timeline.now
        self._up, self._reached, self._reporting, self._unacknowledged = True, True, False, False
        self._queue.clear()
        self._holds.clear()
        self._finished = []
        self._process = self.timeline.dataset.process(f"r{self.number:03d}-{self.epoch:03d}")
        self.timeline.tell(ev.ReplicaUp(self.number, self.epoch, self.pool))

    def regrant(self, command: ev.Regrant) -> None:
        """Take note of a number of slots."""
        if self._hears(command.epoch):
            self._settle()
            self.slots = command.slots
            self._granted = max(self._granted, self.slots)
            self._unacknowledged = True
            self._acknowledge()
            self._start_cells()

    def receive(self, command: ev.Send) -> None:
        """Take rows."""
        if not self._hears(command.epoch):
            return
        try:
            self._process.learn(command.replays)
        except OSError:
            # The disk refuses: the process cannot know what was answered, and must not ask again.
            undelivered = ev.Undelivered(self.number, command.epoch, command.ticket)
            self.timeline.at(0.01, lambda: self.timeline.tell(undelivered))
            return
        self._queue.extend(self._process.cells(command))
        self._holds.update((command.stage, row) for row in command.rows.tolist())
        if self.timeline.happens(self.timeline.faults.replica_death):
            epoch = self.epoch
            self.timeline.soon(0.2, lambda: self._die(epoch))
        if self.timeline.happens(self.timeline.faults.drain):
            leaving = ev.ReplicaLeaving(self.number, self.epoch)
            self.timeline.soon(0.2, lambda: self.timeline.tell(leaving))
        self._start_cells()

    def dismiss(self, command: ev.Dismiss) -> None:
        """Report what is finished, and end."""
        if not self._hears(command.epoch):
            return
        if not self._flush(command.epoch):
            self.timeline.at(0.5, lambda: self.dismiss(command))
            return
        assert not self._running, "a replica is dismissed with requests in flight"
        self._send_report(command.epoch, self._finished)
        self.say()
        self._end(command.epoch)

    def _hears(self, epoch: int) -> bool:
        return self._up and self._reached and self.epoch == epoch

    def _lives(self, epoch: int) -> bool:
        return self._up and self.epoch == epoch

    def _acknowledge(self) -> None:
        """A smaller number of slots is acknowledged once no more requests than that are in flight."""
        if self._unacknowledged and self._reached and self._running <= self.slots:
            self._unacknowledged = False
            self._settle()
            self._granted = self.slots
            self.timeline.tell(ev.Regranted(self.number, self.epoch, self.slots))

    def say(self) -> None:
        """Tell whoever watches what its slots have done."""
        if not self._hears(self.epoch):
            return
        self._settle()
        load = SlotStatistics(self.slots, self.slots, self._running, len(self._queue))
        summary = Summary(0, (), None, load=load, held=len(self._holds), slot_time=self._ledger.take())
        for watcher in self.timeline.watchers:
            watcher.hear(self.number, summary)

    def _settle(self) -> None:
        """Account for the time since the last call, in which everything was as it is now."""
        now = self.timeline.now
        self._ledger.pass_time(now - self._settled_at, self._granted, self.slots, self._running)
        self._settled_at = now

    @property
    def arrived(self) -> int:
        """Rows that it has."""
        return len(self._holds)

    # --- cells -------------------------------------------------------------------------------------------

    def _start_cells(self) -> None:
        together = self.timeline.shape.rows_a_slot.get(self.pool, 1)
        while self._queue and self._running < self.slots:
            self._settle()
            self._running += 1
            request = _Request(min(together, len(self._queue)))
            for cell in [self._queue.popleft() for _ in range(request.left)]:
                self._start(cell, request)

    def _start(self, cell: Cell, request: "_Request") -> None:
        timeline, report, epoch = self.timeline, self.timeline.report, self.epoch
        report.executions += 1
        if (cell.stage, cell.row) in timeline.faults.poison:
            timeline.at(0.01, lambda: self._die(epoch))
            return
        answer, asked = self._process.ask(cell)
        if not request.asking:
            request.asking = True
            self._asking += 1
            timeline.in_flight[self.pool] += 1
        if not asked:
            timeline.at(0.0, lambda: self._cell_done(epoch, cell, answer, request))
            return
        if request.seconds is None:
            request.seconds = timeline.cell_seconds(self.pool, cell.stage, cell.row)
            report.peak[self.pool] = max(report.peak.get(self.pool, 0), timeline.in_flight[self.pool])
            report.busy[self.pool] = report.busy.get(self.pool, 0.0) + request.seconds
        timeline.at(request.seconds, lambda: self._answered(epoch, cell, answer, request))

    def _answered(self, epoch: int, cell: Cell, answer: str, request: "_Request") -> None:
        if self._lives(epoch):
            self._process.note(cell, answer)
        self._give_back(epoch, cell, answer, request)

    def _give_back(self, epoch: int, cell: Cell, answer: str, request: "_Request") -> None:
        """Give the slot of an answer back once that is written."""
        if self._flush(epoch):
            self._cell_done(epoch, cell, answer, request)
        else:
            self.timeline.at(0.5, lambda: self._give_back(epoch, cell, answer, request))

    def _cell_done(self, epoch: int, cell: Cell, answer: str, request: "_Request") -> None:
        if not self._lives(epoch):
            return
        self._settle()
        request.left -= 1
        if not request.left:
            self.timeline.in_flight[self.pool] -= 1
            self._running -= 1
            self._asking -= 1
        self._finished.append((cell, answer))
        self._acknowledge()
        if not self._reporting:
            self._reporting = True
            finished = self._finished
            self.timeline.at(self.timeline.world.linger, lambda: self._send_report(epoch, finished))
        self._start_cells()

    def _send_report(self, epoch: int, finished: list[tuple[Cell, str]]) -> None:
        heard = self._hears(epoch)
        if not heard and not self.timeline.happens(self.timeline.faults.late_message):
            return
        if not self._flush(epoch):
            self.timeline.at(0.5, lambda: self._send_report(epoch, finished))
            return
        if heard:
            self._reporting = False
            self._finished = []
            self._holds.difference_update((cell.stage, cell.row) for cell, _ in finished)
        for stage in sorted({cell.stage for cell, _ in finished}):
            self._report_stage(epoch, stage, [one for one in finished if one[0].stage == stage])

    def _report_stage(self, epoch: int, stage: int, finished: list[tuple[Cell, str]]) -> None:
        timeline = self.timeline
        rows = np.array([cell.row for cell, _ in finished], dtype=np.int64)
        tickets = np.array([cell.ticket for cell, _ in finished], dtype=np.int64)
        message = ev.RowsDone(self.number, epoch, stage, rows, tickets, timeline.kept(stage, rows), 100)
        timeline.tell_done(message, [answer for _, answer in finished])
        if timeline.happens(timeline.faults.repeated_message):
            timeline.soon(1, lambda: timeline.tell(message))
        timeline.maybe_lose_values(stage, rows)

    # --- the journal -------------------------------------------------------------------------------------

    def _flush(self, epoch: int) -> bool:
        """Write the journal; says whether nothing is left to write."""
        if not self._lives(epoch):
            return True
        try:
            to_sync = self._process.flush()
        except OSError:
            return False
        if to_sync:
            self.timeline.at(1.0, lambda: self._sync(epoch))
        return True

    def _sync(self, epoch: int) -> None:
        if self._lives(epoch):
            with suppress(OSError):  # The next time makes up for it.
                self._process.sync()

    # --- the end -----------------------------------------------------------------------------------------

    def _die(self, epoch: int) -> None:
        if not self._hears(epoch):
            return
        if self.timeline.happens(self.timeline.faults.unreachable):
            self._reached = False
            self.timeline.dataset.doubt(self._holds)
            self.timeline.tell(ev.ReplicaLost(self.number, epoch, silent=False))
            self.timeline.at(self.timeline.faults.lease, lambda: self._end(epoch))
            return
        self._end(epoch)

    def _end(self, epoch: int) -> None:
        self._up = False
        self.timeline.in_flight[self.pool] -= self._asking
        self.timeline.tell(ev.ReplicaLost(self.number, epoch))
        self.timeline.at(self.timeline.faults.restart_seconds, self.come_up)
