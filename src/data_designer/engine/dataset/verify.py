"""Checks a dataset against its receipts: every file there, whole, and of the rows it should have."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa

from data_designer.engine.dataset.ahead import ahead
from data_designer.engine.dataset.files import Files, is_temporary
from data_designer.engine.dataset.journal import journaled_batches, read_replay
from data_designer.engine.dataset.layout import (
    BUILDER_CONFIG,
    DATA,
    DROPPED,
    IMAGES,
    LOCK,
    MANIFESTS,
    PARQUET,
    RECEIPTS,
    REJECTS,
    batch_number,
)
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store, images_of, located
from data_designer.engine.protocol.receipt import BatchFile, Receipt, indices, is_content
from data_designer.errors import ArtifactStorageError
from data_designer.plan.model import Geometry


@dataclass(slots=True)
class Verdict:
    """What a check came to."""

    problems: list[str] = field(default_factory=list)
    """What is wrong, a line each; a dataset that is merely unfinished has none."""
    batches: int = 0
    files: int = 0
    generated: int = 0
    rejected: int = 0
    missing: int = 0
    """Records that no receipt speaks of, or that one says are unfinished."""
    journaled: int = 0
    """Replies in the journal, waiting for a resume."""
    strays: list[str] = field(default_factory=list)
    """Files in the folders of committed batches that no receipt mentions; whoever reads a folder reads them too."""
    leftovers: list[str] = field(default_factory=list)
    """Files of a batch that a run has not committed, or not yet; a resume clears them away."""


def verify(store: Store, geometry: Geometry, builder_config_sha256: str | None) -> Verdict:
    """Read every file of a dataset and compare it with what was committed."""
    verdict = Verdict()
    try:
        store.declaration(builder_config_sha256)
    except DamagedError as error:
        verdict.problems.append(str(error))
    except OSError as error:
        verdict.problems.append(f"{BUILDER_CONFIG} cannot be read: {error}")
    read: list[Receipt] = []
    unread: list[int] = []
    for number in store.batches():
        if number >= geometry.num_batches:
            verdict.problems.append(f"batch {number} is beyond the {geometry.num_batches} batches of this dataset")
            unread.append(number)
            continue
        try:
            receipt = store.receipt(number)
        except (ArtifactStorageError, OSError) as error:
            verdict.problems.append(str(error))
            unread.append(number)
            continue
        assert receipt is not None
        read.append(receipt)
        _check_batch(store.files, receipt.current, geometry, verdict)
    _find_unmentioned(store.files, read, unread, geometry, verdict)
    verdict.missing = geometry.num_records - verdict.generated - verdict.rejected
    if verdict.missing < 0:
        verdict.problems.append(f"there are {-verdict.missing} records more than the {geometry.num_records} asked for")
    replay = read_replay(store.files, journaled_batches(store.files))
    verdict.journaled = len(replay)
    return verdict


def _check_batch(files: Files, receipt: Receipt, geometry: Geometry, verdict: Verdict) -> None:
    verdict.batches += 1
    images = _images(files, receipt)
    verdict.files += len(receipt.files) + len(images)
    verdict.generated += receipt.generated
    verdict.rejected += receipt.rejected
    verdict.problems.extend(
        f"batch {receipt.batch}: {problem}" for problem in _problems(files, receipt, images, geometry)
    )


def _images(files: Files, receipt: Receipt) -> list[BatchFile]:
    """Those that the batch's manifest lists; none where that is damaged, which is said of itself."""
    with suppress(ArtifactStorageError, OSError):
        return [image for file in receipt.files if file.folder == MANIFESTS for image in images_of(files, file)]
    return []


def _problems(files: Files, receipt: Receipt, images: Sequence[BatchFile], geometry: Geometry) -> Iterator[str]:
    records = geometry.records(receipt.batch)
    there = [*indices(receipt.kept).tolist(), *indices(receipt.unfinished).tolist()]
    if len(set(there)) != len(there) or any(row not in records for row in there):
        yield "its receipt speaks of records twice, or of some that are not its own"
    if receipt.generated + receipt.rejected + len(indices(receipt.unfinished)) != len(records):
        yield "the records of its receipt do not sum up"
    for file in receipt.files:
        expected = receipt.rejected if file.folder == REJECTS else receipt.generated
        yield from _file_problems(files, file, expected)
    found = ahead(files.at_once, lambda image: _content(files, image), images)
    yield from (content for content in found if isinstance(content, str))
    if receipt.generated and not any(file.folder == PARQUET for file in receipt.files):
        yield "its receipt names no file of rows"


def _content(files: Files, file: BatchFile) -> bytes | str:
    """What a file holds, or what is wrong with it."""
    try:
        content = files.read(located(files, file))
    except FileNotFoundError:
        return f"{file.path} is missing"
    except OSError as error:
        return f"{file.path} cannot be read: {error}"
    return content if is_content(content, file) else f"{file.path} does not match its checksum"


def _file_problems(files: Files, file: BatchFile, expected: int) -> Iterator[str]:
    content = _content(files, file)
    if isinstance(content, str):
        yield content
        return
    import pyarrow.parquet as pq

    rows = pq.ParquetFile(pa.BufferReader(content)).metadata.num_rows
    if rows != file.rows or (rows != expected and file.folder in (PARQUET, DROPPED, REJECTS)):
        yield f"{file.path} holds {rows} rows instead of {expected}"


def _find_unmentioned(
    files: Files, read: Sequence[Receipt], unread: Collection[int], geometry: Geometry, verdict: Verdict
) -> None:
    mentioned = {name for receipt in read for name in _names(files, receipt)}
    committed = {receipt.batch for receipt in read}
    for folder in ("", LOCK, RECEIPTS):
        names = (f"{folder}/{last}" if folder else last for last in files.list(folder) if is_temporary(last))
        verdict.leftovers.extend(names)
    for name in (name for folder in (*DATA, IMAGES) for name in files.walk(folder) if name not in mentioned):
        last = name.rpartition("/")[2]
        batch = batch_number(last)
        if batch in unread:
            continue
        begun = batch is not None and batch not in committed and batch < geometry.num_batches
        (verdict.leftovers if begun or is_temporary(last) else verdict.strays).append(name)


def _names(files: Files, receipt: Receipt) -> Iterator[str]:
    for file in (*receipt.files, *receipt.current.files):
        yield file.path
        yield file.staged
    for one in (receipt, receipt.current):
        yield from (image.path for image in _images(files, one))
