"""The executor that is a Ray cluster."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Self, TypeVar, TypeVarTuple

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorUnavailableError,
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data_designer.distributed.connection import session
from data_designer.distributed.cpu_slots import CpuSlots
from data_designer.distributed.local_ray import dead_part
from data_designer.distributed.nodes import look
from data_designer.distributed.placement import place_of_driver
from data_designer.distributed.remote import REPLICA_ACTOR, ReplicaAssignment, ReplicaLocation, TaskAssignment, work
from data_designer.engine.dataset.lock import Process
from data_designer.engine.execution.assembly import Run
from data_designer.engine.execution.replica import LeaseEndedError, linger_of
from data_designer.engine.protocol.executor import ReplicaDiedError, TaskDiedError, ValuesGoneError
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.nodes import Nodes
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.models.admission.budget_lease import Amount
from data_designer.plan.model import asked_beside

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Given = TypeVarTuple("Given")
_TASK_DEATHS = (
    WorkerCrashedError, NodeDiedError, OutOfMemoryError, LocalRayletDiedError, TaskUnschedulableError,
)  # fmt: skip

PLACEMENT_SECONDS = 120.0
"""How long a replica may take to be placed and to answer before the run gives up on it."""


class RayReplica:
    """A handle to one replica actor."""

    def __init__(self, actor: ActorHandle, location: ReplicaLocation) -> None:
        self.actor = actor
        self._location = location

    async def grant(self, slots: int) -> None:
        """Set its slots."""
        await _actor_result(self.actor.grant.remote(slots))

    async def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        await _actor_result(self.actor.fund.remote(amount))

    async def submit(self, parcel: Parcel, *values: ObjectRef) -> None:
        """Give it rows; the values arrive resolved."""
        await _actor_result(self.actor.submit.remote(parcel, *values), values)

    async def collect(self, acknowledged: int) -> tuple[Summary, ObjectRef]:
        """Wait for finished rows; the values stay where they are.

        A report that does not come through is asked for once more, without what does not.
        """
        collect = self.actor.collect.options(num_returns=2)
        summary, values = collect.remote(acknowledged)
        try:
            return await _actor_result(summary), values
        except (ReplicaDiedError, ObjectLostError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is in it may fail on its way
            logger.warning("a replica's report has not come through and is asked for once more: %s", error)
            summary, values = collect.remote(acknowledged, only_what_travels=True)
            return await _actor_result(summary), values

    async def leave(self) -> None:
        """Start nothing more, and say in a last report what is done."""
        await _actor_result(self.actor.leave.remote())

    @property
    def node(self) -> str:
        """The node on which it lives."""
        return self._location.node

    def is_gone(self) -> bool:
        """Whether its process is one of this machine and has ended."""
        return self._location.process.lives() is False


class RayExecutor:
    """Replicas as actors, CPU work and writes as tasks. Use it as an async context manager."""

    def __init__(self, run: Run, packed: bytes, replicas: Collection[int]) -> None:
        """Prepare. It may take a while, since it sends the seed dataset.

        Args:
            run: what is run.
            packed: the plan as the workers get it.
            replicas: numbers of those that there will be at the start.
        """
        self._session = session()
        self._run = run
        self._replicas = replicas
        self._plan = ray.put(packed)
        self._assignment = TaskAssignment(uuid.uuid4().hex, self._plan, ray.put(run.seed_table), run.dataset)
        place = place_of_driver()
        self._cpus_a_task = place.cpus_a_task
        self._cpu_slots = CpuSlots(place.most(run.plan.run.non_inference_max_parallel_workers))
        self.actors: dict[int, ActorHandle] = {}
        """Replica number to the actor of its current incarnation."""
        self._up: dict[int, tuple[str, ActorHandle]] = {}
        """Replica number to its alias and actor, of those that are ready."""
        self._asks = asked_beside(run.plan)
        self._homes: dict[int, str] = {}
        """Replica number to its node."""
        self._nodes: Nodes | None = None
        self._looking: asyncio.Future[Nodes | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not session() or dead_part() is not None:
            return  # Somebody has shut it down, or it has died, and the actors with it.
        if self._looking is not None:
            await self._looking  # Ray must not be shut down under it.
        for actor in self.actors.values():
            ray.kill(actor, no_restart=True)

    async def start_replica(self, number: int, alias: str, epoch: int) -> RayReplica:
        """Start a new actor for the replica, and make sure that the one before is dead."""
        self._up.pop(number, None)
        before = self.actors.pop(number, None)
        if before is not None:
            with suppress(ValueError, RayActorError):
                ray.kill(before, no_restart=True)
        strategy = self._strategy(number, epoch)
        resources = self._run.plan.run.replica_resources.get(alias)
        actor = REPLICA_ACTOR.options(scheduling_strategy=strategy, resources=resources).remote()
        self.actors[number] = actor
        try:
            linger = linger_of(max(len(self._replicas), len(self.actors)))
            key, dataset = self._run.keys[alias], self._run.dataset
            servers = {} if self._run.tools is None else self._run.tools.servers
            assignment = ReplicaAssignment(number, epoch, alias, key, dataset, Process.this(), linger, servers)
            ready = actor.start.remote(self._plan, assignment)
            location: ReplicaLocation = await within(PLACEMENT_SECONDS, _actor_result(ready))
        except TimeoutError as error:
            raise TimeoutError(
                f"no replica of model '{alias}' could be placed within {PLACEMENT_SECONDS:.0f} s: "
                "the cluster has no room for an actor, no node has its replica_resources, or its workers cannot "
                "import this package"
            ) from error
        self._homes[number] = location.node
        self._introduce(number, alias, actor)
        return RayReplica(actor, location)

    def _introduce(self, number: int, alias: str, actor: ActorHandle) -> None:
        """Make a replica and those known to each other of which one runs functions that ask the other's alias."""
        self._up[number] = alias, actor
        for other, (its_alias, its_actor) in self._up.items():
            if its_alias in self._asks.get(alias, ()):
                actor.meet.remote(its_alias, other, its_actor)
            if alias in self._asks.get(its_alias, ()):
                its_actor.meet.remote(alias, number, actor)

    def _strategy(self, number: int, epoch: int) -> NodeAffinitySchedulingStrategy | str:
        """Spread, so that they share the nodes' networks and CPUs; as they ask for no CPU, nothing else sees to it.

        One that is added goes to the CPUs that it is added for. One that was lost does not: the node that has the
        fewest now may be the one that lost it.
        """
        if number not in self._replicas and epoch == 1 and self._nodes is not None:
            node = self._nodes.emptiest(list(self._homes.values()))
            if node is not None:
                self._homes[number] = node
                return NodeAffinitySchedulingStrategy(node, soft=True)
        return "SPREAD"

    async def run_task(self, parcel: Parcel, values: Sequence[ObjectRef]) -> tuple[TaskSummary, ObjectRef]:
        """Run a `local` stage over rows."""
        async with self._cpu_slots.turn():
            ask = work.options(num_cpus=self._cpus_a_task, num_returns=2)
            summary, made = ask.remote(self._assignment, parcel, *values)
            return await _task_result(summary, values), made

    async def write(self, job: CommitJob, values: Sequence[ObjectRef]) -> Receipt:
        """Write a batch."""
        async with self._cpu_slots.turn():
            ask = work.options(num_cpus=self._cpus_a_task)
            receipt: Receipt = await _task_result(ask.remote(self._assignment, job, *values), values)
        return receipt

    async def warm_up(self) -> None:
        """Return once there is a process that has all that it needs for CPU work."""
        with suppress(TaskDiedError):
            await _task_result(work.options(num_cpus=self._cpus_a_task).remote(self._assignment, None), ())

    async def nodes(self) -> Nodes | None:
        """The nodes of the cluster."""
        self._looking = asyncio.get_running_loop().run_in_executor(None, look)
        self._nodes = await asyncio.shield(self._looking)
        return self._nodes

    def hold(self, values: Values) -> ObjectRef:
        """Turn values of this process into a reference."""
        return ray.put(values)


