"""The files of one batch: written under names that nobody reads, read back, and merged with further rows."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from data_designer.columns.arrow_types import is_json
from data_designer.columns.seeds.large_cells import rests_partly, seed_columns
from data_designer.engine.dataset.arrow_types import concatenated, type_text
from data_designer.engine.dataset.conversations import merged_conversations
from data_designer.engine.dataset.failures import count_kinds, failures_of, merged_failures, records_of
from data_designer.engine.dataset.files import Files, stage
from data_designer.engine.dataset.large_cells import parquet_of, with_cells
from data_designer.engine.dataset.layout import CONVERSATIONS, MANIFESTS, NULLED, REJECTS, batch_name
from data_designer.engine.dataset.media import merged_manifests
from data_designer.engine.dataset.profile import merge_profiles
from data_designer.engine.dataset.store import whole
from data_designer.engine.protocol.receipt import BatchFile, Receipt, indices, ranges
from data_designer.engine.protocol.rows import Rows
from data_designer.engine.protocol.spending import summed


def stage_tables(files: Files, batch: int, contents: Mapping[str, pa.Table]) -> tuple[BatchFile, ...]:
    """Write the files of a batch, one in each folder that is named, under names that nobody reads. Raises OSError."""
    return tuple(stage_table(files, f"{folder}/{batch_name(batch)}", table) for folder, table in contents.items())


def read_table(files: Files, file: BatchFile) -> pa.Table:
    """A file of a committed batch. Raises ArtifactStorageError where it is missing or not what was written."""
    content = whole(files, file)
    import pyarrow.parquet as pq

    # One thread: these files are small, and a pool that is busy when the process ends would abort it.
    return pq.read_table(pa.BufferReader(content), use_threads=False, pre_buffer=False)


def merged(
    files: Files, before: Receipt, receipt: Receipt, contents: Mapping[str, pa.Table]
) -> tuple[Receipt, dict[str, pa.Table]]:
    """A batch that is there, and further rows of it, together and in order of record index.

    Rows that both have are taken from what is new; of failures the later counts, and none of a row that was made
    after all.

    Raises:
        ArtifactStorageError: a file of what is there is damaged.
    """
    old_rows, new_rows = indices(before.kept), indices(receipt.kept)
    spoken_of = np.union1d(new_rows, records_of(contents.get(REJECTS)))
    together: dict[str, pa.Table] = {}
    old = {file.folder: read_table(files, file) for file in before.files}
    for folder in dict.fromkeys([*old, *contents]):
        if folder in (REJECTS, NULLED):
            failures = merged_failures(old.get(folder), contents.get(folder), new_rows)
            together.update({folder: failures} if failures is not None else {})
        elif folder == CONVERSATIONS:
            said = merged_conversations(old.get(folder), contents.get(folder), spoken_of)
            together.update({folder: said} if said is not None else {})
        elif folder == MANIFESTS:
            together[folder] = merged_manifests(old.get(folder), contents.get(folder), new_rows)
        else:
            new = contents.get(folder)
            together[folder] = _in_order(
                (old_rows, old.get(folder)), (new_rows, None if new is None else with_cells(new))
            )
    rejected = records_of(together.get(REJECTS))
    kept = np.union1d(old_rows, new_rows)
    unfinished = np.setdiff1d(np.setdiff1d(indices(before.unfinished), new_rows), rejected)
    failed = [one for folder in (REJECTS, NULLED) if folder in together for one in failures_of(together[folder])]
    receipt = replace(
        receipt,
        generated=len(kept),
        rejected=len(rejected),
        null_filled=len(records_of(together.get(NULLED))),
        kept=ranges(kept),
        unfinished=ranges(unfinished),
        spent=summed((before.spent, receipt.spent)),
        reasons=count_kinds(failed),
        profile=merge_profiles((before.profile, receipt.profile)),
        inexact=tuple(dict.fromkeys([*before.inexact, *receipt.inexact])),
    )
    return receipt, together


def stage_table(files: Files, path: str, table: pa.Table) -> BatchFile:
    """Write a file of a batch under a name that nobody reads. Raises OSError."""
    if rests_partly(table):
        return _stage_pieces(files, path, table)
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    content = out.getvalue().to_pybytes()
    staged = stage(files, path, content)
    return BatchFile(
        path, table.num_rows, len(content), hashlib.sha256(content).hexdigest(), staged, schema_digest(table.schema)
    )


def _stage_pieces(files: Files, path: str, table: pa.Table) -> BatchFile:
    """The same of a table with large cells, of which few are in memory at a time."""
    digest, size = hashlib.sha256(), 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in parquet_of(table):
            digest.update(piece)
            size += len(piece)
            yield piece

    staged = stage(files, path, counted())
    schema = table.select(seed_columns(table.column_names)).schema
    return BatchFile(path, table.num_rows, size, digest.hexdigest(), staged, schema_digest(schema))


def schema_digest(schema: pa.Schema) -> str:
    """Tells schemas apart: files of the same read as one."""
    text = "\n".join(f"{field.name!r}: {'json' if is_json(field) else type_text(field.type)}" for field in schema)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _in_order(old: tuple[Rows, pa.Table | None], new: tuple[Rows, pa.Table | None]) -> pa.Table:
    kept_old = ~np.isin(old[0], new[0])
    rows, tables = [], []
    if old[1] is not None and kept_old.any():
        rows.append(old[0][kept_old])
        tables.append(old[1].filter(pa.array(kept_old)))
    if new[1] is not None:
        rows.append(new[0])
        tables.append(new[1])
    table = concatenated(tables)
    return table.take(pa.array(np.argsort(np.concatenate(rows), kind="stable"))).combine_chunks()
