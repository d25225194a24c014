"""The dataset directory: what is already there, and how a batch becomes visible.

A batch is written under temporary names by whoever has its values, and published by the run that holds the lock:
first its files are given their names, then its receipt. A batch that is there already is replaced by way of a receipt
that holds both: from then on what is new counts, whatever of it is in place, and a crash is mended by going on.
"""

import hashlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from data_designer.config.folder_names import unusable
from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.ahead import ahead
from data_designer.engine.dataset.files import Files, files_at, is_probe, is_temporary, try_out
from data_designer.engine.dataset.journal import forget_batch, journaled_batches, run_of, segments_by_batch
from data_designer.engine.dataset.layout import (
    ACCOUNTS,
    BUILDER_CONFIG,
    CONVERSATIONS,
    DROPPED,
    FOLDERS,
    JOURNAL,
    LOCK,
    MANIFESTS,
    METADATA,
    NULLED,
    PARQUET,
    PROCESSED,
    RECEIPTS,
    REJECTS,
    batch_number,
    receipt_name,
)
from data_designer.engine.dataset.lock import Lock, Process, acquire, is_held
from data_designer.engine.dataset.media import read_manifest
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.metadata import run_of as run_of_metadata
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.protocol.receipt import BatchFile, Receipt, indices, is_content, ranges
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import Rows
from data_designer.errors import ArtifactStorageError, DatasetInUseError
from data_designer.object_storage import Location
from data_designer.plan.model import Geometry

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Store:
    """One dataset directory."""

    path: Location
    files: Files
    lock: Lock | None = None
    """Needed for everything that writes."""

    # --- making ------------------------------------------------------------------------------------------

    @classmethod
    def at(cls, path: Location) -> "Store":
        """The dataset at a path, whether it is there or not."""
        return cls(path, files_at(path))

    @classmethod
    def claim(cls, artifact_path: Location, dataset_name: str, now: Callable[[], datetime]) -> "Store":
        """Make a directory for a new dataset, and become the run that writes there.

        Where the name is taken, or another run takes it at the same time, it is a sibling with a time stamp.

        Raises:
            ArtifactStorageError: the name cannot be a folder's, or the folder cannot be made or written.
        """
        check_name(dataset_name)
        for path in _candidates(artifact_path / dataset_name, now):
            store = cls.at(path)
            try:
                if store.take_if_free():
                    return store
            except OSError as error:
                raise ArtifactStorageError(
                    f"the dataset folder {path} cannot be written: {error.strerror or error}; "
                    "choose another artifact_path or free it"
                ) from error
        raise AssertionError("there is always another name")

    def take_if_free(self) -> bool:
        """Become the run that writes here if nothing is here; says whether it is.

        Raises:
            OSError: the folder cannot be written.
            ArtifactStorageError: the lock cannot be written.
        """
        if not self.is_free():
            return False
        try_out(self.files, str(os.getpid()))
        try:
            lock = self.take()
        except DatasetInUseError:
            return False
        if self.is_free(locked=True):
            return True  # Else another run has come and gone between the two looks.
        lock.release()
        self.lock = None
        return False

    def has_files(self) -> bool:
        """Whether anything is here. Raises ArtifactStorageError where that cannot be seen."""
        try:
            return bool(self.files.list(""))
        except OSError as error:
            raise ArtifactStorageError(f"the dataset folder {self.path} cannot be read: {error}") from error

    def is_free(self, *, locked: bool = False) -> bool:
        """Whether there is nothing here that anybody would miss: at most what a run left that got nowhere.

        Args:
            locked: whether this run holds the lock; else one makes it somebody's.
        """
        names = {name for name in self.files.list("") if not is_probe(name)} - ({LOCK} if locked else set())
        return names <= {METADATA, BUILDER_CONFIG, RECEIPTS, JOURNAL, ACCOUNTS} and not (
            self.files.list(RECEIPTS) or journaled_batches(self.files)
        )

    def is_held(self) -> bool | None:
        """Whether a run writes here now; None where that cannot be seen, since its process is on another machine."""
        return is_held(self.files)

    def take(self, wait: Callable[[float], None] = time.sleep, owner: Process | None = None) -> Lock:
        """Become the run that writes here.

        Raises:
            DatasetInUseError: another run does.
            ArtifactStorageError: the lock cannot be written.
        """
        try:
            self.lock = self._acquired(owner or Process.this(), wait)
        except OSError as error:
            raise ArtifactStorageError(f"the lock of {self.path} cannot be written: {error}") from error
        return self.lock

    def _acquired(self, owner: Process, wait: Callable[[float], None]) -> Lock:
        while True:
            lock = acquire(self.files, self._last_run(), owner, wait)
            try:
                if self._last_run() < lock.number:
                    return lock
            except OSError:
                with suppress(OSError):
                    lock.release()
                raise
            lock.release()  # Another run came and went between the two looks.

    def _last_run(self) -> int:
        try:
            return run_of_metadata(self.files.read(METADATA))
        except FileNotFoundError:
            return 0

    @property
    def run(self) -> int:
        """Number of the run that holds the lock."""
        assert self.lock is not None, "whoever writes a dataset takes it first"
        return self.lock.number

    # --- writing -----------------------------------------------------------------------------------------

    def publish(self, receipt: Receipt) -> Receipt:
        """Make a written batch visible. Gives the receipt as it stands on disk.

        Raises:
            DatasetInUseError: another run has taken over; nothing of the batch is visible.
            OSError: the disk refuses; what was visible before still is, or what is new counts already.
        """
        self._check_lock()
        for file in receipt.files:
            if file.staged and not self.files.exists(located(self.files, file)):
                raise FileNotFoundError(f"{file.staged} was written and is gone")
        before = self.receipt(receipt.batch)
        images = self._images(receipt)
        if before is None and images:
            # Images leave the journal, so that they have to count before they do.
            before = _nothing_of(receipt)
        if before is not None and before.successor is None:
            self.files.put(receipt_name(receipt.batch), receipts.written(replace(before, successor=receipt)))
        return self._put_in_place(receipt, before, images)

    def _put_in_place(self, receipt: Receipt, before: Receipt | None, images: Sequence[BatchFile]) -> Receipt:
        old = [] if before is None else [*before.files, *self._images_as_far_as_there(before)]
        if images:
            self.files.move([(file.staged, file.path) for file in images])
        for file in receipt.files:
            if file.staged:
                self._give_its_name(file)
        placed = receipt.in_place()
        self.files.put(receipt_name(receipt.batch), receipts.written(placed))
        with suppress(OSError):  # What is left over here is removed at the end of the run.
            there = {file.path for file in (*placed.files, *images)}
            self.files.remove(*(file.path for file in old if file.path not in there))
            if placed.complete:
                forget_batch(self.files, placed.batch)
        return placed

    def _images(self, receipt: Receipt) -> list[BatchFile]:
        """Images of a batch that is written. Raises ArtifactStorageError where their manifest is damaged."""
        return [image for file in receipt.files if file.folder == MANIFESTS for image in images_of(self.files, file)]

    def _images_as_far_as_there(self, receipt: Receipt) -> list[BatchFile]:
        try:
            return self._images(receipt)
        except (ArtifactStorageError, OSError):
            return []

    def _remove_images(self, manifest: str) -> None:
        """Remove the images of a batch whose receipt is gone, as far as its manifest can be read."""
        try:
            images = read_manifest(self.files.read(manifest))
        except ValueError:
            logger.warning("%s is damaged: the images that it lists stay; `data-designer check` names them", manifest)
        else:
            self.files.remove(*(image.path for image in images))

    def _give_its_name(self, file: BatchFile) -> None:
        try:
            self.files.rename(file.staged, file.path)
        except FileNotFoundError:
            if not self.files.exists(file.path):
                raise  # Else it is in place already.

    def _check_lock(self) -> None:
        assert self.lock is not None, "whoever writes a dataset takes it first"
        self.lock.check()

    def write_builder_config(self, content: bytes) -> None:
        """Keep what the user declared beside the data. Raises DatasetInUseError if another run has taken over."""
        self._check_lock()
        self.files.put(BUILDER_CONFIG, content)

    def declaration(self, sha256: str | None) -> bytes:
        """What the user declared, as it was written.

        Args:
            sha256: its digest, as the metadata give it.

        Raises:
            OSError: it is missing or cannot be read.
            DamagedError: it is not as it was written.
        """
        text = self.files.read(BUILDER_CONFIG)
        if hashlib.sha256(text).hexdigest() != sha256:
            raise DamagedError(f"{self.path / BUILDER_CONFIG} is damaged or was edited; restore it from a copy")
        return text

    def write_metadata(self, metadata: Metadata) -> None:
        """Replace the dataset's metadata. Raises DatasetInUseError if another run has taken over."""
        self._check_lock()
        self.files.put(METADATA, metadata.written())

    def tidy(self) -> None:
        """Remove what no commit needs: files that were never put into place, journals of committed batches.

        Raises:
            OSError: the disk refuses.
            ArtifactStorageError: a receipt cannot be read, or another run has taken over.
        """
        self._check_lock()
        for folder in ["", LOCK, RECEIPTS, *self._data_folders()]:
            for name in self.files.list(folder):
                if is_temporary(name):
                    self.files.remove(f"{folder}/{name}" if folder else name)
        segments = segments_by_batch(self.files)
        needless: list[str] = []
        for batch, receipt in zip(segments, ahead(self.files.at_once, self.receipt, list(segments)), strict=True):
            if receipt is not None and receipt.complete:
                # Later segments are of a run that was to make rejected records again and did not end.
                needless += (name for name in segments[batch] if run_of(name) <= receipt.run)
        self.files.remove(*needless)
        for name in self.files.list(JOURNAL):
            self.files.remove_folder(f"{JOURNAL}/{name}")
        self.files.remove_folder(JOURNAL)

    def recover(self) -> None:
        """Finish what a crash has left half done. Raises OSError, and ArtifactStorageError for a damaged receipt."""
        found = {folder: set(self.files.list(folder)) for folder in self._data_folders()}
        batches = self.batches()
        for batch, before in zip(batches, ahead(self.files.at_once, self._read_receipt, batches), strict=True):
            receipt = before
            if before.successor is not None:
                images = self._images(before.successor)
                receipt = self._put_in_place(before.successor, replace(before, successor=None), images)
            if self._is_a_hole(receipt, found[PARQUET]):
                logger.warning("batch=%d its file of rows is gone: the batch is made again, and paid for again", batch)
                self.files.remove(receipt_name(batch), *(one.path for one in self._images_as_far_as_there(receipt)))
                continue
            for file in receipt.files:
                found.get(file.folder, set()).discard(_last(file.path))
        for folder, unknown in found.items():
            for name in unknown:
                if batch_number(name) is not None:
                    if folder == MANIFESTS:
                        self._remove_images(f"{folder}/{name}")
                    self.files.remove(f"{folder}/{name}")
        self.tidy()

    def _is_a_hole(self, receipt: Receipt, found: Collection[str]) -> bool:
        rows = (file for file in receipt.files if file.folder == PARQUET)
        return any(_last(file.path) not in found and not self.files.exists(file.path) for file in rows)

    def _data_folders(self) -> list[str]:
        processed = [f"{PROCESSED}/{name}" for name in self.files.list(PROCESSED)]
        return [PARQUET, DROPPED, REJECTS, NULLED, CONVERSATIONS, MANIFESTS, *processed]

    # --- reading -----------------------------------------------------------------------------------------

    def journaled(self) -> list[int]:
        """Batches of which there is a journal."""
        return journaled_batches(self.files)

    def batches(self) -> list[int]:
        """Numbers of the committed batches, in order."""
        numbers = (batch_number(name) for name in self.files.list(RECEIPTS) if name.endswith(".json"))
        return sorted(number for number in numbers if number is not None)

    def receipt(self, batch: int) -> Receipt | None:
        """The receipt of a batch, with its successor where one is taking its place; None where there is none.

        Raises:
            ArtifactStorageError: it is damaged.
        """
        try:
            return self._read_receipt(batch)
        except FileNotFoundError:
            return None

    def _read_receipt(self, batch: int) -> Receipt:
        try:
            receipt = receipts.read(self.files.read(receipt_name(batch)))
        except DamagedError as error:
            raise self._damaged(batch, str(error)) from error
        if receipt.batch != batch:
            raise self._damaged(batch, f"it is that of batch {receipt.batch}")
        return receipt

    def _damaged(self, batch: int, what: str) -> ArtifactStorageError:
        return ArtifactStorageError(
            f"the receipt {self.path / receipt_name(batch)} is damaged: {what}; restore it from a copy, or remove "
            f"it to have batch {batch} made again"
        )

    def receipts(self) -> Iterator[Receipt]:
        """Receipts of all committed batches, in order, each as it counts now.

        Raises:
            ArtifactStorageError: a receipt is damaged or cannot be read.
        """
        return ahead(self.files.at_once, self._current_receipt, self.batches())

    def _current_receipt(self, batch: int) -> Receipt:
        try:
            return self._read_receipt(batch).current
        except OSError as error:
            raise ArtifactStorageError(f"the receipt of batch {batch} cannot be read: {error}") from error

    def contents(self, folder: str = PARQUET) -> Iterator[bytes]:
        """Contents of the files of committed batches in one of the dataset's folders, in order of batch.

        Raises:
            ArtifactStorageError: a file is missing or is not what was written.
        """
        return ahead(self.files.at_once, lambda file: whole(self.files, file), self.batch_files(folder))

    def batch_files(self, folder: str = PARQUET) -> list[BatchFile]:
        """Files of committed batches in one of the dataset's folders, in order of batch."""
        return [file for receipt in self.receipts() for file in receipt.files if file.folder == folder]

    def read_metadata(self) -> Metadata:
        """The dataset's metadata.

        Raises:
            ArtifactStorageError: there is none, or it is damaged or of another version.
        """
        path = self.path / METADATA
        try:
            return Metadata.read(self.files.read(METADATA))
        except FileNotFoundError as error:
            raise ArtifactStorageError(f"there is no dataset at {self.path}: {METADATA} is missing") from error
        except OSError as error:
            raise ArtifactStorageError(f"{path} cannot be read: {error}") from error
        except DamagedError as error:
            raise ArtifactStorageError(f"{path} is damaged or was edited: {error}; restore it from a copy") from error
        except ValidationError as error:
            where = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
            raise ArtifactStorageError(f"{path} is of another version of this program: {where}") from error

    def resume_point(self, geometry: Geometry) -> ResumePoint:
        """What is there already, as the scheduler wants to know it.

        Raises:
            ArtifactStorageError: a receipt is damaged, or speaks of other records than the geometry.
        """
        committed = np.zeros(geometry.num_batches, dtype=np.bool_)
        partial: dict[int, Rows] = {}
        for receipt in self.receipts():
            if not fits(receipt, geometry):
                raise ArtifactStorageError(
                    f"the receipt {self.path / receipt_name(receipt.batch)} speaks of other records than "
                    f"{METADATA} gives to batch {receipt.batch}: one of them is from another time; restore both"
                )
            committed[receipt.batch] = receipt.complete
            if not receipt.complete:
                partial[receipt.batch] = indices(receipt.unfinished)
        return ResumePoint(_Marked(committed), partial, frozenset(journaled_batches(self.files)))

    def rejected(self, geometry: Geometry) -> ResumePoint:
        """As if nothing were to be made but the records that were rejected."""
        partial: dict[int, Rows] = {}
        for receipt in self.receipts():
            if receipt.rejected:
                records = geometry.records(receipt.batch)
                others = indices((*receipt.kept, *receipt.unfinished))
                partial[receipt.batch] = np.setdiff1d(np.arange(records.start, records.stop), others)
        left_alone = np.ones(geometry.num_batches, dtype=np.bool_)
        left_alone[list(partial)] = False
        complete = (number for number in journaled_batches(self.files) if number in partial)
        return ResumePoint(_Marked(left_alone), partial, frozenset(complete))