async def values_of(ref: ObjectRef) -> Values:
    """Bring values to this process. Raises ValuesGoneError."""
    try:
        values: Values = await asyncio.wrap_future(ref.future())
    except RayError as error:
        raise ValuesGoneError(0) from error
    return values


async def in_thread(call: Callable[[*Given], Result], *arguments: *Given) -> Result:
    """Ask Ray for something that takes a while; where nobody waits for it any more Ray is not shut down under it."""
    asking = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(asking)
    finally:
        await asyncio.wait({asking})


async def within(seconds: float, work: Awaitable[Result]) -> Result:
    """Wait for something, so long at most. Raises TimeoutError after that.

    `asyncio.wait_for` of Python 3.11 forgets a cancellation that comes in the moment in which the work is done; a run
    that is over before its last replica is up would wait for that one for ever.
    """
    async with asyncio.timeout(seconds):
        return await work


async def _actor_result(ref: ObjectRef, given: Sequence[ObjectRef] = ()) -> Any:
    try:
        return await asyncio.wrap_future(ref.future())
    except RayActorError as error:
        # Word of a node's death may only mean that it cannot be reached.
        unsure = isinstance(error, ActorUnavailableError) or "node has died" in str(error)
        raise ReplicaDiedError(str(error), silent=not unsure) from error
    except ObjectLostError as error:
        raise _gone(error, given) from error
    except RayTaskError as error:
        if isinstance(error.cause, LeaseEndedError):
            raise ReplicaDiedError(str(error.cause)) from None
        raise error.cause from None


async def _task_result(ref: ObjectRef, given: Sequence[ObjectRef]) -> Any:
    try:
        return await asyncio.wrap_future(ref.future())
    except ObjectLostError as error:
        raise _gone(error, given) from error
    except _TASK_DEATHS as error:
        raise TaskDiedError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
    except RayTaskError as error:
        if isinstance(error.cause, ObjectLostError):
            raise _gone(error.cause, given) from error
        raise error.cause from None


def _gone(error: ObjectLostError, given: Sequence[ObjectRef]) -> Exception:
    """Which of the values that were given along is lost; none where it is what the call itself came to."""
    for place, value in enumerate(given):
        if value.hex() == error.object_ref_hex:
            return ValuesGoneError(place)
    return TaskDiedError(f"{type(error).__name__}: what it came to is lost")
