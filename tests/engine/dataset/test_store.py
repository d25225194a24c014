"""The dataset directory: whatever ends a run and whenever, a reader sees a batch as it was or as it is to be."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
import pytest
from tests.plans import metadata_of

from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.files import LocalFiles, stage
from data_designer.engine.dataset.intact import refuse_damage
from data_designer.engine.dataset.journal import journaled_batches, segment_writer
from data_designer.engine.dataset.layout import (
    DROPPED,
    JOURNAL,
    LOCK,
    METADATA,
    PARQUET,
    PROCESSED,
    RECEIPTS,
    REJECTS,
    batch_name,
    journal_folder,
    receipt_name,
)
from data_designer.engine.dataset.lock import Lock, Process
from data_designer.engine.dataset.store import Store, located
from data_designer.engine.protocol.receipt import BatchFile, Receipt, indices
from data_designer.errors import ArtifactStorageError, DatasetInUseError
from data_designer.plan.model import Geometry

GEOMETRY = Geometry(10, 4)
ELSEWHERE = Process("node-7", "another boot", 4711, "1234")
Result = TypeVar("Result")
Seen = list[tuple[int, int, dict[str, str]]]
"""Of each batch: its number, how many of its records are made, and its files with their checksums."""


class CrashError(Exception):
    """The process is gone."""


@dataclass
class Fault:
    """What goes wrong, and when."""

    at: int
    """At the change of this number, from 1."""
    done: bool
    """Whether the change is made before it fails; a write that is not leaves half of itself."""
    crash: bool
    """Whether the process ends; else the disk refuses once."""
    changes: int = 0

    @property
    def happened(self) -> bool:
        """Whether the change came."""
        return self.changes >= self.at

    def fail(self) -> NoReturn:
        """Go wrong."""
        raise CrashError if self.crash else OSError(28, "No space left on device")


class Failing(LocalFiles):
    """A directory in which one change goes wrong. What other changes are made of counts for itself."""

    def __init__(self, root: Path, fault: Fault) -> None:
        super().__init__(root)
        self.fault = fault

    def write(self, name: str, content: bytes) -> None:
        """Make a file."""
        half = content[: len(content) // 2]
        self._change(lambda: super(Failing, self).write(name, content), lambda: super(Failing, self).write(name, half))

    def append(self, name: str, content: bytes) -> None:
        """Add to a file."""
        self._change(lambda: super(Failing, self).append(name, content))

    def sync(self, *names: str) -> None:
        """Make files durable."""
        for name in names:
            self._change(lambda name=name: super(Failing, self).sync(name))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self._change(lambda: super(Failing, self).rename(old, new))

    def create(self, name: str, content: bytes) -> bool:
        """Make a file only if there is none of that name."""
        return self._change(lambda: super(Failing, self).create(name, content))

    def remove(self, *names: str) -> None:
        """Remove files."""
        for name in names:
            self._change(lambda name=name: super(Failing, self).remove(name))

    def remove_folder(self, folder: str) -> None:
        """Remove a folder if it is empty."""
        self._change(lambda: super(Failing, self).remove_folder(folder))

    def _change(self, make: Callable[[], Result], begin: Callable[[], object] = lambda: None) -> Result:
        fault = self.fault
        fault.changes += 1
        if fault.crash and fault.changes > fault.at:
            fault.fail()
        if fault.changes == fault.at and not fault.done:
            begin()
            fault.fail()
        result = make()
        if fault.changes == fault.at:
            fault.fail()
        return result


def staged(store: Store, contents: dict[str, bytes], *, batch: int = 0, run: int = 1, **fields: Any) -> Receipt:
    """A batch that was written and is not published."""
    files = []
    for folder, content in contents.items():
        path = f"{folder}/{batch_name(batch)}"
        digest = hashlib.sha256(content).hexdigest()
        files.append(BatchFile(path, 1, len(content), digest, stage(store.files, path, content)))
    records = GEOMETRY.records(batch)
    known = {
        "requested": len(records),
        "generated": len(records),
        "rejected": 0,
        "kept": ((records[0], records[-1] + 1),),
    }
    return Receipt(**{"batch": batch, "files": tuple(files), "run": run, **known, **fields})


OLD = {PARQUET: b"three rows", DROPPED: b"three", REJECTS: b"one reason"}
NEW = {PARQUET: b"four rows", DROPPED: b"four", f"{PROCESSED}/chat": b"four"}
"""What takes its place: a file that is replaced, one that goes, one that comes."""


def old(store: Store) -> Receipt:
    """A batch of which a record was rejected."""
    return staged(store, OLD, generated=3, rejected=1, kept=((0, 2), (3, 4)))


def new(store: Store) -> Receipt:
    """The same batch with that record."""
    return staged(store, NEW, run=2)


def segment(batch: int, run: int) -> str:
    """Name of a segment of the journal."""
    return f"{journal_folder(batch)}/{segment_writer(run, 'r000-001')}.log"


def note(store: Store, batch: int, run: int = 1) -> str:
    """Leave a segment of the journal; gives its name."""
    store.files.append(segment(batch, run), b"what was answered\n")
    return segment(batch, run)


def names(path: Path) -> set[str]:
    """Every file under a path but locks."""
    found = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    return {name for name in found if not name.startswith(LOCK)}


def seen(path: Path) -> Seen:
    """What a reader finds, every file of which must be what its receipt says."""
    files = LocalFiles(path)
    found = []
    for receipt in Store(path, files).receipts():
        for file in receipt.files:
            content = files.read(located(files, file))
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
        found.append((receipt.batch, receipt.generated, {file.path: file.sha256 for file in receipt.files}))
    return found


def expected(contents: dict[str, bytes], generated: int) -> Seen:
    """What a reader finds of a batch 0."""
    sums = {f"{folder}/{batch_name(0)}": hashlib.sha256(content).hexdigest() for folder, content in contents.items()}
    return [(0, generated, sums)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A directory that this run may write."""
    made = Store.at(tmp_path)
    made.take()
    return made


