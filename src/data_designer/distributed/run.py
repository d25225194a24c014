"""Opens the executor that is a Ray cluster: connection, preflight, and an end when Ray goes."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager

from ray import ObjectRef

from data_designer.distributed.cluster import connecting, held_bytes_budget
from data_designer.distributed.code_transport import pack
from data_designer.distributed.connection import session
from data_designer.distributed.executor import RayExecutor, in_thread
from data_designer.distributed.local_ray import dead_part
from data_designer.distributed.metrics import RayMetrics
from data_designer.distributed.preflight import check_nodes
from data_designer.engine.execution.assembly import OpenExecutor, Run
from data_designer.engine.observe.metrics import Metrics
from data_designer.engine.scheduling.shape import replica_numbers
from data_designer.errors import RayGoneError

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_TOLD_SECONDS = 15.0
"""How long Ray may take to be there until it is said that it is waited for."""
_SHUT_DOWN = "it was shut down while the run was under way, by ray.shutdown() or as its cluster ended"


@asynccontextmanager
async def on_ray(run: Run, first: int, *, is_kept: bool) -> AsyncIterator[OpenExecutor[ObjectRef]]:
    """Connect to Ray, or start one, and see that every node can do its part.

    Args:
        run: what is run.
        first: the number of the first replica.
        is_kept: whether the connection stays for further runs of this process, until `let_go`.

    Raises:
        InvalidConfigError: it would be by Ray Client.
        CodeDoesNotTravelError: a function of the user holds something that cannot be sent.
        RayGoneError: Ray was shut down or has died meanwhile.
    """
    packed = await in_thread(pack, run.plan)
    with connecting(run.plan.run.non_inference_max_parallel_workers, is_kept=is_kept) as connection:
        cpus = await _connected(connection)
        async with while_connected(session, dead_part):
            # It takes seconds, which a run that goes on has no use for.
            if run.dataset is not None and run.dataset.run == 1:
                await check_nodes(run.dataset, packed)
            exporters = [RayMetrics(one) for one in run.observers if isinstance(one, Metrics)]
            replicas = {first + number: alias for number, alias in replica_numbers(run.plan, cpus).items()}
            async with await in_thread(RayExecutor, run, packed, replicas) as executor:
                try:
                    yield OpenExecutor(
                        executor, replicas, held_bytes_budget(), exporters, cpus=cpus, warm_up=executor.warm_up
                    )
                finally:
                    for exporter in exporters:
                        exporter.tell()


async def _connected(connection: "Future[int]") -> int:
    """Wait for Ray. Gives the number of CPUs there are."""
    connected = asyncio.wrap_future(connection)
    telling = asyncio.create_task(tell_of_wait(connected, os.environ.get("RAY_ADDRESS")))
    try:
        return await connected
    finally:
        telling.cancel()


@asynccontextmanager
async def while_connected(
    session: Callable[[], object], dead_part: Callable[[], str | None] = lambda: None
) -> AsyncIterator[None]:
    """Do what is inside for as long as this process stays connected to the Ray that there is, and that one lives.

    Args:
        session: gives what tells this connection from others.
        dead_part: gives what of this Ray has died, in words; None where nothing has.

    Raises:
        RayGoneError: Ray was shut down or has died meanwhile. Without that what is inside might wait for it for ever,
            until Ray ends this process.
    """
    began, inside = session(), asyncio.current_task()
    assert inside is not None

    def why_gone() -> str | None:
        return _SHUT_DOWN if session() is not began else dead_part()

    if began is None:
        raise _gone(_SHUT_DOWN)
    watch = asyncio.create_task(_cancel_when(why_gone, inside))
    try:
        yield
    except asyncio.CancelledError:
        if watch.done() and not inside.uncancel():
            raise _gone(watch.result()) from None
        raise
    except Exception as error:
        gone = why_gone()
        if gone is None:
            raise
        raise _gone(gone) from error
    finally:
        watch.cancel()


def _gone(why: str) -> RayGoneError:
    return RayGoneError(f"Ray is gone: {why}; what was committed is kept, and a resume makes the rest")


async def _cancel_when(why_gone: Callable[[], str | None], task: "asyncio.Task[object]") -> str:
    """Cancel a task once Ray is gone. Gives why it is."""
    while (why := why_gone()) is None:  # noqa: ASYNC110 - Ray tells nobody
        await asyncio.sleep(_LOOK_SECONDS)
    task.cancel()
    return why


async def tell_of_wait(connected: "asyncio.Future[int]", address: str | None) -> None:
    """Say that Ray is waited for, again and again after twice as long, until it is there."""
    seconds = _TOLD_SECONDS
    while not connected.done():
        await asyncio.wait({connected}, timeout=seconds)
        if not connected.done():
            logger.info("waiting for Ray %s", f"at {address} to answer" if address else "of this machine to come up")
            seconds *= 2
