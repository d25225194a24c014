"""The state of an open batch: its counters agree with its arrays, whatever events name."""

import numpy as np

from data_designer.engine.scheduling.batch_state import OpenBatch
from data_designer.engine.scheduling.events import StageShape

STAGES = (StageShape("", False, (), 0), StageShape("m", False, (0,), 1))


def test_a_row_that_is_lost_twice_at_once_goes_back_once() -> None:
    """A report names a row twice that was taken back from its replica and given to it again; so does its loss."""
    batch = OpenBatch(0, range(2), STAGES)
    both = np.arange(2)
    list(batch.roots())
    for stage in (0, 1):
        batch.dispatch(stage, both, 1)
        list(batch.finish(stage, both))
    assert batch.unfinished == 0
    batch.undo(1, np.array([0, 0]))
    batch.check_invariants()
    assert (batch.unfinished, batch.active) == (1, 1)
