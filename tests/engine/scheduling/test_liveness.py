"""What is said of a run that does not move, when, and when nothing can come any more."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from data_designer.engine.scheduling.liveness import (
    BUSY_SECONDS,
    IDLE_SECONDS,
    Computing,
    Liveness,
    UnderWay,
    Waiting,
)

COLUMNS = ["column 'id'", "column 'text', column 'label'"]
MODELS = {3: "writer"}


def said(
    waiting: Waiting, under_way: UnderWay, until: float, moves: Sequence[float] = ()
) -> list[tuple[float, str, bool]]:
    """What is said, when, and whether it is the end, by somebody who looks four times a second."""
    of, found, moves = Liveness(COLUMNS, 0.0), [], list(moves)
    for quarter in range(int(until * 4) + 1):
        now = quarter / 4
        while moves and moves[0] <= now:
            of.moved(moves.pop(0))
        notice = of.look(now, waiting, under_way)
        if notice is not None:
            found.append((now, notice.text, notice.is_end))
            if notice.is_end:
                break
    return found


def test_work_that_is_under_way_may_take_its_time() -> None:
    """It is named after half a minute, then after twice as long each time, and never ended."""
    waiting = Waiting(tasks=(1, 1), held={3: 2}, batches=(7,))
    found = said(waiting, UnderWay(computes={1: Computing(40, 33.0)}, writes=True, models=MODELS), 1000)
    assert [now for now, _, _ in found] == [BUSY_SECONDS * 2**power for power in range(6)]
    assert not any(is_end for _, _, is_end in found)
    assert found[0][1] == (
        "nothing has happened for 30 s: waiting for 2 CPU tasks of column 'text', column 'label' (40 rows, for 33 s); "
        "batch 7 to be written; 2 rows at replica 3 of model 'writer'"
    )


def test_functions_that_take_their_time_are_named_sooner() -> None:
    """With their column, how many rows they were given, and since when; nobody else's time is known to be theirs."""
    found = said(Waiting(tasks=(0,)), UnderWay(computes={0: Computing(1, 12.5)}), 25)
    words = "nothing has happened for 10 s: waiting for 1 CPU task of column 'id' (1 row, for 12 s)"
    assert found == [(10.0, words, False), (20.0, words.replace("10 s:", "20 s:"), False)]


@pytest.mark.parametrize("under_way", [UnderWay(computes={0: Computing(9, 6.0)}), UnderWay(writes=True)])
def test_work_that_cannot_be_placed_is_said_soon(under_way: UnderWay) -> None:
    """With what keeps it, and never ended: whoever has the CPUs may give them back."""
    found = said(Waiting(tasks=(0,), batches=(3,)), replace(under_way, lacks="no CPU is free: end something"), 1000)
    assert [now for now, _, _ in found] == [IDLE_SECONDS * 2**power for power in range(8)]
    assert found[0][1].endswith("batch 3 to be written; no CPU is free: end something")
    assert not any(is_end for _, _, is_end in found)


def test_what_is_lacking_is_not_said_while_models_are_asked() -> None:
    """Their replies may be what makes the next work."""
    under_way = UnderWay(computes={0: Computing(9, 6.0)}, models=MODELS, lacks="no CPU is free")
    assert said(Waiting(tasks=(0,), held={3: 2}), under_way, 40)[0][0] == BUSY_SECONDS


def test_a_replica_that_is_being_started_is_named_soon() -> None:
    """Nothing else is under way, so it is said after some seconds; whoever starts it has a limit of its own."""
    found = said(Waiting(rest="slots of a replica of writer"), UnderWay(models=MODELS, starting=(3,)), 200)
    assert [now for now, _, _ in found] == [IDLE_SECONDS * 2**power for power in range(6)]
    assert found[0] == (5.0, "nothing has happened for 5 s: waiting for 1 replica of model 'writer' to start", False)


def test_where_nothing_can_come_the_run_ends() -> None:
    """Before that, what it waits for is said, and how long it waits."""
    found = said(Waiting(rest="OpenBatch(0)"), UnderWay(models=MODELS), 1000)
    assert [now for now, _, _ in found] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert found[0][1] == (
        "nothing has happened for 5 s: waiting for OpenBatch(0); if that does not come the run ends in 55 s"
    )
    words = "nothing has happened for 60 s: waiting for OpenBatch(0), which cannot come any more"
    assert found[-1] == (60.0, words, True)


def test_rows_that_a_replica_does_not_have_are_no_work() -> None:
    """Whoever holds nothing brings nothing, whatever it was sent."""
    waiting, under_way = Waiting(held={3: 1}), UnderWay(models=MODELS, empty=(3,))
    *_, last = said(waiting, under_way, 1000)
    assert last[2]
    assert "waiting for 1 row at replica 3 of model 'writer', which says that it has none" in last[1]


def test_whatever_happens_begins_the_wait_anew() -> None:
    """A run that moves every few seconds says nothing; after the last of them the times are the first ones again."""
    moves = [4.0 * number for number in range(30)]
    found = said(Waiting(), UnderWay(), 1000, moves)
    assert [now - moves[-1] for now, _, _ in found] == [5.0, 10.0, 20.0, 40.0, 60.0]
