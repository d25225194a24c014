"""Whether a run gains by another executor: by what it needs and what is left, never by its size alone."""

import pytest

from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.scheduling.gain import Gain


def looks(gain: Gain, *, needed: float = 1.0, idle: float = 1.0, rate: int = 100, times: int = 10) -> list[bool]:
    """Look once a second, while so many rows a second are made."""
    found = []
    for _ in range(times):
        gain.made(rate)
        found.append(gain.look(CpuTime(needed, 1.0), idle))
    return found


def test_a_process_that_is_held_up_for_some_seconds_gains() -> None:
    """Not by a moment."""
    assert looks(Gain(100_000), times=4) == [False, False, True, True]


@pytest.mark.parametrize(("needed", "idle"), [(0.7, 1.0), (1.0, 0.4), (0.1, 4.0)])
def test_a_process_that_waits_or_has_all_cpus_already_does_not(needed: float, idle: float) -> None:
    """However much is left."""
    assert not any(looks(Gain(10**9), needed=needed, idle=idle))


def test_a_run_that_is_soon_over_does_not() -> None:
    """What is left is judged by how fast it goes: the same number of rows may take seconds or hours."""
    assert not any(looks(Gain(3_000), rate=100, times=30))
    assert any(looks(Gain(3_000), rate=1))


def test_a_run_that_makes_nothing_while_it_computes_gains() -> None:
    """Its first rows may take a while."""
    assert any(looks(Gain(1_000), rate=0))


def test_a_pause_begins_anew() -> None:
    """Only what was needed without a break counts."""
    gain = Gain(10**9)
    assert not any([*looks(gain, times=2), *looks(gain, needed=0.0, times=1), *looks(gain, times=2)])
