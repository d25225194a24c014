"""The files of one batch: written under names that nobody reads, read back, and merged with further rows."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_designer.engine.events import Rows
from data_designer.engine.files import Files, stage
from data_designer.engine.layout import REJECTS, batch_name
from data_designer.engine.profile import merge_profiles
from data_designer.engine.receipts import BatchFile, Receipt, indices, ranges
from data_designer.engine.store import located
from data_designer.errors import ArtifactStorageError
from data_designer.values import Reason, Usage

_REJECTED_SCHEMA = pa.schema(
    [
        ("record_index", pa.int64()),
        ("column", pa.string()),
        ("kind", pa.string()),
        ("message", pa.string()),
        ("last_reply", pa.string()),
    ]
)
_LONGEST_EXAMPLE = 500


def stage_tables(files: Files, batch: int, contents: Mapping[str, pa.Table]) -> tuple[BatchFile, ...]:
    """Write the files of a batch, one in each folder that is named, under names that nobody reads. Raises OSError."""
    return tuple(_stage_table(files, f"{folder}/{batch_name(batch)}", table) for folder, table in contents.items())


def read_table(files: Files, file: BatchFile) -> pa.Table:
    """A file of a committed batch. Raises ArtifactStorageError where it is missing or not what was written."""
    try:
        content = files.read(located(files, file))
    except FileNotFoundError as error:
        raise ArtifactStorageError(f"{file.path} is missing; restore it from a copy") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ArtifactStorageError(f"{file.path} is damaged: it does not match its checksum; restore it from a copy")
    # One thread: these files are small, and a pool that is busy when the process ends would abort it.
    return pq.read_table(pa.BufferReader(content), use_threads=False, pre_buffer=False)


def merged(
    files: Files, before: Receipt, receipt: Receipt, contents: Mapping[str, pa.Table]
) -> tuple[Receipt, dict[str, pa.Table]]:
    """A batch that is there, and further rows of it, together and in order of record index.

    Rows that both have are taken from what is new.

    Raises:
        ArtifactStorageError: a file of what is there is damaged.
    """
    old_rows, new_rows = indices(before.kept), indices(receipt.kept)
    together: dict[str, pa.Table] = {}
    old = {file.path.rpartition("/")[0]: read_table(files, file) for file in before.files}
    for folder in dict.fromkeys([*old, *contents]):
        if folder == REJECTS:
            continue
        together[folder] = _in_order((old_rows, old.get(folder)), (new_rows, contents.get(folder)))
    rejects = _merged_rejects(old.get(REJECTS), contents.get(REJECTS), new_rows)
    if rejects is not None:
        together[REJECTS] = rejects
    rejected = 0 if rejects is None else rejects.num_rows
    kept = np.union1d(old_rows, new_rows)
    unfinished = np.setdiff1d(indices(before.unfinished), new_rows)
    if rejects is not None:
        unfinished = np.setdiff1d(unfinished, rejects.column("record_index").to_numpy())
    aliases = dict.fromkeys([*before.usage, *receipt.usage])
    receipt = replace(
        receipt,
        generated=len(kept),
        rejected=rejected,
        kept=ranges(kept),
        unfinished=ranges(unfinished),
        usage={a: before.usage.get(a, Usage()) + receipt.usage.get(a, Usage()) for a in aliases},
        reasons={} if rejects is None else count_reasons(_rejects_of(rejects)),
        profile=merge_profiles((before.profile, receipt.profile)),
        inexact=tuple(dict.fromkeys([*before.inexact, *receipt.inexact])),
    )
    return receipt, together


def rejects_table(rejects: Mapping[int, Reason]) -> pa.Table:
    """The rows of `rejected/`, given record indices and reasons."""
    rows = [(index, reason.column, reason.kind, reason.message, reason.last_reply) for index, reason in rejects.items()]
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _REJECTED_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_REJECTED_SCHEMA)


def count_reasons(rejects: Mapping[int, Reason]) -> dict[str, dict[str, Any]]:
    """Kind of rejection to its count, and one example."""
    counted: dict[str, dict[str, Any]] = {}
    for index, reason in rejects.items():
        known = counted.get(reason.kind)
        if known is not None:
            known["count"] += 1
            continue
        message = reason.message[:_LONGEST_EXAMPLE]
        counted[reason.kind] = {"count": 1, "column": reason.column, "record": index, "message": message}
    return counted


def _stage_table(files: Files, path: str, table: pa.Table) -> BatchFile:
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    content = out.getvalue().to_pybytes()
    staged = stage(files, path, content)
    return BatchFile(path, table.num_rows, len(content), hashlib.sha256(content).hexdigest(), staged)


def _in_order(old: tuple[Rows, pa.Table | None], new: tuple[Rows, pa.Table | None]) -> pa.Table:
    kept_old = ~np.isin(old[0], new[0])
    rows, tables = [], []
    if old[1] is not None and kept_old.any():
        rows.append(old[0][kept_old])
        tables.append(old[1].filter(pa.array(kept_old)))
    if new[1] is not None:
        rows.append(new[0])
        tables.append(new[1])
    table = pa.concat_tables(tables, promote_options="permissive")
    return table.take(pa.array(np.argsort(np.concatenate(rows), kind="stable"))).combine_chunks()


def _merged_rejects(old: pa.Table | None, new: pa.Table | None, kept: Rows) -> pa.Table | None:
    """The later reason of a row counts, and none where it was made after all."""
    found = {**(_rejects_of(old) if old is not None else {}), **(_rejects_of(new) if new is not None else {})}
    left = {row: found[row] for row in sorted(set(found).difference(kept.tolist()))}
    return rejects_table(left) if left else None


def _rejects_of(table: pa.Table) -> dict[int, Reason]:
    return {
        row["record_index"]: Reason(row["kind"], row["message"], row["column"], row["last_reply"])
        for row in table.to_pylist()
    }
