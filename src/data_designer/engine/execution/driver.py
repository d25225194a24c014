"""The driver: carries out the scheduler's commands with whatever executor it is given, and reports back.

The loop is wait, tell, obey. It holds references and summaries and never opens a value; nothing in it grows
with the number of records. `Executor` is all that differs between one process and a cluster.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic

from data_designer.engine.execution.locations import Locations, Packing
from data_designer.engine.execution.observation import Heard, Observation, Observer
from data_designer.engine.protocol.executor import (
    Executor,
    ReplicaDiedError,
    ReplicaHandle,
    TaskDiedError,
    ValuesGoneError,
)
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
from data_designer.engine.scheduling.slot_allocator import Incarnation
from data_designer.models.admission.budget_lease import NOTHING, Amount
from data_designer.models.retry import CallerStatistics
from data_designer.plan.model import Plan
from data_designer.values import Block, Reason

logger = logging.getLogger(__name__)


TICK_SECONDS = 0.25


DRAIN_SECONDS = 30.0
"""How long a run that ends early waits for what is under way, which is paid for."""
LEASE_SECONDS = 10.0
"""A replica that is not collected from for so long ends by itself, whatever it can reach."""
LEASE_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.25
_LONGEST_BETWEEN_REPORTS = 10.0
"""Seconds for which what a replica said of itself counts: it says something every few seconds."""
NODES_SECONDS = 2.0
"""Between looks at the machines that there are."""
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
class _Live(Generic[Ref]):
    handle: ReplicaHandle[Ref]
    epoch: int
    alias: str
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False
    submitting: int = 0
    """Parcels on their way to it."""
    empty_at: float = -math.inf
    """When it said last that it holds no row; never, since it said that it does."""

    def is_empty(self, now: float) -> bool:
        """Whether it has just said that it holds no row."""
        return now - self.empty_at < _LONGEST_BETWEEN_REPORTS


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
    clock: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    _events: asyncio.Queue[tuple[ev.Event, Ref | None]] = field(default_factory=asyncio.Queue)
    """Each with what holds the values that it reports, where it reports any."""
    _live: dict[int, _Live[Ref]] = field(default_factory=dict)
    _jobs: set[asyncio.Task[None]] = field(default_factory=set)
    _computing: dict[asyncio.Task[None], tuple[ev.RunTask, float]] = field(default_factory=dict)
    """Those of the jobs that are CPU tasks, each with when it was given out."""
    _lacks: str = ""
    """What keeps work from being placed."""
    _writing: set[asyncio.Task[None]] = field(default_factory=set)
    """Those that write batches."""
    _statistics: dict[str, CallerStatistics] = field(default_factory=dict)
    _failure: BaseException | None = None
    _halted: bool = False
    _given_up: bool = False
    """Whether not even what was under way at the stop can end."""
    _locations: Locations[Ref] = field(init=False)
    _growth: Growth = field(init=False)
    _liveness: Liveness = field(init=False)
    _holds: Holds = field(default_factory=Holds)
    _starting: dict[int, str] = field(default_factory=dict)
    """Replica number to alias, of those that have not come up."""

    def __post_init__(self) -> None:
        self._locations = Locations(self.plan.geometry)
        self._growth = Growth(self.plan, self.replicas)

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
        self._post(ev.Started(resume_point or ResumePoint()))
        for number, alias in self.replicas.items():
            self._spawn(self._serve(number, alias))
        self._spawn(self._tick())
        self._spawn(self._watch_nodes())
        try:
            while not self.scheduler.finished and not self._given_up:
                self._tell(*await self._events.get())
        finally:
            for task in list(self._jobs):
                task.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        spent = NOTHING if self.budget_allocator is None else self.budget_allocator.spent
        return RunReport(self.scheduler.stop_reason, self.scheduler.tripped_column, self._statistics, spent)

    def stop(self, reason: str) -> None:
        """Send nothing more, let what is under way finish, commit, end. Call it on the loop that runs the driver."""
        self._post(ev.Stop(reason))

    # --- telling and obeying -----------------------------------------------------------------------------

    def _post(self, event: ev.Event, values: Ref | None = None) -> None:
        self._events.put_nowait((event, values))

    def _tell(self, event: ev.Event, values: Ref | None) -> None:
        if values is not None:
            self._place(event, values)
        self._show(event)
        for command in self.scheduler.handle(event):
            self._obey(command)
        if isinstance(event, ev.Tick):
            self._look(event.now)
        else:
            self._liveness.moved(self.clock())

    def _look(self, now: float) -> None:
        """Say what is waited for, if nothing happens; end the run where nothing can."""
        for word in self._holds.look(now):
            logger.log(logging.WARNING if word.is_trouble else logging.INFO, "%s", word.text)
        models = {number: live.alias for number, live in self._live.items()} | self._starting
        empty = [number for number, live in self._live.items() if live.is_empty(now)]
        hand = UnderWay(self._computes(now), bool(self._writing), models, self._starting, empty, self._lacks)
        notice = self._liveness.look(now, self.scheduler.waiting_for(), hand)
        if notice is None:
            return
        if not notice.is_end:
            logger.log(logging.WARNING if notice.is_hopeless else logging.INFO, "%s", notice.text)
        elif self.scheduler.stop_reason is None:
            self._post(ev.Stop(notice.text))
        else:
            logger.error("%s: the run ends without it", notice.text)
            self._given_up = True

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
                self._spawn(self._regrant(command))
            case ev.Dismiss():
                self._spawn(self._dismiss(command))
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
                self._halted = True
                self._spawn(self._drain())

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(self._guard(work))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        # A task that is cancelled before its first step never comes to await its work.
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guard(self, work: Awaitable[None]) -> None:
        """Whatever breaks outside a row ends the run; it is raised once what is complete is committed."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes a stop
            self._failure = self._failure or error
            self._post(ev.Stop(f"{type(error).__name__}: {error}"))

    # --- replicas ----------------------------------------------------------------------------------------

    async def _serve(self, number: int, alias: str) -> None:
        """Keep one replica alive and its reports flowing."""
        epoch = 0
        while True:
            epoch += 1
            try:
                self._starting[number] = alias
                handle = await self.executor.start_replica(number, alias, epoch)
                del self._starting[number]
                self._live[number] = _Live(handle, epoch, alias)
                self._post(ev.ReplicaUp(number, epoch, alias))
                await self._collect(number, alias, self._live[number])
                self._bury(number, epoch, silent=True)
            except ReplicaDiedError as death:
                self._bury(number, epoch, silent=death.silent)
            except Exception:
                # Nobody hears of it any more, so that nobody need wait until it says that its slots are empty.
                if number in self._live:
                    self._live[number].drained.set()
                raise

    def _bury(self, number: int, epoch: int, *, silent: bool) -> None:
        """Take a replica's rows back; its slots too, once it is sure to use them no more."""
        live = self._live.get(number)
        if live is None or live.epoch != epoch:
            return  # It was buried before, or never came up.
        del self._live[number]
        live.drained.set()
        if self.budget_allocator is not None:
            self.budget_allocator.lose((number, epoch))
        self._post(ev.ReplicaLost(number, epoch, silent))
        if not silent:
            self._spawn(self._outlast(number, live))

    async def _outlast(self, number: int, live: _Live[Ref]) -> None:
        """Wait until a replica is seen to be gone, or until the lease ends it, since nobody collects from it."""
        left = LEASE_SECONDS + LEASE_GRACE_SECONDS
        while left > 0 and not live.handle.is_gone():
            await asyncio.sleep(_LOOK_SECONDS)
            left -= _LOOK_SECONDS
        self._post(ev.ReplicaSilent(number, live.epoch))

    async def _collect(self, number: int, alias: str, live: _Live[Ref]) -> None:
        """Take its reports in, to the last."""
        acknowledged, is_last = 0, False
        while not is_last:
            summary, ref = await live.handle.collect(acknowledged)
            acknowledged, is_last = summary.number, summary.last
            live.empty_at = self.clock() if summary.held == 0 and not live.submitting else -math.inf
            self._show(Heard(number, alias, summary))
            hold = None if is_last or self._halted else summary.hold
            self._holds.heard(alias, number, hold, self.clock(), moves=bool(summary.finished))
            if summary.statistics is not None:
                known = self._statistics.get(alias)
                self._statistics[alias] = summary.statistics if known is None else known + summary.statistics
            for part in summary.finished:
                done = ev.RowsDone(
                    number, live.epoch, part.stage, part.rows, part.tickets, part.kept, part.bytes, part.cells
                )
                self._post(done, ref)
            if summary.drained and self._halted:
                live.drained.set()
            if summary.cpu is not None:
                self._growth.hear(alias, summary.cpu)
            if self.budget_allocator is not None and summary.budget_lease is not None:
                self._share_out(self.budget_allocator.settle((number, live.epoch), summary.budget_lease))
            if summary.outage is not None:
                self._post(ev.Stop(f"model '{alias}': {summary.outage}"))

    def _share_out(self, grants: Sequence[tuple[Incarnation, Amount]]) -> None:
        assert self.budget_allocator is not None
        for (number, epoch), amount in grants:
            live = self._live.get(number)
            if live is not None and live.epoch == epoch:
                self._spawn(self._fund(live, amount))
        if self.budget_allocator.exhausted and not self._halted:
            spent = f"the budget is used up: {self.budget_allocator}"
            self._post(ev.Stop(f"{spent}; give a larger RunConfig.budget (--set budget=…) to go on"))

    @staticmethod
    async def _fund(live: _Live[Ref], amount: Amount) -> None:
        with suppress(ReplicaDiedError):
            await live.handle.fund(amount)

    async def _drain(self) -> None:
        """Let no replica start another request, whatever rows it holds, and wait for those that are under way."""
        there = list(self._live.values())
        # What was posted before counts first, CPU tasks that it starts included.
        await asyncio.sleep(0)
        replicas = [self._take_slots(live) for live in there]
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(*replicas, *self._computing, return_exceptions=True)
        self._post(ev.Drained())

    async def _take_slots(self, live: _Live[Ref]) -> None:
        with suppress(ReplicaDiedError):
            await live.handle.grant(0)
            await live.drained.wait()

    async def _regrant(self, command: ev.Regrant) -> None:
        live = self._live.get(command.replica)
        if live is None or live.epoch != command.epoch or self._halted:
            return
        with suppress(ReplicaDiedError):
            await live.handle.grant(command.slots)
            self._post(ev.Regranted(command.replica, command.epoch, command.slots))

    async def _dismiss(self, command: ev.Dismiss) -> None:
        live = self._live.get(command.replica)
        if live is not None and live.epoch == command.epoch:
            with suppress(ReplicaDiedError):
                await live.handle.leave()

    async def _watch_nodes(self) -> None:
        """Say which replicas live where they cannot stay, and start more where there is room and need."""
        while True:
            nodes = await self.executor.nodes()
            if nodes is not None:
                self._lacks = nodes.lacks
                for number, live in self._live.items():
                    if live.handle.node in nodes.leaving and not live.leaving:
                        live.leaving = True
                        logger.info("replica=%d leaves node=%s, which is drained", number, live.handle.node)
                        self._post(ev.ReplicaLeaving(number, live.epoch))
                for number, alias in self._growth.look(nodes.all_cpus).items():
                    logger.info("replica=%d alias=%s is added: cpus=%d", number, alias, nodes.all_cpus)
                    self._spawn(self._serve(number, alias))
            await asyncio.sleep(NODES_SECONDS)

    def _send(self, command: ev.Send) -> None:
        live = self._live.get(command.replica)
        if live is None or live.epoch != command.epoch:
            return
        packed = self._packed(command)
        if packed is None:
            self._post(ev.Undelivered(command.replica, command.epoch, command.ticket))
        else:
            self._spawn(self._submit(command, live, *packed))

    async def _submit(self, command: ev.Send, live: _Live[Ref], parcel: Parcel, refs: list[Ref]) -> None:
        live.submitting += 1
        try:
            await live.handle.submit(parcel, *refs)
        except ReplicaDiedError as death:
            # Its collect loop may not have noticed yet; the rows must not wait for it.
            self._bury(command.replica, command.epoch, silent=death.silent)
        except ValuesGoneError as gone:
            self._lose(refs[gone.place])
            self._post(ev.Undelivered(command.replica, command.epoch, command.ticket))
        finally:
            live.submitting -= 1

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
            self._post(ev.ValuesLost(stage, rows))

    # --- tasks and batches -------------------------------------------------------------------------------

    def _run_task(self, command: ev.RunTask) -> None:
        packed = self._packed(command)
        if packed is None:
            self._post(ev.TaskLost(command.ticket, "what it is made from was lost", started=False))
            return
        task = self._spawn(self._task(command, *packed))
        self._computing[task] = command, self.clock()
        task.add_done_callback(self._computing.pop)

    async def _task(self, command: ev.RunTask, parcel: Parcel, refs: list[Ref]) -> None:
        try:
            summary, ref = await self.executor.run_task(parcel, refs)
        except TaskDiedError as error:
            self._post(ev.TaskLost(command.ticket, str(error)))
            return
        except ValuesGoneError as gone:
            self._lose(refs[gone.place])
            self._post(ev.TaskLost(command.ticket, "what it is made from was lost", started=False))
            return
        self._post(ev.TaskDone(command.ticket, summary.kept, summary.bytes, summary.cells), ref)

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
            self._post(ev.CommitFailed(command.batch, "some of its values are gone"))
            return
        job = CommitJob(command.batch, kept, command.rejected, rejects)
        pause = min(_FIRST_PAUSE * 2 ** (command.failures - 1), _LONGEST_PAUSE) if command.failures else 0.0
        task = self._spawn(self._write(job, packing.refs, pause))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

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
            self._post(ev.Committed(job.batch))

    def _uncommitted(self, job: CommitJob, reason: str, *, hopeless: bool = False) -> None:
        self._post(ev.CommitFailed(job.batch, reason, hopeless))

    async def _tick(self) -> None:
        began, seconds = self.clock(), self._seconds
        while True:
            if self.clock() - began >= seconds and not self._halted:
                self._post(ev.Stop("the seconds of the budget are used up; resume to go on for as long again"))
            self._post(ev.Tick(self.clock()))
            await asyncio.sleep(TICK_SECONDS)
