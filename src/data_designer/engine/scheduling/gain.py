"""Whether a run of one process would gain by others: judged by how it goes, not by how large it is."""

from dataclasses import dataclass

from data_designer.engine.protocol.cpu_time import CpuTime

_JUDGED_SECONDS = 3.0
"""For so long it has to be held up by its CPU."""
_BOUND = 0.8
"""Share of a CPU that a process needs where others beside it would make the run faster."""
_IDLE = 0.5
"""CPUs that nobody uses, at least."""
_WORTH_SECONDS = 30.0
"""Of work that is left, at least: several times what others take to start, for which they need CPU themselves."""


@dataclass(slots=True)
class Gain:
    """Looks from time to time at what a process needs. Pure: time is an argument, in seconds.

    Args:
        left: rows of all stages that are to be made.
    """

    left: int
    _made: int = 0
    """Rows since the run is held up."""
    _seconds: float = 0.0
    """For which it is held up."""

    def made(self, rows: int) -> None:
        """So many rows of a stage are done."""
        self.left -= rows
        self._made += rows

    def look(self, cpu: CpuTime, idle: float) -> bool:
        """Whether others would pay.

        Args:
            cpu: what the process needed since the last look.
            idle: CPUs of the machine that nobody used meanwhile.
        """
        if cpu.needed < _BOUND * cpu.passed or idle < _IDLE:
            self._made, self._seconds = 0, 0.0
            return False
        self._seconds += cpu.passed
        return self._seconds >= _JUDGED_SECONDS and self.left * self._seconds >= _WORTH_SECONDS * max(1, self._made)
