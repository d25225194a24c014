"""What runs in Ray's processes: the replica actor, and the tasks that compute and write."""

import asyncio
import gc
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import ray
from ray import ObjectRef, cloudpickle
from ray.actor import ActorHandle

from data_designer.distributed.peers import RayPeers
from data_designer.distributed.unsendable import without_what_stays
from data_designer.distributed.worker_memory import save_memory
from data_designer.engine.dataset.lock import Process
from data_designer.engine.execution.garbage import RARELY
from data_designer.engine.execution.recording import Dataset, Recording, replica_name
from data_designer.engine.execution.replica import LINGER, Replica
from data_designer.engine.execution.task_worker import TaskWorker
from data_designer.engine.protocol.executor import LEASE_SECONDS
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.models.opening import open_model
from data_designer.plan.model import Plan
from data_designer.tools.caller import ToolCaller, limits_of
from data_designer.tools.host import ToolHost
from data_designer.tools.server import ToolServer

_LOOK_SECONDS = 0.1

_WORKERS_KEPT = 2
"""Runs whose task workers a worker process keeps; Ray reuses processes for later runs of the same job."""


@dataclass(frozen=True, slots=True)
class TaskAssignment:
    """What CPU tasks of one run share. The references are resolved once a process, not once a task."""

    run_id: str
    plan: ObjectRef
    """Object reference of the packed plan."""
    seed_table: ObjectRef
    """Object reference of the seed dataset's table (or of None)."""
    dataset: Dataset | None


@dataclass(frozen=True, slots=True)
class ReplicaAssignment:
    """Which incarnation of which replica an actor is, and for whom."""

    number: int
    epoch: int
    alias: str
    api_key: str | None = field(repr=False)
    dataset: Dataset | None
    driver: Process
    linger: float = LINGER
    """Seconds in which rows may join a report."""
    tool_servers: Mapping[str, ToolServer] = field(default_factory=dict, repr=False)
    """Name of a provider of tools to its server."""


@dataclass(frozen=True, slots=True)
class ReplicaLocation:
    """Where a replica lives."""

    process: Process
    node: str
    """In Ray's words."""


class ReplicaActor(Replica):
    """One incarnation of a replica. It is never restarted by Ray: a new incarnation is a new actor."""

    def __init__(self) -> None:
        """Be nothing yet: what breaks here would only reach the driver as the actor's death."""
        self._peers = RayPeers()
        self._exits = AsyncExitStack()

    async def start(self, packed: bytes, assignment: ReplicaAssignment) -> ReplicaLocation:
        """Become a replica, with no slots yet. Gives the place where this is."""
        plan: Plan = cloudpickle.loads(packed)
        alias, dataset = assignment.alias, assignment.dataset
        model = await self._exits.enter_async_context(open_model(plan.pools[alias], assignment.api_key))
        recording = Recording(dataset, plan.geometry, replica_name(assignment.number, assignment.epoch))
        servers = assignment.tool_servers
        limits = limits_of(plan.run)
        tools = ToolCaller(plan.tools, ToolHost(servers, limits), limits) if servers else None
        super().__init__(plan, alias, model, recording, assignment.linger, LEASE_SECONDS, self._peers, tools)
        self._ending = asyncio.create_task(self._end_with_driver(assignment.driver))
        _collect_garbage_rarely()
        return ReplicaLocation(Process.this(), ray.get_runtime_context().get_node_id())

    async def meet(self, alias: str, number: int, actor: ActorHandle) -> None:
        """Know a replica of another alias, which functions that run here ask too."""
        self._peers.add(alias, number, actor)

    async def _end_with_driver(self, driver: Process) -> None:
        """Ray takes seconds to end the actors of a driver that was killed; on its machine there is a quicker way."""
        while driver.lives() is not False:  # noqa: ASYNC110 - nothing tells of the end of another process
            await asyncio.sleep(_LOOK_SECONDS)
        await self.close()
        if self._tools is not None:
            await asyncio.to_thread(self._tools.close)

    async def close(self) -> None:
        """End, and close the connections."""
        await super().close()
        await self._exits.aclose()

    async def collect(self, acknowledged: int, *, only_what_travels: bool = False) -> tuple[Summary, Values]:
        """Wait for finished rows. The values are returned, so that the driver owns them.

        Args:
            acknowledged: the last report that has come through.
            only_what_travels: whether to leave out what Ray cannot send; it is looked for where a report did not come
                through, since looking costs as much as sending.
        """
        summary, values = await super().collect(acknowledged)
        return without_what_stays(summary, values, _travels) if only_what_travels else (summary, values)


def _travels(thing: object) -> bool:
    try:
        ray._private.worker.global_worker.get_serialization_context().serialize(thing)  # noqa: SLF001
    except Exception:  # noqa: BLE001 - what it holds is foreign, and may raise anything
        return False
    return True


def _collect_garbage_rarely() -> None:
    """As runs in one process do, and for good: all of this process is for cells."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)


_workers: "OrderedDict[str, TaskWorker]" = OrderedDict()


def _task_worker(assignment: TaskAssignment) -> TaskWorker:
    worker = _workers.get(assignment.run_id)
    if worker is None:
        packed, table = ray.get([assignment.plan, assignment.seed_table])
        plan: Plan = cloudpickle.loads(packed)
        save_memory(calls_users=bool(plan.code))
        worker = _workers[assignment.run_id] = TaskWorker(plan, assignment.dataset, table)
        while len(_workers) > _WORKERS_KEPT:
            _workers.popitem(last=False)
    return worker


def _work(
    assignment: TaskAssignment, job: Parcel | CommitJob | None, *values: Values
) -> tuple[TaskSummary, Values] | Receipt | None:
    """Run a `local` stage over rows, or write a batch's files where this task runs; or only get ready for that.

    One function does it all, because Ray gives every function processes of its own.
    """
    worker = _task_worker(assignment)
    if job is None:
        return None
    return worker.write(job, values) if isinstance(job, CommitJob) else worker.run_task(job, values)


# Ray's decorators are not typed; wrapping here keeps what is wrapped checked.
# A byte of memory, since Ray places an actor that asks for nothing at random, whatever its strategy is.
REPLICA_ACTOR = ray.remote(num_cpus=0, memory=1, max_restarts=0, max_task_retries=0)(ReplicaActor)
work = ray.remote(num_cpus=1, max_retries=0)(_work)
