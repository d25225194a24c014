"""Who writes a dataset: one run at a time, by a lease that a crash does not leave behind.

A run owns the dataset while the highest number in the folder `lock` is its own. To take over from a run that is gone
means to make the next number, which only one can do; so nobody has to remove a file that another may just have made.
A process of this machine is asked whether it lives; a lock of another machine is watched for longer than a lease.
"""

import itertools
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import LOCK
from data_designer.engine.dataset.sealed import DamagedError, seal, unseal
from data_designer.errors import DatasetInUseError

logger = logging.getLogger(__name__)

LEASE = 20.0
"""Seconds after which a lock of another machine that was not renewed is void."""
RENEWAL = 5.0
"""Seconds between renewals."""
_takes = itertools.count()
"""Tells apart what the threads of one process try to take: a storage may know a try by its content only."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from every other there was or is."""

    host: str
    machine: str
    """Boot and process namespace: a number means the same process only where these are the same."""
    number: int
    started: str
    """When it started, in the system's own words."""

    @classmethod
    def this(cls) -> "Process":
        """This process."""
        return cls(os.uname().nodename, _machine(), os.getpid(), _started(os.getpid()))

    def lives(self) -> bool | None:
        """Whether it lives; None where that cannot be seen from here."""
        if self.machine != _machine():
            return None
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return _started(self.number) == self.started


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.uname().nodename


def _started(number: int) -> str:
    """Field 22 of /proc/NUMBER/stat (proc(5)): the start in clock ticks since boot; a zombie has ended."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]


class Lock:
    """A dataset that this run may write."""

    def __init__(self, files: Files, number: int, owner: Process, take: int | None = None) -> None:
        self.number = number
        """Counts the runs of the dataset."""
        self._files = files
        self._owner = owner
        self._take = take
        self._beat = 0
        self._over = threading.Event()
        self._keeper: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.release()
        except OSError as error:
            # What was to be done is done, or what went wrong before is what is to be said.
            logger.warning("the lock stays, and is void once this process has ended: %s", error)

    def begin(self) -> bool:
        """Take the number; says whether it was free. Raises OSError."""
        text = _content(self._owner, self._beat, self._take)
        return self._files.create(lock_name(self.number), text) and not self._is_another_s()

    def check(self) -> None:
        """Raise DatasetInUseError if another run has taken over."""
        if max(_numbers(self._files), default=0) != self.number or self._is_another_s():
            raise DatasetInUseError(
                "another run has taken this dataset over; what this one had not committed is in its journal"
            )

    def _is_another_s(self) -> bool:
        """Whether another run has the same number: some storages look whether a name is free, and then write."""
        _, holder, take = _holder(self._files, self.number)
        return holder is not None and (holder, take) != (self._owner, self._take)

    def renew(self) -> None:
        """Show that this run lives. Raises DatasetInUseError, or OSError where that cannot be written."""
        self.check()
        self._beat += 1
        self._files.put(lock_name(self.number), _content(self._owner, self._beat, self._take))

    def keep(self, interval: float = RENEWAL) -> None:
        """Renew the lock from now on, in a thread, so that a busy event loop does not matter."""
        self._keeper = threading.Thread(target=self._renew_until_over, args=(interval,), daemon=True)
        self._keeper.start()

    def release(self) -> None:
        """Let others write. Raises OSError."""
        self._over.set()
        if self._keeper is not None:
            self._keeper.join()
        last = self.number - 1 if self._is_another_s() else self.number
        for number in _numbers(self._files):
            if number <= last:
                self._files.remove(lock_name(number))
        self._files.remove_folder(LOCK)

    def _renew_until_over(self, interval: float) -> None:
        while not self._over.wait(interval):
            try:
                self.renew()
            except DatasetInUseError:
                return  # The next commit says so.
            except OSError:
                continue  # A disk that fails for a while; the lease is longer than the interval.


def acquire(files: Files, known: int, owner: Process, wait: Callable[[float], None]) -> Lock:
    """Become the one run that writes a dataset.

    Args:
        files: the dataset directory.
        known: the highest number of a run that the dataset itself remembers.
        owner: this process.
        wait: sleeps for so many seconds.

    Raises:
        DatasetInUseError: another run writes it.
        OSError: the lock cannot be written.
    """
    while True:
        numbers = _numbers(files)
        if numbers and not _is_gone(files, numbers[-1], wait):
            raise DatasetInUseError(f"the dataset is being written by {_described(files, numbers[-1])}; {_CURE}")
        number = max([known, *numbers]) + 1
        lock = Lock(files, number, owner, next(_takes))
        if lock.begin():
            for older in numbers:
                files.remove(lock_name(older))
            return lock


_CURE = "wait until it is done, or stop it and try again"


def lock_name(number: int) -> str:
    """The lock of a run."""
    return f"{LOCK}/{number:06d}"


def _numbers(files: Files) -> list[int]:
    return [int(name) for name in files.list(LOCK) if name.isdecimal()]


def _content(owner: Process, beat: int, take: int | None) -> bytes:
    return seal({"process": asdict(owner), "beat": beat, "take": take})


def _holder(files: Files, number: int) -> tuple[bytes | None, Process | None, int | None]:
    """The lock's content, None where it is gone; its owner where it can be read, and which of its takes it was."""
    try:
        text = files.read(lock_name(number))
    except FileNotFoundError:
        return None, None, None
    try:
        content = unseal(text)
        return text, Process(**content["process"]), content.get("take")
    except (DamagedError, KeyError, TypeError):
        return text, None, None


def _is_gone(files: Files, number: int, wait: Callable[[float], None]) -> bool:
    before, holder, _ = _holder(files, number)
    if before is None:
        return True
    lives = holder.lives() if holder is not None else None
    if lives is not None:
        return not lives
    wait(LEASE)
    return _holder(files, number)[0] in (before, None)


def _described(files: Files, number: int) -> str:
    _, holder, _ = _holder(files, number)
    return "another run" if holder is None else f"process {holder.number} on {holder.host}"


def is_held(files: Files) -> bool | None:
    """Whether a run holds a dataset's lock; None where one of another machine does, which may be gone by now."""
    numbers = _numbers(files)
    if not numbers:
        return False
    content, holder, _ = _holder(files, numbers[-1])
    return False if content is None else None if holder is None else holder.lives()
