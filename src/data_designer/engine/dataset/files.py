"""The few things that are asked of a file system. Everything a dataset keeps goes through them.

Names are relative to the dataset directory, with forward slashes. Every call may raise OSError.
"""

import itertools
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from data_designer.engine.dataset.object_files import ObjectFiles
from data_designer.object_storage import Location, ObjectPath, Objects

_numbers = itertools.count()
_ENDS_OPEN = 64
"""Files of a directory that are kept open to be added to."""


class Files(Protocol):
    """A directory of files."""

    @property
    def at_once(self) -> int:
        """How many files may well be asked for at the same time: where each takes a while by itself, many."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Make or replace a file durably, so that it is there whole or not at all."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or replace its content. A crash may leave any part of it."""
        ...

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Make a file of pieces, or replace its content: where that can be, no more than one is in memory at a time."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file, which is made where it is missing. A crash may leave any part of it.

        What is appended may come to be in files of their own, whose names begin as this one does, and only with `sync`.
        """
        ...

    def append_now(self, name: str, content: bytes) -> None:
        """Add to the end of a file without waiting for any device, so that an event loop may do it.

        What is added survives the process as far as with `append`. Raises OSError also where something has to be made
        up for first, as `append` does.
        """
        ...

    def sync(self, *names: str) -> None:
        """Return once what was written to files survives the machine. Those that are missing are no error."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, at once and durably; a file of that name is replaced."""
        ...

    def move(self, moves: Sequence[tuple[str, str]]) -> None:
        """Give many files other names, durably; those that have them already are no error.

        Raises FileNotFoundError where there is a file under neither name; others may be moved by then.
        """
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Make a file durably, only if there is none of that name; says whether it did."""
        ...

    def remove(self, *names: str) -> None:
        """Remove files; those that are missing are no error."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Remove a folder if it is empty; one that is missing or is not empty is no error."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError where it is missing."""
        ...

    def pieces(self, name: str) -> Iterator[bytes]:
        """The same piece by piece: where that can be, no more than one is in memory at a time."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def walk(self, folder: str) -> "list[str]":
        """Names of all files below a folder, sorted, each with the folder's; none where it is missing."""
        ...

    def sizes(self, folder: str) -> dict[str, int]:
        """The same names, each with the size of its file in bytes."""
        ...

    def list(self, folder: str) -> list[str]:
        """Names of what is in a folder, sorted; none where the folder is missing."""
        ...


def files_at(place: Location) -> Files:
    """The files below a place."""
    return ObjectFiles(Objects(place)) if isinstance(place, ObjectPath) else LocalFiles(place)


_PROBE = ".probe"


def is_probe(name: str) -> bool:
    """Whether a file is one that was made only to see that it can be."""
    return name.startswith(".") and name.endswith(_PROBE)


def try_out(files: Files, who: str) -> None:
    """Make a file and remove it, to see that both can be done. `who` tells apart those that try at once."""
    probe = f".{who}{_PROBE}"
    files.write(probe, b"")
    files.remove(probe)


def put_by_rename(files: Files, name: str, content: bytes) -> None:
    """`put` of a file system, which gives a file its name once it is written. Where it fails it leaves nothing."""
    temporary = stage(files, name, content)
    try:
        files.rename(temporary, name)
    except OSError:
        with suppress(OSError):
            files.remove(temporary)
        raise


def stage(files: Files, name: str, content: bytes | Iterable[bytes]) -> str:
    """Write a file durably under a name that nobody reads. Gives that name; a rename puts it into place.

    Args:
        files: the directory.
        name: what it is to be called.
        content: what is written, at once or in pieces.
    """
    folder, _, last = name.rpartition("/")
    temporary = f"{folder}/{temporary_name(last)}" if folder else temporary_name(last)
    try:
        if isinstance(content, bytes):
            files.write(temporary, content)
        else:
            files.write_pieces(temporary, content)
        files.sync(temporary)
    except OSError:
        with suppress(OSError):
            files.remove(temporary)
        raise
    return temporary


def temporary_name(last: str) -> str:
    """A name beside a file that no other process uses."""
    return f".{last}.{os.uname().nodename}.{os.getpid()}.{next(_numbers)}.tmp"


