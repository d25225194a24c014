"""How much of a run's work is done, as its scheduler counts it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What has become of the rows of this run, stage by stage. What was lost and is made again is not done."""

    done: tuple[int, ...]
    """Rows that have their values of a stage."""
    gone: tuple[int, ...]
    """Rows that were rejected before they had: nothing of them is left to do there."""
    held_back_by: tuple[int, int] | None = None
    """The open batch that holds most, and the bytes that all of them hold, where these keep a batch from being opened
    whose rows are wanted."""
    stop_reason: str | None = None
    """Why nothing further is begun."""
