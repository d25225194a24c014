"""The executor that is this process: previews, small runs, debugging and tests need no cluster."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from data_designer.engine.execution.assembly import OpenExecutor, Run
from data_designer.engine.execution.daemon_threads import DaemonThreads
from data_designer.engine.execution.garbage import collected_rarely
from data_designer.engine.execution.memory import memory_limit
from data_designer.engine.execution.recording import Recording, replica_name
from data_designer.engine.execution.replica import Replica
from data_designer.engine.execution.task_worker import TaskWorker
from data_designer.engine.protocol.messages import CommitJob, TaskSummary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.peers import AGAIN_SECONDS, PeerReply, PeerRequest
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling.shape import replica_numbers
from data_designer.models.http_sessions import kept_open
from data_designer.models.opening import open_model
from data_designer.tools.caller import ToolCaller, limits_of

Write = Callable[[CommitJob, Sequence[Values]], Receipt]

_LINGER = 0.002
"""Nothing is sent anywhere, so there is little to gain by waiting for further rows."""
_HELD_SHARE = 8
"""Open batches may hold one part in so many of the memory."""


@asynccontextmanager
async def in_process(
    run: Run, check: Callable[[], Awaitable[None]], write: Write | None = None
) -> AsyncIterator[OpenExecutor[Values]]:
    """Run in this process, with one replica an alias unless the user wants more.

    Args:
        run: what is run.
        check: asks the models for a sign of life.
        write: takes a batch instead of a disk.
    """
    async with kept_open():  # Connections that are there from the check take the first requests.
        await check()
        async with InProcessExecutor(run, write) as executor:
            yield OpenExecutor(executor, replica_numbers(run.plan, cpus=1), held_bytes_limit())


def held_bytes_limit() -> int:
    """Bytes of values that open batches may hold in this process: an eighth of the memory that it may use.

    Here is no object store that would bound them, so a model that is far slower than those before it could fill the
    memory. Values are counted by the length of their text, of which a character may take four bytes, and a batch that
    is written is there once more as a table: an eighth by that count may be more than half of the memory.
    """
    return memory_limit() // _HELD_SHARE


class LocalPeers:
    """The replicas of this process, as those of other aliases ask them."""

    def __init__(self) -> None:
        self._replicas: dict[str, list[Replica]] = {}

    def add(self, alias: str, replica: Replica) -> None:
        """A replica that can be asked from now on."""
        self._replicas.setdefault(alias, []).append(replica)

    async def ask(self, alias: str, asked: PeerRequest) -> PeerReply:
        """Have the least busy one ask that has slots, once there is one."""
        while True:
            for replica in sorted(self._replicas.get(alias, ()), key=Replica.share_in_use):
                if (answer := await replica.answer(asked)) is not None:
                    return answer
            await asyncio.sleep(AGAIN_SECONDS)


class InProcessExecutor:
    """Runs replicas as coroutines, and CPU tasks and writes in threads. Use it as an async context manager."""

    def __init__(self, run: Run, write: Write | None = None) -> None:
        task_worker = TaskWorker(run.plan, run.dataset, run.seed_table)
        self._run = run
        self._run_task = task_worker.run_task
        self._write = write or task_worker.write
        self._exits = AsyncExitStack()
        self._threads = DaemonThreads(run.plan.run.non_inference_max_parallel_workers, "data-designer-cpu")
        self._writer = ThreadPoolExecutor(1, "data-designer-sink")
        self._peers = LocalPeers()

    async def __aenter__(self) -> Self:
        self._exits.enter_context(collected_rarely())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=True)

    async def start_replica(self, number: int, alias: str, epoch: int) -> Replica:
        """Start a replica, with no slots."""
        plan, keys = self._run.plan, self._run.keys
        model = await self._exits.enter_async_context(open_model(plan.pools[alias], keys[alias]))
        recording = Recording(self._run.dataset, plan.geometry, replica_name(number, epoch))
        tools = None if self._run.tools is None else ToolCaller(plan.tools, self._run.tools, limits_of(plan.run))
        replica = Replica(plan, alias, model, recording, _LINGER, peers=self._peers, tools=tools)
        self._peers.add(alias, replica)
        self._exits.push_async_callback(replica.close)
        return replica

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Run a `local` stage over rows in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run_task, parcel, values)

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Write a batch in the one thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._write, job, values)

    async def nodes(self) -> None:
        """This machine stays, and no other joins."""
        return

    def hold(self, values: Values) -> Values:
        """Values are their own reference here."""
        return values
