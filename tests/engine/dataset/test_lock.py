"""One run at a time: who is refused, who takes over, and when."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.layout import LOCK
from data_designer.engine.dataset.lock import LEASE, Lock, Process, acquire, is_held
from data_designer.engine.dataset.sealed import seal
from data_designer.errors import DatasetInUseError

TAKE_AND_BE_KILLED = """
import os, signal, sys
from pathlib import Path
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.lock import Process, acquire
lock = acquire(LocalFiles(Path(sys.argv[1])), 4, Process.this(), None)
print(lock.number, flush=True)
sys.stdin.read()
"""
ELSEWHERE = Process("node-7", "another boot", 4711, "1234")
"""A process of a machine whose processes cannot be seen from here."""


def never(seconds: float) -> None:
    """Nobody waits."""
    raise AssertionError(f"waits for {seconds} s")


class Waiting:
    """Notes how long is waited, and what happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.waited: list[float] = []
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> None:
        """Let so much time pass."""
        self.waited.append(seconds)
        self._meanwhile()


def names(files: LocalFiles) -> list[str]:
    """What is in the folder of locks."""
    return files.list(LOCK)


def hold(files: LocalFiles, number: int, owner: Process, beat: int = 0) -> None:
    """Leave a lock as its owner would have."""
    files.put(f"{LOCK}/{number:06d}", seal({"process": asdict(owner), "beat": beat}))


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    """A dataset directory."""
    return LocalFiles(tmp_path)


# --- one process -----------------------------------------------------------------------------------------


def test_a_run_of_a_living_process_is_not_disturbed(files: LocalFiles) -> None:
    """A second run is refused without waiting, with the number and host of the process; the first owns the dataset."""
    first = acquire(files, 0, Process.this(), never)
    said = f"process {os.getpid()} on {re.escape(os.uname().nodename)}"
    with pytest.raises(DatasetInUseError, match=said):
        acquire(files, 0, Process.this(), never)
    first.check()
    first.renew()
    assert names(files) == ["000001"]


def test_who_only_looks_sees_at_once_whether_a_run_writes(files: LocalFiles) -> None:
    """A process of this machine is asked; of another machine's, nobody can tell without waiting for a lease."""
    assert is_held(files) is False
    with acquire(files, 0, Process.this(), never):
        assert is_held(files) is True
    assert is_held(files) is False
    hold(files, 1, replace(Process.this(), started="long ago"))
    assert is_held(files) is False
    hold(files, 2, ELSEWHERE)
    assert is_held(files) is None
    files.put(f"{LOCK}/000003", b"no lock")
    assert is_held(files) is None


def test_what_is_released_leaves_nothing_and_may_be_taken(files: LocalFiles, tmp_path: Path) -> None:
    """The folder of locks is gone after a release, and the next run counts on from what the dataset remembers."""
    lock = acquire(files, 0, Process.this(), never)
    lock.renew()
    lock.release()
    assert list(tmp_path.iterdir()) == []
    assert acquire(files, 1, Process.this(), never).number == 2


def test_runs_are_counted_from_whatever_is_higher(files: LocalFiles) -> None:
    """The number is above that of the dataset's metadata and above that of a lock that is there."""
    hold(files, 9, replace(Process.this(), started="before"))
    lock = acquire(files, 3, Process.this(), never)
    assert lock.number == 10
    lock.release()
    assert acquire(files, 41, Process.this(), never).number == 42


def test_a_lock_that_is_kept_is_renewed_and_then_released(files: LocalFiles) -> None:
    """While a run goes on its lock changes, again and again; at the end it is gone."""
    seen: list[bytes] = []
    thrice = threading.Event()

    class Watched(LocalFiles):
        """A directory of which it is known what comes into place."""

        def rename(self, old: str, new: str) -> None:
            """Note what a file holds from now on."""
            super().rename(old, new)
            seen.append(self.read(new))
            if len(seen) == 3:
                thrice.set()

    lock = acquire(Watched(files.root), 0, Process.this(), never)
    with lock:
        lock.keep(interval=0.0)
        assert thrice.wait(60)
    assert len(set(seen)) == len(seen)
    assert names(files) == []


def test_a_kept_lock_is_released_when_the_run_fails(files: LocalFiles) -> None:
    """Whatever goes wrong inside, nobody has to wait for the lock."""
    lock = acquire(files, 0, Process.this(), never)
    lock.keep()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    assert names(files) == []


# --- processes of this machine ---------------------------------------------------------------------------


