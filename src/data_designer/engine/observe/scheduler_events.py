"""What the scheduler is told and what it decides, as lines of JSON beside the dataset.

Fields are named as Data Designer's `scheduler_events.jsonl` names them where they mean something here. Records are
counted and never shown: a line holds neither values nor texts of endpoints.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

import numpy as np
import orjson

from data_designer.engine.dataset.files import Files, LocalFiles
from data_designer.engine.execution.observation import Heard, Observation
from data_designer.engine.protocol.rows import CellCount, Rows
from data_designer.engine.scheduling import events as ev
from data_designer.plan.model import LOCAL, Plan

logger = logging.getLogger(__name__)

SCHEDULER_EVENTS = "scheduler_events.jsonl"
MOST_BYTES = 64 << 20
"""Of one run's lines; what comes after them is left out."""
_MOST_WAITING = 8 << 20
"""Bytes that may wait for the disk; what comes meanwhile is left out."""
_LOCAL_SECONDS, _OBJECT_SECONDS = 1.0, 15.0
"""Between writes: in object storage each of them makes an object."""
_END_SECONDS = 5.0
"""How long the end of a run waits for the disk."""
_LONGEST_REASON = 80
_parts = count(1)
"""Numbers of objects: a run may have several files, one after another."""
SNAPSHOT_SECONDS = 5.0
"""Between lines that say how all replicas stand."""

Line = dict[str, Any]


