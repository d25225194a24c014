"""Files of one dataset read as one: where their types came out different, the narrower files are written again.

Types that no declaration fixes follow from the values of each batch (`columns.arrow_types`), so that a later batch may
need a wider one. At the end of a run each folder gets one schema. A file is replaced as a batch is: its receipt names
both until the new file is in place, so that a crash is mended by going on.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from data_designer.engine.dataset.arrow_types import as_json, unified_schema, widened
from data_designer.engine.dataset.batch_files import read_table, schema_digest, stage_table
from data_designer.engine.dataset.layout import CONVERSATIONS, MANIFESTS, NULLED, PARQUET, REJECTS
from data_designer.engine.dataset.store import Store, whole
from data_designer.engine.dataset.totals import Examples
from data_designer.engine.protocol.receipt import BatchFile, Receipt

logger = logging.getLogger(__name__)

_OF_ONE_FORM = frozenset({REJECTS, NULLED, CONVERSATIONS, MANIFESTS})
"""Folders whose files always have the same types."""


def promote(store: Store, examples: Examples) -> int:
    """Give the files of each folder one schema; gives how many were written again.

    Args:
        store: the dataset.
        examples: folder to a file of each schema in it, as the totals of its receipts have them.

    Raises:
        OSError: the disk refuses; what was visible before still is.
        ArtifactStorageError: a file or receipt is damaged, or another run has taken over.
    """
    found = {folder: some for folder, some in _schemas(store, examples).items() if len(some) > 1}
    if not found:
        return 0
    wanted = {folder: unified_schema(some.values()) for folder, some in found.items()}
    try:
        written = _write_again(store, found, wanted)
    except pa.ArrowInvalid:  # Integers that no float holds, beside floats.
        wanted = {folder: as_json(schema, list(found[folder].values())) for folder, schema in wanted.items()}
        written = _write_again(store, found, wanted)
    if written:
        logger.info("files=%d were written again with wider types, so that all of a folder read as one", written)
    return written


def schema_of(store: Store, folder: str = PARQUET) -> pa.Schema:
    """The schema that holds the files of a folder, empty where there are none; a file of each kind is read.

    Raises:
        ArtifactStorageError: a receipt is damaged, or a file is missing or is not what was written.
        OSError: a file cannot be read.
    """
    import pyarrow.parquet as pq

    examples = {file.schema: file for file in store.batch_files(folder)}
    contents = (whole(store.files, file) for file in examples.values())
    return unified_schema(pq.read_schema(pa.BufferReader(content)) for content in contents)


Schemas = Mapping[str, pa.Schema]
"""Digest, as files name it, or folder, to a schema."""


def _schemas(store: Store, examples: Examples) -> dict[str, dict[str, pa.Schema]]:
    """Folder to the schemas of its files. Those without a digest are of an earlier version, which wrote them alike."""
    return {
        folder: {digest: read_table(store.files, file).schema for digest, file in files.items()}
        for folder, files in examples.items()
        if len(files) > 1 and folder not in _OF_ONE_FORM
    }


def _write_again(store: Store, found: Mapping[str, Schemas], wanted: Schemas) -> int:
    right = {folder: schema_digest(schema) for folder, schema in wanted.items()}
    seen = {(folder, name): schema_digest(one) for folder, some in found.items() for name, one in some.items()}

    def is_right(file: BatchFile) -> bool:
        return seen.get((file.folder, file.schema)) == right[file.folder]

    written = 0
    for receipt in store.receipts():
        narrow = [file for file in receipt.files if file.folder in wanted and not is_right(file)]
        if narrow:
            store.publish(_wider(store, receipt, narrow, wanted))
            written += len(narrow)
    return written


def _wider(store: Store, receipt: Receipt, narrow: list[BatchFile], wanted: Schemas) -> Receipt:
    """The receipt with some of its files in the wanted schema, written under names that nobody reads."""
    files, profile = {file.path: file for file in receipt.files}, dict(receipt.profile)
    for file in narrow:
        schema = wanted[file.folder]
        files[file.path] = stage_table(store.files, file.path, widened(read_table(store.files, file), schema))
        if file.folder == PARQUET:
            types = {field.name: str(field.type) for field in schema}
            profile = {name: {**one, "arrow_type": types.get(name, one["arrow_type"])} for name, one in profile.items()}
    return replace(receipt, files=tuple(files.values()), profile=profile)
