"""What executors are given, and what they report."""

from dataclasses import dataclass

from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.protocol.parcels import Parcel
from data_designer.engine.protocol.rows import CellCount, Flags, Rows
from data_designer.engine.protocol.task_trace import TaskTrace
from data_designer.models.admission.budget_lease import BudgetReport
from data_designer.models.admission.request_admission import Hold
from data_designer.models.admission.slot_ledger import SlotTime
from data_designer.models.admission.slots import SlotStatistics
from data_designer.models.retry import Answers, CallerStatistics


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What the driver reads of a finished CPU task."""

    kept: Flags
    bytes: int
    cells: tuple[CellCount, ...] = ()
    seconds: float = 0.0
    """That it took where it ran."""
    traces: tuple[TaskTrace, ...] = ()
    """One for each column that it made, where the run is traced."""


@dataclass(frozen=True, slots=True)
class CommitJob:
    """A batch to write. The parcels point into the values that travel along."""

    batch: int
    kept: Parcel
    """The complete rows, with values of every stage."""
    rejected: Rows
    rejects: tuple[Parcel, ...]
    """For each stage, the rejected rows that have values of it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Rows of one stage that a replica reports."""

    stage: int
    rows: Rows
    tickets: Rows
    kept: Flags
    cells: tuple[CellCount, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the driver reads of a report; the values travel beside it, unopened."""

    number: int
    """Reports are numbered from 1; the next `collect` acknowledges by number."""
    finished: tuple[Finished, ...]
    statistics: CallerStatistics | None
    outage: str | None = None
    """The endpoint's words, when it has been failing for longer than the run is willing to wait."""
    drained: bool = False
    """Whether nothing is under way, since the last slot was taken away."""
    budget_lease: BudgetReport | None = None
    """Where there is a budget: what was spent, and what is wanted."""
    load: SlotStatistics | None = None
    """Requests that are and may be in flight."""
    cpu: CpuTime | None = None
    """What the process needed of a CPU since the last report."""
    last: bool = False
    """Whether there is no further report: what else it held is for others to do."""
    held: int | None = None
    """Rows that are left to report; None where that is not said."""
    hold: Hold | None = None
    """What keeps its requests back."""
    slot_time: SlotTime | None = None
    """What its slots did since the last report."""
    answers: tuple[Answers, ...] = ()
    """What the requests of each column were answered since then."""
    ahead: tuple[CellCount, ...] = ()
    """Cells that are done in rows which are still under way there."""
    latency: float | None = None
    """Seconds: the median of what was answered since the last report; None where nothing was."""
    rises_in: float | None = None
    """Seconds until its limit of requests in flight may rise, where refusals have brought that down."""
    traces: tuple[TaskTrace, ...] = ()
    """Of the cells that were done since the last report, where the run is traced."""