def is_temporary(last: str) -> bool:
    """Whether a file was never put into place."""
    return last.startswith(".") and last.endswith(".tmp")


_PIECE = 1 << 20
_MAKING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class LocalFiles:
    """A directory of a local or shared POSIX file system."""

    at_once = 1

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ends: OrderedDict[str, int] = OrderedDict()
        """Descriptors of files that were added to since they were synced: on a shared disk it takes time to open and
        to close one."""
        self._using_ends = threading.Lock()
        weakref.finalize(self, _close_all, self._ends)

    def __str__(self) -> str:
        return str(self.root)

    def __reduce__(self) -> tuple[type["LocalFiles"], tuple[Path]]:
        return LocalFiles, (self.root,)

    def put(self, name: str, content: bytes) -> None:
        """Make or replace a file, whole or not at all."""
        put_by_rename(self, name, content)

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or replace its content."""
        self._write(name, [content], _MAKING)

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Make a file of pieces."""
        self._write(name, pieces, _MAKING)

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file."""
        self._write(name, [content], _APPENDING)

    def append_now(self, name: str, content: bytes) -> None:
        """Add to the end of a file that stays open until it is synced."""
        with self._using_ends:
            end = self._ends.get(name)
            if end is None:
                if len(self._ends) >= _ENDS_OPEN:
                    os.close(self._ends.popitem(last=False)[1])
                end = self._ends[name] = self._opened(name, _APPENDING)
            _write_all(end, content)

    def sync(self, *names: str) -> None:
        """Return once files survive the machine."""
        for name in names:
            with self._using_ends:
                end = self._ends.pop(name, None)
            if end is not None:
                os.close(end)
            with suppress(FileNotFoundError):
                self._sync(self.root / name)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        (self.root / old).replace(self.root / new)
        self._sync((self.root / new).parent)

    def move(self, moves: Sequence[tuple[str, str]]) -> None:
        """Give many files other names; each folder is made durable once."""
        folders = {(self.root / new).parent for _, new in moves}
        for folder in folders:
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                for above in (folder.parent, folder.parent.parent):
                    self._sync(above)
        for old, new in moves:
            try:
                (self.root / old).replace(self.root / new)
            except FileNotFoundError:
                if not self.exists(new):
                    raise
        for folder in folders:
            self._sync(folder)

    def create(self, name: str, content: bytes) -> bool:
        """Make a file only if there is none of that name."""
        # A link is atomic where the file already has its content; creating it empty first would show half a file.
        temporary = stage(self, name, content)
        try:
            os.link(self.root / temporary, self.root / name)
        except FileExistsError:
            return False
        finally:
            self.remove(temporary)
        self._sync((self.root / name).parent)
        return True

    def remove(self, *names: str) -> None:
        """Remove files."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder if it is empty."""
        with suppress(OSError):
            (self.root / folder).rmdir()

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self.root / name).read_bytes()

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece."""
        with (self.root / name).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.root / name).is_file()

    def sizes(self, folder: str) -> dict[str, int]:
        """Sizes of all files below a folder."""
        found: dict[str, int] = {}
        for name in self.walk(folder):
            with suppress(FileNotFoundError):  # It went meanwhile.
                found[name] = (self.root / name).stat().st_size
        return found

    def walk(self, folder: str) -> "list[str]":
        """Names of all files below a folder."""
        found = (Path(where, name) for where, _, names in os.walk(self.root / folder) for name in names)
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def list(self, folder: str) -> list[str]:
        """Names of what is in a folder."""
        try:
            return sorted(os.listdir(self.root / folder))  # noqa: PTH208 - names are all that is wanted
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _write(self, name: str, pieces: Iterable[bytes], flags: int) -> None:
        file = self._opened(name, flags)
        try:
            for piece in pieces:
                _write_all(file, piece)
        finally:
            os.close(file)

    def _opened(self, name: str, flags: int) -> int:
        path = self.root / name
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o666)

    @staticmethod
    def _sync(path: Path) -> None:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _close_all(files: OrderedDict[str, int]) -> None:
    for file in files.values():
        os.close(file)


def _write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
