"""The driver, with an executor that only takes notes, and with one that fails on demand."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.engine.execution.failing_executor import FailingExecutor, FailingReplica, Fault, chain
from tests.fakes import model
from tests.plans import compiled, texts

from data_designer.engine.execution.driver import DRAIN_SECONDS, Driver
from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.protocol.executor import LEASE_SECONDS, ReplicaDiedError, TaskDiedError, ValuesGoneError
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.nodes import Nodes
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.rows import Flags
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.scheduling.shape import shape_of
from data_designer.errors import ArtifactStorageError
from data_designer.models.admission.budget_lease import Amount
from data_designer.plan.model import Plan
from data_designer.values import Block

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]


def plan() -> Plan:
    """A sampler and a text column of a model with four slots."""
    return compiled(texts([model("m", max_parallel_requests=4)], text=("m", "{{ id }}")), 100)


class Notes:
    """An executor and a replica in one: rows are taken and never finished."""

    def __init__(self) -> None:
        self.grants: list[int] = []
        self.has_rows = asyncio.Event()
        self.has_no_slots = asyncio.Event()

    async def start_replica(self, number: int, alias: str, epoch: int) -> "Notes":  # noqa: ARG002 - the protocol's
        """It is its own replica."""
        return self

    async def grant(self, slots: int) -> None:
        """Take note."""
        self.grants.append(slots)
        if not slots:
            self.has_no_slots.set()

    async def fund(self, amount: Amount) -> None:
        """There is no budget."""

    async def submit(self, parcel: Parcel, *values: Values) -> None:  # noqa: ARG002 - the protocol's
        """Take the rows."""
        self.has_rows.set()

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:  # noqa: ARG002 - the protocol's
        """Nothing ever finishes; without slots nothing is under way either."""
        await self.has_no_slots.wait()
        self.has_no_slots.clear()
        return Summary(1, (), None, drained=True), {}

    node = "here"

    async def leave(self) -> None:
        """Nobody asks it to."""

    async def nodes(self) -> None:
        """Nothing is known of any."""

    def is_gone(self) -> bool:
        """It lives."""
        return False

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:  # noqa: ARG002
        """Reject the first row, so that there is something to commit."""
        return TaskSummary(np.arange(len(parcel)) > 0, 0), {}

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """No row is complete."""
        assert not len(job.kept), values
        return Receipt(job.batch, requested=100, generated=0, rejected=1, files=(), unfinished=((1, 100),))

    def hold(self, values: Values) -> Values:
        """Values are their own reference."""
        return values


def test_a_run_that_is_stopped_takes_every_slot_back() -> None:
    """What a replica holds and has not started is not paid for after a stop."""

    async def scenario() -> list[int]:
        compiled, notes = plan(), Notes()
        driver: Driver[Values] = Driver(
            compiled, Scheduler(shape_of(compiled)), notes, {0: "m"}, publish=lambda receipt: receipt
        )
        running = asyncio.create_task(driver.run())
        await notes.has_rows.wait()
        driver.stop("enough")
        report = await running
        assert report.stop_reason == "enough"
        return notes.grants

    assert asyncio.run(scenario()) == [4, 0]


# --- an executor that fails on demand ---------------------------------------------------------------------------------


def first_gone(_: Sequence[Values]) -> Exception:
    """The first of the values is gone."""
    return ValuesGoneError(0)


def last_gone(values: Sequence[Values]) -> Exception:
    """The last of the values is gone."""
    return ValuesGoneError(len(values) - 1)


@pytest.mark.parametrize("fault", [first_gone, last_gone])
@pytest.mark.parametrize("where", ["submit", "run_task", "write"])
def test_values_that_are_gone_are_made_again(where: str, fault: Fault, in_virtual_time: InVirtualTime) -> None:
    """Found gone three times, they and what was made of them is made again, and every row is committed once."""

    async def scenario() -> None:
        executor = FailingExecutor(chain(), faults={where: [fault] * 3})
        report = await executor.run()
        assert report.stop_reason is None
        assert not executor.faults[where]
        again = {key for key, count in executor.made.items() if count > 1}
        assert again
        assert again <= {(stage, row) for gone, row in executor.gone_cells() for stage in range(gone, 3)}
        executor.check()

    in_virtual_time(scenario())


@pytest.mark.parametrize(
    ("where", "error"),
    [("write", OSError("no space left")), ("write", TaskDiedError("killed")), ("publish", OSError("no space left"))],
)
def test_a_batch_that_cannot_be_written_is_tried_again(
    where: str, error: Exception, in_virtual_time: InVirtualTime
) -> None:
    """Refused twice, in writing or in publishing, a batch is committed at the third try, from the same values."""

    async def scenario() -> None:
        executor = FailingExecutor(chain(10), faults={where: [lambda _: error] * 2})
        report = await executor.run()
        assert report.stop_reason is None
        assert len(executor.jobs) == 3
        assert set(executor.made.values()) == {1}
        executor.check()

    in_virtual_time(scenario())


@pytest.mark.parametrize(
    ("where", "error"),
    [("write", ValueError("a bug")), ("publish", ArtifactStorageError("another run has taken over"))],
)
def test_an_error_that_no_retry_can_mend_ends_the_run(
    where: str, error: Exception, in_virtual_time: InVirtualTime
) -> None:
    """A batch that can never be written is not tried again: the run ends with that error, and waits for nothing."""

    async def scenario() -> None:
        executor = FailingExecutor(chain(), faults={where: [lambda _: error]})
        with pytest.raises(type(error), match=str(error)):
            await executor.run()
        tries = Counter(job.batch for job in executor.jobs)
        assert set(tries.values()) == {1}
        assert len(executor.published) == len(tries) - 1

    in_virtual_time(scenario())


# --- replicas that go ------------------------------------------------------------------------------------------


class Unreachable(FailingExecutor):
    """The first replica takes rows and cannot be reached when it is asked for them."""

    lost_at = float("inf")
    granted_at = float("inf")
    """When slots went to its successor."""

    def finished(self, replica: FailingReplica, parcel: Parcel, made: Values) -> None:
        """Lose touch with the first one."""
        if replica.epoch == 1:
            self.lost_at = asyncio.get_running_loop().time()
            replica.reports.put_nowait(ReplicaDiedError("no route to host", silent=False))
        else:
            assert self.replicas[0].looks >= (self.seen_gone_at or 0)
            self.granted_at = min(self.granted_at, asyncio.get_running_loop().time())
            super().finished(replica, parcel, made)


@pytest.mark.parametrize("look", [1, 3])
def test_slots_of_a_replica_that_is_seen_to_be_gone_go_on(look: int, in_virtual_time: InVirtualTime) -> None:
    """Its successor gets the slots as soon as its process is seen to have ended, and not before; the rows are done."""

    async def scenario() -> None:
        executor = Unreachable(chain(), seen_gone_at=look)
        assert (await executor.run()).stop_reason is None
        assert [(replica.number, replica.epoch, replica.slots, replica.looks) for replica in executor.replicas] == [
            (0, 1, [4], look),
            (0, 2, [4], 0),
        ]
        executor.check()

    in_virtual_time(scenario())


def test_slots_of_a_replica_that_is_never_seen_again_go_on_after_its_lease(in_virtual_time: InVirtualTime) -> None:
    """Where nobody can say that it is gone, its slots are another's only when it has ended by itself."""

    async def scenario() -> None:
        executor = Unreachable(chain())
        assert (await executor.run()).stop_reason is None
        assert [replica.slots for replica in executor.replicas] == [[4], [4]]
        assert executor.granted_at - executor.lost_at > LEASE_SECONDS
        executor.check()

    in_virtual_time(scenario())


