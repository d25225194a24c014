"""Runs in which something is lost or never answers: they say what they wait for, and end where nothing can come."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.engine.execution.failing_executor import FailingExecutor, FailingReplica, chain
from tests.properties import examples

from data_designer.engine.execution.driver import Driver, RunReport
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.liveness import STALLED_SECONDS
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.scheduling.shape import shape_of

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]
LATEST = 2 * STALLED_SECONDS + 30
"""Seconds after which a run that cannot move has ended: it notices, and waits for what may be under way."""


class Swallowing(Scheduler):
    """A scheduler one of whose commands, of a kind and of a number, gets lost."""

    def __init__(self, shape: ev.Shape, kind: type[ev.Command] | None, number: int) -> None:
        super().__init__(shape)
        self.kind, self.left = kind, number

    def handle(self, event: ev.Event) -> list[ev.Command]:
        """Decide, and forget one decision."""
        return [command for command in super().handle(event) if not self._is_lost(command)]

    def _is_lost(self, command: ev.Command) -> bool:
        if self.kind is None or not isinstance(command, self.kind):
            return False
        self.left -= 1
        return self.left == -1


@dataclass
class Stalling(FailingExecutor):
    """An executor whose call of some name and number never returns, or takes rows and forgets them."""

    where: str = ""
    number: int = 0
    calls: dict[str, int] = field(default_factory=dict)

    def is_stalled(self, where: str) -> bool:
        """Whether this call is the one."""
        self.calls[where] = self.calls.get(where, -1) + 1
        return where == self.where and self.calls[where] == self.number

    async def start_replica(self, number: int, alias: str, epoch: int) -> FailingReplica:  # noqa: ARG002 - the protocol's
        """Start one, perhaps never."""
        if self.is_stalled("start"):
            await forever()
        self.replicas.append(StallingReplica(self, number, epoch))
        return self.replicas[-1]

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Do CPU work, perhaps for ever."""
        if self.is_stalled("task"):
            await forever()
        return await super().run_task(parcel, values)

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Write a batch, perhaps for ever."""
        if self.is_stalled("write"):
            await forever()
        return await super().write(job, values)


class StallingReplica(FailingReplica):
    """A replica of such executor. It reports every three seconds what it holds."""

    executor: Stalling

    async def grant(self, slots: int) -> None:
        """Take note, perhaps for ever."""
        if self.executor.is_stalled("grant"):
            await forever()
        await super().grant(slots)

    async def submit(self, parcel: Parcel, *values: Values) -> None:
        """Do the work, or forget it."""
        if not self.executor.is_stalled("submit"):
            await super().submit(parcel, *values)

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:
        """Report what is done, and what there is left."""
        if self.reports.empty():
            asyncio.get_running_loop().call_later(3.0, self.reports.put_nowait, {})
        summary, values = await super().collect(acknowledged)
        return replace(summary, held=self.reports.qsize()), values


async def forever() -> NoReturn:
    """Never return."""
    await asyncio.Event().wait()
    raise AssertionError


class Heard(logging.Handler):
    """What the driver says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(record.getMessage())


async def outcome(scheduler: Scheduler, executor: FailingExecutor) -> tuple[RunReport | None, list[str]]:
    """How a run ends, None where it goes on for ever; and what it says meanwhile."""
    driver: Driver[Values] = Driver(executor.plan, scheduler, executor, {0: "m", 1: "m"}, publish=executor.publish)
    heard = Heard()
    logger = logging.getLogger("data_designer.engine.execution.driver")
    logger.addHandler(heard)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        async with asyncio.timeout(LATEST):
            return await driver.run(), heard.lines
    except TimeoutError:
        return None, heard.lines
    finally:
        logger.setLevel(before)
        logger.removeHandler(heard)


often = examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@often
@given(number=st.integers(0, 12))
@pytest.mark.parametrize("kind", [ev.Send, ev.RunTask, ev.Commit, ev.Regrant])
def test_a_run_whose_scheduler_forgets_something_ends_and_says_what_waits(
    kind: type[ev.Command], number: int, in_virtual_time: InVirtualTime
) -> None:
    """Whichever command gets lost: everything else is done, and the run ends resumably with words that name it."""

    async def scenario() -> None:
        executor = Stalling(chain())
        scheduler = Swallowing(shape_of(executor.plan), kind, number)
        report, heard = await outcome(scheduler, executor)
        assert report is not None
        # Slots that were never granted may be missed by nobody.
        if report.stop_reason is None:
            executor.check()
        # Slots that were never granted may be missed by nobody.
        if scheduler.left < 0 and kind is not ev.Regrant:
            assert "which cannot come any more" in (report.stop_reason or "")
            assert any("if that does not come the run ends in" in line for line in heard)

    in_virtual_time(scenario())


WORDS = {
    "start": r"1 replica of model 'm' to start|row",
    "task": r"1 CPU task of column '(id|good)'",
    "write": r"batch \d to be written",
    "grant": r"slots of a replica of m|row",
    "submit": r"rows? at replica \d of model 'm', which says that it has none",
}


@often
@given(number=st.integers(0, 6))
@pytest.mark.parametrize("where", list(WORDS))
def test_a_run_whose_executor_never_answers_says_what_it_waits_for(
    where: str, number: int, in_virtual_time: InVirtualTime
) -> None:
    """Work that never ends is named again and again; rows that were forgotten end the run, and are named too."""

    async def scenario() -> None:
        executor = Stalling(chain(), where=where, number=number)
        report, heard = await outcome(Scheduler(shape_of(executor.plan)), executor)
        if report is not None and report.stop_reason is None:
            executor.check()
            assert where in ("start", "grant") or executor.calls[where] < number, "it was done without what never came"
            return
        assert any(re.search(WORDS[where], line) for line in heard), heard
        if where == "submit":
            assert report is not None

    in_virtual_time(scenario())
