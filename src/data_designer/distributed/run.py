"""Runs a plan on Ray."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import ray

from data_designer.distributed.cluster import connecting, held_bytes_budget, refuse_client
from data_designer.distributed.code_transport import pack
from data_designer.distributed.connection import session
from data_designer.distributed.executor import ObjectRef, RayExecutor
from data_designer.distributed.metrics import RayMetrics
from data_designer.distributed.preflight import check_nodes
from data_designer.engine.execution.driver import Driver, RunReport
from data_designer.engine.execution.observation import Observer
from data_designer.engine.execution.recording import Dataset
from data_designer.engine.observe.metrics import Metrics
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.scheduling.budget_allocator import BudgetAllocator
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.scheduling.shape import replica_numbers, shape_of
from data_designer.errors import DataDesignerRuntimeError, InvalidConfigError
from data_designer.plan.model import Plan

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_LOOK_SECONDS = 0.25
_TOLD_SECONDS = 15.0
"""How long Ray may take to be there until it is said that it is waited for."""
_GONE = (
    "Ray is gone: it was shut down while the run was under way, by ray.shutdown() or as its cluster ended; what was "
    "committed is kept, and a resume makes the rest"
)


@dataclass(frozen=True, slots=True)
class RayRun:
    """A run of a plan on Ray."""

    plan: Plan
    dataset: Dataset
    publish: Callable[[Receipt], Receipt]
    """Makes a written batch visible; called in threads."""
    keys: Mapping[str, str | None]
    seed_table: pa.Table | None
    observers: Sequence[Observer]
    budget_allocator: BudgetAllocator | None = None
    """What may be spent; None for anything."""
    cpus: int | None = None
    """CPUs there are, where this process is connected already by `connected`."""

    def _check_resources(self) -> None:
        unknown = sorted(set(self.plan.run.replica_resources) - set(self.plan.pools))
        if unknown:
            raise InvalidConfigError(
                f"replica_resources names {', '.join(unknown)}, but the models that this configuration asks are "
                f"{', '.join(self.plan.pools) or 'none'}"
            )

    def _connecting(self) -> AbstractContextManager["Future[int]"]:
        if self.cpus is None:
            return connecting(self.plan.run.non_inference_max_parallel_workers)
        there: Future[int] = Future()
        there.set_result(self.cpus)
        return nullcontext(there)

    async def run(
        self,
        resume_point: ResumePoint,
        check: Callable[[], Coroutine[Any, Any, None]],
        started: Callable[[Driver[ObjectRef]], None],
    ) -> RunReport:
        """Connect while the models are checked, then run to the end.

        Args:
            resume_point: what is there already.
            check: asks the models for a sign of life.
            started: is given the driver, so that it can be told to stop.
        """
        self._check_resources()
        refuse_client()
        packed = pack(self.plan)
        with self._connecting() as connection:
            connected, checked = asyncio.wrap_future(connection), check()
            telling = asyncio.create_task(tell_of_wait(connected, os.environ.get("RAY_ADDRESS")))
            cpus, trouble = await asyncio.gather(connected, checked, return_exceptions=True)
            await telling
            for result in (cpus, trouble):
                if isinstance(result, BaseException):
                    raise result
            assert isinstance(cpus, int)
            return await while_connected(self._drive(packed, cpus, resume_point, started), session)

    async def _drive(
        self, packed: bytes, cpus: int, resume_point: ResumePoint, started: Callable[[Driver[ObjectRef]], None]
    ) -> RunReport:
        """Run to the end on the Ray that there is."""
        if self.dataset.run == 1:  # It takes seconds, which a run that goes on has no use for.
            await check_nodes(self.dataset, packed)
        exporters = [RayMetrics(one) for one in self.observers if isinstance(one, Metrics)]
        replicas = replica_numbers(self.plan, cpus)
        scheduler = Scheduler(shape_of(self.plan, held_bytes_budget(), replicas.values()))
        async with RayExecutor(self.plan, self.dataset, self.keys, self.seed_table, packed, len(replicas)) as executor:
            observers: list[Observer] = [*self.observers, *exporters]
            driver = Driver(self.plan, scheduler, executor, replicas, self.publish, observers, self.budget_allocator)
            started(driver)
            report = await driver.run(resume_point)
            for exporter in exporters:
                exporter.tell()
            return report


async def while_connected(work: Coroutine[Any, Any, Result], session: Callable[[], Any]) -> Result:
    """Do something that needs Ray, for as long as this process stays connected to the one that there is.

    Args:
        work: what is to be done.
        session: gives what tells this connection from others.

    Raises:
        DataDesignerRuntimeError: Ray was shut down meanwhile. Without that `work` might wait for it for ever.
    """
    began = session()
    doing, gone = asyncio.create_task(work), asyncio.create_task(_end_of(began, session))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        broken = doing.exception() if doing.done() else None
        if doing.done() and (broken is None or session() is began):
            return doing.result()
        raise DataDesignerRuntimeError(_GONE) from broken
    finally:
        for task in (doing, gone):
            task.cancel()
        await asyncio.gather(doing, gone, return_exceptions=True)


async def _end_of(began: Any, session: Callable[[], Any]) -> None:
    while began is not None and session() is began:  # noqa: ASYNC110 - Ray tells nobody
        await asyncio.sleep(_LOOK_SECONDS)


async def tell_of_wait(connected: "asyncio.Future[int]", address: str | None) -> None:
    """Say that Ray is waited for, again and again after twice as long, until it is there."""
    seconds = _TOLD_SECONDS
    while not connected.done():
        await asyncio.wait({connected}, timeout=seconds)
        if not connected.done():
            logger.info("waiting for Ray %s", f"at {address} to answer" if address else "of this machine to come up")
            seconds *= 2


def ray_is_initialized() -> bool:
    """Whether this process is connected to a Ray already."""
    return bool(ray.is_initialized())
