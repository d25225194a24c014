"""Files that belong to cells, such as images: kept from the moment they come, and given their names with their batch.

Until its batch is committed, a file lies in the batch's folder of the journal, under a name that only the values know.
So a batch of large images takes little memory, a reply that was paid for survives the process that asked, and what no
row keeps goes with the journal. When the batch is committed each file is moved to the place that the cells name. What
belongs to a batch is listed, with sizes and checksums, in a manifest: one Parquet file a batch, of which the receipt
has the checksum, since a receipt that named thousands of files would make every reader of receipts slow.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from data_designer.engine.dataset.files import Files, stage
from data_designer.engine.dataset.layout import journal_folder
from data_designer.engine.protocol.parcels import MEDIA
from data_designer.engine.protocol.receipt import BatchFile
from data_designer.engine.protocol.rows import Rows
from data_designer.values import Block, MediaFile

_SCHEMA = pa.schema(
    [
        ("record_index", pa.int64()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("staged", pa.string()),
    ]
)


# --- what comes from outside -----------------------------------------------------------------------------


def decoded(images: Sequence[str]) -> list[bytes] | None:
    """What some texts in base64 stand for; None where one is none."""
    try:
        return [base64.b64decode(image, validate=True) for image in images]
    except (binascii.Error, ValueError):
        return None


def encoded(contents: Iterable[bytes]) -> tuple[str, ...]:
    """Contents in base64."""
    return tuple(base64.b64encode(content).decode() for content in contents)


def described(content: bytes) -> MediaFile:
    """A file whose content is here; it has no place yet."""
    return MediaFile("", len(content), hashlib.sha256(content).hexdigest(), content=content)


def is_whole(content: bytes, file: MediaFile) -> bool:
    """Whether a content is that of a file."""
    return len(content) == file.size and hashlib.sha256(content).hexdigest() == file.sha256


def in_base64(block: Block, names: Iterable[str]) -> dict[str, list[object]]:
    """Columns of a block; files that are in memory are in the places of their names: those of a preview."""
    contents = {file.path: file.content for files in block.columns.get(MEDIA) or () for file in files or ()}

    def shown(cell: object) -> object:
        listed = cell if isinstance(cell, list) else []
        found = [content for path in listed if (content := contents.get(str(path))) is not None]
        return [*encoded(found)] if found else cell

    return {name: [*map(shown, block.columns[name])] for name in names if name in block.columns}


# --- what belongs to a batch -----------------------------------------------------------------------------


def staged_manifest(files: Files, batch: int, block: Block, columns: Iterable[str]) -> pa.Table | None:
    """The manifest of the files that rows keep, once all of these are on the disk; None where there is none.

    Args:
        files: the dataset.
        batch: the batch.
        block: its rows.
        columns: those that are stored and name files; what else was made is not kept.

    Raises:
        OSError: the disk refuses, or a file is not what was kept.
    """
    kept = [*_kept(block, columns)]
    if not kept:
        return None
    there = files.sizes(journal_folder(batch))
    rows = []
    for row, file in kept:
        at = file.at
        if file.content is not None:
            at = stage(files, f"{journal_folder(batch)}/{row}.media", file.content)
        # A folder that other machines write to may list what was just written a little later.
        elif there.get(at, file.size) != file.size or (at not in there and not files.exists(at)):
            raise FileNotFoundError(f"{at}, which is to be {file.path}, is not what was written")
        rows.append((row, file.path, file.size, file.sha256, at))
    files.sync(*(at for *_, at in rows))
    return pa.table([*zip(*rows, strict=True)], schema=_SCHEMA)


def _kept(block: Block, columns: Iterable[str]) -> Iterator[tuple[int, MediaFile]]:
    """Record and file, of those that cells of some columns name."""
    cells = [block.columns[name] for name in columns if name in block.columns]
    for place, (row, some) in enumerate(zip(block.rows.tolist(), block.columns.get(MEDIA) or (), strict=False)):
        named = {path for values in cells for path in values[place] or ()}
        yield from ((row, file) for file in some or () if file.path in named)


def listed(manifest: pa.Table) -> list[BatchFile]:
    """The files of a manifest."""
    columns = [manifest.column(name).to_pylist() for name in ("path", "bytes", "sha256", "staged")]
    return [BatchFile(path, 0, size, sha256, staged) for path, size, sha256, staged in zip(*columns, strict=True)]


def merged_manifests(old: pa.Table | None, new: pa.Table | None, made_again: Rows) -> pa.Table:
    """What a batch keeps of its files once further rows are there, some of which may have been there before."""
    tables = [] if new is None else [new]
    if old is not None:
        others = ~np.isin(old.column("record_index").to_numpy(), made_again)
        tables.insert(0, old.filter(pa.array(others)))
    return pa.concat_tables(tables).sort_by("record_index").combine_chunks()


def read_manifest(content: bytes) -> list[BatchFile]:
    """The files of a manifest, given its content. Raises ValueError for what is none."""
    import pyarrow.parquet as pq

    return listed(pq.read_table(pa.BufferReader(content), use_threads=False, pre_buffer=False))
