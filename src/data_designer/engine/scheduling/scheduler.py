"""The scheduler: a pure state machine that is told events and answers with commands.

It knows no clock, no network, no file, no Ray and no column's meaning.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np

from data_designer.engine.protocol.rows import CellCount, Flags, Replays, Rows
from data_designer.engine.protocol.slot_time import Account
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.batch_admission import MOST_ROWS_A_TASK, ROWS_A_TASK, BatchAdmission
from data_designer.engine.scheduling.batch_state import OpenBatch, Released
from data_designer.engine.scheduling.breaker import ErrorRate
from data_designer.engine.scheduling.demand import Demand, Demands
from data_designer.engine.scheduling.liveness import Waiting
from data_designer.engine.scheduling.ready_queue import ReadyRows
from data_designer.engine.scheduling.slot_allocator import SlotAllocator, Told
from data_designer.engine.scheduling.work import Work
from data_designer.plan.model import LOCAL

_SMALLEST_HEADROOM = 8
_AWAITED_SECONDS = 10.0
"""How long the slots of replicas that have not come up are kept for them, from when the first has."""
_REPORTS_AHEAD = 4
"""A replica holds as many rows beyond its slots as it finishes between so many reports: those that it has finished
and not yet reported, those on their way, and some to go on with."""
_LOSSES_BEFORE_ALONE = 2
_LOSSES_BEFORE_REJECTION = 3
_COMMIT_TRIES = 8
"""Tries to write a batch. The driver waits longer before each: together about two minutes."""


@dataclass(slots=True)
class _Ticket:
    """One Send or RunTask, and which of its rows are still out."""

    number: int
    stage: int
    rows: Rows
    out: set[int]
    whole: bool = False
    """Whether they are computed together."""

    @property
    def beyond(self) -> int:
        """Rows by which it outnumbers the work that it is: rows that are computed together are one piece."""
        return len(self.out) - 1 if self.whole and self.out else 0


@dataclass(slots=True)
class _Replica:
    """A live incarnation."""

    number: int
    epoch: int
    pool: str
    slots: int = 0
    rows_a_slot: int = 1
    """Rows that one of its requests may ask for together."""
    out: int = 0
    """Rows it holds."""
    alone: bool = False
    """It holds one suspect row and gets nothing else."""
    leaving: bool = False
    """It gets nothing any more, and is dismissed once it has no slots."""
    gives_way: bool = False
    """It gets no rows ahead, since others are about to take its slots."""
    dismissed: bool = False
    tickets: dict[int, _Ticket] = field(default_factory=dict)
    report: int = 0
    """Rows of a large recent report."""
    has_wholes: bool = False
    """Whether it has been given rows that are computed together."""

    @property
    def load(self) -> int:
        """How much work it holds."""
        return self.out - (sum(ticket.beyond for ticket in self.tickets.values()) if self.has_wholes else 0)

    @property
    def full(self) -> int:
        """How many rows keep its slots busy."""
        return self.slots * self.rows_a_slot

    @property
    def window(self) -> int:
        """How many rows it may hold."""
        if not self.slots or self.leaving:
            return 0
        if self.gives_way:
            return self.full + _SMALLEST_HEADROOM
        return self.full + max(self.full, _SMALLEST_HEADROOM, _REPORTS_AHEAD * self.report)


class Scheduler:
    """Decides which rows run where and when, which batches are open, and when to stop.

    `handle(event)` answers with commands; `finished` says when to stop asking. Events about work that is not
    outstanding are ignored, so late and repeated messages are harmless.
    """

    def __init__(self, shape: ev.Shape) -> None:
        self.shape = shape
        self.stop_reason: str | None = None
        """Why the run ends before its last batch, once it does."""
        self.tripped_column: str | None = None
        """The column whose failures stopped the run, if one did."""
        self._ready = {pool: ReadyRows(shape.stages) for pool in (LOCAL, *shape.slots)}
        self._suspects: dict[str, list[tuple[int, int]]] = {pool: [] for pool in self._ready}
        """(stage, row) pairs that travel alone, a pool."""
        self._allocators = {
            pool: SlotAllocator(slots, {pool: slots}, shape.replicas) for pool, slots in shape.slots.items()
        }
        for total, pools in shape.shared:
            together = SlotAllocator(total, {pool: shape.slots[pool] for pool in pools}, shape.replicas)
            self._allocators.update(dict.fromkeys(pools, together))
        self._guests = {pool: {stage.pool for stage in shape.stages if pool in stage.asks} for pool in shape.slots}
        """Alias to those whose rows ask it too."""
        self._replicas: dict[int, _Replica] = {}
        self._tasks: dict[int, _Ticket] = {}
        self._batches: dict[int, OpenBatch] = {}
        self._breakers = {
            name: ErrorRate(shape.error_rate, shape.error_window * shape.rows_a_request.get(name, 1))
            for name in shape.inference_columns
        }
        self._admission = BatchAdmission(shape)
        self._demands = Demands(shape)
        self._held_back = False
        """Whether it was said that values hold up the opening of batches."""
        self._holder: OpenBatch | None = None
        """The batch that holds most, while values hold up the opening of one that is wanted."""
        self._counts = np.zeros((2, len(shape.stages)), dtype=np.int64)
        """Of batches that were let go of."""
        self._earlier = ev.Started()
        """What earlier runs have left."""
        self._unopened: Iterator[int] | None = None
        self._next_batch: int | None = None
        self._drained = False
        self._first_up: float | None = None
        """When a replica was first seen to be up, other than those that give way."""
        self._stand_ins: frozenset[int] = frozenset()
        """Numbers of those that give way."""
        self._tickets = 0
        self._commands: list[ev.Command] = []

    # --- the door ----------------------------------------------------------------------------------------

    def handle(self, event: ev.Event) -> list[ev.Command]:
        """Take one event in; give back what to do about it."""
        self._commands = []
        self._absorb(event)
        if self._unopened is not None and self.stop_reason is None:
            self._admit()
            self._dispatch_tasks()
            for pool in self._pools():
                self._dispatch_pool(pool)
        return self._commands

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        started = self._unopened is not None
        return started and not self._batches and (self._next_batch is None or self.stop_reason is not None)

    @property
    def open_batches(self) -> int:
        """How many batches are open."""
        return len(self._batches)

    @property
    def held_bytes(self) -> int:
        """Bytes of values that open batches hold."""
        return sum(batch.bytes for batch in self._batches.values())

    def work(self) -> Work:
        """How much is done."""
        counts = sum((batch.counts for batch in self._batches.values()), self._counts)
        held = None if self._holder is None else (self._holder.number, self.held_bytes)
        done, gone = (tuple(numbers) for numbers in counts.tolist())
        return Work(done, gone, held, self.stop_reason)

    def waiting_for(self) -> Waiting:
        """What is under way; where nothing is, what waits for what."""
        return Waiting(
            tuple(ticket.stage for ticket in self._tasks.values()),
            {replica.number: replica.out for replica in self._replicas.values() if replica.out},
            tuple(batch.number for batch in self._batches.values() if batch.committing),
            self._idle(),
        )

    def _idle(self) -> str:
        without = [pool for pool in self.shape.slots if not any(r.slots for r in self._of(pool))]
        if without:
            return f"slots of a replica of {', '.join(without)}"
        return "; ".join(map(repr, self._batches.values())) or "a batch to be opened"

    def demand(self, arrived: Mapping[int, int]) -> dict[str, Demand]:
        """What the idle slots of each alias wait for.

        Args:
            arrived: replica to how many rows it is known to have.
        """
        if self.stop_reason is not None or self._unopened is None:
            rest = Account.STARTUP if self._unopened is None else Account.LAST
            return dict.fromkeys(self.shape.slots, Demand(rest=rest))
        ready = {pool: self._ready[pool].waiting + len(self._suspects[pool]) for pool in self.shape.slots}
        for replica in self._replicas.values():
            ready[replica.pool] += max(0, replica.out - arrived.get(replica.number, 0))
        return self._demands.look(self._batches.values(), ready, self._closed_by())

    def _closed_by(self) -> Account | None:
        """Why no further batch is opened; None where the open ones have rows enough."""
        batches = self._batches.values()
        if self._next_batch is None:
            is_writing = bool(batches) and all(batch.committing for batch in batches)
            return Account.STORAGE if is_writing else Account.LAST
        limit = self.shape.max_open_batches
        if (limit is not None and len(batches) >= limit) or any(batch.commit_failures for batch in batches):
            return Account.STORAGE
        wanted = sum(replica.window for replica in self._replicas.values())
        is_held_back = self._may_open(wanted) and self._admission.held_back_by(batches) is not None
        return Account.STORAGE if is_held_back else None

    def awaited(self, event: ev.RowsDone | ev.TaskDone) -> tuple[int, Rows, Flags]:
        """Stage and rows of a report, and which rows it answers: others were taken back, and are done elsewhere."""
        if isinstance(event, ev.TaskDone):
            ticket = self._tasks.get(event.ticket)
            if ticket is None:
                return 0, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_)
            stage, rows, tickets = ticket.stage, ticket.rows, np.full(len(ticket.rows), event.ticket)
        else:
            stage, rows, tickets = event.stage, event.rows, event.tickets
        awaited = np.zeros(len(rows), dtype=np.bool_)
        if isinstance(event, ev.RowsDone) and self._incarnation(event.replica, event.epoch) is None:
            return stage, rows, awaited
        for batch, index in self._by_batch(rows):
            awaited[index] = batch.out_under(tickets[index], stage, batch.positions(rows[index]))
        return stage, rows, awaited

    def check_invariants(self) -> None:
        """Raise AssertionError where the state contradicts itself."""
        for batch in self._batches.values():
            batch.check_invariants()
        for pool, allocator in self._allocators.items():
            assert allocator.granted <= allocator.total, (
                f"{pool}: {allocator.granted} of {allocator.total} slots granted"
            )
            assert allocator.granted_to(pool) <= self.shape.slots[pool], f"{pool} has more slots than its own"
        for replica in self._replicas.values():
            assert replica.out == sum(len(t.out) for t in replica.tickets.values()), f"{replica} miscounts"
        assert len(self._tasks) <= self.shape.workers, "too many CPU tasks"
        if self.shape.max_open_batches is not None:
            assert len(self._batches) <= self.shape.max_open_batches, "too many open batches"

    # --- events ------------------------------------------------------------------------------------------

    def _absorb(self, event: ev.Event) -> None:  # noqa: C901 - one arm an event is the plainest form
        match event:
            case ev.Started():
                self._start(event)
            case ev.ReplicaUp():
                self._replica_up(event)
            case ev.ReplicaLost():
                self._replica_lost(event)
            case ev.ReplicaLeaving():
                self._replica_leaving(event)
            case ev.Joined():
                self._joined(event)
            case ev.ReplicaSilent():
                self._replica_silent(event)
            case ev.Undelivered():
                self._undelivered(event)
            case ev.Regranted():
                self._regranted(event)
            case ev.RowsDone():
                self._rows_done(event)
            case ev.TaskDone():
                self._task_done(event)
            case ev.TaskLost():
                self._task_lost(event)
            case ev.ValuesLost():
                self._values_lost(event)
            case ev.Committed():
                self._committed(event)
            case ev.CommitFailed():
                self._commit_failed(event)
            case ev.Tick():
                self._tick(event.now)
            case ev.Stop():
                self._stop(event.reason)
            case ev.Drained():
                self._wind_up()
            case _:
                assert_never(event)

    def _tick(self, now: float) -> None:
        """All that is decided here by time."""
        self._share_out()
        if self._first_up is None and self._replicas.keys() - self._stand_ins:
            self._first_up = now
        if self._first_up is not None and now > self._first_up + _AWAITED_SECONDS:
            for allocator in dict.fromkeys(self._allocators.values()):
                self._grant(allocator.await_no_more())
        for number in self._stand_ins & self._replicas.keys():
            replica = self._replicas[number]
            if not replica.leaving and self._allocators[replica.pool].is_replaced((number, replica.epoch)):
                self._replica_leaving(ev.ReplicaLeaving(number, replica.epoch))

    def _joined(self, event: ev.Joined) -> None:
        self._admission.held_bytes = min(self._admission.held_bytes, event.held_bytes)
        self._stand_ins |= event.stand_ins
        self._first_up = None
        for number in self._stand_ins & self._replicas.keys():
            self._replicas[number].gives_way = True
        for allocator in dict.fromkeys(self._allocators.values()):
            self._grant(allocator.join(event.replicas, event.stand_ins))

    def _start(self, event: ev.Started) -> None:
        self._earlier = event
        self._unopened = (number for number in self.shape.geometry.batches() if number not in event.at.committed)
        self._next_batch = next(self._unopened, None)

    def _replica_up(self, event: ev.ReplicaUp) -> None:
        known = self._replicas.get(event.replica)
        if known is not None:
            if known.epoch >= event.epoch:
                return
            self._replica_lost(ev.ReplicaLost(known.number, known.epoch))
        gives_way = event.replica in self._stand_ins
        rows_a_slot = self.shape.rows_a_slot.get(event.pool, 1)
        self._replicas[event.replica] = _Replica(
            event.replica, event.epoch, event.pool, rows_a_slot=rows_a_slot, gives_way=gives_way
        )
        self._grant(self._allocators[event.pool].add((event.replica, event.epoch), event.pool))

    def _replica_lost(self, event: ev.ReplicaLost) -> None:
        replica = self._incarnation(event.replica, event.epoch)
        if replica is None:
            if event.silent:
                self._replica_silent(ev.ReplicaSilent(event.replica, event.epoch))
            return
        del self._replicas[event.replica]
        allocator, who = self._allocators[replica.pool], (event.replica, event.epoch)
        self._grant(allocator.remove(who) if event.silent else allocator.lose(who))
        # It starts rows in the order in which they came, so those it can have started come first. Where its node goes,
        # no row is to blame.
        may_have_started = 0 if replica.leaving else max(replica.slots, 1)
        for ticket in replica.tickets.values():
            lost = np.array([row for row in ticket.rows.tolist() if row in ticket.out], dtype=np.int64)
            to_blame = len(lost) if ticket.whole and may_have_started else may_have_started
            self._lose(ticket, lost, to_blame, "the replica that ran it died")
            may_have_started = max(0, may_have_started - (1 if ticket.whole else len(lost)))

    def _replica_leaving(self, event: ev.ReplicaLeaving) -> None:
        replica = self._incarnation(event.replica, event.epoch)
        if replica is not None:
            replica.leaving = True
            self._grant(self._allocators[replica.pool].leave((event.replica, event.epoch)))
            self._dismiss_if_free(replica)

    def _dismiss_if_free(self, replica: _Replica) -> None:
        who = (replica.number, replica.epoch)
        if replica.leaving and not replica.dismissed and self._allocators[replica.pool].holds_none(who):
            replica.dismissed = True
            self._commands.append(ev.Dismiss(*who))

    def _replica_silent(self, event: ev.ReplicaSilent) -> None:
        for allocator in dict.fromkeys(self._allocators.values()):
            self._grant(allocator.remove((event.replica, event.epoch)))

    def _undelivered(self, event: ev.Undelivered) -> None:
        replica = self._incarnation(event.replica, event.epoch)
        ticket = replica.tickets.pop(event.ticket, None) if replica is not None else None
        if replica is not None and ticket is not None:
            replica.out -= len(ticket.out)
            replica.alone = False
            self._lose(ticket, np.array(sorted(ticket.out), dtype=np.int64), 0, "what it is made from was lost")

    def _regranted(self, event: ev.Regranted) -> None:
        replica = self._incarnation(event.replica, event.epoch)
        if replica is not None:
            replica.slots = event.slots
            self._grant(self._allocators[replica.pool].acknowledge((event.replica, event.epoch), event.slots))
            self._dismiss_if_free(replica)

    def _rows_done(self, event: ev.RowsDone) -> None:
        replica = self._incarnation(event.replica, event.epoch)
        if replica is None:
            return
        fresh = 0
        for number in np.unique(event.tickets).tolist():
            ticket = replica.tickets.get(number)
            if ticket is None or ticket.stage != event.stage:
                continue
            mine = np.flatnonzero(event.tickets == number)
            mine = mine[[row in ticket.out for row in event.rows[mine].tolist()]]
            ticket.out.difference_update(event.rows[mine].tolist())
            fresh += min(1, len(mine)) if ticket.whole else len(mine)
            replica.out -= len(mine)
            if not ticket.out:
                del replica.tickets[number]
                replica.alone = False
            self._done(ticket, event.rows[mine], event.kept[mine], event.bytes / max(1, len(event.rows)))
        if fresh:
            replica.report = max(fresh, replica.report * 7 // 8)
            self._count(event.cells)

    def _task_done(self, event: ev.TaskDone) -> None:
        ticket = self._tasks.pop(event.ticket, None)
        if ticket is not None:
            self._done(ticket, ticket.rows, event.kept, event.bytes / max(1, len(ticket.rows)))
            self._count(event.cells)

    def _task_lost(self, event: ev.TaskLost) -> None:
        ticket = self._tasks.pop(event.ticket, None)
        if ticket is not None:
            self._lose(ticket, ticket.rows, len(ticket.rows) if event.started else 0, event.reason)

    def _values_lost(self, event: ev.ValuesLost) -> None:
        for batch, index in self._by_batch(event.rows):
            if batch.committing:
                # They may be on the disk already; if not, the commit fails and they are made again.
                batch.lost_while_committing.append((event.stage, event.rows[index]))
            else:
                self._undo(batch, event.stage, event.rows[index])

    def _undo(self, batch: OpenBatch, stage: int, rows: Rows) -> None:
        batch.lost += 1
        self._put(batch, batch.undo(stage, batch.positions(rows)))

    def _committed(self, event: ev.Committed) -> None:
        batch = self._batches.get(event.batch)
        if batch is not None and batch.committing:
            # Even where values went meanwhile: they are on the disk.
            self._forget(batch)

    def _commit_failed(self, event: ev.CommitFailed) -> None:
        batch = self._batches.get(event.batch)
        if batch is None or not batch.committing:
            return
        batch.committing = False
        if batch.lost_while_committing:
            for stage, rows in batch.lost_while_committing:
                self._undo(batch, stage, rows)
            batch.lost_while_committing.clear()
            self._commit_if_complete(batch)
            if self._drained and not batch.committing:
                self._commit_or_forget(batch)
            return
        batch.commit_failures += 1
        if batch.commit_failures < _COMMIT_TRIES and not event.hopeless:
            self._commit(batch)
        else:
            self._forget(batch)
            self._stop(f"batch {event.batch} could not be written: {event.reason}")

    def _stop(self, reason: str) -> None:
        """Send nothing more. What is under way may finish: it is paid for."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self._commands.append(ev.Abandon(reason))

    def _wind_up(self) -> None:
        """Commit what is complete and let go of the rest."""
        self._drained = True
        for batch in list(self._batches.values()):
            if not batch.committing:
                self._commit_or_forget(batch)

    def _count(self, cells: tuple[CellCount, ...]) -> None:
        for count in cells:
            breaker = self._breakers.get(count.column)
            if breaker is not None and breaker.record(count.finished, count.failed) and self.stop_reason is None:
                self.tripped_column = count.column
                self._stop(
                    f"column '{count.column}': {breaker.total_failed} of {breaker.total} cells failed, "
                    f"more than {self.shape.error_rate:.0%} of the last {breaker.span}"
                )

    # --- rows --------------------------------------------------------------------------------------------

    def _done(self, ticket: _Ticket, rows: Rows, kept: Flags, bytes_a_row: float) -> None:
        for batch, index in self._by_batch(rows):
            positions = batch.positions(rows[index])
            valid = batch.out_under(ticket.number, ticket.stage, positions)
            positions, flags = positions[valid], kept[index][valid]
            batch.bytes += int(bytes_a_row * len(index))
            self._put(batch, batch.finish(ticket.stage, positions[flags]))
            self._put(batch, batch.reject(positions[~flags]))
            self._commit_if_complete(batch)

    def _lose(self, ticket: _Ticket, rows: Rows, started: int, reason: str) -> None:
        """Rows came back unfinished. Only the first `started` of them may be to blame."""
        suspects = set(rows[:started].tolist())
        for batch, index in self._by_batch(rows):
            positions = batch.positions(rows[index])
            positions = positions[batch.out_under(ticket.number, ticket.stage, positions)]
            to_blame = [row in suspects for row in batch.rows(positions).tolist()]
            batch.lost += 1
            batch.count_loss(ticket.stage, positions[to_blame])
            hopeless = batch.losses(ticket.stage, positions) >= _LOSSES_BEFORE_REJECTION
            self._put(batch, batch.restore(ticket.stage, positions[~hopeless]))
            if hopeless.any():
                lost = positions[hopeless]
                self._commands.append(ev.Reject(ticket.stage, batch.rows(lost), reason))
                self._put(batch, batch.reject(lost))
            self._commit_if_complete(batch)

    def _put(self, batch: OpenBatch, released: Iterable[Released]) -> None:
        for item in released:
            shape = self.shape.stages[item.stage]
            suspect = batch.losses(item.stage, item.positions) >= _LOSSES_BEFORE_ALONE
            if shape.whole_batch:
                suspect[:] = False
            rows = batch.rows(item.positions)
            self._suspects[shape.pool].extend((item.stage, row) for row in rows[suspect].tolist())
            if not suspect.all():
                self._ready[shape.pool].put(batch.number, item.stage, rows[~suspect])

    # --- batches -----------------------------------------------------------------------------------------

    def _admit(self) -> None:
        assert self._unopened is not None
        wanted = sum(replica.window for replica in self._replicas.values())
        # While the disk refuses what is done, nothing further is paid for than what is open already.
        failing = any(batch.commit_failures for batch in self._batches.values())
        self._holder = None
        while self._next_batch is not None and not failing and self._may_open(wanted):
            if (holder := self._admission.held_back_by(self._batches.values())) is not None:
                self._holder = holder
                self._hold_back(holder)
                return
            number = self._next_batch
            records = self.shape.geometry.records(number)
            batch = OpenBatch(number, records, self.shape.stages, self._earlier.at.partial.get(number))
            batch.lost = int(number in self._earlier.at.journaled)
            self._batches[batch.number] = batch
            self._next_batch = next(self._unopened, None)
            self._put(batch, batch.roots())

    def _may_open(self, wanted: int) -> bool:
        return self._admission.may_open(self._batches.values(), wanted)

    def _commit_if_complete(self, batch: OpenBatch) -> None:
        if batch.unfinished == 0 and not batch.committing:
            self._commit(batch)

    def _commit(self, batch: OpenBatch) -> None:
        batch.committing = True
        complete, rejected = batch.complete_rows(), batch.rejected_rows()
        self._commands.append(ev.Commit(batch.number, complete, rejected, batch.commit_failures))

    def _commit_or_forget(self, batch: OpenBatch) -> None:
        if len(batch.complete_rows()) or len(batch.rejected_rows()):
            self._commit(batch)
        else:
            self._forget(batch)

    def _hold_back(self, holder: OpenBatch) -> None:
        if not self._held_back:
            self._held_back = True
            self._commands.append(ev.HoldBack(holder.number, self.held_bytes))

    def _forget(self, batch: OpenBatch) -> None:
        self._admission.done(batch)
        self._counts += batch.counts
        del self._batches[batch.number]
        self._commands.append(ev.Forget(batch.number))

    def _by_batch(self, rows: Rows) -> list[tuple[OpenBatch, Rows]]:
        """Open batches that the rows belong to, each with the indices of its rows in `rows`."""
        numbers = self.shape.geometry.batches_of(rows)
        return [
            (batch, np.flatnonzero(numbers == number))
            for number in np.unique(numbers).tolist()
            if (batch := self._batches.get(number)) is not None
        ]

    # --- dispatch ----------------------------------------------------------------------------------------

    def _dispatch_tasks(self) -> None:
        while len(self._tasks) < self.shape.workers:
            free = self.shape.workers - len(self._tasks)
            share = min(max(self._ready[LOCAL].waiting // free, ROWS_A_TASK), MOST_ROWS_A_TASK)
            work = self._take_suspect(LOCAL) or self._ready[LOCAL].take(self._room(share), self._still_ready)
            if work is None:
                return
            ticket = self._issue(*work)
            self._tasks[ticket.number] = ticket
            replays = self._replays(ticket.rows)
            self._commands.append(ev.RunTask(ticket.number, ticket.stage, ticket.rows, replays))

    def _pools(self) -> Iterable[str]:
        """In the order in which they get rows; where the user has limited these, what is furthest comes first."""
        if self.shape.max_rows_out is None:
            return self.shape.slots
        return sorted(self.shape.slots, key=lambda pool: self._ready[pool].first)

    def _dispatch_pool(self, pool: str) -> None:
        free = (r for r in self._of(pool) if r.slots and not r.alone and not r.leaving)
        replicas = sorted(free, key=lambda r: r.out / r.slots)
        if self._suspects[pool] and replicas:
            # The least busy replica takes a suspect row as soon as it has nothing else that could be lost.
            replica = replicas.pop(0)
            suspect = self._take_suspect(pool) if not replica.out else None
            if suspect is not None:
                replica.alone = True
                self._send(replica, *suspect)
        for replica in replicas:
            self._fill(replica, replica.full)
        for replica in replicas:
            self._fill(replica, replica.window)

    def _fill(self, replica: _Replica, limit: int) -> None:
        while (load := replica.load) < limit:
            work = self._ready[replica.pool].take(self._room(limit - load), self._still_ready)
            if work is None:
                return
            self._send(replica, *work)

    def _send(self, replica: _Replica, stage: int, rows: Rows) -> None:
        ticket = self._issue(stage, rows)
        replica.tickets[ticket.number] = ticket
        replica.has_wholes |= ticket.whole
        replica.out += len(rows)
        replays = self._replays(rows)
        self._commands.append(ev.Send(replica.number, replica.epoch, stage, rows, ticket.number, replays))

    def _replays(self, rows: Rows) -> Replays:
        """Batches of the rows of which work was lost, so that a journal may know the answers."""
        if not any(batch.lost for batch in self._batches.values()):
            return ()
        return tuple((batch.number, batch.lost) for batch, _ in self._by_batch(rows) if batch.lost)

    def _issue(self, stage: int, rows: Rows) -> _Ticket:
        self._tickets += 1
        for batch, index in self._by_batch(rows):
            batch.dispatch(stage, batch.positions(rows[index]), self._tickets)
        return _Ticket(self._tickets, stage, rows, set(rows.tolist()), self.shape.stages[stage].whole_batch)

    def _take_suspect(self, pool: str) -> tuple[int, Rows] | None:
        waiting = self._suspects[pool]
        while waiting:
            stage, row = waiting.pop()
            rows = np.array([row], dtype=np.int64)
            if any(len(batch.ready(stage, rows)) for batch, _ in self._by_batch(rows)):
                return stage, rows
        return None

    def _still_ready(self, batch: int, stage: int, rows: Rows) -> Rows:
        known = self._batches.get(batch)
        return rows[:0] if known is None else known.ready(stage, rows)

    def _room(self, wanted: int) -> int:
        """How many of the wanted rows may go out, where the user has set a limit."""
        if self.shape.max_rows_out is None:
            return wanted
        out = sum(r.out for r in self._replicas.values()) + sum(len(t.rows) for t in self._tasks.values())
        return min(wanted, self.shape.max_rows_out - out)

    def _grant(self, told: Told) -> None:
        for (number, epoch), slots in told:
            self._commands.append(ev.Regrant(number, epoch, slots))

    def _share_out(self) -> None:
        """Move slots between aliases that share a server, to where the work is."""
        for _, pools in self.shape.shared:
            demand = {pool: sum(map(self._demand, {pool, *self._guests[pool]})) for pool in pools}
            holders = [(r.number, r.epoch) for pool in pools for r in self._of(pool) if r.out]
            self._grant(self._allocators[pools[0]].want(demand, holders))

    def _demand(self, pool: str) -> int:
        """Requests that rows of an alias make which are out or ready."""
        rows = sum(replica.out for replica in self._of(pool)) + self._ready[pool].waiting
        return -(-rows // self.shape.rows_a_slot.get(pool, 1))

    def _of(self, pool: str) -> list[_Replica]:
        return [replica for replica in self._replicas.values() if replica.pool == pool]

    def _incarnation(self, number: int, epoch: int) -> _Replica | None:
        replica = self._replicas.get(number)
        return replica if replica is not None and replica.epoch == epoch else None
