"""How fast a run goes: rates of the last seconds, and the time that is left by them."""

import pytest

from data_designer.engine.observe.pace import CpuRate, Load, Made, Rate, seconds_left


def asked(seconds: float, latency: float, a_second: float) -> Rate:
    """An alias that has been asked for so long."""
    rate = Rate()
    for number in range(1, int(seconds * a_second) + 1):
        rate.add(number / a_second, 1, latency, latency)
    return rate


def test_a_rate_is_that_of_the_last_seconds() -> None:
    """What was before does not count, and what has not come since does."""
    rate = asked(100.0, 0.5, 4.0)
    assert rate.a_second(100.0) == pytest.approx(4.0, rel=0.05)
    assert rate.a_second(107.5) == pytest.approx(2.0, rel=0.1)
    assert rate.a_second(200.0) == 0.0


def test_replies_that_take_long_are_measured_over_longer() -> None:
    """So that a few of them do not make a rate."""
    rate = asked(200.0, 20.0, 0.1)
    assert rate.a_second(200.0) == pytest.approx(0.1, rel=0.2)


def test_a_rate_begins_when_the_first_of_them_were_sent() -> None:
    """It is heard of them when they are answered: sixteen at once after a second are no burst."""
    rate = Rate()
    rate.add(1.0, 16, 16.0, 1.0)
    assert rate.a_second(1.0) == pytest.approx(16.0)


def test_the_median_is_no_mean() -> None:
    """A few that take very long do not change it; before the first reply there is none."""
    rate = Rate()
    assert (rate.median(0.0), rate.mean(0.0)) == (None, None)
    for number in range(1, 11):
        rate.add(float(number), 10, 10.0, 1.0)
    rate.add(11.0, 1, 90.0, 90.0)
    assert rate.median(11.0) == 1.0
    assert rate.mean(11.0) == pytest.approx(190 / 101)


def test_what_was_measured_last_is_what_is_known_while_nothing_comes() -> None:
    """As in an outage."""
    rate = asked(10.0, 0.5, 4.0)
    assert (rate.median(1000.0), rate.mean(1000.0)) == (0.5, 0.5)


def test_cpu_work_has_a_rate_where_it_is_busy() -> None:
    """What waits for models most of the time has none of its own."""
    busy, idle = CpuRate(), CpuRate()
    assert busy.a_second(0) is None
    for second in range(10):
        busy.add(Made(float(second), (20 * second,), frozenset({0})))
        idle.add(Made(float(second), (20 * second,), frozenset({0} if second % 4 == 0 else ())))
    assert busy.a_second(0) == pytest.approx(20.0)
    assert idle.a_second(0) is None


FULL = Load(left=100, limit=10, latency=1.0, a_second=5.0, answered=50, is_full=True)


@pytest.mark.parametrize(
    ("loads", "cpu", "chain", "seconds"),
    [
        ([FULL], [], 0.0, 10.0),
        ([FULL, Load(left=50, limit=1, latency=1.0)], [], 0.0, 50.0),
        ([Load(left=100, limit=10, latency=1.0, a_second=5.0, answered=50)], [], 0.0, 20.0),
        ([Load(left=100, limit=10, latency=1.0, a_second=5.0, answered=5)], [], 0.0, 10.0),
        ([Load(left=100, limit=10, latency=1.0, most_a_second=2.0)], [], 0.0, 50.0),
        ([FULL], [30.0], 0.0, 30.0),
        ([FULL], [], 12.0, 12.0),
        ([FULL, Load(left=5, limit=1, latency=None)], [], 0.0, None),
        ([FULL, Load(left=0, limit=1, latency=None)], [], 0.0, 10.0),
        ([], [], 0.0, 0.0),
    ],
    ids=["slots", "the slowest", "pace", "too few", "a rate", "CPU", "one after another", "unknown", "done", "nothing"],
)
def test_the_time_left_is_that_of_what_takes_longest(
    loads: list[Load], cpu: list[float], chain: float, seconds: float | None
) -> None:
    """Full slots say how long; where none are full, the pace does; of what has never answered nothing is known."""
    assert seconds_left(loads, cpu, chain) == (None if seconds is None else pytest.approx(seconds))
