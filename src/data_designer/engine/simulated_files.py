"""A directory in memory that crashes, loses what was not synced, and refuses to write, as it is told."""

import errno
import random
from dataclasses import dataclass, field


class Crash(Exception):  # noqa: N818 - it is no error but the end of a simulated process
    """The process that was writing is gone."""


@dataclass(slots=True)
class SimulatedFiles:
    """Files that survive the simulated process, and with `reboot` the simulated machine.

    Every call that changes something is a point at which the process may end: before the change, in the middle of it
    or after it, as the generator draws.
    """

    rng: random.Random
    crash_at: int | None = None
    """Ends the process at the change of this number, counted from 1."""
    refusal: float = 0.0
    """Chance that a write fails for want of space, after a part of it."""
    changes: int = 0
    """How many changes there were."""
    _content: dict[str, bytes] = field(default_factory=dict)
    _durable: dict[str, bytes | None] = field(default_factory=dict)
    """What a file that was written since it was last synced had before; None where it was not there."""

    def reboot(self) -> None:
        """The machine ends: of what was not synced, any part may be left."""
        for name, before in self._durable.items():
            after = self._content.get(name)
            kept = after[: self.rng.randint(0, len(after))] if after is not None else None
            outcome = self.rng.choice([before, after, kept])
            if outcome is None:
                self._content.pop(name, None)
            else:
                self._content[name] = outcome
        self._durable = {}

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or replace its content."""
        self._put(name, b"", content)

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file."""
        self._put(name, self._content.get(name, b""), content)

    def sync(self, name: str) -> None:
        """Make a file durable."""
        if name not in self._content:
            raise FileNotFoundError(name)
        if self._counts():
            raise Crash
        self._durable.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        if old not in self._content:
            raise FileNotFoundError(old)
        ends = self._counts()
        if not ends or self.rng.random() < 0.5:
            self._content[new] = self._content.pop(old)
            self._durable.pop(new, None)
            if old in self._durable:
                self._durable[new] = self._durable.pop(old)
        if ends:
            raise Crash

    def create(self, name: str, content: bytes) -> bool:
        """Make a file only if there is none of that name."""
        if name in self._content:
            return False
        ends = self._counts()
        if not ends or self.rng.random() < 0.5:
            self._content[name] = content
        if ends:
            raise Crash
        return True

    def remove(self, name: str) -> None:
        """Remove a file."""
        if name not in self._content:
            return
        ends = self._counts()
        if not ends or self.rng.random() < 0.5:
            self._content.pop(name)
            self._durable.pop(name, None)
        if ends:
            raise Crash

    def remove_folder(self, folder: str) -> None:
        """Folders are there as long as their files are."""

    def read(self, name: str) -> bytes:
        """The content of a file."""
        if name not in self._content:
            raise FileNotFoundError(name)
        return self._content[name]

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return name in self._content

    def list(self, folder: str) -> list[str]:
        """Names of what is in a folder."""
        start = f"{folder}/" if folder else ""
        return sorted({name[len(start) :].partition("/")[0] for name in self._content if name.startswith(start)})

    def _counts(self) -> bool:
        """Count a change; says whether the process ends at it."""
        self.changes += 1
        return self.changes == self.crash_at

    def _put(self, name: str, before: bytes, content: bytes) -> None:
        ends = self._counts()
        refused = not ends and self.rng.random() < self.refusal
        written = content[: self.rng.randint(0, len(content))] if ends or refused else content
        self._durable.setdefault(name, self._content.get(name))
        self._content[name] = before + written
        if ends:
            raise Crash
        if refused:
            raise OSError(errno.ENOSPC, "No space left on device", name)
