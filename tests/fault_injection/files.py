"""A directory, and an object storage, in memory: they crash, lose what was not synced, and refuse to write as told."""

import errno
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from data_designer.engine.dataset.files import Files, put_by_rename
from data_designer.engine.dataset.object_files import ObjectFiles


class Crash(Exception):  # noqa: N818 - it is no error but the end of a simulated process
    """The process that was writing is gone."""


@dataclass(slots=True)
class FaultyDisk:
    """What survives the simulated process.

    Every call that changes something is a point at which the process may end: before the change, in the middle of it
    or after it, as the generator draws.
    """

    rng: random.Random
    crash_at: int | None = None
    """Ends the process at the change of this number, counted from 1."""
    refusal: float = 0.0
    """Probability that a write fails, after a part of it."""
    changes: int = 0
    """How many changes there were."""
    _content: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        if name not in self._content:
            raise FileNotFoundError(name)
        return self._content[name]

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a file, in one."""
        yield self.read(name)

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return name in self._content

    def walk(self, folder: str) -> "list[str]":
        """Names of all files below a folder."""
        return sorted(name for name in self._content if name.startswith(f"{folder}/"))

    def sizes(self, folder: str) -> dict[str, int]:
        """Sizes of all files below a folder."""
        return {name: len(self._content[name]) for name in self.walk(folder)}

    def list(self, folder: str) -> "list[str]":
        """Names of what is in a folder."""
        start = f"{folder}/" if folder else ""
        return sorted({name[len(start) :].partition("/")[0] for name in self._content if name.startswith(start)})

    def create(self, name: str, content: bytes) -> bool:
        """Make a file only if there is none of that name."""
        if name in self._content:
            return False
        with self._change():
            self._content[name] = content
        return True

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One change, which a process that ends at it has made or has not."""
        ends = self._counts()
        if ends and self.rng.random() < 0.5:
            raise Crash
        yield
        if ends:
            raise Crash

    def _counts(self) -> bool:
        """Count a change; says whether the process ends at it."""
        self.changes += 1
        return self.changes == self.crash_at


@dataclass(slots=True)
class FaultyFiles(FaultyDisk):
    """Files that with `reboot` survive the simulated machine too, as far as they were synced."""

    _durable: dict[str, bytes | None] = field(default_factory=dict)
    """What a file that was written since it was last synced had before; None where it was not there."""

    def files(self) -> Files:
        """The disk as a process sees it."""
        return self

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

    @property
    def at_once(self) -> int:
        """One file at a time, so that the order of changes is given."""
        return 1

    def put(self, name: str, content: bytes) -> None:
        """Make or replace a file, whole or not at all."""
        put_by_rename(self, name, content)

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or replace its content."""
        self._put(name, b"", content)

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Make a file of pieces, or replace its content."""
        self._put(name, b"", b"".join(pieces))

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file."""
        self._put(name, self._content.get(name, b""), content)

    def append_now(self, name: str, content: bytes) -> None:
        """Add to the end of a file: here nobody waits."""
        self.append(name, content)

    def sync(self, *names: str) -> None:
        """Make files durable."""
        for name in names:
            if name in self._content:
                if self._counts():
                    raise Crash
                self._durable.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        if old not in self._content:
            raise FileNotFoundError(old)
        with self._change():
            self._content[new] = self._content.pop(old)
            self._durable.pop(new, None)
            if old in self._durable:
                self._durable[new] = self._durable.pop(old)

    def move(self, moves: Sequence[tuple[str, str]]) -> None:
        """Give many files other names, one after another."""
        for old, new in moves:
            if old in self._content or new not in self._content:
                self.rename(old, new)

    def remove(self, *names: str) -> None:
        """Remove files."""
        for name in names:
            if name in self._content:
                with self._change():
                    self._content.pop(name)
                    self._durable.pop(name, None)

    def remove_folder(self, folder: str) -> None:
        """Folders are there as long as their files are."""

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


@dataclass(slots=True)
class FaultyObjects(FaultyDisk):
    """Objects: each is there whole or not at all, and what was answered for is kept."""

    def files(self) -> Files:
        """The objects as a process sees them, which keeps by itself what is not put yet."""
        return ObjectFiles(self, at_once=1)

    def reboot(self) -> None:
        """The machine ends, which is nothing to objects."""

    def put(self, name: str, content: bytes) -> None:
        """Make or replace an object; where that fails it may have been done nevertheless."""
        refused = self.rng.random() < self.refusal
        if not refused or self.rng.random() < 0.5:
            with self._change():
                self._content[name] = content
        if refused:
            raise OSError(errno.EIO, "Input/output error", name)

    def copy(self, old: str, new: str) -> None:
        """Make an object with the content of another."""
        if old not in self._content:
            raise FileNotFoundError(old)
        with self._change():
            self._content[new] = self._content[old]

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects."""
        for name in names:
            if name in self._content:
                with self._change():
                    del self._content[name]
