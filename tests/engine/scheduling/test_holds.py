"""A run says what keeps its models back, while it lasts and when it is over, and not too often."""

from collections.abc import Sequence

import pytest

from data_designer.engine.scheduling.holds import Holds
from data_designer.models.admission.request_admission import Hold

DOWN = Hold("HTTP 503: closed", worth_saying_after=2.5, is_trouble=True)
FULL = Hold("HTTP 429: full; it is asked again in 8 s", worth_saying_after=0.0, is_trouble=True)
SLOW = Hold("4 requests are under way")
Heard = tuple[float, int, Hold | None, bool]
"""When, from which replica, what, and whether it moves."""


def said(*heard: Heard, until: float) -> list[tuple[float, str]]:
    """What is said when, by somebody who looks four times a second."""
    holds, left, found = Holds(), list(heard), []
    for quarter in range(int(until * 4) + 1):
        now = quarter / 4
        while left and left[0][0] <= now:
            at, replica, hold, moves = left.pop(0)
            holds.heard("m", replica, hold, at, moves=moves)
        found += [(now, word.text) for word in holds.look(now)]
    return found


def every(seconds: float, hold: Hold, *, until: float, replica: int = 0, moves: bool = False) -> list[Heard]:
    """The same report again and again."""
    return [(seconds * number, replica, hold, moves) for number in range(int(until / seconds) + 1)]


def times(found: Sequence[tuple[float, str]]) -> list[float]:
    """When."""
    return [now for now, _ in found]


def test_an_endpoint_that_fails_is_said_after_a_moment_then_less_and_less_often() -> None:
    """With what it said, and for how long it has; a minute apart in the end."""
    found = said(*every(3.0, DOWN, until=200), until=200)
    assert times(found) == [2.5, 12.5, 32.5, 72.5, 132.5, 192.5]
    assert found[1][1] == "waiting for model 'm' for 12 s: HTTP 503: closed"


def test_that_it_goes_on_is_said_where_it_was_said_that_it_does_not() -> None:
    """Whoever reads the log need not wonder."""
    assert said((0.0, 0, DOWN, False), (6.0, 0, None, True), until=30)[1:] == [(6.0, "model 'm' goes on after 6 s")]
    assert said((0.0, 0, DOWN, False), (2.0, 0, None, True), until=30) == []


def test_a_wait_whose_end_is_known_to_be_far_is_said_at_once() -> None:
    """A refusal that asks for eight seconds."""
    assert said((1.0, 0, FULL, False), until=2) == [(1.0, f"waiting for model 'm' for 0 s: {FULL.text}")]


def test_slow_replies_are_said_only_where_no_replica_of_the_model_moves() -> None:
    """One that waits for its own last row is nothing out of the ordinary."""
    slow = every(3.0, SLOW, until=30)
    assert times(said(*slow, until=12)) == [5.0]
    moving = every(3.0, SLOW, until=30, replica=1, moves=True)
    assert said(*sorted([*slow, *moving], key=lambda one: one[0]), until=30) == []


def test_trouble_counts_though_others_move() -> None:
    """One of several replicas that reaches nothing is worth a line, and comes before what is only slow."""
    heard = [*every(3.0, DOWN, until=6), *every(3.0, SLOW, until=6, replica=1, moves=True)]
    found = said(*sorted(heard, key=lambda one: one[0]), until=6)
    assert [text for _, text in found] == ["waiting for model 'm' for 2 s: HTTP 503: closed"]


def test_a_replica_that_is_gone_keeps_nothing_back() -> None:
    """What it said last says nothing of the model."""
    assert times(said((0.0, 0, DOWN, False), until=60)) == [2.5]


@pytest.mark.parametrize("calm", [30.0, 100.0])
def test_trouble_that_comes_and_goes_is_not_said_each_time(calm: float) -> None:
    """Only after a calm are the times the first ones again."""
    heard: list[Heard] = [(0.0, 0, FULL, False), (1.0, 0, None, True)]
    heard += [(1.0 + calm, 0, FULL, False), (2.0 + calm, 0, None, True)]
    heard += [(12.0 + calm, 0, FULL, False), (13.0 + calm, 0, None, True)]
    found = [now for now, text in said(*heard, until=calm + 20) if text.startswith("waiting")]
    assert found == ([0.0, 31.0] if calm < 60 else [0.0, 101.0, 112.0])


def test_what_lasts_is_given_with_its_length_and_its_end() -> None:
    """Whether it is worth a word or not; nothing once it is over, or who said it is gone."""
    holds = Holds()
    assert holds.lasting(0.0) == {}
    rest = Hold("alone", until=8.0, kind="rest")
    holds.heard("m", 0, rest, 10.0)
    one = holds.lasting(13.0)["m"]
    assert (one.hold, one.seconds, one.until) == (rest, 3.0, 5.0)
    assert holds.lasting(30.0) == {}
    holds.heard("m", 0, None, 31.0)
    assert holds.lasting(31.0) == {}
