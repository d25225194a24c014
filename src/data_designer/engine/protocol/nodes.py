"""The machines of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nodes:
    """What is known of the machines."""

    cpus: Mapping[str, int]
    """Names of those that stay to how many CPUs each has."""
    leaving: frozenset[str] = frozenset()
    """Names of those that are about to go."""
    lacks: str = ""
    """What keeps work from being placed, and what helps; nothing where there is room."""

    @property
    def all_cpus(self) -> int:
        """CPUs of those that stay together."""
        return sum(self.cpus.values())

    def emptiest(self, homes: Sequence[str]) -> str | None:
        """The one with CPUs that has the fewest replicas for them; None where none has any.

        Args:
            homes: where each replica lives.
        """
        able = [name for name, cpus in self.cpus.items() if cpus]
        return min(able, key=lambda name: (homes.count(name) + 1) / self.cpus[name], default=None)
