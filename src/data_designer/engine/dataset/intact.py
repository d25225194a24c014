"""What a run builds on is what was committed: looked at before anything is asked."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_designer.engine.dataset.ahead import ahead
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import DATA, MANIFESTS, PARQUET, receipt_name
from data_designer.engine.dataset.store import Store, images_of, located
from data_designer.engine.protocol.receipt import BatchFile, are_content
from data_designer.errors import ArtifactStorageError

logger = logging.getLogger(__name__)

_THREADS = min(4, os.cpu_count() or 1)
"""Checksums at once: they are made without the interpreter."""
_SECONDS = 10.0
"""Between lines of the log about how far the checksums are."""
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that a receipt speaks of, as it is found."""

    batch: int
    file: BatchFile
    name: str
    """Where it is."""
    size: int | None
    """None where it is missing."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A file that is not as it was committed."""

    batch: int
    what: str


def refuse_damage(
    store: Store,
    folders: Sequence[str] = DATA,
    *,
    but_for_holes: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """See that the files of committed batches are those that their receipts speak of.

    All have to be there and of their size. On a file system each is read for its checksum too; in object storage, where
    that would download the dataset, it is not: listings tell all sizes. Images, of which there may be very many, only
    have to be there, and are not looked for in object storage; `verify` reads them.

    Args:
        store: the dataset.
        folders: whose files are looked at.
        but_for_holes: leave out batches whose file of rows is gone, which are made again.
        clock: seconds that only go up.

    Raises:
        ArtifactStorageError: a file is missing, differs or cannot be read, or a receipt is damaged.
    """
    found = _found(store, folders)
    if but_for_holes:
        holes = {one.batch for one in found if one.size is None and one.file.folder == PARQUET}
        found = [one for one in found if one.batch not in holes]
    wrong = [_Wrong(one.batch, _difference(one)) for one in found if one.size != one.file.bytes]
    if isinstance(store.path, Path):
        wrong.extend(_altered(store.files, [one for one in found if one.size == one.file.bytes], clock))
        wrong.extend(_missing_images(store.files, [one for one in found if one.file.folder == MANIFESTS]))
    if wrong:
        raise ArtifactStorageError(_said(store, wrong, len(found)))


def _found(store: Store, folders: Sequence[str]) -> list[_Found]:
    """Files of committed batches. Receipts are read first: what is committed meanwhile is not missed."""
    starts = tuple(f"{folder}/" for folder in folders)
    wanted = [(r.batch, file) for r in store.receipts() for file in r.files if file.path.startswith(starts)]
    try:
        sizes = {name: size for folder in folders for name, size in store.files.sizes(folder).items()}
    except OSError as error:
        raise ArtifactStorageError(f"the files of {store.path} cannot be listed: {error}") from error
    placed = ((batch, file, file.staged if file.staged in sizes else file.path) for batch, file in wanted)
    return [_Found(batch, file, name, sizes.get(name)) for batch, file, name in placed]


def _difference(one: _Found) -> str:
    if one.size is None:
        return f"{one.file.path} is missing"
    return f"{one.file.path} is damaged: it has {one.size} bytes instead of {one.file.bytes}"


def _altered(files: Files, some: Sequence[_Found], clock: Callable[[], float]) -> Iterator[_Wrong]:
    """Files whose content is not what was written, by their checksums."""
    total, done, said = sum(one.file.bytes for one in some), 0, clock()
    compared = ahead(_THREADS, lambda one: _compared(files, one), some)
    for number, (one, what) in enumerate(zip(some, compared, strict=True), start=1):
        done += one.file.bytes
        now = clock()
        if now - said >= _SECONDS:
            said = now
            logger.info(
                "comparing what is there with its checksums: files=%d/%d mb=%d/%d",
                number,
                len(some),
                done // 1_000_000,
                total // 1_000_000,
            )
        if what is not None:
            yield _Wrong(one.batch, f"{one.file.path} {what}")


def _compared(files: Files, one: _Found) -> str | None:
    try:
        is_intact = are_content(files.pieces(one.name), one.file)
    except OSError as error:
        return f"cannot be read: {error}"
    return None if is_intact else "is damaged: it does not match its checksum"


def _missing_images(files: Files, manifests: Sequence[_Found]) -> Iterator[_Wrong]:
    """Images that are not there; none of a manifest that is itself not as it was committed, which is said anyway."""
    for one in manifests:
        with suppress(ArtifactStorageError, OSError):
            for image in images_of(files, one.file):
                if not files.exists(located(files, image)):
                    yield _Wrong(one.batch, f"{image.path} is missing")


def _said(store: Store, wrong: Sequence[_Wrong], of: int) -> str:
    listed = [f"  - batch {one.batch}: {one.what}" for one in wrong[:_MOST_NAMED]]
    if len(wrong) > _MOST_NAMED:
        listed.append(f"  - and {len(wrong) - _MOST_NAMED} more, which `data-designer check` names")
    receipts = list(dict.fromkeys(receipt_name(one.batch) for one in wrong))
    named = ", ".join(receipts[:_MOST_NAMED]) + (", …" if len(receipts) > _MOST_NAMED else "")
    return "\n".join(
        [
            f"{len(wrong)} of {of} files of the dataset {store.path} are not as they were committed:",
            *listed,
            f"restore them from a copy; or remove {named}, and a resume makes these batches again, which is paid again",
        ]
    )