class Broken(FailingExecutor):
    """Its replicas' reports break."""

    def finished(self, replica: FailingReplica, parcel: Parcel, made: Values) -> None:  # noqa: ARG002 - the executor's own
        """Say nothing that can be understood."""
        replica.reports.put_nowait(ValueError("this report breaks"))


def test_a_replica_whose_reports_break_is_not_waited_for(in_virtual_time: InVirtualTime) -> None:
    """Nobody hears of it any more that its slots are empty, so the run ends without waiting for that."""

    async def scenario() -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        with pytest.raises(ValueError, match="this report breaks"):
            await Broken(chain()).run()
        assert clock() - began < DRAIN_SECONDS

    in_virtual_time(scenario())


class Full(FailingExecutor):
    """Its CPU tasks are placed after a minute."""

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Wait for a place."""
        await asyncio.sleep(60)
        return await super().run_task(parcel, values)


def test_what_keeps_work_from_being_placed_is_said(
    in_virtual_time: InVirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    """Soon, with what waits for a place: the column, its rows, and since when."""

    async def scenario() -> None:
        executor = Full(chain(), there=Nodes({"a": 1}, lacks="no CPU is free"))
        assert (await executor.run()).stop_reason is None
        executor.check()

    with caplog.at_level("INFO"):
        in_virtual_time(scenario())
    said = [one.getMessage() for one in caplog.records if "no CPU is free" in one.getMessage()]
    assert re.fullmatch(
        r"nothing has happened for 5 s: waiting for \d CPU tasks? of column 'id' \(\d+ rows, for 5 s\); no CPU is free",
        said[0],
    )


class Drained(FailingExecutor):
    """The machine of the first replica is to go as soon as it has rows, of which it reports one and keeps the rest."""

    kept: int = 0

    def finished(self, replica: FailingReplica, parcel: Parcel, made: Values) -> None:
        """Say that the machine goes."""
        if replica.epoch > 1:
            super().finished(replica, parcel, made)
            return
        [(stage, block)] = made.items()
        first = np.arange(len(block)) == 0
        self.there = Nodes({}, frozenset({replica.node}))
        self.kept += len(block) - 1
        replica.reports.put_nowait({stage: part(block, first)})


def test_a_replica_whose_machine_goes_ends_first_and_goes_on_elsewhere(in_virtual_time: InVirtualTime) -> None:
    """It loses its slots, then leaves, then its successor is started; only what it had not reported is done again."""

    async def scenario() -> None:
        executor = Drained(chain())
        assert (await executor.run()).stop_reason is None
        assert [(replica.number, replica.epoch, replica.slots, replica.left) for replica in executor.replicas] == [
            (0, 1, [4, 0], True),
            (0, 2, [4], False),
        ]
        assert executor.kept
        assert sum(count - 1 for (stage, _), count in executor.made.items() if stage == 1) == executor.kept
        executor.check()

    in_virtual_time(scenario())


class Growing(FailingExecutor):
    """Machines join once the first record is reported; the others are reported half a minute later."""

    def finished(self, replica: FailingReplica, parcel: Parcel, made: Values) -> None:
        """Report, most of it later."""
        first, loop = parcel.rows == 0, asyncio.get_running_loop()
        [(stage, block)] = made.items()
        if first.any():
            replica.reports.put_nowait({stage: part(block, first)})
            self.there = Nodes({"large": 9})
        if not first.all():
            loop.call_later(30.0, replica.reports.put_nowait, {stage: part(block, ~first)})


def wide() -> Plan:
    """As `chain`, with slots for three replicas."""
    made = chain()
    pools = {alias: replace(pool, slots=700) for alias, pool in made.pools.items()}
    return replace(made, pools=pools)


@pytest.mark.parametrize(("need", "replicas"), [(CpuTime(9.0, 9.0), 3), (CpuTime(1.0, 9.0), 1), (None, 1)])
def test_machines_that_join_get_replicas_where_these_are_short_of_cpus(
    need: CpuTime | None, replicas: int, in_virtual_time: InVirtualTime
) -> None:
    """As many as there would have been with these machines from the start, and none where the model is the bound."""

    async def scenario() -> None:
        executor = Growing(wide(), there=Nodes({"small": 1}), need=need)
        assert (await executor.run()).stop_reason is None
        assert sorted(replica.number for replica in executor.replicas) == list(range(replicas))
        assert sum(replica.slots[-1] for replica in executor.replicas) == 700
        executor.check()

    in_virtual_time(scenario())


class Late(FailingExecutor):
    """The first report comes late: its rows were taken back, and all but one of the batch were done again."""

    late: Values | None = None
    """What comes late."""
    last: tuple[FailingReplica, Values] | None = None
    """The last row and who has done it. It is reported when the late report is there."""
    given = False
    again = 0
    """Rows that were reported since."""

    def finished(self, replica: FailingReplica, parcel: Parcel, made: Values) -> None:
        """Hold back what is to come late, and the row that is to come last."""
        if self.late is None:
            self.late = made
            self.taken_back(replica)
            return
        [(stage, block)] = made.items()
        is_last = parcel.rows == self.plan.geometry.num_records - 1
        if is_last.any():
            self.last = replica, {stage: part(block, is_last)}
        if not is_last.all():
            self.again += int((~is_last).sum())
            replica.reports.put_nowait({stage: part(block, ~is_last)})
        if self.again == self.plan.geometry.num_records - 1 and self.last is not None:
            self.replicas[0].reports.put_nowait(self.late)
            self.given = True

    def taken_back(self, replica: FailingReplica) -> None:
        """Make sure that the rows of the late report are taken back."""
        raise NotImplementedError

    def collected(self, replica: FailingReplica) -> None:
        """Once the late report was taken, report the last row."""
        if self.given and replica is self.replicas[0] and replica.reports.empty():
            self.report_last()

    def report_last(self) -> None:
        """Let the batch be complete."""
        assert self.last is not None
        replica, row = self.last
        replica.reports.put_nowait(row)
        self.given = False

    def check(self) -> None:
        """Nothing that came late is in the dataset."""
        super().check()
        assert self.late is not None
        [block] = self.late.values()
        assert len(block)
        committed = {cells["text"] for rows in self.written.values() for cells in rows.values()}
        assert committed.isdisjoint(block.columns["text"])


class LateFromTheDead(Late):
    """Its replica cannot be given any more rows, so that another gets them, and says something all the same."""

    def taken_back(self, replica: FailingReplica) -> None:
        """The next rows do not get through."""
        replica.broken = ReplicaDiedError("connection reset")

    def collected(self, replica: FailingReplica) -> None:
        """After its last words there is an end."""
        if self.given and replica is self.replicas[0] and replica.reports.empty():
            replica.reports.put_nowait(ReplicaDiedError("connection reset"))
            self.report_last()


class LateOfWhatIsGone(Late):
    """What its rows were made of was lost and made again."""

    def taken_back(self, replica: FailingReplica) -> None:  # noqa: ARG002 - for the other kind
        """Whoever looks next finds the samplers' values gone."""
        self.faults["submit"] = [first_gone]


@pytest.mark.parametrize(("kind", "replicas"), [(LateFromTheDead, 2), (LateOfWhatIsGone, 1)])
def test_a_report_about_rows_that_were_taken_back_changes_nothing(
    kind: type[Late], replicas: int, in_virtual_time: InVirtualTime
) -> None:
    """Neither its values nor its verdicts count: what was done since is committed, and fits together."""

    async def scenario() -> None:
        executor = kind(chain(20, 20))
        assert (await executor.run(replicas)).stop_reason is None
        executor.check()

    in_virtual_time(scenario())


def part(block: Block, chosen: Flags) -> Block:
    """Some rows of a block."""
    columns = {
        name: [c for c, is_in in zip(cells, chosen, strict=True) if is_in] for name, cells in block.columns.items()
    }
    return Block(block.rows[chosen], columns)
