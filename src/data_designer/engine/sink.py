"""Writes a batch: gathers its values, makes the files, and answers with a receipt."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.engine.driver import CommitJob
from data_designer.engine.events import Rows
from data_designer.engine.files import Files, stage
from data_designer.engine.layout import DROPPED, PARQUET, PROCESSED, REJECTS, batch_name
from data_designer.engine.parcels import REJECTED, SPENT, Values, gather, pick
from data_designer.engine.profile import merge_profiles, profile_columns
from data_designer.engine.receipts import BatchFile, Receipt, indices, ranges
from data_designer.engine.schema import dataset_schema, to_table
from data_designer.engine.store import Store, located
from data_designer.errors import ArtifactStorageError
from data_designer.plan.model import Plan
from data_designer.steps.processors import SchemaTransform
from data_designer.values import Block, Reason, Usage

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


class Sink:
    """Writes batches of one plan into one dataset directory. Built once in a process."""

    def __init__(self, plan: Plan, files: Files, run: int, seed_schema: "pa.Schema | None" = None) -> None:
        engine = JinjaRenderingEngine(plan.run.jinja_rendering_engine)
        known = [*plan.output_columns, *plan.dropped_columns]
        self._plan = plan
        self._files = files
        self._run = run
        self._schema = dataset_schema(plan, plan.output_columns, seed_schema)
        self._dropped_schema = dataset_schema(plan, plan.dropped_columns, seed_schema)
        self._transforms = {
            processor.name: SchemaTransform(processor, engine, known)
            for processor in plan.config.processors or ()
            if processor.processor_type == "schema_transform"
        }

    def write(self, job: CommitJob, values: Sequence[Values], clock: Callable[[], float] = time.monotonic) -> Receipt:
        """Write the files of a batch, beside what there is of it already; nothing is visible yet.

        Raises:
            OSError: the disk refuses.
            ArtifactStorageError: what is there already is damaged.
        """
        started = clock()
        plan = self._plan
        before = Store(Path(), self._files).receipt(job.batch)
        if before is not None and self._holds(before.current, job):
            return before.current
        block = gather(job.kept, values, [*plan.output_columns, *plan.dropped_columns])
        rejects = _rejects(job, values)
        receipt = receipt_of(plan, job, values, block, self._schema)
        contents = self._contents(block, rejects)
        if before is not None:
            receipt, contents = merged(self._files, before, receipt, contents)
        written = stage_tables(self._files, job.batch, contents)
        return replace(receipt, files=written, run=self._run, seconds=clock() - started)

    def processed(self, block: Block) -> dict[str, list[dict[str, Any]]]:
        """What the schema-transform processors make of the rows, by processor name."""
        return {name: transform.apply(block) for name, transform in self._transforms.items()}

    def _holds(self, receipt: Receipt, job: CommitJob) -> bool:
        """Whether an earlier try of this run has written these rows, and failed only afterwards."""
        if receipt.run != self._run:
            return False
        unfinished = np.isin(job.kept.rows, indices(receipt.unfinished))
        return not unfinished.any() and receipt.generated + receipt.rejected >= len(job.kept.rows) + len(job.rejected)

    def _contents(self, block: Block, rejects: Mapping[int, Reason]) -> dict[str, pa.Table]:
        """Folder to what the batch's file in it holds."""
        plan = self._plan
        contents: dict[str, pa.Table] = {}
        if len(block):
            contents[PARQUET] = to_table(_columns(block, plan.output_columns), self._schema)
            if plan.dropped_columns and plan.run.preserve_dropped_columns:
                contents[DROPPED] = to_table(_columns(block, plan.dropped_columns), self._dropped_schema)
            for name, rows in self.processed(block).items():
                contents[f"{PROCESSED}/{name}"] = pa.Table.from_pylist(rows)
        if rejects:
            contents[REJECTS] = _rejects_table(rejects)
        return contents


def stage_tables(files: Files, batch: int, contents: Mapping[str, pa.Table]) -> tuple[BatchFile, ...]:
    """Write the files of a batch, one in each folder that is named, under names that nobody reads. Raises OSError."""
    return tuple(_stage_table(files, f"{folder}/{batch_name(batch)}", table) for folder, table in contents.items())


