"""What a test needs, read off the fixtures that it uses, and a guard that lets it use no more than it asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import pytest


class Tier(IntEnum):
    """From cheap to dear; each may do what those before it do."""

    UNIT = 0
    """No process and no socket."""
    INLINE = 1
    """Sockets of the loopback: runs in this process."""
    PROCESS = 2
    """Processes of its own."""
    RAY = 3
    """A Ray."""
    SOAK = 4
    """Many minutes."""

    @property
    def mark(self) -> str:
        """Name of the marker."""
        return self.name.lower()


PERMITS = {"sockets": Tier.INLINE, "processes": Tier.PROCESS, "clusters": Tier.RAY, "soak": Tier.SOAK}
"""Fixture to what it lets a test do. Every other fixture that does such a thing asks for one of these."""
_NEEDED = {
    "socket.connect": Tier.INLINE,
    "socket.bind": Tier.INLINE,
    "subprocess.Popen": Tier.PROCESS,
    "os.fork": Tier.PROCESS,
    "os.posix_spawn": Tier.PROCESS,
}
"""Event of `sys.audit` to what it takes."""


def tier_of(item: pytest.Item) -> Tier:
    """The cheapest tier that has all that a test's fixtures need."""
    names = [*getattr(item, "fixturenames", ())]
    names += [name for mark in item.iter_markers("needs") for name in mark.args]
    return max((PERMITS[name] for name in names if name in PERMITS), default=Tier.UNIT)


class Guard:
    """An audit hook; audit hooks cannot be removed, so it is told when it is to look."""

    def __init__(self) -> None:
        self._tier: Tier | None = None
        self._seen: list[str] = []

    def __call__(self, event: str, _: tuple[Any, ...]) -> None:
        """Raise where the test that runs does more than it asked for."""
        needed = _NEEDED.get(event)
        if needed is None or self._tier is None or needed <= self._tier:
            return
        permit = next(name for name, tier in PERMITS.items() if tier is needed)
        self._seen.append(f"{event} in a test of the tier '{self._tier.mark}': it must use the fixture `{permit}`")
        raise RuntimeError(self._seen[-1])

    @contextmanager
    def watching(self, tier: Tier) -> Iterator[None]:
        """Hold a test to its tier, also where it swallows what is raised."""
        self._tier, self._seen = tier, []
        try:
            yield
        finally:
            self._tier = None
        assert not self._seen, self._seen[0]
