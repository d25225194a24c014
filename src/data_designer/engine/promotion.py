"""Files of one dataset read as one: where their types came out different, the narrower files are written again.

Types that no declaration fixes follow from the values of each batch (`engine.arrow_types`), so that a later batch may
need a wider one. At the end of a run each folder gets one schema. A file is replaced as a batch is: its receipt names
both until the new file is in place, so that a crash is mended by going on.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from data_designer.engine.arrow_types import as_json, unified_schema, widened
from data_designer.engine.batch_files import read_table, schema_digest, stage_table
from data_designer.engine.layout import NULLED, PARQUET, REJECTS
from data_designer.engine.receipts import BatchFile, Receipt
from data_designer.engine.store import Store

logger = logging.getLogger(__name__)

_OF_ONE_FORM = frozenset({REJECTS, NULLED})
"""Folders whose files always have the same types."""


def promote(store: Store) -> int:
    """Give the files of each folder one schema; gives how many were written again.

    Raises:
        OSError: the disk refuses; what was visible before still is.
        ArtifactStorageError: a file or receipt is damaged, or another run has taken over.
    """
    found = _schemas(store)
    wanted = {folder: unified_schema(schemas) for folder, schemas in found.items() if len(schemas) > 1}
    if not wanted:
        return 0
    try:
        written = _write_again(store, wanted)
    except pa.ArrowInvalid:  # Integers that no float holds, beside floats.
        written = _write_again(store, {folder: as_json(schema, found[folder]) for folder, schema in wanted.items()})
    logger.info("files=%d were written again with wider types, so that the files of each folder read as one", written)
    return written


def _schemas(store: Store) -> dict[str, list[pa.Schema]]:
    """Folder to the different schemas of its files."""
    examples: dict[str, dict[str, BatchFile]] = {}
    for _, file in _files(store):
        # What an earlier version wrote has no digest, and so is looked at file by file.
        examples.setdefault(_folder(file), {}).setdefault(file.schema or file.path, file)
    return {
        folder: list({schema_digest(schema): schema for schema in _read(store, files.values())}.values())
        for folder, files in examples.items()
        if len(files) > 1
    }


def _read(store: Store, files: Iterable[BatchFile]) -> Iterator[pa.Schema]:
    for file in files:
        yield read_table(store.files, file).schema


def _files(store: Store) -> Iterator[tuple[Receipt, BatchFile]]:
    for receipt in store.receipts():
        for file in receipt.files:
            if _folder(file) not in _OF_ONE_FORM:
                yield receipt, file


def _write_again(store: Store, wanted: Mapping[str, pa.Schema]) -> int:
    digests = {folder: schema_digest(schema) for folder, schema in wanted.items()}
    written = 0
    for receipt in store.receipts():
        narrow = [file for file in receipt.files if file.schema != digests.get(_folder(file), file.schema)]
        if narrow:
            store.publish(_wider(store, receipt, narrow, wanted))
            written += len(narrow)
    return written


def _wider(store: Store, receipt: Receipt, narrow: list[BatchFile], wanted: Mapping[str, pa.Schema]) -> Receipt:
    """The receipt with some of its files in the wanted schema, written under names that nobody reads."""
    files, profile = {file.path: file for file in receipt.files}, dict(receipt.profile)
    for file in narrow:
        schema = wanted[_folder(file)]
        files[file.path] = stage_table(store.files, file.path, widened(read_table(store.files, file), schema))
        if _folder(file) == PARQUET:
            types = {field.name: str(field.type) for field in schema}
            profile = {name: {**one, "arrow_type": types.get(name, one["arrow_type"])} for name, one in profile.items()}
    return replace(receipt, files=tuple(files.values()), profile=profile)


def _folder(file: BatchFile) -> str:
    return file.path.rpartition("/")[0]
