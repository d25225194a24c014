"""How fast a run goes, and so how long it still takes."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WINDOW = 15.0
"""Seconds over which rates are measured."""
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

    def _recent(self, now: float) -> Sequence[_Answers]:
        # The last stays: what was measured then is the best that is known.
        while len(self._window) > 1 and self._window[0].at < now - WINDOW:
            self._window.popleft()
        return self._window

    def requests(self, now: float) -> int:
        """Answered in the window."""
        return sum(one.requests for one in self._recent(now) if one.at >= now - WINDOW)

    def a_second(self, now: float) -> float:
        """Requests a second."""
        if self._began is None or now <= self._began:
            return 0.0
        return self.requests(now) / max(_STEP, min(WINDOW, now - self._began))

    def median(self, now: float) -> float | None:
        """Seconds until a reply; None before the first."""
        middle, counted = sum(one.requests for one in self._recent(now)) / 2, 0
        for one in sorted(self._window, key=lambda one: one.median):
            counted += one.requests
            if counted >= middle:
                return one.median
        return None

    def mean(self, now: float) -> float | None:
        """The same, the mean of them: slots divided by it are requests a second."""
        requests = sum(one.requests for one in self._recent(now))
        return sum(one.seconds for one in self._window) / requests if requests else None


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

    def seconds(self) -> float | None:
        """Until it has done what is left; None where that is not known. Its slots bound it, and whatever else does."""
        if not self.left:
            return 0.0
        if not self.latency or not self.limit:
            return None if self.latency is None else 0.0
        by_slots = self.left / min(self.limit / self.latency, self.most_a_second)
        return max(by_slots, self.left / self.a_second) if self.answered >= _ENOUGH else by_slots


def seconds_left(loads: Iterable[Load], cpu: Iterable[float], chain: float) -> float | None:
    """Seconds until everything is done: as long as what takes longest, since all goes on at the same time.

    Args:
        loads: of all aliases. Where one that has work left has not answered yet, nothing is known.
        cpu: seconds that each stage of CPU tasks takes.
        chain: seconds that a row takes through all that is left, one request after another.
    """
    seconds = [load.seconds() for load in loads]
    known = [one for one in seconds if one is not None]
    return max([*known, *cpu, chain]) if len(known) == len(seconds) else None
