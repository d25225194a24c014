"""Files that are objects: what holds for those of a disk holds for them, and so do the lock and the store."""

import itertools
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.engine.test_store import ELSEWHERE, GEOMETRY, NEW, OLD, new, old, staged
from tests.object_server import Bucket, FaultyWay

from data_designer.engine.files import Files, LocalFiles, files_at, is_temporary, stage
from data_designer.engine.journal import Recorder, journaled_batches, read_replay, segment_writer
from data_designer.engine.layout import (
    JOURNAL,
    LOCK,
    METADATA,
    PARQUET,
    PROCESSED,
    batch_name,
    journal_folder,
    receipt_name,
)
from data_designer.engine.lock import Lock, Process, acquire
from data_designer.engine.object_files import ObjectFiles
from data_designer.engine.receipts import Receipt
from data_designer.engine.sealed import seal
from data_designer.engine.store import Store
from data_designer.errors import ArtifactStorageError, DatasetInUseError
from data_designer.object_storage import ObjectPath
from data_designer.values import Request, Response

LIMIT = 60.0
NOON = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - what names a folder is the user's time
ADDED = 20_000
DENIED = (400, "InvalidRequest")
"""What is refused so is not tried again."""
HOLD = """
import sys
from data_designer.engine.files import files_at
from data_designer.engine.lock import Process, acquire
from data_designer.object_storage import location
print(acquire(files_at(location(sys.argv[1])), 4, Process.this(), None).number, flush=True)
sys.stdin.read()
"""


def never(seconds: float) -> None:
    """Nobody waits."""
    raise AssertionError(f"waits for {seconds} s")


def at_once(_seconds: float) -> None:
    """A lease is over."""


def place_of(bucket: Bucket) -> ObjectPath:
    """Where the dataset is."""
    return ObjectPath(f"{bucket.url}/d")


@pytest.fixture
def objects(bucket: Bucket) -> Files:
    """Files in the bucket."""
    return files_at(place_of(bucket))


