"""What is ready to run in one pool."""

import numpy as np

from data_designer.engine.protocol.rows import Rows
from data_designer.engine.scheduling.events import StageShape
from data_designer.engine.scheduling.ready_queue import ReadyRows

STAGES = (StageShape("local", False, (), 0), StageShape("local", True, (0,), 1), StageShape("local", False, (1,), 2))


def rows(start: int, stop: int) -> Rows:
    """Consecutive record indices."""
    return np.arange(start, stop, dtype=np.int64)


def all_ready(batch: int, stage: int, ready: Rows) -> Rows:
    """Nothing was withdrawn."""
    return ready


def none_ready(batch: int, stage: int, ready: Rows) -> Rows:
    """Everything was withdrawn."""
    return ready[:0]


def test_deepest_stage_first_then_oldest_batch() -> None:
    """Old batches finish first, whatever came in first."""
    queue = ReadyRows(STAGES)
    queue.put(1, 0, rows(10, 12))
    queue.put(0, 0, rows(0, 2))
    queue.put(1, 2, rows(14, 15))
    taken = [queue.take(2, all_ready) for _ in range(3)]
    assert [(stage, found.tolist()) for stage, found in taken if found is not None] == [  # type: ignore[misc]
        (2, [14]),
        (0, [0, 1]),
        (0, [10, 11]),
    ]


def test_the_queue_knows_how_many_rows_wait() -> None:
    """Rows that are put, taken, put back and withdrawn are counted as they come and go."""
    queue = ReadyRows(STAGES)
    queue.put(0, 0, rows(0, 10))
    queue.put(0, 1, rows(0, 10))
    assert queue.waiting == 20
    assert queue.take(3, all_ready) is not None
    assert queue.waiting == 10, "a whole-batch stage is not divided"
    assert queue.take(3, all_ready) is not None
    assert queue.waiting == 7
    assert queue.take(3, none_ready) is None
    assert queue.waiting == 0