@pytest.mark.usefixtures("processes")
def test_the_lock_of_a_killed_process_is_taken_over_at_once(files: LocalFiles, tmp_path: Path) -> None:
    """A process that was killed holds nothing up: no lease is waited for, and its lock is gone."""
    command = [sys.executable, "-c", TAKE_AND_BE_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "5"
        with pytest.raises(DatasetInUseError, match=f"process {process.pid} on"):
            acquire(files, 0, Process.this(), never)
        process.send_signal(signal.SIGKILL)
    lock = acquire(files, 0, Process.this(), never)
    assert (lock.number, names(files)) == (6, ["000006"])


@pytest.mark.usefixtures("processes")
def test_a_process_that_has_ended_and_was_not_waited_for_is_gone(files: LocalFiles, tmp_path: Path) -> None:
    """A zombie still has its number, and lives no more."""
    command = [sys.executable, "-c", TAKE_AND_BE_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{process.pid}").is_dir()
        assert acquire(files, 0, Process.this(), never).number == 6


def test_a_number_that_another_process_has_now_is_no_life_sign(files: LocalFiles) -> None:
    """A process of the same number that has started at another time is another one: its lock is taken at once."""
    hold(files, 1, replace(Process.this(), started="1"))
    assert acquire(files, 0, Process.this(), never).number == 2
    assert Process.this().lives() is True
    assert replace(Process.this(), started="1").lives() is False


# --- processes of other machines -------------------------------------------------------------------------


def test_a_lock_of_another_machine_is_watched_for_a_lease(files: LocalFiles) -> None:
    """What did not change for as long as a lease lasts is taken over; it is waited for once, and exactly so long."""
    assert ELSEWHERE.lives() is None
    hold(files, 3, ELSEWHERE)
    wait = Waiting()
    lock = acquire(files, 0, Process.this(), wait)
    assert wait.waited == [LEASE]
    assert (lock.number, names(files)) == (4, ["000004"])


def test_a_lock_that_is_renewed_meanwhile_stays(files: LocalFiles) -> None:
    """A run of another machine that gives a sign of life is not disturbed; the message says whose it is."""
    hold(files, 3, ELSEWHERE)
    wait = Waiting(lambda: Lock(files, 3, ELSEWHERE).renew())
    with pytest.raises(DatasetInUseError, match="process 4711 on node-7"):
        acquire(files, 0, Process.this(), wait)
    assert wait.waited == [LEASE]
    assert names(files) == ["000003"]
    Lock(files, 3, ELSEWHERE).check()


def test_a_lock_that_is_released_meanwhile_is_free(files: LocalFiles) -> None:
    """Who waits for a run of another machine, which ends, goes on."""
    hold(files, 3, ELSEWHERE)
    wait = Waiting(lambda: Lock(files, 3, ELSEWHERE).release())
    assert acquire(files, 0, Process.this(), wait).number == 4


def test_of_two_that_take_over_at_the_same_time_one_wins(files: LocalFiles) -> None:
    """Where another run made the next number while the lease was waited for, it is asked about, and refuses."""
    hold(files, 3, ELSEWHERE)
    winners: list[Lock] = []
    wait = Waiting(lambda: winners.append(acquire(files, 0, Process.this(), Waiting())))
    with pytest.raises(DatasetInUseError, match=f"process {os.getpid()}"):
        acquire(files, 0, Process.this(), wait)
    assert [lock.number for lock in winners] == [4]
    assert names(files) == ["000004"]
    winners[0].check()


def test_where_the_next_number_is_made_and_the_old_lock_is_not_yet_removed_one_wins(files: LocalFiles) -> None:
    """Between the two steps of a takeover there are two locks; the higher one counts, for everybody."""
    hold(files, 3, ELSEWHERE)
    wait = Waiting(lambda: hold(files, 4, Process.this()))
    with pytest.raises(DatasetInUseError, match=f"process {os.getpid()}"):
        acquire(files, 0, Process.this(), wait)
    assert wait.waited == [LEASE]
    with pytest.raises(DatasetInUseError):
        Lock(files, 3, ELSEWHERE).check()


def test_a_run_that_was_taken_over_finds_out(files: LocalFiles) -> None:
    """An older run that wakes up is refused at its next check and renewal, and its release disturbs nobody."""
    older = acquire(files, 0, ELSEWHERE, never)
    newer = acquire(files, 0, Process.this(), Waiting())
    with pytest.raises(DatasetInUseError, match="taken this dataset over"):
        older.check()
    with pytest.raises(DatasetInUseError, match="taken this dataset over"):
        older.renew()
    older.release()
    newer.check()
    assert names(files) == ["000002"]


def test_a_run_that_is_taken_over_while_it_renews_ends_alone(tmp_path: Path) -> None:
    """An older run that stood still in the middle of a renewal leaves its lock again; the newer run goes on."""
    takers: list[Lock] = []

    class Slow(LocalFiles):
        """The disk of a machine that stands still before the renewal is in place."""

        def rename(self, old: str, new: str) -> None:
            """Another run takes over first."""
            takers.append(acquire(LocalFiles(tmp_path), 0, Process.this(), Waiting()))
            super().rename(old, new)

    older = acquire(Slow(tmp_path), 0, ELSEWHERE, never)
    older.renew()
    with pytest.raises(DatasetInUseError):
        older.check()
    takers[0].check()


# --- storages that look whether a name is free, and then write ----------------------------------------------------


class Hasty(LocalFiles):
    """A storage on which everybody who takes a number gets it, since all of them look before one has written."""

    def __init__(self, root: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(root)
        self._meanwhile = meanwhile

    def create(self, name: str, data: bytes) -> bool:
        """Write over what is there."""
        self.put(name, data)
        self._meanwhile()
        return True


def test_who_is_written_over_at_once_is_refused(tmp_path: Path) -> None:
    """The other run's lock is seen, and stays."""
    files = LocalFiles(tmp_path)
    hasty = Hasty(tmp_path, lambda: hold(files, 1, Process.this()))
    with pytest.raises(DatasetInUseError, match=f"process {os.getpid()}"):
        acquire(hasty, 0, ELSEWHERE, never)
    assert names(files) == ["000001"]


def test_who_is_written_over_later_finds_out(tmp_path: Path) -> None:
    """At its next check and renewal, and its release leaves the other run its lock; the other goes on."""
    hasty = Hasty(tmp_path)
    first, second = (Lock(hasty, 1, Process.this(), take) for take in (1, 2))
    assert first.begin()
    assert second.begin()
    with pytest.raises(DatasetInUseError, match="taken this dataset over"):
        first.check()
    with pytest.raises(DatasetInUseError, match="taken this dataset over"):
        first.renew()
    first.release()
    second.renew()
    second.check()
    second.release()
    assert names(hasty) == []


# --- locks that cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"\xff\x00 no JSON",
        seal({"process": {}, "beat": 0}),
        seal({"beat": 0}),
        seal({"process": None, "beat": 0}),
        seal({"process": asdict(ELSEWHERE), "beat": 0})[:-9],
        b"",
    ],
)
def test_a_lock_that_cannot_be_read_may_be_that_of_a_living_run(files: LocalFiles, content: bytes) -> None:
    """A damaged lock is watched like one of another machine: taken over if it stays, left alone if it is renewed."""
    files.put(f"{LOCK}/000003", content)
    wait = Waiting(lambda: hold(files, 3, ELSEWHERE, beat=8))
    with pytest.raises(DatasetInUseError, match="process 4711 on node-7"):
        acquire(files, 0, Process.this(), wait)
    files.put(f"{LOCK}/000003", content)
    wait = Waiting()
    assert acquire(files, 0, Process.this(), wait).number == 4
    assert wait.waited == [LEASE]


def test_a_damaged_lock_of_this_machine_says_nothing_about_its_process(files: LocalFiles) -> None:
    """A lock of a process that lives here, with one digit changed, does not match its checksum and names nobody."""
    owner = Process.this()
    text = seal({"process": asdict(owner), "beat": 0})
    changed = json.loads(text)
    changed["process"]["number"] = 1 << 22
    files.put(f"{LOCK}/000001", json.dumps(changed).encode())
    wait = Waiting(lambda: files.put(f"{LOCK}/000001", text[:-1]))
    with pytest.raises(DatasetInUseError, match="another run"):
        acquire(files, 0, owner, wait)
    assert wait.waited == [LEASE]


def test_what_is_no_lock_is_left_alone(files: LocalFiles) -> None:
    """A file of another kind in the folder of locks is nobody's, and stays."""
    files.write(f"{LOCK}/README", b"do not touch")
    lock = acquire(files, 0, Process.this(), never)
    lock.check()
    lock.release()
    assert names(files) == ["README"]


class Stuck(LocalFiles):
    """A directory from which no lock can be removed."""

    def remove(self, *names: str) -> None:
        """Refuse, but for temporary files."""
        if any(name.rpartition("/")[2].isdecimal() for name in names):
            raise OSError(5, "Input/output error", names[0])
        super().remove(*names)


def test_a_lock_that_cannot_be_removed_spoils_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The run is over and its data are there; what went wrong inside is what is raised."""
    with acquire(Stuck(tmp_path), 0, Process.this(), lambda _: None):
        pass
    assert "the lock stays" in caplog.text
    (tmp_path / LOCK / "000001").unlink()
    with pytest.raises(KeyError), acquire(Stuck(tmp_path), 0, Process.this(), lambda _: None):
        raise KeyError


def test_whether_a_run_is_under_way_is_seen_without_touching_its_lock(tmp_path: Path) -> None:
    """Held, free again, left by a process that is gone, and unknown where it is another machine's."""
    files = LocalFiles(tmp_path)
    assert is_held(files) is False
    with acquire(files, 0, Process.this(), never):
        assert is_held(files) is True
    assert is_held(files) is False
    for owner, held in ((replace(Process.this(), started="1"), False), (ELSEWHERE, None)):
        lock = Lock(files, 1, owner)
        assert lock.begin()
        assert is_held(files) is held
        lock.release()
