"""What carries work out, as the driver sees it: this process, a cluster, or virtual time."""

from collections.abc import Sequence
from typing import Protocol

from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.nodes import Nodes
from data_designer.engine.protocol.parcels import Parcel, Ref, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.models.admission.budget_lease import Amount

LEASE_SECONDS = 10.0
"""A replica on another machine that is not collected from for so long ends by itself, whatever it can reach."""


class ReplicaDiedError(Exception):
    """The process behind a replica is gone, or cannot be reached any more.

    Attributes:
        silent: whether it is known to issue no more requests.
    """

    def __init__(self, message: str, *, silent: bool = True) -> None:
        super().__init__(message)
        self.silent = silent


class TaskDiedError(Exception):
    """The process that ran a CPU task is gone."""


class ValuesGoneError(Exception):
    """Values that work needs went with the machine that held them; the work has not started.

    Attributes:
        place: which of the values that were given along.
    """

    def __init__(self, place: int) -> None:
        super().__init__(f"values {place} are gone")
        self.place = place


class ReplicaHandle(Protocol[Ref]):
    """One incarnation of a replica. Every method may raise ReplicaDiedError."""

    async def grant(self, slots: int) -> None:
        """Set its slots; returns once no more requests than that are in flight."""
        ...

    async def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        ...

    async def submit(self, parcel: Parcel, *values: Ref) -> None:
        """Give it rows, and the values that they point into."""
        ...

    async def collect(self, acknowledged: int) -> tuple[Summary, Ref]:
        """Wait for finished rows."""
        ...

    async def leave(self) -> None:
        """Start nothing more, and say in a last report what is done."""
        ...

    @property
    def node(self) -> str:
        """The machine on which it lives."""
        ...

    def is_gone(self) -> bool:
        """Whether its process can be seen to have ended. Never raises."""
        ...


class Executor(Protocol[Ref]):
    """What carries work out: this process, or a cluster."""

    async def start_replica(self, number: int, alias: str, epoch: int) -> ReplicaHandle[Ref]:
        """Start an incarnation of a replica, with no slots; all older work of it is cancelled."""
        ...

    async def run_task(self, parcel: Parcel, values: Sequence[Ref]) -> tuple[TaskSummary, Ref]:
        """Run a `local` stage over rows. Raises TaskDiedError when its process dies."""
        ...

    async def write(self, job: CommitJob, values: Sequence[Ref]) -> Receipt:
        """Write a batch's files, which nobody sees before they are published."""
        ...

    async def nodes(self) -> Nodes | None:
        """The machines that there are; None where that is not known. Never raises."""
        ...

    def hold(self, values: Values) -> Ref:
        """Turn values of this process into a reference."""
        ...
