"""Writes a batch: gathers its values, makes the files, and answers with a receipt."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.engine.driver import CommitJob
from data_designer.engine.parcels import REJECTED, Parcel, Values, gather, pick
from data_designer.engine.profile import profile_columns
from data_designer.engine.receipts import BatchFile, Receipt
from data_designer.engine.schema import dataset_schema, to_table
from data_designer.plan.model import Plan
from data_designer.steps.processors import SchemaTransform
from data_designer.values import Block, Reason

PARQUET = "parquet-files"
DROPPED = "dropped-columns-parquet-files"
PROCESSED = "processors-files"
REJECTS = "rejected"

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


def batch_name(batch: int) -> str:
    """File name of a batch."""
    return f"batch_{batch:05d}.parquet"


class Sink:
    """Writes batches of one plan into one dataset directory. Built once in a process."""

    def __init__(self, plan: Plan, directory: Path, seed_schema: "pa.Schema | None" = None) -> None:
        engine = JinjaRenderingEngine(plan.run.jinja_rendering_engine)
        known = [*plan.output_columns, *plan.dropped_columns]
        self._plan = plan
        self._directory = directory
        self._schema = dataset_schema(plan, plan.output_columns, seed_schema)
        self._dropped_schema = dataset_schema(plan, plan.dropped_columns, seed_schema)
        self._transforms = {
            processor.name: SchemaTransform(processor, engine, known)
            for processor in plan.config.processors or ()
            if processor.processor_type == "schema_transform"
        }

    def write(self, job: CommitJob, values: Sequence[Values], clock: Callable[[], float] = time.monotonic) -> Receipt:
        """Write the files of a batch, each by one atomic rename. Raises OSError where the disk refuses."""
        started = clock()
        plan = self._plan
        names = [*plan.output_columns, *plan.dropped_columns]
        block = gather(job.kept, values, names)
        rejects = dict(_rejects(job.rejected, values))
        files = []
        if len(block):
            table = to_table(_columns(block, plan.output_columns), self._schema)
            files.append(self._put(f"{PARQUET}/{batch_name(job.batch)}", table))
            if plan.dropped_columns and plan.run.preserve_dropped_columns:
                dropped = to_table(_columns(block, plan.dropped_columns), self._dropped_schema)
                files.append(self._put(f"{DROPPED}/{batch_name(job.batch)}", dropped))
            for name, rows in self.processed(block).items():
                files.append(self._put(f"{PROCESSED}/{name}/{batch_name(job.batch)}", pa.Table.from_pylist(rows)))
        if rejects:
            files.append(self._put(f"{REJECTS}/{batch_name(job.batch)}", _rejects_table(rejects)))
        receipt = receipt_of(plan, job, values, block, tuple(files), self._schema)
        return replace(receipt, seconds=clock() - started)

    def processed(self, block: Block) -> dict[str, list[dict[str, Any]]]:
        """What the schema-transform processors make of the rows, by processor name."""
        return {name: transform.apply(block) for name, transform in self._transforms.items()}

    def _put(self, path: str, table: pa.Table) -> BatchFile:
        target = self._directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            pq.write_table(table, temporary, compression="zstd")
            content = temporary.read_bytes()
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        digest = hashlib.sha256(content).hexdigest()
        return BatchFile(path, table.num_rows, len(content), digest)


def receipt_of(
    plan: Plan,
    job: CommitJob,
    values: Sequence[Values],
    block: Block,
    files: tuple[BatchFile, ...],
    schema: "pa.Schema | None" = None,
) -> Receipt:
    """The receipt of a batch whose complete rows are in `block`."""
    rejects = dict(_rejects(job.rejected, values))
    names = [*plan.output_columns, *plan.dropped_columns]
    return Receipt(
        batch=job.batch,
        complete=job.complete,
        requested=len(plan.geometry.records(job.batch)),
        generated=len(block),
        rejected=len(rejects),
        files=files,
        usage={alias: statistics.usage for alias, statistics in job.statistics.items()},
        reasons=_count_reasons(rejects),
        profile=profile_columns(_columns(block, names), schema or dataset_schema(plan, plan.output_columns)),
    )


def _columns(block: Block, names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: block.columns.get(name) or [None] * len(block) for name in names}


def _rejects(parcels: Sequence[Parcel], values: Sequence[Values]) -> list[tuple[int, Reason]]:
    """Record index and reason of every rejected row."""
    found: list[tuple[int, Reason]] = []
    for parcel in parcels:
        reasons = pick(parcel.sources[0], values, REJECTED)
        found.extend((row, reason) for row, reason in zip(parcel.rows.tolist(), reasons, strict=True) if reason)
    return sorted(found, key=lambda pair: pair[0])


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
