"""Files that are objects: what holds for those of a disk holds for them; what is added to is kept until it is put."""

import itertools
import pickle
import re
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.engine.dataset.test_store import GEOMETRY
from tests.object_server import DENIED, Bucket, FaultyWay

from data_designer.engine.dataset.files import Files, is_temporary, stage
from data_designer.engine.dataset.journal import Recorder, journaled_batches, read_replay
from data_designer.engine.dataset.object_files import ObjectFiles
from data_designer.values import ChatRequest, ChatResponse

LIMIT = 60.0
ADDED = 20_000


# --- what holds for all files ----------------------------------------------------------------------------------


def test_what_is_put_or_written_is_there_and_replaced(files: Files) -> None:
    """A file has what came last, in folders that need not be made; what is not there cannot be read."""
    for act in (files.put, files.write):
        act("a/b", b"one, which is longer")
        act("a/b", b"two")
        assert files.read("a/b") == b"two"
    assert [files.exists(name) for name in ("a/b", "a", "a/c")] == [True, False, False]
    with pytest.raises(FileNotFoundError):
        files.read("a/c")
    assert files.walk("") == ["a/b"]


def test_folders_are_listed_and_walked_alike(files: Files) -> None:
    """Sorted, each name once, folders as names; where nothing is, nothing."""
    for name in ("b/2", "b/1/x", "a", "bb", "b.log", ".probe"):
        files.write(name, name.encode())
    assert files.list("") == [".probe", "a", "b", "b.log", "bb"]
    assert files.list("b") == ["1", "2"]
    assert files.walk("b") == ["b/1/x", "b/2"]
    assert files.sizes("b") == {name: len(files.read(name)) for name in files.walk("b")}
    assert (files.list("c"), files.walk("c"), files.sizes("c")) == ([], [], {})


def test_a_name_is_given_and_taken_away(files: Files) -> None:
    """A rename replaces what had the name; what is not there cannot have another one, and nothing changes."""
    files.write("a/old", b"content")
    files.write("a/new", b"before")
    files.rename("a/old", "a/new")
    assert (files.walk(""), files.read("a/new")) == (["a/new"], b"content")
    with pytest.raises(FileNotFoundError):
        files.rename("a/old", "a/new")
    assert files.read("a/new") == b"content"


def test_what_is_removed_is_gone_and_what_is_missing_is_no_error(files: Files) -> None:
    """Several at a time, none at all, and folders once nothing is in them."""
    for name in ("a/1", "a/2", "b"):
        files.write(name, b"")
    files.remove()
    files.remove("a/1", "missing", "a/2")
    files.remove("missing")
    files.remove_folder("a")
    files.remove_folder("missing")
    assert files.list("") == ["b"]


def test_a_folder_with_something_in_it_stays(files: Files) -> None:
    """Only empty folders go."""
    files.write("a/1", b"")
    files.remove_folder("a")
    assert files.walk("") == ["a/1"]


def test_of_many_that_make_a_file_one_does(files: Files) -> None:
    """Eight threads at the same time: one made it, and nothing else is left."""
    together = threading.Barrier(8)

    def make(number: int) -> bool:
        together.wait(LIMIT)
        return files.create("lock/1", b"%d" % number)

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make, range(8)))
    assert made.count(True) == 1
    assert files.read("lock/1") == b"%d" % made.index(True)
    assert files.walk("") == ["lock/1"]


def test_what_is_staged_is_temporary_until_it_has_its_name(files: Files) -> None:
    """Nobody takes what was only written for a file of the dataset."""
    staged_as = stage(files, "a/b", b"content")
    assert is_temporary(staged_as.rpartition("/")[2])
    files.rename(staged_as, "a/b")
    assert files.walk("") == ["a/b"]


def recorder(files: Files, writer: str = "000001-r000-000") -> Recorder:
    """A writer of the journal."""
    return Recorder(files, GEOMETRY, writer)


def note(one: Recorder, record: int, text: str) -> None:
    """Note a reply, and write it."""
    one.write_reply(("f", record, 0), ChatRequest("a", ()), ChatResponse(text))
    one.flush()


def known(files: Files, batch: int = 0) -> dict[int, str]:
    """What the journal of a batch says, by record."""
    return {record: said.text for ((_, record, _), _), said in read_replay(files, [batch]).replies.items()}


def test_what_was_synced_is_read_by_others(files: Files) -> None:
    """Replies of several seconds, batches and writers: another process reads them all, the later of two counts."""
    others: Files = pickle.loads(pickle.dumps(files))  # noqa: S301 - our own
    first, second = recorder(files), recorder(files, "000002-r000-000")
    for number in range(3):
        note(first, number, f"first {number}")
        note(first, number + 4, f"of batch 1: {number}")
        first.sync()
    note(second, 2, "second 2")
    note(second, 3, "second 3")
    second.sync()
    assert known(others) == {0: "first 0", 1: "first 1", 2: "second 2", 3: "second 3"}
    assert known(others, 1) == {number + 4: f"of batch 1: {number}" for number in range(3)}
    assert journaled_batches(others) == [0, 1]


# --- what is added to ------------------------------------------------------------------------------------------


def test_a_second_is_an_object(objects: Files, bucket: Bucket) -> None:
    """What is appended between two syncs comes to be in one object, in order; without anything new there is none."""
    objects.append("journal/x.log", b"1")
    objects.append("journal/x.log", b"2")
    objects.append("plain", b"3")
    assert bucket.keys() == []
    objects.sync("journal/x.log", "plain", "missing")
    objects.sync("journal/x.log", "plain")
    objects.append("journal/x.log", b"4")
    objects.sync("journal/x.log")
    assert sorted(bucket.contents("d").values()) == [b"12", b"3", b"4"]
    parts = bucket.contents("d/journal")
    assert [parts[name] for name in sorted(parts)] == [b"12", b"4"]
    assert all(re.fullmatch(r"x\.\d{6}\.log", name) for name in parts)


