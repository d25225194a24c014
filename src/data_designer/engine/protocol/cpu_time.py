"""How much of a CPU a process needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuTime:
    """What a process needed of a CPU in some time. More than that time where several of its threads were busy."""

    needed: float
    """Seconds for which it ran or stood in line for a CPU."""
    passed: float
    """Seconds that went by."""

    def __add__(self, other: "CpuTime") -> "CpuTime":
        return CpuTime(self.needed + other.needed, self.passed + other.passed)
