"""Puts a run together: plan, executor, scheduler and driver, in the same way for every executor."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol

import pyarrow as pa

from data_designer.engine.execution.driver import Driver, RunReport
from data_designer.engine.execution.observation import Observer
from data_designer.engine.execution.recording import Dataset
from data_designer.engine.execution.supervisor import Joining
from data_designer.engine.protocol.executor import Executor
from data_designer.engine.protocol.parcels import Ref
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.scheduling.budget_allocator import BudgetAllocator
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.scheduling.shape import shape_of
from data_designer.plan.model import Plan
from data_designer.tools.host import ToolHost

Publish = Callable[[Receipt], Receipt]
"""Makes a written batch visible; called in threads. Raises OSError where it cannot."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is run, whatever carries it out."""

    plan: Plan
    dataset: Dataset | None
    """Where it is written; None where nothing is, as in a preview."""
    publish: Publish
    keys: Mapping[str, str | None] = field(repr=False)
    """Alias to the key of its provider."""
    seed_table: pa.Table | None = None
    """Rows of the seed dataset."""
    observers: Sequence[Observer] = ()
    budget_allocator: BudgetAllocator | None = None
    """What may be spent; None for anything."""
    resume_point: ResumePoint = field(default_factory=ResumePoint)
    """What is there already."""
    tools: ToolHost | None = None
    """Reaches the servers of tools from this process; None where no model may call any."""


@dataclass(frozen=True, slots=True)
class OpenExecutor(Generic[Ref]):
    """An executor that can be given work, and how much."""

    executor: Executor[Ref]
    replicas: dict[int, str]
    """Replica number to alias, of those with which it starts."""
    held_bytes: int
    """Bytes of values that open batches may hold: beyond, no further batch is opened."""
    observers: Sequence[Observer] = ()
    """Who else is shown what happens, such as a cluster's own metrics."""
    joining: Joining | None = None
    """What may come to take part in the run; None for nothing."""
    cpus: int = 1
    """How many there are."""
    warm_up: Callable[[], Awaitable[None]] | None = None
    """Returns once CPU work is done without delay; None where it always is."""


class Stoppable(Protocol):
    """A run that is under way, as those see it who may end it early."""

    def stop(self, reason: str) -> None:
        """Let what is under way finish. Call it on the loop that runs it."""
        ...


Started = Callable[[Stoppable], None]
"""Is told of a run once it can be stopped."""


async def execute(run: Run, opening: AbstractAsyncContextManager[OpenExecutor[Ref]], started: Started) -> RunReport:
    """Run a plan to its end.

    Args:
        run: what is run.
        opening: opens the executor, and closes it at the end.
        started: is told of the run once it can be stopped.

    Raises:
        Exception: whatever broke in a step, in the store or in the executor that is no row's fault.
    """
    async with opening as opened:
        scheduler = Scheduler(shape_of(run.plan, opened.held_bytes, opened.replicas.values()))
        observers = [*run.observers, *opened.observers]
        driver = Driver(
            run.plan,
            scheduler,
            opened.executor,
            opened.replicas,
            run.publish,
            observers,
            run.budget_allocator,
            opened.joining,
        )
        started(driver)
        return await driver.run(run.resume_point)
