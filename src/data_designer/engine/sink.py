"""Writes a batch: gathers its values, makes the files, and answers with a receipt."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.engine.accounts import Accounts, accounts_of
from data_designer.engine.batch_files import merged, stage_tables
from data_designer.engine.driver import CommitJob
from data_designer.engine.failures import count_kinds, failures_table
from data_designer.engine.files import Files
from data_designer.engine.layout import DROPPED, NULLED, PARQUET, PROCESSED, REJECTS
from data_designer.engine.parcels import Values, gather
from data_designer.engine.profile import profile_columns
from data_designer.engine.receipts import Receipt, indices, ranges
from data_designer.engine.schema import dataset_schema, is_exact, to_table
from data_designer.engine.store import Store
from data_designer.plan.model import Plan
from data_designer.steps.processors import SchemaTransform
from data_designer.values import Block


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
        accounts = accounts_of(plan, job, values)
        receipt = replace(receipt_of(plan, job, block, accounts, self._schema), inexact=self._inexact(block))
        contents = self._contents(block, accounts)
        if before is not None:
            receipt, contents = merged(self._files, before.current, receipt, contents)
        written = stage_tables(self._files, job.batch, contents)
        return replace(receipt, files=written, run=self._run, seconds=clock() - started)

    def processed(self, block: Block) -> dict[str, list[dict[str, Any]]]:
        """What the schema-transform processors make of the rows, by processor name."""
        return {name: transform.apply(block) for name, transform in self._transforms.items()}

    def _inexact(self, block: Block) -> tuple[str, ...]:
        custom = [name for step in self._plan.steps if step.kind == "custom" for name in step.makes]
        return tuple(name for name in custom if not all(map(is_exact, block.columns.get(name) or ())))

    def _holds(self, receipt: Receipt, job: CommitJob) -> bool:
        """Whether an earlier try of this run has written these rows, and failed only afterwards."""
        if receipt.run != self._run:
            return False
        unfinished = np.isin(job.kept.rows, indices(receipt.unfinished))
        return not unfinished.any() and receipt.generated + receipt.rejected >= len(job.kept.rows) + len(job.rejected)

    def _contents(self, block: Block, accounts: Accounts) -> dict[str, pa.Table]:
        """Folder to what the batch's file in it holds."""
        plan = self._plan
        contents: dict[str, pa.Table] = {}
        if len(block):
            contents[PARQUET] = to_table(_columns(block, plan.output_columns), self._schema)
            if plan.dropped_columns and plan.run.preserve_dropped_columns:
                contents[DROPPED] = to_table(_columns(block, plan.dropped_columns), self._dropped_schema)
            for name, rows in self.processed(block).items():
                contents[f"{PROCESSED}/{name}"] = pa.Table.from_pylist(rows)
        for folder, failures in ((REJECTS, accounts.rejected), (NULLED, accounts.nulled)):
            if failures:
                contents[folder] = failures_table(failures)
        return contents


def receipt_of(
    plan: Plan,
    job: CommitJob,
    block: Block,
    accounts: Accounts,
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
        spent=accounts.spent,
        null_filled=len({one.record for one in accounts.nulled}),
        reasons=count_kinds([*accounts.rejected, *accounts.nulled]),
        profile=profile_columns(_columns(block, names), schema or dataset_schema(plan, plan.output_columns)),
    )


def _columns(block: Block, names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: block.columns.get(name) or [None] * len(block) for name in names}
