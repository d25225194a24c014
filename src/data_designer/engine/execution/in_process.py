"""The executor that is this process: previews, small runs, debugging and tests need no cluster."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Self

from data_designer.engine.execution.daemon_threads import DaemonThreads
from data_designer.engine.execution.line import open_line
from data_designer.engine.execution.recording import Recording, replica_name
from data_designer.engine.execution.replica import Replica
from data_designer.engine.execution.task_worker import TaskWorker
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.models.admission.budget_lease import Amount
from data_designer.plan.model import Plan

Write = Callable[[CommitJob, Sequence[Values]], Receipt]

_LINGER = 0.002
"""Nothing is sent anywhere, so there is little to gain by waiting for further rows."""


class InProcessReplica:
    """A replica on the driver's own event loop."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def grant(self, slots: int) -> None:
        """Set its slots."""
        await self._replica.grant(slots)

    async def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        await self._replica.fund(amount)

    async def submit(self, parcel: Parcel, values: Sequence[Values]) -> None:
        """Give it rows."""
        await self._replica.submit(parcel, values)

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:
        """Wait for finished rows."""
        return await self._replica.collect(acknowledged)

    async def leave(self) -> None:
        """Start nothing more, and say in a last report what is done."""
        await self._replica.leave()

    @property
    def node(self) -> str:
        """This machine, which has no name."""
        return ""

    def is_gone(self) -> bool:
        """It lives as long as this process."""
        return False


class InProcessExecutor:
    """Runs replicas as coroutines, and CPU tasks and writes in threads. Use it as an async context manager."""

    def __init__(
        self, plan: Plan, task_worker: TaskWorker, keys: Mapping[str, str | None], write: Write | None = None
    ) -> None:
        self._plan = plan
        self._task_worker = task_worker
        self._keys = keys
        self._write = write or task_worker.write
        self._exits = AsyncExitStack()
        self._threads = DaemonThreads(plan.run.non_inference_max_parallel_workers, "data-designer-cpu")
        self._writer = ThreadPoolExecutor(1, "data-designer-sink")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=True)

    async def start_replica(self, number: int, alias: str, epoch: int) -> InProcessReplica:
        """Start a replica, with no slots."""
        line = await self._exits.enter_async_context(open_line(self._plan, self._plan.pools[alias], self._keys[alias]))
        recording = Recording(self._task_worker.dataset, self._plan.geometry, replica_name(number, epoch))
        replica = Replica(self._plan, alias, line, recording, _LINGER)
        self._exits.push_async_callback(replica.close)
        return InProcessReplica(replica)

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Run a `local` stage over rows in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._task_worker.run_task, parcel, values)

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Write a batch in the one thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._write, job, values)

    async def nodes(self) -> None:
        """This machine stays, and no other joins."""
        return

    def hold(self, values: Values) -> Values:
        """Values are their own reference here."""
        return values
