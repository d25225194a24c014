"""What holds a run up is said in words that fit a line."""

from typing import Any

import pytest
from tests.fakes import model
from tests.plans import compiled, texts

from data_designer.engine.execution.observation import Standing
from data_designer.engine.observe.reasons import Asked, Situation, duration, reasons, size
from data_designer.engine.scheduling.holds import Lasting
from data_designer.engine.scheduling.liveness import Computing
from data_designer.engine.scheduling.work import Work
from data_designer.models.admission.request_admission import Hold
from data_designer.plan.model import Stage

FULL = Asked(left=True, in_flight=16, limit=16, granted=16)
IDLE = Asked(left=True, in_flight=1, limit=16, granted=16)


def held(kind: Any, seconds: float, until: float = 0.0, **more: Any) -> Asked:
    """A model that is held back for so long."""
    hold = Hold("its words", kind=kind, patience=1800.0, is_trouble=kind in ("down", "refused"), **more)
    return Asked(left=True, in_flight=3, limit=16, granted=16, hold=Lasting(hold, seconds, until))


def said(asked: Asked = FULL, *, stages: tuple[Stage, ...] = (), **standing: Any) -> tuple[str, ...]:
    """What is said of a run with one model."""
    work = standing.pop("work", Work((), ()))
    return reasons(Situation({"m": asked}, stages, Standing(work, **standing), elapsed=60.0))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (FULL, ()),
        (held("down", 40.0), ("m: endpoint down for 40 s, waiting up to 30 min",)),
        (held("down", 1.0, worth_saying_after=2.5), ()),
        (held("refused", 95.0, until=8.0), ("m: only 429 for 2 min, asked again in 8 s, waiting up to 30 min",)),
        (held("rest", 0.0, until=8.0), ("m: its words",)),
        (held("silent", 12.0), ("m: no reply for 12 s, 3 under way",)),
        (held("silent", 3.0), ()),
        (Asked(True, 3, 3, 16, rises_in=12.0), ("m: 429, limit 16 → 3, rises again in 12 s",)),
        (Asked(True, 3, 3, 16, rises_in=0.0), ("m: 429, limit 16 → 3, rising",)),
        (Asked(True, 3, 3, 16), ()),
    ],
    ids=["nothing", "down", "a moment", "429 only", "rest", "silent", "not for long", "lowered", "rising", "a ramp"],
)
def test_what_holds_a_model_back_is_said(asked: Asked, words: tuple[str, ...]) -> None:
    """Refusals with the limit, outages with how long they may last; what is nothing unusual is not said."""
    assert said(asked) == words


def test_what_stops_a_run_comes_before_what_slows_it() -> None:
    """The outage of one model before the refusals of another."""
    lowered, down = Asked(True, 3, 3, 16, rises_in=12.0), held("down", 40.0)
    found = reasons(Situation({"a": lowered, "b": down}))
    assert [word[0] for word in found] == ["b", "a"]


def test_values_hold_a_run_up_where_models_could_take_more() -> None:
    """Full memory with full slots is no news."""
    work = Work((), (), held_back_by=(12, 2_100_000_000))
    assert said(IDLE, work=work) == ("memory: batch 12 and others hold 2.1 GB; no further one is opened",)
    assert said(FULL, work=work) == ()


def test_cpu_work_is_named_by_its_columns_where_models_wait_for_it() -> None:
    """With its rows, and since when."""
    stages = compiled(texts([model("m")], draft=("m", "about {{ id }}")), 10).stages
    computing = {0: Computing(256, 12.0)}
    assert said(IDLE, stages=stages, computing=computing) == ("waiting for CPU: column id (256 rows, for 12 s)",)
    assert said(FULL, stages=stages, computing=computing) == ()
    assert said(IDLE, stages=stages, computing={0: Computing(256, 1.0)}) == ()


def test_what_is_being_started_is_said() -> None:
    """A Ray; else replicas without which a model has no slots."""
    nothing_up = Asked(left=True)
    assert said(nothing_up, opening="starting Ray", starting=("m",)) == ("starting Ray",)
    assert said(nothing_up, starting=("m", "m")) == ("m: starting",)
    assert said(FULL, starting=("m",)) == ()


def test_a_disk_that_is_waited_for_is_said() -> None:
    """Where nothing is asked meanwhile."""
    done = Asked(left=False)
    assert said(done, writing=40.0) == ("waiting for the disk: a batch is being written for 40 s",)
    assert said(FULL, writing=40.0) == ()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89.4, "89 s"), (90.0, "2 min"), (1800.0, "30 min"), (5400.0, "1 h 30 min"), (7200.0, "2 h")],
)
def test_durations_are_said_as_a_person_would(seconds: float, words: str) -> None:
    """To what matters of them."""
    assert duration(seconds) == words


def test_sizes_are_said_as_a_person_would() -> None:
    """In MB, or GB."""
    assert (size(2_100_000_000), size(5_000_000)) == ("2.1 GB", "5.0 MB")