# --- publishing ------------------------------------------------------------------------------------------


def test_a_batch_is_there_when_its_receipt_is(store: Store) -> None:
    """Before it is published nothing of a batch is seen; then all of it is, and its journal is gone."""
    note(store, 0)
    written = new(store)
    assert seen(store.path) == []
    assert store.receipt(0) is None
    placed = store.publish(written)
    assert placed == written.in_place() == store.receipt(0)
    assert seen(store.path) == expected(NEW, 4)
    assert names(store.path) == {receipt_name(0), *(file.path for file in placed.files)}
    for folder in (PARQUET, f"{PROCESSED}/chat"):
        assert [file.path for file in store.batch_files(folder)] == [f"{folder}/{batch_name(0)}"]
        assert list(store.contents(folder)) == [(store.path / folder / batch_name(0)).read_bytes()]


def test_a_batch_that_is_there_is_replaced_as_a_whole(store: Store) -> None:
    """What takes a batch's place leaves none of its files behind, and none of what was written for it."""
    store.publish(old(store))
    assert seen(store.path) == expected(OLD, 3)
    placed = store.publish(new(store))
    assert seen(store.path) == expected(NEW, 4)
    assert store.receipt(0) == placed
    assert names(store.path) == {receipt_name(0), *(file.path for file in placed.files)}


def test_the_journal_of_a_batch_that_is_not_complete_stays(store: Store) -> None:
    """What was answered to records that a stop left undone is needed by the next run."""
    answers = note(store, 0)
    store.publish(staged(store, OLD, generated=3, kept=((0, 3),), unfinished=((3, 4),)))
    assert answers in names(store.path)
    store.publish(new(store))
    assert answers not in names(store.path)


def test_what_was_published_may_be_published_again(store: Store) -> None:
    """A run that does not know whether its batch was published says so once more, and nothing changes."""
    placed = store.publish(new(store))
    before = names(store.path)
    assert store.publish(placed) == placed
    assert (names(store.path), seen(store.path)) == (before, expected(NEW, 4))


def attempt(path: Path, fault: Fault, *, replaces: bool) -> Store:
    """Publish a batch, perhaps over one that is there, while something goes wrong."""
    careful = Store.at(path)
    careful.take(owner=ELSEWHERE)
    if replaces:
        careful.publish(old(careful))
    note(careful, 0, run=2)
    written = new(careful)
    failing = Store(path, Failing(path, fault), careful.lock)
    try:
        failing.publish(written)
    except (CrashError, OSError):
        assert fault.happened
    return failing


def taken(path: Path) -> Lock:
    """The lock of a run that comes after one of another machine which has ended."""
    return Store.at(path).take(wait=lambda _: None, owner=ELSEWHERE)


