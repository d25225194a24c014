"""The machines of a run, which come and go while it is under way: what joins is used."""

from collections import Counter
from collections.abc import Mapping

from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.scheduling.shape import replica_numbers
from data_designer.plan.model import Plan

_JUDGED_SECONDS = 5.0
"""Seconds of an alias's replicas, each, over which it is judged whether CPUs hold them up."""
_BOUND = 0.8
"""Share of a CPU that a process needs where more CPUs would make it faster."""


class Growth:
    """Decides when an alias gets further replicas: once CPUs have joined, if those it has are held up by theirs.

    It gets as many as it would have had if the CPUs had been there from the start. Pure.

    Args:
        plan: the plan.
        replicas: replica number to alias, of those that there are at the start.
    """

    def __init__(self, plan: Plan, replicas: Mapping[int, str]) -> None:
        self._plan = plan
        self._replicas = dict(replicas)
        self._cpus: int | None = None
        """Of the first look. A Ray of this machine may be told of more CPUs than there are, so only more count."""
        self._needs: dict[str, CpuTime] = {}
        """Alias to what its replicas needed since it was last judged."""

    def join(self, replicas: Mapping[int, str]) -> None:
        """Others are there instead of those at the start."""
        self._replicas = dict(replicas)
        self._needs.clear()

    def hear(self, alias: str, cpu: CpuTime) -> None:
        """A replica tells what it needed."""
        self._needs[alias] = self._needs.get(alias, CpuTime(0.0, 0.0)) + cpu

    def look(self, cpus: int) -> dict[int, str]:
        """Take in how many CPUs there are; gives replica number to alias of those to add."""
        bound = [alias for alias in set(self._replicas.values()) if self._is_bound(alias)]
        if self._cpus is None:
            self._cpus = cpus
        if cpus <= self._cpus:
            return {}
        lacking = Counter(replica_numbers(self._plan, cpus).values()) - Counter(self._replicas.values())
        aliases = [alias for alias in lacking.elements() if alias in bound]
        added = dict(enumerate(aliases, 1 + max(self._replicas, default=-1)))
        self._replicas.update(added)
        return added

    def _is_bound(self, alias: str) -> bool:
        """Judge an alias, if there is enough to judge it by."""
        need = self._needs.get(alias)
        replicas = sum(name == alias for name in self._replicas.values())
        if need is None or need.passed < _JUDGED_SECONDS * replicas:
            return False
        del self._needs[alias]
        return need.needed >= _BOUND * need.passed
