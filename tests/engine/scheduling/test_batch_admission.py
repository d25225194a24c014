"""When another batch may be opened."""

import random

from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.batch_admission import BatchAdmission
from data_designer.engine.scheduling.batch_state import OpenBatch
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.plan.model import LOCAL, Geometry

STAGES = (ev.StageShape(LOCAL, True, (), 0), ev.StageShape("m", False, (0,), 1))


def shape(**options: int) -> ev.Shape:
    """One sampler stage and one model stage; 10 records a batch."""
    return ev.Shape(STAGES, {"m": 4}, geometry=Geometry(200, 10), **options)  # type: ignore[arg-type]


def batch(number: int, held: int) -> OpenBatch:
    """An open batch that holds so many bytes."""
    opened = OpenBatch(number, range(number * 10, number * 10 + 10), STAGES)
    opened.bytes = held
    return opened


def test_the_first_batch_is_always_opened() -> None:
    """A batch that exceeds every limit by itself must not stop the run."""
    admission = BatchAdmission(shape(held_bytes=1))
    assert admission.may_open([], wanted=0)
    assert admission.held_back_by([]) is None


def test_values_at_the_limit_hold_further_batches_back_and_name_the_largest() -> None:
    """What is held counts, and the message can name the batch that holds most."""
    small, large = batch(0, 300), batch(1, 700)
    assert BatchAdmission(shape(held_bytes=1001)).held_back_by([small, large]) is None
    assert BatchAdmission(shape(held_bytes=1000)).held_back_by([small, large]) is large


def test_what_open_batches_will_hold_counts_once_a_batch_is_done() -> None:
    """Batches that have just been opened hold nothing yet, but will."""
    admission = BatchAdmission(shape(held_bytes=2500))
    fresh = batch(1, 0)
    assert admission.held_back_by([fresh]) is None
    admission.done(batch(0, 1000))
    assert admission.bytes_a_record == 100
    assert admission.held_back_by([fresh]) is None
    admission.done(batch(2, 2000))
    assert admission.bytes_a_record == 150
    assert admission.held_back_by([fresh]) is fresh


def test_a_run_whose_values_exceed_the_limit_says_so_once_and_finishes() -> None:
    """The limit slows a run down and never stops it."""
    said = []

    class Listening(Simulation):
        def obey(self, command: ev.Command) -> None:
            if isinstance(command, ev.HoldBack):
                said.append(command)
            super().obey(command)

    tight = Listening(shape(held_bytes=150), World(), random.Random(1), proving=True).run()
    free = Simulation(shape(), World(), random.Random(1), proving=True).run()
    assert tight.committed == free.committed == 200
    assert len(said) == 1
    assert said[0].bytes > 0
    assert tight.most_open < free.most_open
