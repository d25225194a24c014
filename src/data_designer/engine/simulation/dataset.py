"""What a simulated run keeps: by default nothing, for a forecast needs no values."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import Flags, Replays, Rows
from data_designer.engine.scheduling import events as ev

CellKey: TypeAlias = tuple[int, int]
"""(stage, record index)"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of one stage, as it was sent to a process."""

    stage: int
    row: int
    ticket: int
    made_of: str = ""
    """The values that came along, where there are values."""
    known: int = 0
    """The moment for which the journal is known, where there is a journal."""


class Process(Protocol):
    """What one simulated process writes down of its answers."""

    def learn(self, replays: Replays) -> None:
        """Read what the journal knows of some batches. Raises OSError."""

    def cells(self, command: ev.Send) -> Iterable[Cell]:
        """The cells of rows that were sent, with the values that come along."""

    def ask(self, cell: Cell) -> tuple[str, bool]:
        """The answer to a cell, and whether somebody had to be asked for it."""

    def note(self, cell: Cell, answer: str) -> None:
        """Take an answer down."""

    def flush(self) -> bool:
        """Write what was noted; says whether that is to be synced. Raises OSError."""

    def sync(self) -> None:
        """Make durable what was written. Raises OSError."""


class Dataset(Protocol):
    """Where the values, the journal and the commits of a simulated run are kept."""

    def open(self) -> ResumePoint:
        """Find out what is there already."""

    def close(self) -> None:
        """End the run."""

    def process(self, name: str) -> Process:
        """A new process."""

    def task(self, command: ev.RunTask) -> Callable[[], Sequence[str]]:
        """Take the inputs of CPU work. To be called when it is done, for its answers, which raises OSError."""

    def place(self, stage: int, rows: Rows, awaited: Flags, answers: Sequence[str]) -> None:
        """Hold the values of a report's rows that are still awaited."""

    def lose(self, stage: int, rows: Rows, held: Collection[CellKey]) -> None:
        """Values are gone, while cells are held by processes."""

    def doubt(self, held: Collection[CellKey]) -> None:
        """The process that holds some cells is taken for dead, and is not."""

    def forget(self, batch: int) -> None:
        """Let go of a batch's values."""

    def commit(self, command: ev.Commit) -> None:
        """Write a batch and publish it. Raises OSError."""


class NoDataset:
    """Keeps nothing: what is made is only counted. Its processes know and write nothing either."""

    def open(self) -> ResumePoint:
        """Nothing is there."""
        return ResumePoint()

    def close(self) -> None:
        """Nothing was opened."""

    def process(self, name: str) -> Process:  # noqa: ARG002 - the protocol's
        """All are one."""
        return self

    def task(self, command: ev.RunTask) -> Callable[[], Sequence[str]]:  # noqa: ARG002 - the protocol's
        """Answers are not kept."""
        return tuple

    def place(self, stage: int, rows: Rows, awaited: Flags, answers: Sequence[str]) -> None:
        """Values are not kept."""

    def lose(self, stage: int, rows: Rows, held: Collection[CellKey]) -> None:
        """Values are not kept."""

    def doubt(self, held: Collection[CellKey]) -> None:
        """Nobody minds."""

    def forget(self, batch: int) -> None:
        """Values are not kept."""

    def commit(self, command: ev.Commit) -> None:
        """Nothing is written."""

    def learn(self, replays: Replays) -> None:
        """There is no journal."""

    def cells(self, command: ev.Send) -> Iterable[Cell]:
        """No values come along."""
        return [Cell(command.stage, row, command.ticket) for row in command.rows.tolist()]

    def ask(self, cell: Cell) -> tuple[str, bool]:  # noqa: ARG002 - the protocol's
        """Nothing was answered before."""
        return "", True

    def note(self, cell: Cell, answer: str) -> None:
        """There is no journal."""

    def flush(self) -> bool:
        """There is no journal."""
        return False

    def sync(self) -> None:
        """There is no journal."""
