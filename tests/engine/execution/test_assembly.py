"""A run is put together in the same way for every executor: it is bounded, told of, and closed at its end."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.engine.execution.failing_executor import FailingExecutor, FailingReplica
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.execution import in_process as of_process
from data_designer.engine.execution.assembly import OpenExecutor, Run, Stoppable, execute
from data_designer.engine.execution.in_process import in_process
from data_designer.engine.execution.observation import Observation
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.plan.model import Plan

LARGE = 10_000
"""Characters of a value."""
BATCH = 2
BATCHES = 10


def large_values() -> Plan:
    """A sampler of large values, no model, one CPU task at a time."""
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.add_column(name="long", column_type="sampler", sampler_type="category", params={"values": ["x" * LARGE]})
    return compiled(made, BATCH * BATCHES, BATCH, non_inference_max_parallel_workers=1)


async def nothing_to_check() -> None:
    """No model is asked."""


@dataclass(eq=False)
class SlowDisk(logging.Handler):
    """Takes no batch before the log has said that no further one is opened."""

    goes_on: threading.Event = field(default_factory=threading.Event)
    said: int = 0
    """How often that was said."""
    made: int = 0
    """Batches whose values are there."""
    committed: int = 0
    most: int = 0
    """Of those that were there and not committed, at a time."""

    def __post_init__(self) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        """Listen."""
        if record.getMessage().startswith("open batches hold"):
            self.said += 1
            self.goes_on.set()

    def write(self, job: CommitJob, _: Sequence[Values]) -> Receipt:
        """Take a batch."""
        self.goes_on.wait(10.0)
        self.goes_on.set()
        return Receipt(job.batch, len(job.kept), len(job.kept), 0, files=())

    def see(self, observation: Observation) -> None:
        """Count what is there."""
        self.made += isinstance(observation, ev.TaskDone)
        self.committed += isinstance(observation, ev.Committed)
        self.most = max(self.most, self.made - self.committed)


def test_in_this_process_large_values_hold_further_batches_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where batches are written more slowly than they are made; in the end all of them are there."""
    monkeypatch.setattr(of_process, "memory_limit", lambda: 8 * 3 * BATCH * LARGE)
    disk = SlowDisk()
    log = logging.getLogger("data_designer.engine.execution.driver")
    log.addHandler(disk)
    try:
        run = Run(large_values(), None, lambda receipt: receipt, {}, observers=[disk.see])
        report = asyncio.run(execute(run, in_process(run, nothing_to_check, disk.write), lambda _: None))
    finally:
        log.removeHandler(disk)
    assert report.stop_reason is None
    assert disk.committed == BATCHES
    assert disk.said
    assert disk.most <= 5


class Both(FailingExecutor):
    """Two executors, as one driver sees them: each starts the replicas of its own numbers."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.parts = {0: FailingExecutor(plan), 1: FailingExecutor(plan)}
        self.is_closed = False

    async def start_replica(self, number: int, alias: str, epoch: int) -> FailingReplica:
        """Ask the one whose it is."""
        return await self.parts[number].start_replica(number, alias, epoch)

    @asynccontextmanager
    async def opened(self, shown: list[Observation]) -> AsyncIterator[OpenExecutor[Values]]:
        """Open both."""
        try:
            yield OpenExecutor(self, dict.fromkeys(self.parts, "m"), 1 << 62, [shown.append])
        finally:
            self.is_closed = True


def test_replicas_of_two_executors_serve_one_run() -> None:
    """The driver asks for them by number; the executor's own observers see what those of the run see."""
    made = texts([dd.ModelConfig(alias="m", model="m", provider="p")], text=("m", "{{ id }}"))
    made.add_column(name="good", column_type="expression", expr="{{ text }}")
    plan = compiled(made, 100, 20)
    both, seen, shown, told = Both(plan), [], [], []
    run = Run(plan, None, both.publish, {}, observers=[seen.append])
    report = asyncio.run(execute(run, both.opened(shown), told.append))
    assert report.stop_reason is None
    assert sorted(both.published) == list(range(5))
    assert all(part.made for part in both.parts.values())
    assert seen == shown
    assert both.is_closed


def test_a_run_can_be_stopped_by_whoever_was_told_of_it() -> None:
    """Before anything is done, too."""
    plan = large_values()
    executor = FailingExecutor(plan)

    def stop(run: Stoppable) -> None:
        run.stop("enough")

    @asynccontextmanager
    async def opened() -> AsyncIterator[OpenExecutor[Values]]:
        yield OpenExecutor(executor, {}, 1 << 62)

    report = asyncio.run(execute(Run(plan, None, executor.publish, {}), opened(), stop))
    assert report.stop_reason == "enough"
    assert len(executor.published) < BATCHES
