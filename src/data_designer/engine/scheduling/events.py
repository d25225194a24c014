"""What the scheduler is told (events) and what it answers (commands)."""

from dataclasses import dataclass, field
from typing import TypeAlias

from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import CellCount, Flags, Replays, Rows
from data_designer.plan.model import Geometry

# --- events ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The run begins, where an earlier one may have ended."""

    at: ResumePoint = field(default_factory=ResumePoint)


@dataclass(frozen=True, slots=True)
class ReplicaUp:
    """An incarnation of a replica has acknowledged its epoch and waits for slots and rows."""

    replica: int
    epoch: int
    pool: str


@dataclass(frozen=True, slots=True)
class ReplicaLost:
    """An incarnation cannot be reached: what it holds is done elsewhere."""

    replica: int
    epoch: int
    silent: bool = True
    """Whether it is known to issue no more requests. If not, its slots stay taken until `ReplicaSilent`."""


@dataclass(frozen=True, slots=True)
class ReplicaLeaving:
    """The node on which an incarnation lives is about to go: it is to end first, and go on elsewhere."""

    replica: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Another executor takes part: its replicas are about to come up, and those that are there give way to them."""

    replicas: dict[str, int]
    """Model alias to how many come up."""
    stand_ins: frozenset[int]
    """Numbers of those that give way."""
    held_bytes: int
    """Values of open batches that fit there."""


@dataclass(frozen=True, slots=True)
class ReplicaSilent:
    """A lost incarnation is known to issue no more requests: it is dead, or its lease has run out."""

    replica: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Rows did not reach a replica that lives on, because values they need are gone."""

    replica: int
    epoch: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Regranted:
    """A replica has acknowledged its new number of slots."""

    replica: int
    epoch: int
    slots: int


@dataclass(frozen=True, slots=True)
class RowsDone:
    """A replica finished some rows of a stage, sent to it under `tickets`."""

    replica: int
    epoch: int
    stage: int
    rows: Rows
    tickets: Rows
    kept: Flags
    """False where the row was rejected."""
    bytes: int = 0
    cells: tuple[CellCount, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskDone:
    """A CPU task finished; `kept` is aligned with the rows it was given."""

    ticket: int
    kept: Flags
    bytes: int = 0
    cells: tuple[CellCount, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskLost:
    """A CPU task's process died, or it could not start because values it needs are gone."""

    ticket: int
    reason: str
    started: bool = True


@dataclass(frozen=True, slots=True)
class ValuesLost:
    """The results of finished rows are gone, with the node that held them."""

    stage: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch and its receipt are on disk."""

    batch: int


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """A batch could not be written; nothing new of it is visible."""

    batch: int
    reason: str
    hopeless: bool = False
    """Whether trying again cannot help."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes. `now` is in seconds on any steady clock."""

    now: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Send nothing more, let what is under way finish, commit what is complete, end. Everything stays resumable."""

    reason: str


@dataclass(frozen=True, slots=True)
class Drained:
    """After `Abandon`: nothing is under way any more, or it was waited for long enough."""


Event: TypeAlias = (
    Started
    | ReplicaUp
    | ReplicaLost
    | ReplicaLeaving
    | Joined
    | ReplicaSilent
    | Undelivered
    | Regranted
    | RowsDone
    | TaskDone
    | TaskLost
    | ValuesLost
    | Committed
    | CommitFailed
    | Tick
    | Stop
    | Drained
)


# --- commands --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Give rows of a stage to a replica. `ticket` is unique: results are reported under it."""

    replica: int
    epoch: int
    stage: int
    rows: Rows
    ticket: int
    replays: Replays = ()


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run a `local` stage over rows in one CPU task."""

    ticket: int
    stage: int
    rows: Rows
    replays: Replays = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """Write a batch; beside what is there of it already, if anything is."""

    batch: int
    rows: Rows
    """The complete ones."""
    rejected: Rows
    failures: int = 0
    """How often that failed before; the next try waits longer each time."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Record that rows were rejected by the scheduler itself, at a stage, for a reason."""

    stage: int
    rows: Rows
    reason: str


@dataclass(frozen=True, slots=True)
class Regrant:
    """Tell a replica how many requests it may have in flight; it answers with `Regranted`."""

    replica: int
    epoch: int
    slots: int


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Take the last report of a replica that has given its slots back, and end it; `ReplicaLost` follows."""

    replica: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """The run is ending: start no further request, and say `Drained` when those under way are done."""

    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """No value of this batch will be asked for again."""

    batch: int


@dataclass(frozen=True, slots=True)
class HoldBack:
    """The values of open batches have reached their limit: no batch is opened for now. Said once a run."""

    batch: int
    """The one that holds most."""
    bytes: int
    """What the open batches hold together."""


Command: TypeAlias = Send | RunTask | Commit | Reject | Regrant | Dismiss | Abandon | Forget | HoldBack


# --- what the scheduler must know of a plan ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageShape:
    """A stage, as far as scheduling goes. Stages are listed so that upstream ones come first."""

    pool: str
    whole_batch: bool
    upstream: tuple[int, ...]
    depth: int
    columns: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    """Further aliases that its rows ask, beside that of its pool."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A plan, as far as scheduling goes."""

    stages: tuple[StageShape, ...]
    slots: dict[str, int]
    """Model alias to its `max_parallel_requests`."""
    geometry: Geometry
    workers: int = 4
    """CPU tasks running at once."""
    max_open_batches: int | None = None
    max_rows_out: int | None = None
    held_bytes: int = 1 << 62
    """Values of open batches beyond which nothing is admitted."""
    error_rate: float = 0.5
    error_window: int = 10
    inference_columns: frozenset[str] = field(default_factory=frozenset)
    replicas: dict[str, int] = field(default_factory=dict)
    """Model alias to how many replicas it starts with, where there are several."""
    shared: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """Requests in flight that some aliases may have together, where that is limited."""
    rows_a_slot: dict[str, int] = field(default_factory=dict)
    """Model alias to the rows that one request may ask for together, where they are several."""
    rows_a_request: dict[str, int] = field(default_factory=dict)
    """Inference column to the rows that it asks for together, where that is more than one: they fail together too."""