def test_what_another_process_is_given_is_empty(objects: Files, bucket: Bucket) -> None:
    """What is not put yet stays with who has it."""
    objects.append("x.log", b"1")
    there: Files = pickle.loads(pickle.dumps(objects))  # noqa: S301 - our own
    there.sync("x.log")
    assert bucket.keys() == []
    objects.sync("x.log")
    assert list(bucket.contents("d").values()) == [b"1"]


def test_what_could_not_be_put_is_put_later(objects: Files, bucket: Bucket, way: FaultyWay) -> None:
    """Nothing more is taken before what was refused is made up for; then all of it is there, in order."""
    objects.append("x.log", b"1")
    with way.refusing(*DENIED):
        with pytest.raises(OSError, match="InvalidRequest"):
            objects.sync("x.log")
        for name in ("x.log", "y.log"):
            with pytest.raises(OSError, match="InvalidRequest"):
                objects.append(name, b"lost")
    assert bucket.keys() == []
    objects.append("x.log", b"2")
    assert list(bucket.contents("d").values()) == [b"1"]
    objects.sync("x.log")
    parts = bucket.contents("d")
    assert [parts[name] for name in sorted(parts)] == [b"1", b"2"]


def test_a_recorder_loses_nothing_while_the_storage_refuses(objects: Files, way: FaultyWay) -> None:
    """Notes that were refused at a sync or a flush are in the journal once it takes them again, each once and whole."""
    one = recorder(objects)
    note(one, 0, "before")
    with way.refusing(*DENIED):
        with pytest.raises(OSError, match="InvalidRequest"):
            one.sync()
        for record in (1, 4):
            with pytest.raises(OSError, match="InvalidRequest"):
                note(one, record, "meanwhile")
    note(one, 2, "after")
    one.sync()
    assert known(objects) == {0: "before", 1: "meanwhile", 2: "after"}
    assert known(objects, 1) == {4: "meanwhile"}
    assert read_replay(objects, [0, 1]).damaged == 0


def test_a_recorder_is_held_up_by_a_storage_that_is_slow_and_no_longer(objects: Files, way: FaultyWay) -> None:
    """HTTP 503 for a while: the sync returns once the storage takes it."""
    one = recorder(objects)
    note(one, 0, "kept")
    with ThreadPoolExecutor(1) as threads:
        with way.refusing(503, "SlowDown"):
            syncing = threads.submit(one.sync)
            with pytest.raises(TimeoutError):
                syncing.result(0.3)
        syncing.result(LIMIT)
    assert known(objects) == {0: "kept"}


class Memory:
    """A bucket in memory that refuses to put some names; nothing else is asked of it here."""

    def __init__(self, refuses: Callable[[str], bool]) -> None:
        self.content: dict[str, bytes] = {}
        self._refuses = refuses

    def put(self, name: str, content: bytes) -> None:
        """Make an object, or refuse to."""
        if self._refuses(name):
            raise OSError(name)
        self.content[name] = content

    def create(self, name: str, content: bytes) -> bool:
        """Not asked."""
        raise NotImplementedError

    def copy(self, old: str, new: str) -> None:
        """Not asked."""
        raise NotImplementedError

    def remove(self, names: Sequence[str]) -> None:
        """Not asked."""
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """Not asked."""
        raise NotImplementedError

    def exists(self, name: str) -> bool:
        """Not asked."""
        raise NotImplementedError

    def walk(self, folder: str) -> "list[str]":
        """Not asked."""
        raise NotImplementedError

    def sizes(self, folder: str) -> dict[str, int]:
        """Not asked."""
        raise NotImplementedError

    def list(self, folder: str) -> "list[str]":
        """Not asked."""
        raise NotImplementedError


def test_what_was_refused_is_made_up_for_though_other_things_were_put_since() -> None:
    """That another file could be put pays no debt of the first."""
    refused = {"a"}
    bucket = Memory(lambda name: name[0] in refused)
    files = ObjectFiles(bucket)
    files.append("a.log", b"1")
    files.append("b.log", b"2")
    with pytest.raises(OSError, match="a.000001.log"):
        files.sync("a.log")
    files.sync("b.log")
    with pytest.raises(OSError, match="a."):
        files.append("a.log", b"3")
    refused.clear()
    files.append("a.log", b"3")
    files.sync("a.log")
    assert sorted(bucket.content.values()) == [b"1", b"2", b"3"]


def test_threads_that_share_files_lose_nothing() -> None:
    """One adds to a file while others put it, which is refused every second time: all of it arrives."""
    turns = itertools.count()
    bucket = Memory(lambda _: next(turns) % 2 == 0)
    files, over = ObjectFiles(bucket, at_once=1), threading.Event()

    def sync_for_ever() -> None:
        while not over.is_set():
            with suppress(OSError):
                files.sync("x.log")

    def add(number: int) -> None:
        while True:
            with suppress(OSError):
                files.append("x.log", b"%d\n" % number)
                return

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            syncing = [threads.submit(sync_for_ever) for _ in range(2)]
            for number in range(ADDED):
                add(number)
            over.set()
            for one in syncing:
                one.result(LIMIT)
    finally:
        sys.setswitchinterval(interval)
    for _ in range(2):
        with suppress(OSError):
            files.sync("x.log")
    lines = [int(line) for content in bucket.content.values() for line in content.split()]
    assert sorted(lines) == list(range(ADDED))