def recovered(path: Path) -> Store:
    """What the next run finds."""
    store = Store(path, LocalFiles(path), taken(path))
    refuse_damage(store)  # What a crash has left half done is no damage.
    store.recover()
    return store


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("done", [False, True])
def test_a_run_may_end_at_every_step_of_publishing(tmp_path: Path, replaces: bool, done: bool) -> None:
    """A reader sees what was or what is to be, whole; the next run finishes it or removes what is left of it."""
    was, is_to_be = expected(OLD, 3) if replaces else [], expected(NEW, 4)
    outcomes = []
    for at in range(1, 1000):
        path = tmp_path / str(at)
        fault = Fault(at, done, crash=True)
        attempt(path, fault, replaces=replaces)
        outcomes.append(seen(path))
        assert outcomes[-1] in (was, is_to_be)
        next_run = recovered(path)
        assert seen(path) == outcomes[-1]
        receipt = next_run.receipt(0)
        referred = set() if receipt is None else {receipt_name(0), *(file.path for file in receipt.files)}
        assert receipt is None or receipt == receipt.in_place()
        # Answers are kept until what they were asked for is there.
        left = {segment(0, run=2)} if outcomes[-1] == was else set()
        assert names(path) == referred | left
        if not fault.happened:
            break
    assert outcomes[0] == was
    assert outcomes[-1] == is_to_be
    assert outcomes == sorted(outcomes, key=lambda one: one == is_to_be)


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("done", [False, True])
def test_a_disk_may_refuse_at_every_step_of_publishing(tmp_path: Path, replaces: bool, done: bool) -> None:
    """Whatever a disk refuses, a reader sees one of both, and the next try of the same run publishes the batch."""
    for at in range(1, 1000):
        path = tmp_path / str(at)
        fault = Fault(at, done, crash=False)
        failing = attempt(path, fault, replaces=replaces)
        assert seen(path) in ([] if not replaces else expected(OLD, 3), expected(NEW, 4))
        if not fault.happened:
            return
        # As the sink does: what this run has begun to put in place is gone on with, else all is written anew.
        before = failing.receipt(0)
        again = before.current if before is not None and before.current.run == 2 else new(failing)
        assert failing.publish(again) == again.in_place()
        assert seen(path) == expected(NEW, 4)
        failing.recover()
        assert names(path) == {receipt_name(0), *(file.path for file in again.files)}
    raise AssertionError


def test_a_run_may_end_at_every_step_of_a_recovery(tmp_path: Path) -> None:
    """A recovery that dies itself changes nothing of what is seen; the next one finishes."""
    half_done = 0
    for at in range(1, 1000):
        probe = tmp_path / str(at)
        fault = Fault(at, done=False, crash=True)
        receipt = attempt(probe, fault, replaces=True).receipt(0)
        if not fault.happened:
            break
        if receipt is None or receipt.successor is None:
            continue
        half_done += 1
        for step in range(1, 1000):
            path = shutil.copytree(probe, tmp_path / f"{at}-{step}")
            fault = Fault(step, done=False, crash=True)
            with suppress(CrashError):
                Store(path, Failing(path, fault), taken(path)).recover()
            assert seen(path) == expected(NEW, 4)
            recovered(path)
            assert seen(path) == expected(NEW, 4)
            assert not any(name.endswith(".tmp") for name in names(path))
            if not fault.happened:
                break
    assert half_done > 3


def test_what_cannot_be_put_leaves_nothing(tmp_path: Path) -> None:
    """Whatever a disk refuses while a file is replaced, it is there whole, as it was or as it is to be, and alone."""
    for at in range(1, 10):
        path = tmp_path / str(at)
        LocalFiles(path).put("file", b"before")
        fault = Fault(at, done=False, crash=False)
        with suppress(OSError):
            Failing(path, fault).put("file", b"afterwards")
        assert names(path) == {"file"}
        assert (path / "file").read_bytes() == (b"before" if fault.happened else b"afterwards")


# --- who may write ---------------------------------------------------------------------------------------


def taken_over(path: Path) -> tuple[Store, Store]:
    """A run of another machine that stood still, and the one that has taken its place."""
    older, newer = Store.at(path), Store.at(path)
    older.take(owner=ELSEWHERE)
    newer.take(wait=lambda _: None)
    return older, newer


def test_a_run_that_was_taken_over_publishes_nothing(tmp_path: Path) -> None:
    """It is refused in words, nothing of its batch is seen, and the newer run publishes its own."""
    older, newer = taken_over(tmp_path)
    written = old(older)
    with pytest.raises(DatasetInUseError, match="taken this dataset over"):
        older.publish(written)
    assert seen(tmp_path) == []
    newer.publish(new(newer))
    with pytest.raises(DatasetInUseError):
        older.publish(written)
    assert seen(tmp_path) == expected(NEW, 4)


def test_a_run_that_was_taken_over_removes_nothing(tmp_path: Path) -> None:
    """What the newer run has written and not yet published is not the older run's to tidy up."""
    older, newer = taken_over(tmp_path)
    written = new(newer)
    with suppress(DatasetInUseError):
        older.tidy()
    newer.publish(written)
    assert seen(tmp_path) == expected(NEW, 4)


