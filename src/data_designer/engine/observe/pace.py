"""How fast a run goes, and so how long it still takes."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WINDOW, _LONGEST_WINDOW = 15.0, 120.0
"""Seconds over which rates are measured: at least, and where replies take long."""
_REPLIES = 4
"""As many replies of a slot one after another are enough to measure by."""
_STEP = 0.25
"""What comes within so many seconds is one entry, so that a window holds few, however often something is reported."""
_ENOUGH = 10
"""Requests that must have been answered for the rate of answers to count."""
_MOSTLY = 0.8


@dataclass(slots=True)
class _Answers:
    at: float
    requests: int
    seconds: float
    median: float


class Rate:
    """Requests that one alias has answered lately. Time is an argument, in seconds."""

    def __init__(self) -> None:
        self._window: deque[_Answers] = deque()
        self._began: float | None = None

    def begin(self, now: float) -> None:
        """It is asked, from now on if it was not before."""
        self._began = now if self._began is None else self._began

    def add(self, now: float, requests: int, seconds: float, median: float) -> None:
        """So many were answered, after so many seconds together; the median of them."""
        self.begin(now - median)  # It is heard of them no sooner.
        last = self._window[-1] if self._window else None
        if last is None or now - last.at > _STEP:
            self._window.append(_Answers(now, requests, seconds, median))
            return
        both = last.requests + requests
        last.median += (median - last.median) * requests / both
        last.requests, last.seconds = both, last.seconds + seconds

    def _recent(self, now: float) -> list[_Answers]:
        """What is judged by; the last of all in any case, since what was measured then is the best that is known."""
        span = self._span
        while len(self._window) > 1 and self._window[0].at < now - 2 * span:
            self._window.popleft()
        since = now - span
        return [one for one in self._window if one.at >= since] or [*self._window][-1:]

    @property
    def _span(self) -> float:
        """Seconds over which it is measured: several replies of each slot."""
        requests = sum(one.requests for one in self._window)
        mean = sum(one.seconds for one in self._window) / requests if requests else 0.0
        return min(max(WINDOW, _REPLIES * mean), _LONGEST_WINDOW)

    def requests(self, now: float) -> int:
        """Answered lately."""
        return sum(one.requests for one in self._recent(now) if one.at >= now - self._span)

    def a_second(self, now: float) -> float:
        """Requests a second."""
        if self._began is None or now <= self._began:
            return 0.0
        return self.requests(now) / max(_STEP, min(self._span, now - self._began))

    def median(self, now: float) -> float | None:
        """Seconds until a reply; None before the first."""
        recent = sorted(self._recent(now), key=lambda one: one.median)
        middle, counted = sum(one.requests for one in recent) / 2, 0
        for one in recent:
            counted += one.requests
            if counted >= middle:
                return one.median
        return None

    def mean(self, now: float) -> float | None:
        """The same, the mean of them: slots divided by it are requests a second."""
        recent = self._recent(now)
        requests = sum(one.requests for one in recent)
        return sum(one.seconds for one in recent) / requests if requests else None


@dataclass(frozen=True, slots=True)
class Made:
    """What CPU tasks had made at a time."""

    at: float
    done: tuple[int, ...]
    """Rows, a stage."""
    computing: frozenset[int]
    """Stages of which tasks were under way."""


class CpuRate:
    """Rows that CPU tasks have made lately."""

    def __init__(self) -> None:
        self._window: deque[Made] = deque()

    def add(self, made: Made) -> None:
        """Take in how it stands."""
        if self._window and made.at - self._window[-1].at < _STEP:
            return
        self._window.append(made)
        while self._window[0].at < made.at - WINDOW:
            self._window.popleft()

    def a_second(self, stage: int) -> float | None:
        """Rows of a stage a second, where it was busy nearly all the time; None where it had nothing to do."""
        if len(self._window) < 2:
            return None
        first, last = self._window[0], self._window[-1]
        rows = last.done[stage] - first.done[stage]
        busy = sum(stage in made.computing for made in self._window)
        if rows <= 0 or busy < _MOSTLY * len(self._window):
            return None
        return rows / (last.at - first.at)


@dataclass(frozen=True, slots=True)
class Load:
    """What is left for one alias, and how fast it goes."""

    left: float
    """Requests."""
    limit: int
    """Requests that may be in flight."""
    latency: float | None
    """Mean seconds; None before the first reply."""
    a_second: float = 0.0
    """Requests that were answered lately."""
    answered: int = 0
    """How many these were."""
    most_a_second: float = float("inf")
    """By its requests_per_minute."""
    is_full: bool = False
    """Whether nearly all that may be in flight is."""

    @property
    def by_slots(self) -> float | None:
        """Seconds that its slots need for what is left; None where that is not known."""
        if not self.left:
            return 0.0
        if not self.latency:
            return self.latency
        return self.left / min(self.limit / self.latency, self.most_a_second)

    @property
    def by_pace(self) -> float:
        """Seconds that it takes at the pace of late, where enough was answered to know that."""
        return self.left / self.a_second if self.answered >= _ENOUGH else 0.0


def seconds_left(loads: Sequence[Load], cpu: Iterable[float], chain: float) -> float | None:
    """Seconds until everything is done: as long as what takes longest, since all goes on at the same time.

    Where the slots of some model are full, slots are what it is about. Else something holds all of them up, such as
    this machine, and the pace of late is the better guide.

    Args:
        loads: of all aliases. Where one that has work left has not answered yet, nothing is known.
        cpu: seconds that each stage of CPU tasks takes.
        chain: seconds that a row takes through all that is left, one request after another.
    """
    by_slots = [load.by_slots for load in loads]
    known = [seconds for seconds in by_slots if seconds is not None]
    if len(known) < len(by_slots):
        return None
    by_pace = [] if any(load.is_full for load in loads) else [load.by_pace for load in loads]
    return max([*known, *by_pace, *cpu, chain])