@pytest.fixture(params=["disk", "objects"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Files on a disk, and in object storage."""
    if request.param == "disk":
        return LocalFiles(tmp_path)
    made: Files = request.getfixturevalue("objects")
    return made


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
        files.write(name, b"")
    assert files.list("") == [".probe", "a", "b", "b.log", "bb"]
    assert files.list("b") == ["1", "2"]
    assert files.walk("b") == ["b/1/x", "b/2"]
    assert (files.list("c"), files.walk("c")) == ([], [])


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
    one.note_reply(("f", record, 0), Request("a", ()), Response(text))
    one.flush()


def known(files: Files, batch: int = 0) -> dict[int, str]:
    """What the journal of a batch says, by record."""
    return {key[0][1]: said[0] for key, said in read_replay(files, [batch]).entries.items()}


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


# --- the lock --------------------------------------------------------------------------------------------------


def taken(files: Files, owner: Process | None = None) -> Lock:
    """Take the lock, without waiting for anybody."""
    return acquire(files, 0, owner or Process.this(), never)


def test_of_two_runs_of_a_process_that_begin_at_the_same_time_one_wins(files: Files) -> None:
    """Eight threads take the lock of the same dataset: one has it, the others are told whose it is."""
    together = threading.Barrier(8)

    def take(_: int) -> "Lock | str":
        together.wait(LIMIT)
        try:
            return taken(files)
        except DatasetInUseError as error:
            return str(error)

    with ThreadPoolExecutor(8) as threads:
        came = list(threads.map(take, range(8)))
    winners = [one for one in came if isinstance(one, Lock)]
    assert [lock.number for lock in winners] == [1]
    assert all(f"process {os.getpid()} on" in one for one in came if isinstance(one, str))
    winners[0].check()
    assert files.list(LOCK) == ["000001"]


def test_a_lock_is_renewed_and_leaves_nothing(files: Files) -> None:
    """Each sign of life is another one, and after the release the dataset is as if nobody had been there."""
    lock = taken(files)
    seen = [files.read(f"{LOCK}/000001")]
    for _ in range(2):
        lock.renew()
        seen.append(files.read(f"{LOCK}/000001"))
    assert len(set(seen)) == 3
    lock.release()
    assert files.walk("") == []


@pytest.mark.parametrize("lost", [1, 2])
def test_a_run_whose_answers_are_lost_has_its_lock(objects: Files, way: FaultyWay, lost: int) -> None:
    """The storage made the lock, or its renewal, and nobody heard: it is the run's, and others are refused."""
    way.lose_answer(lost)
    lock = taken(objects)
    lock.renew()
    lock.check()
    with pytest.raises(DatasetInUseError):
        taken(objects)
    lock.release()
    assert objects.walk("") == []


def test_a_second_process_is_refused_and_takes_over_what_a_killed_one_left(objects: Files, bucket: Bucket) -> None:
    """The message names the first process; once that is gone the next number is taken, and nothing else is left."""
    command = [sys.executable, "-c", HOLD, str(place_of(bucket))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "5"
        with pytest.raises(DatasetInUseError, match=f"process {process.pid} on {re.escape(os.uname().nodename)}"):
            taken(objects)
        process.send_signal(signal.SIGKILL)
    assert taken(objects).number == 6
    assert objects.walk("") == [f"{LOCK}/000006"]


def test_the_lock_of_another_machine_is_taken_over_after_a_lease(objects: Files) -> None:
    """It is watched for a lease; a renewal meanwhile keeps it."""
    first = taken(objects, ELSEWHERE)
    with pytest.raises(DatasetInUseError, match="process 4711 on node-7"):
        acquire(objects, 0, Process.this(), lambda _: first.renew())
    second = acquire(objects, 0, Process.this(), at_once)
    with pytest.raises(DatasetInUseError, match="taken this dataset over"):
        first.renew()
    second.check()
    assert objects.walk("") == [f"{LOCK}/000002"]


# --- the store -------------------------------------------------------------------------------------------------


@pytest.fixture
def store(objects: Files, bucket: Bucket) -> Store:
    """A dataset in the bucket that this run may write."""
    made = Store(place_of(bucket), objects)
    made.take()
    return made


def objects_of(contents: dict[str, bytes], batch: int = 0) -> dict[str, bytes]:
    """The data of a batch as they are to lie in the bucket."""
    return {f"{folder}/{batch_name(batch)}": content for folder, content in contents.items()}


def in_place(bucket: Bucket) -> dict[str, bytes]:
    """What is in the bucket but locks and receipts; these must be what their names say."""
    found = bucket.contents("d")
    for name in [name for name in found if name.startswith("receipts/")]:
        assert receipt_name(Receipt.from_bytes(found.pop(name)).batch) == name
    return {name: content for name, content in found.items() if not name.startswith(LOCK)}


def journal(store: Store, batch: int, run: int = 1) -> None:
    """Leave a part of the journal."""
    name = f"{journal_folder(batch)}/{segment_writer(run, 'r000-000')}.log"
    store.files.append(name, b"what was answered\n")
    store.files.sync(name)


def test_a_batch_that_is_published_leaves_its_files_and_its_receipt(store: Store, bucket: Bucket) -> None:
    """Its journal and its temporary objects are gone, those of other batches stay."""
    journal(store, 0)
    journal(store, 1)
    written = staged(store, NEW)
    assert all(is_temporary(name.rpartition("/")[2]) or name.startswith(JOURNAL) for name in in_place(bucket))
    placed = store.publish(written)
    assert placed == written.in_place() == store.receipt(0)
    left = in_place(bucket)
    assert [name for name in left if name.startswith(JOURNAL)] == [f"{JOURNAL}/batch_00001/000001-r000-000.000002.log"]
    assert {name: left[name] for name in left if not name.startswith(JOURNAL)} == objects_of(NEW)
    for folder, content in NEW.items():
        assert list(store.contents(folder)) == [content]


def test_a_batch_that_is_replaced_leaves_nothing_of_what_it_was(store: Store, bucket: Bucket) -> None:
    """A file that is in both, one that goes and one that comes: exactly the new ones are there."""
    store.publish(old(store))
    assert in_place(bucket) == objects_of(OLD)
    store.publish(new(store))
    assert in_place(bucket) == objects_of(NEW)


def test_a_batch_whose_writing_was_answered_late_or_never_is_the_same(
    objects: Files, bucket: Bucket, way: FaultyWay
) -> None:
    """The answer to a request of a replacement is lost, now this one and now that: the same objects are there."""
    for number in (2, 4, 5, 6, 11):
        store = Store.at(ObjectPath(f"{bucket.url}/{number}"))
        store.take()
        store.publish(old(store))
        way.lose_answer(number)
        store.publish(new(store))
        store.tidy()
        found = bucket.contents(str(number))
        assert {name: found[name] for name in found if name.startswith(tuple(NEW))} == objects_of(NEW)
        assert len(found) == len(NEW) + 2
        way.settle()
    assert objects.walk("") == []


def test_a_publication_that_failed_anywhere_is_made_good(bucket: Bucket, way: FaultyWay) -> None:
    """From some request on the storage refuses: the batch is as it was or as it is to be; published again it is new."""
    for number in (1, 2, 3, 8, 9):
        store = Store.at(ObjectPath(f"{bucket.url}/{number}"))
        store.take()
        store.publish(old(store))
        written = new(store)
        way.refuse_from(number)
        with suppress(OSError):
            store.publish(written)
        way.settle()
        assert list(store.contents()) in ([OLD[PARQUET]], [NEW[PARQUET]])
        store.publish(written)
        store.recover()
        found = bucket.contents(str(number))
        assert {name: found[name] for name in found if name.startswith(tuple({*OLD, *NEW}))} == objects_of(NEW)
        assert len(found) == len(NEW) + 2


def test_what_a_crash_has_left_half_done_is_finished(store: Store, bucket: Bucket) -> None:
    """A receipt that names both: recovery puts the new files in place, removes the old ones and every temporary."""
    placed = store.publish(old(store))
    store.files.put(receipt_name(0), replace(placed, successor=new(store)).to_bytes())
    staged(store, OLD, batch=1)
    store.files.put(f"{PARQUET}/{batch_name(2)}", b"of a batch that has no receipt")
    journal(store, 0)
    journal(store, 1)
    store.recover()
    left = in_place(bucket)
    assert left.pop(f"{JOURNAL}/batch_00001/000001-r000-000.000002.log") == b"what was answered\n"
    assert left == objects_of(NEW)
    assert store.batches() == [0]


def test_a_batch_whose_file_is_gone_is_made_again(store: Store, bucket: Bucket) -> None:
    """Its receipt goes, and so do its other files."""
    store.publish(new(store))
    bucket.remove(f"d/{PARQUET}/{batch_name(0)}")
    store.recover()
    assert (store.batches(), in_place(bucket)) == ([], {})


def test_tidying_leaves_nothing_but_the_dataset(store: Store, bucket: Bucket) -> None:
    """Temporary objects in all folders and journals of complete batches go; what a later run answered stays."""
    store.publish(new(store))
    store.files.put(METADATA, seal({"run": 1}))
    for name in (".x.h.1.0.tmp", f"receipts/.{METADATA}.h.1.1.tmp", f"{PROCESSED}/chat/.y.h.1.2.tmp"):
        bucket.put(f"d/{name}", b"half")
    journal(store, 0, run=2)
    journal(store, 0, run=3)
    store.tidy()
    assert set(in_place(bucket)) - set(objects_of(NEW)) == {
        METADATA,
        f"{JOURNAL}/batch_00000/000003-r000-000.000002.log",
    }


def test_a_run_that_was_taken_over_publishes_nothing(objects: Files, bucket: Bucket) -> None:
    """What it wrote is in no reader's way, and is removed by who took over."""
    older, newer = Store(place_of(bucket), objects), Store.at(place_of(bucket))
    older.take(never, ELSEWHERE)
    written = staged(older, NEW)
    newer.take(at_once)
    before = bucket.contents("d")
    for act in (lambda: older.publish(written), lambda: older.write_metadata({"run": 1}), older.tidy):
        with pytest.raises(DatasetInUseError, match="taken this dataset over"):
            act()
    assert bucket.contents("d") == before
    assert (newer.batches(), list(newer.contents())) == ([], [])
    newer.recover()
    assert bucket.keys("d") == [f"d/{LOCK}/000002"]


class Unread(LocalFiles):
    """Files whose metadata cannot be read at one of the looks."""

    looks = 0
    fails_at = 0

    def read(self, name: str) -> bytes:
        """Read, or fail to."""
        if name == METADATA:
            self.looks += 1
            if self.looks == self.fails_at:
                raise OSError(5, "Input/output error")
        return super().read(name)


@pytest.mark.parametrize("look", [1, 2])
def test_a_dataset_whose_last_run_cannot_be_read_is_not_taken(tmp_path: Path, look: int) -> None:
    """Else a run could get the number, and overwrite the journal, of one that was before; no lock is left behind."""
    files = Unread(tmp_path)
    files.put(METADATA, seal({"run": 5}))
    files.fails_at = look
    store = Store(tmp_path, files)
    with pytest.raises(ArtifactStorageError, match="the lock of .* cannot be written: .*Input/output error"):
        store.take(never)
    assert (files.walk(""), store.lock) == ([METADATA], None)
    assert store.take(never).number == 6


def test_a_name_that_is_taken_gets_a_sibling(bucket: Bucket) -> None:
    """A dataset that is there is left alone, and a folder that holds nothing that anybody would miss is used."""
    root = ObjectPath(f"{bucket.url}/all")
    bucket.put("all/d/metadata.json", b"{}")
    assert Store.create(root, "d", lambda: NOON).path == root / "d"
    bucket.put("all/d/receipts/batch_00000.json", b"{}")
    assert Store.create(root, "d", lambda: NOON).path == root / "d_01-02-2026_120000"
    bucket.put("all/d_01-02-2026_120000/x", b"")
    assert Store.create(root, "d", lambda: NOON).path == root / "d_01-02-2026_120000_2"
    assert len(bucket.keys()) == 3


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said(way: FaultyWay) -> None:
    """Also access that is denied: the folder, the reason, and what can be done."""
    with pytest.raises(ArtifactStorageError, match="s3://gone-for-good/d cannot be written: .*no such bucket"):
        Store.create(ObjectPath("s3://gone-for-good"), "d", lambda: NOON)
    with way.refusing(403, "AccessDenied"), pytest.raises(ArtifactStorageError, match="access is denied"):
        Store.create(ObjectPath("s3://gone-for-good"), "d", lambda: NOON)
