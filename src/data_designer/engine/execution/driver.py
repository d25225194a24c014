"""The driver: carries out the scheduler's commands with whatever executor it is given, and reports back.

The loop is wait, tell, obey. It holds references and summaries and never opens a value; nothing in it grows
with the number of records. `Executor` is all that differs between one process and a cluster.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic

from data_designer.engine.execution.inbox import Inbox
from data_designer.engine.execution.locations import Locations, Packing
from data_designer.engine.execution.observation import Computed, Idle, Observation, Observer, Standing
from data_designer.engine.execution.supervisor import Joining, Supervisor
from data_designer.engine.protocol.executor import Executor, TaskDiedError, ValuesGoneError
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import REJECTED, Parcel, Ref
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import Rows
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.budget_allocator import BudgetAllocator
from data_designer.engine.scheduling.growth import Growth
from data_designer.engine.scheduling.holds import Holds
from data_designer.engine.scheduling.liveness import Computing, Liveness, UnderWay
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.models.admission.budget_lease import NOTHING, Amount
from data_designer.models.retry import CallerStatistics
from data_designer.plan.model import Plan
from data_designer.values import Block, Reason

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
_IDLE_SECONDS = 0.1
"""Between looks at what idle slots wait for. One costs up to half a millisecond."""
DRAIN_SECONDS = 30.0
"""How long a run that ends early waits for what is under way, which is paid for."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
"""Seconds before a batch that could not be written is tried again: the first pause, doubled each time, at most."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended."""

    stop_reason: str | None
    """None when every batch was committed."""
    tripped_column: str | None
    statistics: Mapping[str, CallerStatistics] = field(default_factory=dict)
    """Model alias to what was asked of it in this run, and which attempts failed."""
    spent: Amount = NOTHING
    """What is gone of the budget, where there is one, earlier runs included."""


