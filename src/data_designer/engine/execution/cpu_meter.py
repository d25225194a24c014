"""Measures how much of a CPU this process needs, which is what it gets and stands in line for, and what is idle."""

import os
import time
from pathlib import Path

from data_designer.engine.protocol.cpu_time import CpuTime

_STAT = Path("/proc/stat")
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


class CpuMeter:
    """Measures what this process needs, from one look to the next. Look from the thread that does its work."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def take(self, now: float) -> CpuTime | None:
        """What was needed since the last call; None at the first. `now` is in seconds on any steady clock."""
        before, self._before = self._before, (_needed(), now)
        return None if before is None else CpuTime(self._before[0] - before[0], now - before[1])


class IdleMeter:
    """Measures how many CPUs of this machine nobody uses, of those that this process may use."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def take(self, now: float) -> float:
        """How many were idle on average since the last call; 0 at the first, and where the system does not say."""
        before, self._before = self._before, (_idle_seconds(), now)
        return 0.0 if before is None else (self._before[0] - before[0]) / max(1e-9, now - before[1])


def _idle_seconds() -> float:
    """Seconds for which CPUs have been idle, all together. Source: proc(5), /proc/stat: the fourth number of each."""
    try:
        own = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = map(str.split, _STAT.read_text(encoding="ascii").splitlines())
        return sum(int(line[4]) for line in lines if line and line[0] in own) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0


def _needed() -> float:
    # On a machine that is shared, a process that is held up by its CPU gets only a part of one.
    return time.process_time() + _waited()


def _waited() -> float:
    """Seconds for which this thread has stood in line for a CPU; 0 where the system does not say.

    Source: Linux, Documentation/scheduler/sched-stats.rst: the second field, in nanoseconds.
    """
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
