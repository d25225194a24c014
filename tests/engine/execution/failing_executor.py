"""An executor whose values say what they were made of, and which fail as often as a test tells them to."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.fakes import model
from tests.plans import compiled, texts

from data_designer.engine.execution.driver import Driver, RunReport
from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.protocol.executor import ValuesGoneError
from data_designer.engine.protocol.messages import CommitJob, Finished, Summary, TaskSummary
from data_designer.engine.protocol.nodes import Nodes
from data_designer.engine.protocol.parcels import Parcel, Values, gather
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.engine.scheduling.shape import shape_of
from data_designer.models.admission.budget_lease import Amount
from data_designer.models.retry import CallerStatistics
from data_designer.plan.model import Plan
from data_designer.values import Block, Usage


def chain(records: int = 40, buffer_size: int = 10) -> Plan:
    """A sampler, a text column of a model with four slots, and a verdict on it that a CPU gives."""
    made = texts([model("m", max_parallel_requests=4)], text=("m", "{{ id }}"))
    made.add_column(
        name="good", column_type="validation", target_columns=["text"], validator_type="code",
        validator_params={"code_lang": "python"},
    )  # fmt: skip
    return compiled(made, records, buffer_size)


@dataclass(frozen=True)
class Cell:
    """A value that says what it was made of. No two are the same."""

    row: int
    serial: int
    maker: str
    inputs: tuple["Cell", ...]


MOST_FUTILE = 20
"""Values may be asked for after they are gone by what was under way, and by nothing else."""

Fault = Callable[[Sequence[Values]], Exception]
"""What goes wrong, given the values that came along."""


@dataclass
class FailingReplica:
    """A replica that has done everything at once, and reports when it is told to."""

    executor: "FailingExecutor"
    number: int
    epoch: int
    slots: list[int] = field(default_factory=list)
    broken: Exception | None = None
    """Why it can be given no more rows."""
    reports: "asyncio.Queue[Values | Exception]" = field(default_factory=asyncio.Queue)
    reported: int = 0
    left: bool = False
    """Whether its next report is the last."""
    looks: int = 0
    """How often somebody asked whether it is gone."""

    async def grant(self, slots: int) -> None:
        """Take note."""
        self.slots.append(slots)
        if not slots:
            self.reports.put_nowait({})

    @property
    def node(self) -> str:
        """Each has a machine of its own."""
        return f"node {self.number}.{self.epoch}"

    async def leave(self) -> None:
        """Report once more, if it may."""
        assert self.slots[-1:] == [0]
        self.left = True
        self.reports.put_nowait({})

    async def fund(self, amount: Amount) -> None:
        """There is no budget."""

    async def submit(self, parcel: Parcel, *values: Values) -> None:
        """Do the work, and hand it to the executor, which reports it unless a test has other plans."""
        if self.broken is not None:
            raise self.broken
        self.executor.fail("submit", values)
        made = self.executor.make(parcel, values, f"replica {self.number}.{self.epoch}")
        self.executor.finished(self, parcel, made)

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:  # noqa: ARG002 - the protocol's
        """Give the next report."""
        self.executor.collected(self)
        report = await self.reports.get()
        if isinstance(report, Exception):
            raise report
        self.reported += 1
        finished = tuple(self._finished(stage, block) for stage, block in report.items())
        statistics = CallerStatistics(Usage(failed_requests=1))
        summary = Summary(
            self.reported, finished, statistics, drained=self.slots[-1:] == [0],
            cpu=self.executor.need, last=self.left and self.reports.empty(),
        )  # fmt: skip
        return summary, report

    def _finished(self, stage: int, block: Block) -> Finished:
        tickets: list[int] = block.columns["__ticket__"]
        kept = np.ones(len(block), dtype=np.bool_)
        return Finished(stage, block.rows, np.array(tickets, dtype=np.int64), kept, (), 0)

    def is_gone(self) -> bool:
        """Seen to be gone at the look that the executor says."""
        self.looks += 1
        return self.executor.seen_gone_at is not None and self.looks >= self.executor.seen_gone_at


@dataclass
class FailingExecutor:
    """An executor whose values say what they were made of, and which fail as often as a test tells them to."""

    plan: Plan
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """`submit`, `run_task`, `write` or `publish` to what goes wrong at its next calls that are given values."""
    seen_gone_at: int | None = None
    replicas: list[FailingReplica] = field(default_factory=list)
    jobs: list[CommitJob] = field(default_factory=list)
    """Every try to write."""
    made: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(stage, row) to how often it was made."""
    written: dict[int, dict[int, dict[str, Cell]]] = field(default_factory=dict)
    """Batch to its rows as they were last written."""
    published: list[int] = field(default_factory=list)
    serials: Iterator[int] = field(default_factory=itertools.count)
    there: Nodes | None = None
    """The machines that there are."""
    need: CpuTime | None = None
    """What each replica says that it needs of a CPU."""
    gone: list[Values] = field(default_factory=list)
    futile: int = 0
    """How often something that was gone already was asked for."""

    def fail(self, where: str, values: Sequence[Values]) -> None:
        """Fail if it is time to. What is gone stays gone."""
        waiting = self.faults.get(where)
        if waiting and values:
            error = waiting.pop(0)(values)
            if isinstance(error, ValuesGoneError):
                self.gone.append(values[error.place])
            raise error
        for place, value in enumerate(values):
            if any(value is gone for gone in self.gone):
                self.futile += 1
                assert self.futile < MOST_FUTILE, "values that are gone are asked for again and again"
                raise ValuesGoneError(place)

    def make(self, parcel: Parcel, values: Sequence[Values], maker: str) -> Values:
        """Make the cells of a stage."""
        stage = self.plan.stages[parcel.stage]
        inputs = gather(parcel, values, stage.needs).columns
        rows = parcel.rows.tolist()
        self.made.update((parcel.stage, row) for row in rows)
        given = [tuple(inputs[name][place] for name in stage.needs) for place in range(len(rows))]
        cells = [Cell(row, next(self.serials), maker, some) for row, some in zip(rows, given, strict=True)]
        columns: dict[str, list[Any]] = dict.fromkeys(stage.makes, cells)
        return {parcel.stage: Block(parcel.rows, {**columns, "__ticket__": [parcel.ticket] * len(rows)})}

    def finished(self, replica: FailingReplica, parcel: Parcel, made: Values) -> None:  # noqa: ARG002 - for those that wait
        """Rows of a replica are done."""
        replica.reports.put_nowait(made)

    def collected(self, replica: FailingReplica) -> None:
        """Somebody waits for a report."""

    async def start_replica(self, number: int, alias: str, epoch: int) -> FailingReplica:  # noqa: ARG002 - the protocol's
        """Start one."""
        self.replicas.append(FailingReplica(self, number, epoch))
        return self.replicas[-1]

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Do CPU work."""
        self.fail("run_task", values)
        return TaskSummary(np.ones(len(parcel), dtype=np.bool_), 0), self.make(parcel, values, "worker")

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Write a batch."""
        self.jobs.append(job)
        self.fail("write", values)
        columns = gather(job.kept, values, ["id", "text", "good"]).columns
        self.written[job.batch] = {
            row: {name: cells[place] for name, cells in columns.items()}
            for place, row in enumerate(job.kept.rows.tolist())
        }
        return Receipt(job.batch, len(job.kept), len(job.kept), 0, files=())

    def publish(self, receipt: Receipt) -> Receipt:
        """Make a batch visible."""
        self.fail("publish", [{}])
        self.published.append(receipt.batch)
        return receipt

    async def nodes(self) -> Nodes | None:
        """Look."""
        return self.there

    def hold(self, values: Values) -> Values:
        """Values are their own reference."""
        return values

    async def run(self, replicas: int = 1) -> RunReport:
        """Run the plan."""
        scheduler = Scheduler(shape_of(self.plan))
        driver: Driver[Values] = Driver(
            self.plan, scheduler, self, dict.fromkeys(range(replicas), "m"), publish=self.publish
        )
        report = await driver.run()
        scheduler.check_invariants()
        return report

    def gone_cells(self) -> set[tuple[int, int]]:
        """(stage, row) of everything that was gone."""
        blocks = [item for values in self.gone for item in values.items()]
        return {(stage, row) for stage, block in blocks for row in block.rows.tolist()}

    def check(self) -> None:
        """Every batch is there once with every row, and no row's columns were made of anything else than it has."""
        geometry = self.plan.geometry
        assert sorted(self.published) == list(geometry.batches())
        for batch, rows in self.written.items():
            assert list(rows) == list(geometry.records(batch))
            for row, cells in rows.items():
                assert {cell.row for cell in cells.values()} == {row}
                assert cells["id"].inputs == ()
                assert cells["text"].inputs == (cells["id"],)
                assert cells["good"].inputs == (cells["text"],)