def fits(receipt: Receipt, geometry: Geometry) -> bool:
    """Whether a receipt speaks of the records that a geometry gives to its batch."""
    if receipt.batch >= geometry.num_batches:
        return False
    records = geometry.records(receipt.batch)
    spoken_of = (*receipt.kept, *receipt.unfinished)
    return receipt.requested == len(records) and all(a >= records.start and b <= records.stop for a, b in spoken_of)


class _Marked:
    """A set of batch numbers in a byte each, since there may be a million."""

    def __init__(self, marks: npt.NDArray[np.bool_]) -> None:
        self._marks = marks

    def __contains__(self, batch: object) -> bool:
        return isinstance(batch, int) and bool(self._marks[batch])


def located(files: Files, file: BatchFile) -> str:
    """Where the content of a file is: under its own name, unless it is only about to be put into place."""
    return file.staged if file.staged and files.exists(file.staged) else file.path


def whole(files: Files, file: BatchFile) -> bytes:
    """The content of a file of a committed batch. Raises ArtifactStorageError where it is not what was written."""
    try:
        content = files.read(located(files, file))
    except FileNotFoundError as error:
        raise ArtifactStorageError(f"{file.path} is missing; restore it from a copy") from error
    if not is_content(content, file):
        raise ArtifactStorageError(f"{file.path} is damaged: it does not match its checksum; restore it from a copy")
    return content


