"""Files that are objects: each is put by one request, whole, and none can be added to.

What is appended is kept until the next `sync`, which puts it as an object of its own: of what is appended once a
second, a crash loses that second.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Protocol

from data_designer.engine.dataset.ahead import ahead

AT_ONCE = 32


class Bucket(Protocol):
    """What `object_storage.Objects` is asked for."""

    def put(self, name: str, content: bytes) -> None:
        """Make or replace an object."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Make an object only if there is none of that name."""
        ...

    def copy(self, old: str, new: str) -> None:
        """Make an object with the content of another."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects."""
        ...

    def read(self, name: str) -> bytes:
        """The content of an object."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        ...

    def walk(self, folder: str) -> "list[str]":
        """Names of all objects below a folder."""
        ...

    def sizes(self, folder: str) -> dict[str, int]:
        """The same names, each with the size of its object in bytes."""
        ...

    def list(self, folder: str) -> "list[str]":
        """Names of what is in a folder."""
        ...


class ObjectFiles:
    """The files below a place in object storage; see `Files`."""

    def __init__(self, objects: Bucket, at_once: int = AT_ONCE) -> None:
        self.at_once = at_once
        self._objects = objects
        self._appended: dict[str, list[bytes]] = {}
        """What is not put yet, by the name of the file that it is added to."""
        self._changing = threading.Lock()
        """Held while something is kept or taken to be put, since several threads may share these files."""
        self._parts = count(1)
        self._refused: set[str] = set()
        """Names of what could not be put at the last try."""

    def __str__(self) -> str:
        return str(self._objects)

    def __reduce__(self) -> tuple[type["ObjectFiles"], tuple[Bucket, int]]:
        return ObjectFiles, (self._objects, self.at_once)

    def put(self, name: str, content: bytes) -> None:
        """Make or replace an object."""
        self._objects.put(name, content)

    write = put

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Make an object of pieces, or replace it: it is put whole."""
        self._objects.put(name, b"".join(pieces))

    def append(self, name: str, content: bytes) -> None:
        """Keep what is added until the next `sync`; after one that failed it has to be made up for first."""
        with self._changing:
            owed = sorted(self._refused)
        self.sync(*owed)
        with self._changing:
            self._appended.setdefault(name, []).append(content)

    def append_now(self, name: str, content: bytes) -> None:
        """Keep what is added until the next `sync`; after one that failed only `append` does."""
        with self._changing:
            if self._refused:
                raise OSError("what was added before could not be put")
            self._appended.setdefault(name, []).append(content)

    def sync(self, *names: str) -> None:
        """Put what was appended since the last time."""
        waiting = [name for name in names if name in self._appended]
        if waiting:
            list(ahead(self.at_once, self._put_part, waiting))

    def _put_part(self, name: str) -> None:
        with self._changing:
            parts = self._appended.pop(name, [])
        if not parts:
            return  # Another thread has them in hand.
        start, dot, suffix = name.rpartition(".")
        try:
            self._objects.put(f"{start}.{next(self._parts):06d}{dot}{suffix}", b"".join(parts))
        except OSError:
            with self._changing:
                self._refused.add(name)
                self._appended[name] = parts + self._appended.get(name, [])
            raise
        with self._changing:
            self._refused.discard(name)

    def rename(self, old: str, new: str) -> None:
        """Give an object another name. What both names may hold meanwhile is the same."""
        self._objects.copy(old, new)
        self._objects.remove([old])

    def move(self, moves: Sequence[tuple[str, str]]) -> None:
        """Give many objects other names, several at the same time."""
        list(ahead(self.at_once, self._copy, moves))
        self.remove(*(old for old, _ in moves))

    def _copy(self, names: tuple[str, str]) -> None:
        old, new = names
        try:
            self._objects.copy(old, new)
        except FileNotFoundError:
            if not self._objects.exists(new):
                raise

    def create(self, name: str, content: bytes) -> bool:
        """Make an object only if there is none of that name."""
        return self._objects.create(name, content)

    def remove(self, *names: str) -> None:
        """Remove objects."""
        if names:
            self._objects.remove(names)

    def remove_folder(self, folder: str) -> None:
        """A folder is there as long as there is something in it."""

    def read(self, name: str) -> bytes:
        """The content of an object."""
        return self._objects.read(name)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of an object, whole."""
        yield self._objects.read(name)

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        return self._objects.exists(name)

    def walk(self, folder: str) -> "list[str]":
        """Names of all objects below a folder."""
        return self._objects.walk(folder)

    def sizes(self, folder: str) -> dict[str, int]:
        """Sizes of all objects below a folder, by one listing."""
        return self._objects.sizes(folder)

    def list(self, folder: str) -> list[str]:
        """Names of what is in a folder."""
        return self._objects.list(folder)
