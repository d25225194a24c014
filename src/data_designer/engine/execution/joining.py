"""The executor that begins in this process, and that another one joins, such as a cluster, when that is there.

Values are where they were made. They are brought to the other side when work there needs them, once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from data_designer.columns.registry import KINDS
from data_designer.engine.execution.assembly import OpenExecutor, Run
from data_designer.engine.execution.cpu_meter import CpuMeter, IdleMeter
from data_designer.engine.execution.in_process import InProcessExecutor, held_bytes_limit
from data_designer.engine.execution.observation import Observation
from data_designer.engine.execution.supervisor import Arrival
from data_designer.engine.protocol.executor import Executor, ReplicaHandle, TaskDiedError, ValuesGoneError
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.nodes import Nodes
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.gain import Gain
from data_designer.models.admission.budget_lease import Amount
from data_designer.models.http_sessions import kept_open
from data_designer.plan.model import Plan, Stage

logger = logging.getLogger(__name__)

There = TypeVar("There")
"""A reference to values in the terms of the executor that joins."""

_HEAD_START = 0.5
"""Seconds that the run has for itself, for its first requests, before the other executor is opened, which takes CPU."""
_LOOK_SECONDS = 1.0
_SAMPLED = 1000


class Joinable(Protocol[There]):
    """An executor that may join a run, which is opened when it is to."""

    name: str
    """What it is called in the log."""
    awaited: str
    """What is waited for until it is open, in words."""
    opening: str
    """What is done meanwhile, in words."""

    def open(self, first: int) -> AbstractAsyncContextManager[OpenExecutor[There]]:
        """Open it.

        Args:
            first: the number of its first replica.
        """
        ...

    async def put(self, values: Sequence[Values]) -> list[There]:
        """Bring values there."""
        ...

    async def get(self, ref: There) -> Values:
        """Bring values here. Raises ValuesGoneError."""
        ...


@dataclass(eq=False, slots=True)
class Held(Generic[There]):
    """Values in this process, where the other executor has them, or both."""

    here: Values | None = None
    there: There | None = None


@asynccontextmanager
async def joining(
    run: Run,
    check: Callable[[], Awaitable[None]],
    other: Joinable[There],
    *,
    is_sure: bool,
) -> AsyncIterator[OpenExecutor[Held[There]]]:
    """Begin in this process, with one replica an alias, and go on with another executor once that is open.

    Args:
        run: what is run.
        check: asks the models for a sign of life.
        other: what joins.
        is_sure: whether it joins in any case. Then a run cannot do without it, and functions of the user run there
            only, where they can end no more than their own process. Else it joins if the run would gain by that.

    Raises:
        Exception: whatever broke in the other executor once it had joined.
    """
    async with kept_open():  # Connections that are there from the check take the first requests.
        await check()
        async with InProcessExecutor(run) as own:
            executor = JoiningExecutor(run, own, other, is_sure=is_sure)
            when = "when it is up" if is_sure else "if this process is short of CPU for long enough"
            logger.info("runs in this process; %s joins %s", other.name, when)
            async with executor.opened(held_bytes_limit()) as opened:
                yield opened


class JoiningExecutor(Generic[There]):
    """Work of this process until another executor is open, and then of that one."""

    def __init__(self, run: Run, own: Executor[Values], other: Joinable[There], *, is_sure: bool) -> None:
        self._own = own
        self._other = other
        self._is_sure = is_sure
        self._began = asyncio.get_running_loop().time()
        self._kept_apart = _kept_apart(run.plan) if is_sure else frozenset()
        """Stages that only the other executor runs."""
        resources = run.plan.run.replica_resources
        apart = {stage.pool for stage in run.plan.stages if stage.number in self._kept_apart} | set(resources)
        aliases = [alias for alias in run.plan.pools if alias not in apart or not is_sure]
        self.own_replicas = dict(enumerate(aliases))
        """Replica number to alias, of those in this process."""
        self._wanted = asyncio.Event()
        """Set where something waits for the other executor."""
        if len(aliases) < len(run.plan.pools):
            self._wanted.set()
        self._arrival: asyncio.Future[OpenExecutor[There] | None] = asyncio.get_running_loop().create_future()
        """Done when the other executor is open, or will not be."""
        self._is_opening = False
        self._is_warm = False
        """Whether it does CPU work without delay."""
        self._gain = Gain(int(len(run.plan.stages) * run.plan.geometry.num_records * _share_left(run)))

    # --- the other one joins -------------------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self, held_bytes: int) -> AsyncIterator[OpenExecutor[Held[There]]]:
        """The other executor joins while something is done inside, which is cancelled where that executor breaks.

        Args:
            held_bytes: bytes of values that open batches may hold in this process.
        """
        inside = asyncio.current_task()
        assert inside is not None
        keeping = asyncio.create_task(self._keep())

        def broke(_: object) -> None:
            if _error(keeping) is not None:
                inside.cancel()

        keeping.add_done_callback(broke)
        try:
            yield OpenExecutor(self, self.own_replicas, held_bytes, [self.see], self)
        except asyncio.CancelledError:
            error = _error(keeping)
            if error is not None and not inside.uncancel():
                raise error from None
            raise
        finally:
            keeping.remove_done_callback(broke)
            keeping.cancel()
            await asyncio.wait({keeping})

    async def _keep(self) -> None:
        """Open the other executor in time, and keep it open until this is cancelled, at the end of the run."""
        try:
            await self._is_time()
            self._is_opening = True
            async with self._other.open(len(self.own_replicas)) as opened:
                self._arrival.set_result(opened)
                await self._warm_up(opened)
                await asyncio.get_running_loop().create_future()
        except Exception as error:
            if self._arrival.done():
                raise
            self._does_not_come(error)

    async def _is_time(self) -> None:
        """Return when the other executor is to be opened."""
        if self._is_sure:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _HEAD_START)
            return
        meter, idle = CpuMeter(), IdleMeter()
        while True:
            now = asyncio.get_running_loop().time()
            cpu, free = meter.take(now), idle.take(now)
            if cpu is not None and self._gain.look(cpu, free):
                logger.info("this process is short of CPU, and other CPUs are idle: %s is to join", self._other.name)
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _warm_up(self, opened: OpenExecutor[There]) -> None:
        logger.info(
            "%s has joined: replicas=%d cpus=%d after=%.1fs",
            self._other.name,
            len(opened.replicas),
            opened.cpus,
            asyncio.get_running_loop().time() - self._began,
        )
        if opened.warm_up is not None:
            await opened.warm_up()
        logger.debug("%s does CPU work", self._other.name)
        self._is_warm = True

    def _does_not_come(self, error: Exception) -> None:
        if self._is_sure:
            self._arrival.set_exception(error)
            self._arrival.exception()  # Whoever waits is told; it may be nobody.
        else:
            logger.warning("%s does not join, the run goes on in this process: %s", self._other.name, error)
            self._arrival.set_result(None)

    async def arrival(self) -> Arrival | None:
        """Wait until it is open; None where it will not be. Raises what keeps it away, where it was sure to join."""
        opened = await asyncio.shield(self._arrival)
        if opened is None:
            return None
        return Arrival(opened.replicas, frozenset(self.own_replicas), opened.held_bytes)

    @property
    def awaited(self) -> str:
        """What is waited for."""
        return "" if self._arrival.done() or not self._is_sure else self._other.awaited

    @property
    def opening(self) -> str:
        """What is done for it to be open."""
        return self._other.opening if self._is_opening and not self._arrival.done() else ""

    @property
    def _there_if_open(self) -> OpenExecutor[There] | None:
        is_there = self._arrival.done() and self._arrival.exception() is None
        return self._arrival.result() if is_there else None

    def see(self, observation: Observation) -> None:
        """Take in how the run goes, and show it to the observers of the other executor."""
        if isinstance(observation, ev.RowsDone | ev.TaskDone):
            self._gain.made(len(observation.kept))
        opened = self._there_if_open
        for observer in opened.observers if opened is not None else ():
            observer(observation)

    # --- work --------------------------------------------------------------------------------------------

    async def start_replica(self, number: int, alias: str, epoch: int) -> ReplicaHandle[Held[There]]:
        """Start one of this process, or of the other executor, by its number."""
        if number in self.own_replicas:
            return _Replica(await self._own.start_replica(number, alias, epoch), self._here, _made_here)
        handle = await self._other_executor.start_replica(number, alias, epoch)
        return _Replica(handle, self._there, _made_there)

    async def run_task(self, parcel: Parcel, values: Sequence[Held[There]]) -> tuple[TaskSummary, Held[There]]:
        """Run a `local` stage over rows, where it may and its values are."""
        if parcel.stage in self._kept_apart:
            await self._wait()
        elif not self._goes_there(values):
            summary, made = await self._own.run_task(parcel, await self._here(values))
            return summary, Held(here=made)
        summary, ref = await self._other_executor.run_task(parcel, await self._there(values))
        return summary, Held(there=ref)

    async def write(self, job: CommitJob, values: Sequence[Held[There]]) -> Receipt:
        """Write a batch, where its values are."""
        if self._goes_there(values):
            return await self._other_executor.write(job, await self._there(values))
        return await self._own.write(job, await self._here(values))

    async def nodes(self) -> Nodes | None:
        """The machines of the other executor."""
        opened = self._there_if_open
        return None if opened is None else await opened.executor.nodes()

    def hold(self, values: Values) -> Held[There]:
        """Values of this process."""
        return Held(here=values)

    @property
    def _other_executor(self) -> Executor[There]:
        opened = self._there_if_open
        assert opened is not None
        return opened.executor

    async def _wait(self) -> None:
        """Wait until the other executor is open."""
        self._wanted.set()
        try:
            await asyncio.shield(self._arrival)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise TaskDiedError(f"{self._other.name} has not joined") from error

    def _goes_there(self, values: Sequence[Held[There]]) -> bool:
        """Whether work on some values is for the other executor: once it is warm, unless most of them are here."""
        return self._is_warm and 2 * sum(value.there is None for value in values) <= len(values)

    async def _here(self, values: Sequence[Held[There]]) -> list[Values]:
        """Values as this process has them."""
        for place, value in enumerate(values):
            if value.here is None:
                assert value.there is not None
                try:
                    value.here = await self._other.get(value.there)
                except ValuesGoneError:
                    raise ValuesGoneError(place) from None
        return [value.here for value in values if value.here is not None]

    async def _there(self, values: Sequence[Held[There]]) -> list[There]:
        """Values as the other executor has them."""
        lacking = [value for value in values if value.there is None]
        if lacking:
            refs = await self._other.put([value.here for value in lacking if value.here is not None])
            for value, ref in zip(lacking, refs, strict=True):
                value.there = ref if value.there is None else value.there
        return [value.there for value in values if value.there is not None]


def _made_here(values: Values) -> Held[There]:
    return Held(here=values)


def _made_there(ref: There) -> Held[There]:
    return Held(there=ref)


Form = TypeVar("Form")
"""How one side has values."""


@dataclass(frozen=True, slots=True)
class _Replica(Generic[Form, There]):
    """A replica of one side, as a driver of both sees it."""

    handle: ReplicaHandle[Form]
    bring: Callable[[Sequence[Held[There]]], Coroutine[None, None, list[Form]]]
    held: Callable[[Form], Held[There]]

    async def grant(self, slots: int) -> None:
        """Set its slots."""
        await self.handle.grant(slots)

    async def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        await self.handle.fund(amount)

    async def submit(self, parcel: Parcel, *values: Held[There]) -> None:
        """Give it rows, with their values brought to its side."""
        await self.handle.submit(parcel, *await self.bring(values))

    async def collect(self, acknowledged: int) -> tuple[Summary, Held[There]]:
        """Wait for finished rows; their values stay on its side."""
        summary, values = await self.handle.collect(acknowledged)
        return summary, self.held(values)

    async def leave(self) -> None:
        """Start nothing more."""
        await self.handle.leave()

    @property
    def node(self) -> str:
        """The machine on which it lives."""
        return self.handle.node

    def is_gone(self) -> bool:
        """Whether its process can be seen to have ended."""
        return self.handle.is_gone()


def _share_left(run: Run) -> float:
    """About which share of the batches is to be made, from a sample of them: there may be millions."""
    batches = range(run.plan.geometry.num_batches)
    sample = batches[:: 1 + len(batches) // _SAMPLED]
    return sum(batch not in run.resume_point.committed for batch in sample) / len(sample)


def _kept_apart(plan: Plan) -> frozenset[int]:
    """Stages that call functions of the user."""
    return frozenset(stage.number for stage in plan.stages if _calls_users(stage))


def _calls_users(stage: Stage) -> bool:
    return any(KINDS[step.kind].functions(step.configs[0]) for step in stage.steps)


def _error(task: "asyncio.Task[None]") -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None