def images_of(files: Files, manifest: BatchFile) -> list[BatchFile]:
    """The images that a manifest lists. Raises ArtifactStorageError where it is missing or damaged."""
    content = whole(files, manifest)
    return read_manifest(content)


def _nothing_of(receipt: Receipt) -> Receipt:
    """The receipt of a batch of which there is nothing yet."""
    every = indices([*receipt.kept, *receipt.unfinished])
    return Receipt(receipt.batch, receipt.requested, 0, 0, (), unfinished=ranges(every), run=receipt.run)


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def check_name(dataset_name: str) -> None:
    """Refuse a dataset name that cannot be a folder's.

    Raises:
        ArtifactStorageError: the name is no text, empty, reserved or too long, or holds what no folder's may.
    """
    if not isinstance(dataset_name, str):
        raise ArtifactStorageError(f"the dataset name must be text, not {dataset_name!r}")
    if why := unusable(dataset_name):
        raise ArtifactStorageError(f"the dataset name {dataset_name!r} {why}")
    if dataset_name in FOLDERS:
        raise ArtifactStorageError(f"the dataset name {dataset_name!r} is reserved; choose another")


def _candidates(path: Location, now: Callable[[], datetime]) -> Iterator[Location]:
    """A name, and then names beside it which sort by the time at which they were made."""
    yield path
    stamped = path.with_name(f"{path.name}_{now():%Y-%m-%d_%H%M%S}")
    yield stamped
    for number in itertools.count(2):
        yield stamped.with_name(f"{stamped.name}_{number}")
