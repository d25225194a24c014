"""The lock and the store on files that are objects: as on a disk, and nothing is left but the dataset."""

import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.engine.dataset.test_store import ELSEWHERE, NEW, OLD, new, old, staged
from tests.object_server import Bucket, FaultyWay
from tests.plans import metadata_of

from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.files import Files, LocalFiles, is_temporary
from data_designer.engine.dataset.journal import segment_writer
from data_designer.engine.dataset.layout import (
    JOURNAL,
    LOCK,
    METADATA,
    PARQUET,
    PROCESSED,
    batch_name,
    journal_folder,
    receipt_name,
)
from data_designer.engine.dataset.lock import Lock, Process, acquire
from data_designer.engine.dataset.sealed import seal
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError, DatasetInUseError
from data_designer.object_storage import Location, ObjectPath

LIMIT = 60.0
NOON = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - what names a folder is the user's time
HOLD = """
import sys
from data_designer.engine.dataset.files import files_at
from data_designer.engine.dataset.lock import Process, acquire
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
        assert receipt_name(receipts.read(found.pop(name)).batch) == name
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
    store.files.put(receipt_name(0), receipts.written(replace(placed, successor=new(store))))
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
    for act in (lambda: older.publish(written), lambda: older.write_metadata(metadata_of(1)), older.tidy):
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


def claimed(root: ObjectPath) -> Location:
    """The folder of a dataset that is begun, and left again."""
    store = Store.claim(root, "d", lambda: NOON)
    assert store.lock is not None
    store.lock.release()
    return store.path


def test_a_name_that_is_taken_gets_a_sibling(bucket: Bucket) -> None:
    """A dataset that is there is left alone, and a folder that holds nothing that anybody would miss is used."""
    root = ObjectPath(f"{bucket.url}/all")
    bucket.put("all/d/metadata.json", b"{}")
    assert claimed(root) == root / "d"
    bucket.put("all/d/receipts/batch_00000.json", b"{}")
    assert claimed(root) == root / "d_2026-01-02_120000"
    bucket.put("all/d_2026-01-02_120000/x", b"")
    assert claimed(root) == root / "d_2026-01-02_120000_2"
    assert len(bucket.keys()) == 3


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said(way: FaultyWay) -> None:
    """Also access that is denied: the folder, the reason, and what can be done."""
    with pytest.raises(ArtifactStorageError, match="s3://gone-for-good/d cannot be written: .*no such bucket"):
        Store.claim(ObjectPath("s3://gone-for-good"), "d", lambda: NOON)
    with way.refusing(403, "AccessDenied"), pytest.raises(ArtifactStorageError, match="access is denied"):
        Store.claim(ObjectPath("s3://gone-for-good"), "d", lambda: NOON)
