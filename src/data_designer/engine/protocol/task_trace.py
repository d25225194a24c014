"""When the work on one cell, or on one column of many rows, began and ended."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskTrace:
    """One task of a traced run. Times are seconds since the epoch, by the clock of the machine that did it."""

    column: str
    """The column that it made."""
    row_group: int
    """The batch; of a task for many rows, that of the first of them."""
    row_index: int | None
    """The record's index in the dataset; None for a task that made a column of many rows."""
    task_type: str
    """`cell`, which stands next to a model, or `batch`, which a CPU task made for many rows."""
    dispatched_at: float
    """When whoever does it took it in hand: all that it is made from was there."""
    slot_acquired_at: float | None
    """When its first request was sent, or its work on a CPU began; None for a cell that sent no request."""
    completed_at: float
    """When it was done."""
    status: str
    """`ok` or `error`."""
    error: str | None = None
    """Kind and message of what it failed for."""