@dataclass(slots=True)
class Driver(Generic[Ref]):
    """Runs one plan to its end."""

    plan: Plan
    scheduler: Scheduler
    executor: Executor[Ref]
    replicas: dict[int, str]
    """Replica number to alias, of those that there are at the start."""
    publish: Callable[[Receipt], Receipt]
    """Makes a written batch visible; raises OSError where it cannot."""
    observers: Sequence[Observer] = ()
    budget_allocator: BudgetAllocator | None = None
    """What the run may spend; None for anything."""
    joining: Joining | None = None
    """What may come to take part; None for nothing."""
    clock: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    _inbox: Inbox[Ref] = field(default_factory=Inbox)
    _computing: dict[asyncio.Task[None], tuple[ev.RunTask, float]] = field(default_factory=dict)
    """CPU tasks, each with when it was given out."""
    _writing: dict[asyncio.Task[None], float] = field(default_factory=dict)
    """Those that write batches, each with when it began."""
    _given_up: bool = False
    """Whether not even what was under way at the stop can end."""
    _locations: Locations[Ref] = field(init=False)
    _supervisor: Supervisor[Ref] = field(init=False)
    _liveness: Liveness = field(init=False)
    _holds: Holds = field(default_factory=Holds)

    def __post_init__(self) -> None:
        self._locations = Locations(self.plan.geometry)
        growth = Growth(self.plan, self.replicas)
        self._supervisor = Supervisor(
            self.executor, self._inbox, self._show, self.clock, growth, self._holds, self.budget_allocator
        )

    @property
    def _seconds(self) -> float:
        budget = self.plan.run.budget
        return math.inf if budget is None or budget.seconds is None else budget.seconds

    async def run(self, resume_point: ResumePoint | None = None) -> RunReport:
        """Run until every batch is committed or the scheduler stops.

        Args:
            resume_point: what is there already.

        Raises:
            Exception: whatever broke in a step or in the store that is no row's fault.
        """
        columns = [", ".join(f"column '{name}'" for name in stage.makes) for stage in self.plan.stages]
        self._liveness = Liveness(columns, self.clock())
        self._inbox.post(ev.Started(resume_point or ResumePoint()))
        for number, alias in self.replicas.items():
            self._inbox.spawn(self._supervisor.serve(number, alias))
        self._inbox.spawn(self._tick())
        self._inbox.spawn(self._watch_idle())
        self._inbox.spawn(self._supervisor.watch_nodes())
        if self.joining is not None:
            self._inbox.spawn(self._supervisor.welcome(self.joining))
        try:
            while not self.scheduler.finished and not self._given_up:
                self._tell(*await self._inbox.next())
            self._show(self._standing(self.clock(), {}, {}))
        finally:
            await self._inbox.close()
        if self._inbox.failure is not None:
            raise self._inbox.failure
        spent = NOTHING if self.budget_allocator is None else self.budget_allocator.spent
        return RunReport(self.scheduler.stop_reason, self.scheduler.tripped_column, self._supervisor.statistics, spent)

    def stop(self, reason: str) -> None:
        """Send nothing more, let what is under way finish, commit, end. Call it on the loop that runs the driver."""
        self._inbox.post(ev.Stop(reason))

    # --- telling and obeying -----------------------------------------------------------------------------

    def _tell(self, event: ev.Event, values: Ref | None) -> None:
        if values is not None:
            self._place(event, values)
        self._show(event)
        for command in self.scheduler.handle(event):
            self._show(command)
            self._obey(command)
        if isinstance(event, ev.Tick):
            self._look(event.now)
        else:
            self._liveness.moved(self.clock())

    def _look(self, now: float) -> None:
        """Say what is waited for, if nothing happens; end the run where nothing can."""
        for word in self._holds.look(now):
            logger.log(logging.WARNING if word.is_trouble else logging.INFO, "%s", word.text)
        of, is_writing, computes = self._supervisor, bool(self._writing), self._computes(now)
        waiting = self.scheduler.waiting_for()
        self._show(self._standing(now, computes, waiting.held))
        joins = "" if self.joining is None else self.joining.awaited
        under_way = UnderWay(computes, is_writing, of.aliases, of.starting, of.empty(now), of.lacks, joins)
        notice = self._liveness.look(now, waiting, under_way)
        if notice is None:
            return
        if not notice.is_end:
            logger.log(logging.WARNING if notice.is_hopeless else logging.INFO, "%s", notice.text)
        elif self.scheduler.stop_reason is None:
            self._inbox.post(ev.Stop(notice.text))
        else:
            logger.error("%s: the run ends without it", notice.text)
            self._given_up = True

    def _standing(self, now: float, computes: dict[int, Computing], held: Mapping[int, int]) -> Standing:
        return Standing(
            self.scheduler.work(),
            computes,
            now - min(self._writing.values(), default=now),
            held,
            tuple(self._supervisor.starting.values()),
            "" if self.joining is None else self.joining.opening,
            self._supervisor.lacks,
        )

    def _computes(self, now: float) -> dict[int, Computing]:
        computes: dict[int, Computing] = {}
        for command, since in self._computing.values():
            known = computes.get(command.stage, Computing(0, 0.0))
            rows, seconds = known.rows + len(command.rows), max(known.seconds, now - since)
            computes[command.stage] = Computing(rows, seconds)
        return computes

    def _place(self, event: ev.Event, values: Ref) -> None:
        """Keep the values of rows that are still awaited: others may have been made of something else meanwhile."""
        match event:
            case ev.RowsDone() | ev.TaskDone():
                stage, rows, awaited = self.scheduler.awaited(event)
                self._locations.place(stage, rows, values, awaited)
            case _:
                raise AssertionError(event)

    def _show(self, observation: Observation) -> None:
        for observer in self.observers:
            observer(observation)

    def _obey(self, command: ev.Command) -> None:
        match command:
            case ev.Send():
                self._send(command)
            case ev.RunTask():
                self._run_task(command)
            case ev.Commit():
                self._commit(command)
            case ev.Reject():
                self._reject(command)
            case ev.Regrant():
                self._inbox.spawn(self._supervisor.regrant(command))
            case ev.Dismiss():
                self._inbox.spawn(self._supervisor.dismiss(command))
            case ev.Forget(batch):
                self._locations.forget(batch)
            case ev.HoldBack():
                logger.warning(
                    "open batches hold %.0f MB, which is the limit: no further batch is opened until batch %d or "
                    "another is committed; a smaller buffer_size needs less",
                    command.bytes / 1e6,
                    command.batch,
                )
            case ev.Abandon():
                self._supervisor.halted = True
                self._inbox.spawn(self._drain())

    async def _drain(self) -> None:
        """Let nothing more be asked, and wait for what is under way."""
        # What was posted before counts first, CPU tasks that it starts included.
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(self._supervisor.silence(), *self._computing, return_exceptions=True)
        self._inbox.post(ev.Drained())

    # --- rows --------------------------------------------------------------------------------------------

    def _send(self, command: ev.Send) -> None:
        if not self._supervisor.lives(command.replica, command.epoch):
            return
        packed = self._packed(command)
        if packed is None:
            self._inbox.post(ev.Undelivered(command.replica, command.epoch, command.ticket))
        else:
            self._inbox.spawn(self._submit(command, *packed))

    async def _submit(self, command: ev.Send, parcel: Parcel, refs: list[Ref]) -> None:
        try:
            await self._supervisor.submit(command.replica, command.epoch, parcel, refs)
        except ValuesGoneError as gone:
            self._lose(refs[gone.place])
            self._inbox.post(ev.Undelivered(command.replica, command.epoch, command.ticket))

    def _packed(self, command: ev.Send | ev.RunTask) -> tuple[Parcel, list[Ref]] | None:
        """The parcel of a command and what it points into; None where that is gone, of which word is on its way."""
        packing = self._locations.packing()
        upstream = self.plan.stages[command.stage].upstream
        try:
            return packing.parcel(command.stage, command.rows, command.ticket, upstream, command.replays), packing.refs
        except KeyError:
            return None

    def _lose(self, ref: Ref) -> None:
        """Values are gone: whatever was made of them is made again."""
        for stage, rows in self._locations.lose(ref):
            self._inbox.post(ev.ValuesLost(stage, rows))

    # --- tasks and batches -------------------------------------------------------------------------------

    def _run_task(self, command: ev.RunTask) -> None:
        packed = self._packed(command)
        if packed is None:
            self._inbox.post(ev.TaskLost(command.ticket, "what it is made from was lost", started=False))
            return
        task = self._inbox.spawn(self._task(command, *packed))
        self._computing[task] = command, self.clock()
        task.add_done_callback(self._computing.pop)

    async def _task(self, command: ev.RunTask, parcel: Parcel, refs: list[Ref]) -> None:
        try:
            summary, ref = await self.executor.run_task(parcel, refs)
        except TaskDiedError as error:
            self._inbox.post(ev.TaskLost(command.ticket, str(error)))
            return
        except ValuesGoneError as gone:
            self._lose(refs[gone.place])
            self._inbox.post(ev.TaskLost(command.ticket, "what it is made from was lost", started=False))
            return
        self._show(Computed(command.stage, len(command.rows), summary))
        self._inbox.post(ev.TaskDone(command.ticket, summary.kept, summary.bytes, summary.cells), ref)

    def _reject(self, command: ev.Reject) -> None:
        stage = self.plan.stages[command.stage]
        reason = Reason("LostWork", f"lost three times: {command.reason}", stage.steps[0].name)
        block = Block(command.rows, {REJECTED: [reason] * len(command.rows)})
        self._locations.place(command.stage, command.rows, self.executor.hold({command.stage: block}))

    def _commit(self, command: ev.Commit) -> None:
        packing = self._locations.packing()
        stages = [stage.number for stage in self.plan.stages]
        try:
            kept = packing.parcel(-1, command.rows, 0, stages)
            rejects = tuple(self._rejects(command.rejected, packing))
        except KeyError:
            self._inbox.post(ev.CommitFailed(command.batch, "some of its values are gone"))
            return
        job = CommitJob(command.batch, kept, command.rejected, rejects)
        pause = min(_FIRST_PAUSE * 2 ** (command.failures - 1), _LONGEST_PAUSE) if command.failures else 0.0
        task = self._inbox.spawn(self._write(job, packing.refs, pause))
        self._writing[task] = self.clock()
        task.add_done_callback(self._writing.pop)

    def _rejects(self, rows: Rows, packing: Packing[Ref]) -> Iterator[Parcel]:
        for stage in self.plan.stages:
            there = self._locations.has(stage.number, rows)
            if len(there):
                yield packing.parcel(stage.number, there, 0, (stage.number,))

    async def _write(self, job: CommitJob, refs: list[Ref], pause: float) -> None:
        await asyncio.sleep(pause)
        try:
            receipt = await asyncio.to_thread(self.publish, await self.executor.write(job, refs))
        except ValuesGoneError as gone:
            self._lose(refs[gone.place])
            self._uncommitted(job, "some of its values are gone")
        except (OSError, TaskDiedError) as error:
            logger.warning("batch=%d could not be written and is tried again: %s", job.batch, error)
            self._uncommitted(job, str(error))
        except Exception as error:
            self._uncommitted(job, f"{type(error).__name__}: {error}", hopeless=True)
            raise
        else:
            self._show(receipt)
            self._inbox.post(ev.Committed(job.batch))

    def _uncommitted(self, job: CommitJob, reason: str, *, hopeless: bool = False) -> None:
        self._inbox.post(ev.CommitFailed(job.batch, reason, hopeless))

    async def _tick(self) -> None:
        began, seconds = self.clock(), self._seconds
        while True:
            if self.clock() - began >= seconds and not self._supervisor.halted:
                self._inbox.post(ev.Stop("the seconds of the budget are used up; resume to go on for as long again"))
            self._inbox.post(ev.Tick(self.clock()))
            await asyncio.sleep(TICK_SECONDS)

    async def _watch_idle(self) -> None:
        """Show observers what idle slots wait for, at times that have nothing to do with what happens."""
        while True:
            self._show(Idle(self.scheduler.demand(self._supervisor.arrived)))
            await asyncio.sleep(_IDLE_SECONDS)