def test_a_run_that_was_taken_over_describes_nothing(tmp_path: Path) -> None:
    """The metadata are those of the newer run, whatever the older one still wants to say."""
    older, newer = taken_over(tmp_path)
    newer.write_metadata(metadata_of(newer.run))
    with suppress(DatasetInUseError):
        older.write_metadata(metadata_of(older.run))
    assert newer.read_metadata().run == newer.run


def test_a_batch_whose_files_are_gone_is_not_published(store: Store) -> None:
    """Where a written file has been removed before it was put into place, there is no batch."""
    written = new(store)
    store.files.remove(written.files[0].staged)
    with pytest.raises((OSError, ArtifactStorageError)):
        store.publish(written)
    assert seen(store.path) == []


def test_runs_are_counted_on_from_the_metadata(tmp_path: Path) -> None:
    """A run's number is above that of every run before it, so that its segments and receipts tell it from them."""
    first = Store.at(tmp_path)
    lock = first.take()
    first.write_metadata(metadata_of(7))
    lock.release()
    assert first.take().number == 8


# --- what is left behind ---------------------------------------------------------------------------------


def test_only_what_no_commit_needs_is_removed(store: Store) -> None:
    """Files never put into place, files without a receipt, journals of what is there; nothing else, whosever it is."""
    store.publish(staged(store, {PARQUET: b"0"}, batch=0))
    store.publish(staged(store, {PARQUET: b"1"}, batch=1, unfinished=((4, 5),), kept=((5, 8),), generated=3))
    store.write_metadata(metadata_of(1))
    users = {
        "dataset.jsonl", ".hidden", f"{PARQUET}/README.md", f"{PARQUET}/.cache", f"{REJECTS}/seen_00000.txt",
        "images/batch_00000/1.png", "images/.1.png.tmp", f"{JOURNAL}/notes.txt", f"{RECEIPTS}/README.md",
        f"{PROCESSED}/mine/batch.parquet",
    }  # fmt: skip
    useless = {
        f"{PARQUET}/{batch_name(2)}", f"{REJECTS}/{batch_name(0)}", f"{PROCESSED}/chat/{batch_name(1)}",
        f"{PARQUET}/.{batch_name(1)}.host.1.2.tmp", f"{DROPPED}/.{batch_name(9)}.host.1.2.tmp", ".metadata.json.x.tmp",
        f"{RECEIPTS}/.batch_00000.json.x.tmp", f"{PROCESSED}/chat/.{batch_name(1)}.host.1.2.tmp",
    }  # fmt: skip
    for name in users | useless:
        store.files.write(name, b"something")
    useless.add(note(store, 0))
    needed = {note(store, 0, run=2), note(store, 1), note(store, 2)}
    kept = names(store.path) - useless
    assert kept >= users | needed
    store.recover()
    assert names(store.path) == kept
    store.recover()
    store.tidy()
    assert names(store.path) == kept
    assert journaled_batches(store.files) == [0, 1, 2]


def test_tidying_leaves_files_without_a_receipt(store: Store) -> None:
    """At the end of a run only what is temporary goes: a file whose receipt is being written is not."""
    name = f"{PARQUET}/{batch_name(2)}"
    store.files.write(name, b"in place, and its receipt is not there yet")
    store.files.write(f"{PARQUET}/.{batch_name(2)}.host.1.2.tmp", b"never to be put into place")
    store.tidy()
    assert names(store.path) == {name}


def test_folders_that_are_empty_go(store: Store) -> None:
    """Journals of batches that are there leave no folders behind."""
    store.publish(new(store))
    note(store, 0, run=1)
    (store.path / journal_folder(5)).mkdir()
    store.tidy()
    assert not (store.path / JOURNAL).exists()


def test_a_damaged_receipt_stops_a_recovery_before_it_removes_anything(store: Store) -> None:
    """What belongs to a batch whose receipt cannot be read is no left-over; the message names the receipt."""
    for batch in range(3):
        store.publish(staged(store, {PARQUET: b"rows"}, batch=batch))
    before = names(store.path)
    whole = store.files.read(receipt_name(1))
    store.files.put(receipt_name(1), whole[:-1])
    with pytest.raises(ArtifactStorageError, match=f"{receipt_name(1)} is damaged.*batch 1 made again"):
        store.recover()
    assert names(store.path) == before
    store.files.put(receipt_name(1), whole)
    store.recover()
    assert names(store.path) == before


