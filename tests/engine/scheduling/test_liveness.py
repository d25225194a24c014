"""A run that does not move says what it waits for, and ends where nothing can come any more."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.engine.failing_executor import Desk, FailingExecutor, chain
from tests.properties import examples

from data_designer.engine.execution.driver import Driver, RunReport
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.liveness import (
    BUSY_SECONDS,
    IDLE_SECONDS,
    STALLED_SECONDS,
    Computing,
    Liveness,
    UnderWay,
    Waiting,
)
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.scheduling.shape import shape_of

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]
LATEST = 2 * STALLED_SECONDS + 30
"""Seconds after which a run that cannot move has ended: it notices, and waits for what may be under way."""

# --- what is said, and when ------------------------------------------------------------------------------------

COLUMNS = ["column 'id'", "column 'text', column 'label'"]
MODELS = {3: "writer"}


def said(waiting: Waiting, hand: UnderWay, until: float, moves: Sequence[float] = ()) -> list[tuple[float, str, bool]]:
    """What is said, when, and whether it is the end, by somebody who looks four times a second."""
    of, found, moves = Liveness(COLUMNS, 0.0), [], list(moves)
    for quarter in range(int(until * 4) + 1):
        now = quarter / 4
        while moves and moves[0] <= now:
            of.moved(moves.pop(0))
        notice = of.look(now, waiting, hand)
        if notice is not None:
            found.append((now, notice.text, notice.is_end))
            if notice.is_end:
                break
    return found


def test_work_that_is_under_way_may_take_its_time() -> None:
    """It is named after half a minute, then after twice as long each time, and never ended."""
    waiting = Waiting(tasks=(1, 1), held={3: 2}, batches=(7,))
    found = said(waiting, UnderWay(computes={1: Computing(40, 33.0)}, writes=True, models=MODELS), 1000)
    assert [now for now, _, _ in found] == [BUSY_SECONDS * 2**power for power in range(6)]
    assert not any(is_end for _, _, is_end in found)
    assert found[0][1] == (
        "nothing has happened for 30 s: waiting for 2 CPU tasks of column 'text', column 'label' (40 rows, for 33 s); "
        "batch 7 to be written; 2 rows at replica 3 of model 'writer'"
    )


def test_functions_that_take_their_time_are_named_sooner() -> None:
    """With their column, how many rows they were given, and since when; nobody else's time is known to be theirs."""
    found = said(Waiting(tasks=(0,)), UnderWay(computes={0: Computing(1, 12.5)}), 25)
    words = "nothing has happened for 10 s: waiting for 1 CPU task of column 'id' (1 row, for 12 s)"
    assert found == [(10.0, words, False), (20.0, words.replace("10 s:", "20 s:"), False)]


@pytest.mark.parametrize("hand", [UnderWay(computes={0: Computing(9, 6.0)}), UnderWay(writes=True)])
def test_work_that_cannot_be_placed_is_said_soon(hand: UnderWay) -> None:
    """With what keeps it, and never ended: whoever has the CPUs may give them back."""
    found = said(Waiting(tasks=(0,), batches=(3,)), replace(hand, lacks="no CPU is free: end something"), 1000)
    assert [now for now, _, _ in found] == [IDLE_SECONDS * 2**power for power in range(8)]
    assert found[0][1].endswith("batch 3 to be written; no CPU is free: end something")
    assert not any(is_end for _, _, is_end in found)


def test_what_is_lacking_is_not_said_while_models_are_asked() -> None:
    """Their replies may be what makes the next work."""
    hand = UnderWay(computes={0: Computing(9, 6.0)}, models=MODELS, lacks="no CPU is free")
    assert said(Waiting(tasks=(0,), held={3: 2}), hand, 40)[0][0] == BUSY_SECONDS


def test_a_replica_that_is_being_started_is_named_soon() -> None:
    """Nothing else is under way, so it is said after some seconds; whoever starts it has a limit of its own."""
    found = said(Waiting(rest="slots of a replica of writer"), UnderWay(models=MODELS, starting=(3,)), 200)
    assert [now for now, _, _ in found] == [IDLE_SECONDS * 2**power for power in range(6)]
    assert found[0] == (5.0, "nothing has happened for 5 s: waiting for 1 replica of model 'writer' to start", False)


def test_where_nothing_can_come_the_run_ends() -> None:
    """Before that, what it waits for is said, and how long it waits."""
    found = said(Waiting(rest="OpenBatch(0)"), UnderWay(models=MODELS), 1000)
    assert [now for now, _, _ in found] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert found[0][1] == (
        "nothing has happened for 5 s: waiting for OpenBatch(0); if that does not come the run ends in 55 s"
    )
    words = "nothing has happened for 60 s: waiting for OpenBatch(0), which cannot come any more"
    assert found[-1] == (60.0, words, True)


def test_rows_that_a_replica_does_not_have_are_no_work() -> None:
    """Whoever holds nothing brings nothing, whatever it was sent."""
    waiting, hand = Waiting(held={3: 1}), UnderWay(models=MODELS, empty=(3,))
    *_, last = said(waiting, hand, 1000)
    assert last[2]
    assert "waiting for 1 row at replica 3 of model 'writer', which says that it has none" in last[1]


def test_whatever_happens_begins_the_wait_anew() -> None:
    """A run that moves every few seconds says nothing; after the last of them the times are the first ones again."""
    moves = [4.0 * number for number in range(30)]
    found = said(Waiting(), UnderWay(), 1000, moves)
    assert [now - moves[-1] for now, _, _ in found] == [5.0, 10.0, 20.0, 40.0, 60.0]


# --- stalls that are planted in runs ---------------------------------------------------------------------------


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

    async def start_replica(self, number: int, alias: str, epoch: int) -> Desk:  # noqa: ARG002 - the protocol's
        """Start one, perhaps never."""
        if self.is_stalled("start"):
            await forever()
        self.desks.append(StallingDesk(self, number, epoch))
        return self.desks[-1]

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


class StallingDesk(Desk):
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
def test_a_run_whose_hands_never_answer_says_what_it_waits_for(
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