def _stage_table(files: Files, path: str, table: pa.Table) -> BatchFile:
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    content = out.getvalue().to_pybytes()
    staged = stage(files, path, content)
    return BatchFile(path, table.num_rows, len(content), hashlib.sha256(content).hexdigest(), staged)


def receipt_of(
    plan: Plan,
    job: CommitJob,
    values: Sequence[Values],
    block: Block,
    schema: "pa.Schema | None" = None,
) -> Receipt:
    """The receipt, without files, of a batch whose complete rows are in `block`."""
    names = [*plan.output_columns, *plan.dropped_columns]
    records = plan.geometry.records(job.batch)
    others = np.concatenate([job.kept.rows, job.rejected])
    return Receipt(
        batch=job.batch,
        requested=len(records),
        generated=len(block),
        rejected=len(job.rejected),
        files=(),
        kept=ranges(block.rows),
        unfinished=ranges(np.setdiff1d(np.arange(records.start, records.stop), others)),
        usage=_usage(plan, job, values),
        reasons=_count_reasons(_rejects(job, values)),
        profile=profile_columns(_columns(block, names), schema or dataset_schema(plan, plan.output_columns)),
    )


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
        reasons={} if rejects is None else _count_reasons(_rejects_of(rejects)),
        profile=merge_profiles((before.profile, receipt.profile)),
    )
    return receipt, together


def read_table(files: Files, file: BatchFile) -> pa.Table:
    """A file of a committed batch. Raises ArtifactStorageError where it is missing or not what was written."""
    try:
        content = files.read(located(files, file))
    except FileNotFoundError as error:
        raise ArtifactStorageError(f"{file.path} is missing; restore it from a copy") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ArtifactStorageError(f"{file.path} is damaged: it does not match its checksum; restore it from a copy")
    return pq.read_table(pa.BufferReader(content))


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
    return _rejects_table(left) if left else None


def _rejects_of(table: pa.Table) -> dict[int, Reason]:
    return {
        row["record_index"]: Reason(row["kind"], row["message"], row["column"], row["last_reply"])
        for row in table.to_pylist()
    }


def _usage(plan: Plan, job: CommitJob, values: Sequence[Values]) -> dict[str, Usage]:
    """What the batch's records were answered, and the requests that failed since the last commit."""
    usage = {alias: Usage(failed_requests=s.usage.failed_requests) for alias, s in job.statistics.items()}
    for parcel in (job.kept, *job.rejects):
        for source in parcel.sources:
            alias = plan.stages[source.stage].pool
            spent = [one for one in pick(source, values, SPENT) if one is not None] if alias in plan.pools else []
            if spent:
                requests, tokens_in, tokens_out, reasoning = (sum(column) for column in zip(*spent, strict=True))
                usage[alias] = usage.get(alias, Usage()) + Usage(requests, 0, tokens_in, tokens_out, reasoning)
    return usage


def _columns(block: Block, names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: block.columns.get(name) or [None] * len(block) for name in names}


def _rejects(job: CommitJob, values: Sequence[Values]) -> dict[int, Reason]:
    """Record index to reason of every rejected row, in order."""
    found: dict[int, Reason] = {}
    for parcel in job.rejects:
        reasons = pick(parcel.sources[0], values, REJECTED)
        found.update({row: reason for row, reason in zip(parcel.rows.tolist(), reasons, strict=True) if reason})
    unknown = Reason("LostWork", "the reason was lost with the machine that held it")
    return {row: found.get(row, unknown) for row in sorted(job.rejected.tolist())}


def _rejects_table(rejects: Mapping[int, Reason]) -> pa.Table:
    rows = [(index, reason.column, reason.kind, reason.message, reason.last_reply) for index, reason in rejects.items()]
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _REJECTED_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_REJECTED_SCHEMA)


def _count_reasons(rejects: Mapping[int, Reason]) -> dict[str, dict[str, Any]]:
    counted: dict[str, dict[str, Any]] = {}
    for index, reason in rejects.items():
        known = counted.get(reason.kind)
        if known is not None:
            known["count"] += 1
            continue
        message = reason.message[:_LONGEST_EXAMPLE]
        counted[reason.kind] = {"count": 1, "column": reason.column, "record": index, "message": message}
    return counted