def test_a_folder_that_was_removed_is_no_riddle(store: Store) -> None:
    """Where the user has removed what a processor made, a recovery goes on; a check will name the files."""
    placed = store.publish(new(store))
    store.files.remove(placed.files[2].path)
    store.files.remove_folder(f"{PROCESSED}/chat")
    store.recover()
    assert store.receipt(0) == placed


# --- how far it is ---------------------------------------------------------------------------------------


def test_what_is_there_is_told_batch_by_batch(store: Store) -> None:
    """A complete batch, one with a record undone, one that is missing but was begun: 4, 4 and 2 records."""
    store.publish(staged(store, {PARQUET: b"0"}, batch=0))
    store.publish(staged(store, {PARQUET: b"1"}, batch=1, generated=2, kept=((4, 5), (7, 8)), unfinished=((5, 7),)))
    note(store, 2)
    resume_point = store.resume_point(GEOMETRY)
    assert [batch in resume_point.committed for batch in range(3)] == [True, False, False]
    assert {batch: rows.tolist() for batch, rows in resume_point.partial.items()} == {1: [5, 6]}
    assert [batch in resume_point.journaled for batch in range(3)] == [False, False, True]


def test_a_batch_that_is_being_replaced_counts_as_what_it_is_to_be(store: Store) -> None:
    """As soon as both are in the receipt, the new one counts, for readers and for a resume."""
    undone = staged(store, OLD, generated=3, kept=((0, 3),), unfinished=((3, 4),))
    placed = store.publish(undone)
    store.files.put(receipt_name(0), receipts.written(replace(placed, successor=new(store))))
    assert seen(store.path) == expected(NEW, 4)
    assert 0 in store.resume_point(GEOMETRY).committed
    assert store.resume_point(GEOMETRY).partial == {}
    store.recover()
    assert seen(store.path) == expected(NEW, 4)


def test_a_new_directory_has_nothing(tmp_path: Path) -> None:
    """Of a dataset that was never begun nothing is committed, and there are no metadata to read."""
    empty = Store.at(tmp_path / "nothing")
    resume_point = empty.resume_point(GEOMETRY)
    assert not any(batch in resume_point.committed for batch in GEOMETRY.batches())
    assert (resume_point.partial, resume_point.journaled) == ({}, frozenset())
    assert (list(empty.receipts()), list(empty.contents()), empty.batches()) == ([], [], [])
    with pytest.raises(ArtifactStorageError, match=METADATA):
        empty.read_metadata()


def test_rejected_records_are_those_neither_made_nor_undone(store: Store) -> None:
    """To retry is to make the rejected records and nothing else: other batches are left alone, begun ones too."""
    store.publish(staged(store, {PARQUET: b"0"}, batch=0))
    fields: dict[str, Any] = {"generated": 1, "rejected": 2, "kept": ((5, 6),), "unfinished": ((6, 7),)}
    store.publish(staged(store, {PARQUET: b"1", REJECTS: b"4, 7"}, batch=1, **fields))
    note(store, 1)
    note(store, 2)
    wanted = store.rejected(GEOMETRY)
    assert {batch: rows.tolist() for batch, rows in wanted.partial.items()} == {1: [4, 7]}
    assert [batch in wanted.committed for batch in range(3)] == [True, False, True]
    assert [batch in wanted.journaled for batch in range(3)] == [False, True, False]


def test_where_nothing_was_rejected_nothing_is_retried(store: Store) -> None:
    """Every batch is left alone, whether it is there or not."""
    store.publish(staged(store, {PARQUET: b"0"}, batch=0))
    wanted = store.rejected(GEOMETRY)
    assert dict(wanted.partial) == {}
    assert all(batch in wanted.committed for batch in GEOMETRY.batches())


def test_a_receipt_is_read_as_it_was_written() -> None:
    """Every field of a receipt and of its successor survives; a changed one is refused."""
    file = BatchFile("parquet-files/batch_00000.parquet", 3, 10, "ab", "parquet-files/.x.tmp")
    receipt = Receipt(
        0, 4, 3, 1, (file,), ((0, 2), (3, 4)), (), {}, 0, {"Kind": {"count": 1}}, {"a": {"rows": 3}}, ("a",), 0.25, 2
    )
    both = replace(receipt, successor=replace(receipt, generated=4, rejected=0, run=3))
    assert receipts.read(receipts.written(receipt)) == receipt
    assert receipts.read(receipts.written(both)) == both
    assert both.current.run == 3
    with pytest.raises(ValueError, match="does not match its checksum"):
        receipts.read(receipts.written(both).replace(b'"generated":3', b'"generated":4'))
    assert indices(receipt.kept).tolist() == [0, 1, 3]
    assert np.concatenate([indices(()), indices(receipt.kept)]).dtype == np.int64