@dataclass(slots=True)
class EventLines:
    """Turns what happens in one run into lines. Pure: time is an argument."""

    plan: Plan
    run: int
    """The run's number."""
    began: float
    """Seconds since the epoch."""
    _sequence: int = 0
    _loads: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Replica to how it stands."""
    _shown: float = -SNAPSHOT_SECONDS
    """When the last snapshot was made."""
    _pools: dict[int, str] = field(default_factory=dict)
    """Replica to its alias."""
    _tasks: dict[int, ev.RunTask] = field(default_factory=dict)
    """CPU tasks that are under way, by their tickets."""

    def line(self, observation: Observation, now: float) -> Line | None:
        """The line of one observation; None where it has none.

        Args:
            observation: what is shown to observers.
            now: seconds on a steady clock.
        """
        match observation:
            case Heard(number, alias, summary):
                self._pools[number] = alias
                if summary.load is not None:
                    load = summary.load
                    stands = {"slots": load.total, "limit": load.limit, "in_use": load.in_use, "waiting": load.waiting}
                    self._loads[number] = {"pool": alias, **stands, "rows_held": summary.held}
                return None
            case ev.Tick() if self._loads and now - self._shown >= SNAPSHOT_SECONDS:
                self._shown = now
                snapshot = {str(number): load for number, load in sorted(self._loads.items())}
                return self._line(_Said("scheduler_health_snapshot"), now, snapshot)
            case ev.ReplicaLost(replica=replica):
                self._loads.pop(replica, None)
            case ev.ReplicaUp(replica=replica, pool=pool):
                self._pools[replica] = pool
            case ev.RunTask(ticket=ticket):
                self._tasks[ticket] = observation
            case ev.Started():
                return self._line(_Said("scheduler_job_started", facts={"began": self.began}), now)
        said = self._of_rows(observation) or self._of_tasks(observation) or _of_replicas(observation)
        said = said or _of_batches(observation)
        return None if said is None else self._line(said, now)

    def left_out(self, lines: int, why: str, now: float) -> Line:
        """The line that says that some are missing."""
        return self._line(_Said("events_left_out", why, {"lines": lines}), now)

    def end(self, now: float, error: str = "") -> Line:
        """The last line of a run; `error` is the kind of what broke it, if anything did."""
        return self._line(_Said("scheduler_job_completed", error), now)

    def _line(self, said: "_Said", now: float, snapshot: Mapping[str, Any] | None = None) -> Line:
        self._sequence += 1
        pool = said.pool if said.replica is None else self._pools.get(said.replica)
        named = {"row_group": said.batch, "task_column": said.column, "task_type": said.task_type}
        line: Line = {
            "event_kind": said.kind,
            "captured_at_monotonic": round(now, 6),
            "sequence": self._sequence,
            "captured_correlation": {"run_id": self.run, **_given(named)},
            "task_id": said.ticket,
            "scheduler_resource_key": "local" if pool == LOCAL else pool,
            "reason_or_result": said.reason or None,
            "diagnostics": dict(said.facts) or None,
            "snapshot": dict(snapshot) if snapshot else None,
        }
        return _given(line)

    def _of_rows(self, observation: Observation) -> "_Said | None":
        match observation:
            case ev.Send():
                return self._rows("selected", observation.stage, observation.rows, observation)
            case ev.RunTask():
                return self._rows("selected", observation.stage, observation.rows, observation)
            case ev.RowsDone(kept=kept, cells=cells):
                return self._rows(
                    "task_completed", observation.stage, observation.rows, observation, _outcome(kept, cells)
                )
            case ev.Undelivered(replica=replica, epoch=epoch, ticket=ticket):
                return _Said("retry_deferred", "undelivered", {"epoch": epoch}, ticket=ticket, replica=replica)
            case ev.ValuesLost(stage=stage, rows=rows):
                return self._rows("values_lost", stage, rows, None)
            case ev.Reject(stage=stage, rows=rows):
                return self._rows("non_retryable_dropped", stage, rows, None)
            case _:
                return None

    def _of_tasks(self, observation: Observation) -> "_Said | None":
        match observation:
            case ev.TaskDone(ticket=ticket, kept=kept, cells=cells) if ticket in self._tasks:
                task = self._tasks.pop(ticket)
                return self._rows("task_completed", task.stage, task.rows, task, _outcome(kept, cells))
            case ev.TaskLost(ticket=ticket, started=started) if ticket in self._tasks:
                task = self._tasks.pop(ticket)
                return self._rows("retry_deferred", task.stage, task.rows, task, {"started": started}, "lost")
            case _:
                return None

    def _rows(
        self,
        kind: str,
        stage: int,
        rows: Rows,
        of: "ev.Send | ev.RunTask | ev.RowsDone | None",
        facts: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> "_Said":
        planned, facts = self.plan.stages[stage], {"stage": stage, "rows": len(rows), **(facts or {})}
        is_local = planned.pool == LOCAL
        if isinstance(of, ev.Send | ev.RowsDone):
            facts |= {"replica": of.replica, "epoch": of.epoch}
        return _Said(
            kind,
            reason,
            facts,
            ticket=of.ticket if isinstance(of, ev.Send | ev.RunTask) else None,
            pool=planned.pool,
            batch=self.plan.geometry.batch_of(int(rows[0])) if len(rows) else None,
            column=", ".join(step.name for step in planned.steps),
            task_type="batch" if is_local else "cell",
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """What a line says beside when."""

    kind: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    ticket: int | None = None
    replica: int | None = None
    pool: str | None = None
    batch: int | None = None
    column: str | None = None
    task_type: str | None = None


def _of_replicas(observation: Observation) -> _Said | None:
    match observation:
        case ev.ReplicaUp(replica, epoch, pool):
            return _Said("replica_up", "", {"replica": replica, "epoch": epoch}, replica=replica, pool=pool)
        case ev.ReplicaLost(replica, epoch, silent):
            facts = {"replica": replica, "epoch": epoch, "silent": silent}
            return _Said("replica_lost", "", facts, replica=replica)
        case ev.ReplicaLeaving(replica, epoch):
            return _Said("replica_leaving", "", {"replica": replica, "epoch": epoch}, replica=replica)
        case ev.ReplicaSilent(replica, epoch):
            return _Said("replica_silent", "", {"replica": replica, "epoch": epoch}, replica=replica)
        case ev.Dismiss(replica, epoch):
            return _Said("replica_dismissed", "", {"replica": replica, "epoch": epoch}, replica=replica)
        case ev.Regrant(replica, epoch, slots):
            facts = {"replica": replica, "epoch": epoch, "slots": slots}
            return _Said("slots_granted", "", facts, replica=replica)
        case ev.Regranted(replica, epoch, slots):
            facts = {"replica": replica, "epoch": epoch, "slots": slots}
            return _Said("slots_acknowledged", "", facts, replica=replica)
        case ev.Joined(replicas):
            return _Said("executor_joined", "", {"replicas": dict(replicas)})
        case _:
            return None


def _of_batches(observation: Observation) -> _Said | None:
    match observation:
        case ev.Commit(batch, rows, rejected, failures):
            facts = {"rows": len(rows), "rejected": len(rejected), "failures": failures}
            return _Said("row_group_commit", "", facts, batch=batch)
        case ev.Committed(batch):
            return _Said("row_group_checkpointed", batch=batch)
        case ev.CommitFailed(batch, hopeless=hopeless):
            return _Said("row_group_commit_failed", "", {"hopeless": hopeless}, batch=batch)
        case ev.HoldBack(batch, size):
            return _Said("row_group_admission_blocked", "memory", {"bytes": size}, batch=batch)
        case ev.Stop(reason):
            return _Said("stopping", _our_words(reason))
        case ev.Abandon(reason):
            return _Said("cancelled", _our_words(reason))
        case ev.Drained():
            return _Said("queue_drained")
        case _:
            return None


def _our_words(reason: str) -> str:
    """The beginning of a reason: what follows a colon may be an endpoint's or a record's."""
    return reason.partition(":")[0][:_LONGEST_REASON]


def _outcome(kept: "np.ndarray[Any, Any]", cells: tuple[CellCount, ...]) -> dict[str, Any]:
    failed = {cell.column: cell.failed for cell in cells if cell.failed}
    return {"kept": int(np.count_nonzero(kept)), **({"failed": failed} if failed else {})}


def _given(line: Mapping[str, Any]) -> Line:
    return {name: value for name, value in line.items() if value is not None}


class EventsFile:
    """An observer that writes the lines of a run in a thread. Use it as a context manager around the run.

    It never waits for the disk: what it cannot write soon enough, or is more than `MOST_BYTES`, is left out, and a line
    says so. Where the disk refuses it gives up, and says so once.
    """

    def __init__(self, files: Files, lines: EventLines, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._is_local = isinstance(files, LocalFiles)
        self._lines = lines
        self._clock = clock
        self._began = clock()
        self._waiting: list[bytes] = []
        self._waiting_bytes = self._taken_bytes = self._left_out = 0
        self._is_off = False
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._write, name="data-designer-events", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        now = self._clock() - self._began
        with self._changed:
            if self._left_out and not self._is_off:
                self._add(self._lines.left_out(self._left_out, "too many, or the disk is too slow", now))
            self._add(self._lines.end(now, "" if kind is None else kind.__name__))
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_END_SECONDS)

    def __call__(self, observation: Observation) -> None:
        """Take one observation in."""
        if self._is_off:
            return
        line = self._lines.line(observation, self._clock() - self._began)
        if line is None:
            return
        with self._changed:
            if self._waiting_bytes > _MOST_WAITING or self._taken_bytes > MOST_BYTES:
                self._left_out += 1
            else:
                self._add(line)

    def _add(self, line: Line) -> None:
        text = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        self._taken_bytes += len(text)

    def _write(self) -> None:
        is_last = False
        while not is_last and not self._is_off:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing, _LOCAL_SECONDS if self._is_local else _OBJECT_SECONDS)
                is_last = self._is_closing
                waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if waiting:
                self._append(b"".join(waiting))

    def _append(self, content: bytes) -> None:
        try:
            if self._is_local:
                self._files.append(SCHEDULER_EVENTS, content)
            else:
                self._files.put(f"scheduler_events.run_{self._lines.run:05d}.{next(_parts):06d}.jsonl", content)
        except OSError as error:
            self._is_off = True
            logger.warning("%s is not written any more, the run goes on: %s", SCHEDULER_EVENTS, error)
