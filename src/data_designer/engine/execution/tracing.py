"""Traces of tasks, collected where the work is done and taken along with its reports."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from data_designer.engine.protocol.task_trace import TaskTrace
from data_designer.models.asking import ASKING, AskingCell
from data_designer.models.request_spans import spans_are_wanted
from data_designer.plan.model import Geometry, Plan, Step
from data_designer.values import Drop, Nulled, Outcome, Reason

_LONGEST_ERROR = 500
"""Characters of a message that a trace repeats."""

Computed = TypeVar("Computed")


@dataclass(slots=True)
class CellTracing:
    """Says which cell asks, and keeps the traces of those that are done, until they are taken."""

    geometry: Geometry
    is_kept: bool = True
    """Whether traces are wanted; otherwise only those are served who watch requests."""
    clock: Callable[[], float] = time.time
    _done: list[TaskTrace] = field(default_factory=list)

    async def of(self, column: str, record: int, computing: Awaitable[Outcome]) -> Outcome:
        """Compute a cell. One that is given up leaves no trace."""
        cell, began = AskingCell(column, record), self.clock()
        outcome = await _within(cell, computing)
        self._keep(cell, record, began, outcome)
        return outcome

    async def of_group(
        self, column: str, records: Sequence[int], computing: Awaitable[Sequence[Outcome | Nulled]]
    ) -> Sequence[Outcome | Nulled]:
        """Compute cells that share a request, which is the first one's."""
        cell, began = AskingCell(column, records[0]), self.clock()
        outcomes = await _within(cell, computing)
        for record, outcome in zip(records, outcomes, strict=True):
            self._keep(cell, record, began, outcome)
        return outcomes

    def _keep(self, cell: AskingCell, record: int, began: float, outcome: Outcome | Nulled) -> None:
        if self.is_kept:
            failed = outcome.reason if isinstance(outcome, Drop | Nulled) else None
            batch, ended = self.geometry.batch_of(record), self.clock()
            self._done.append(
                TaskTrace(
                    cell.column, batch, record, "cell", began, cell.sent_at, ended, _status(failed), _error(failed)
                )
            )

    def take(self) -> tuple[TaskTrace, ...]:
        """The traces since the last call."""
        taken, self._done = tuple(self._done), []
        return taken


@dataclass(slots=True)
class BlockTracing:
    """The traces of one CPU task, which makes one column after the other for many rows."""

    geometry: Geometry
    first: int
    """Record index of its first row."""
    clock: Callable[[], float] = time.time
    done: list[TaskTrace] = field(default_factory=list)
    _dispatched: float = field(init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._dispatched = self._began = self.clock()

    def begin(self) -> None:
        """A step begins."""
        self._began = self.clock()

    def end(self, step: Step, failed: list[Reason], rows: int) -> None:
        """A step is done with some rows, of which some failed in it."""
        error = f"{len(failed)} of {rows} rows: {_error(failed[0])}" if failed else None
        batch, ended = self.geometry.batch_of(self.first), self.clock()
        for config in step.configs:
            self.done.append(
                TaskTrace(
                    config.name,
                    batch,
                    None,
                    "batch",
                    self._dispatched,
                    self._began,
                    ended,
                    "error" if failed and len(failed) == rows else "ok",
                    error,
                )
            )


async def _within(cell: AskingCell, computing: Awaitable[Computed]) -> Computed:
    """Compute what requests are made for in the name of a cell."""
    token = ASKING.set(cell)
    try:
        return await computing
    finally:
        ASKING.reset(token)


def cell_tracing(plan: Plan) -> CellTracing | None:
    """What traces the cells next to a model; None where nothing is traced and nobody watches requests."""
    watched = spans_are_wanted()
    return CellTracing(plan.geometry, plan.run.async_trace) if plan.run.async_trace or watched else None


def block_tracing(plan: Plan, first: int) -> BlockTracing | None:
    """What traces a CPU task whose first row has this record index; None where nothing is traced."""
    return BlockTracing(plan.geometry, first) if plan.run.async_trace else None


def _status(failed: Reason | None) -> str:
    return "ok" if failed is None else "error"


def _error(failed: Reason | None) -> str | None:
    return None if failed is None else f"{failed.kind}: {failed.message}"[:_LONGEST_ERROR]
