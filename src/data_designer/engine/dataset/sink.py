"""Writes a batch: gathers its values, makes the files, and answers with a receipt."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from data_designer.columns.processors import BatchProcessor, SchemaTransform
from data_designer.columns.registry import KINDS
from data_designer.columns.seeds.large_cells import loaded
from data_designer.config.processors import PROCESSOR_PLUGINS, SchemaTransformProcessorConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.engine.dataset.accounts import Accounts, accounts_of
from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.batch_files import merged, stage_tables
from data_designer.engine.dataset.conversations import conversations_of
from data_designer.engine.dataset.encoding import is_same
from data_designer.engine.dataset.failures import count_kinds, failures_table
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import CONVERSATIONS, DROPPED, MANIFESTS, NULLED, PARQUET, PROCESSED, REJECTS
from data_designer.engine.dataset.media import staged_manifest
from data_designer.engine.dataset.profile import profile_columns
from data_designer.engine.dataset.schema import Tables, declared_types
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import MEDIA, Values, gather
from data_designer.engine.protocol.receipt import Receipt, indices, ranges
from data_designer.plan.model import Plan
from data_designer.plan.profile import Profile
from data_designer.values import Block


class Sink:
    """Writes batches of one plan into one dataset directory. Built once in a process."""

    def __init__(self, plan: Plan, files: Files, run: int, seed_schema: "pa.Schema | None" = None) -> None:
        engine = JinjaRenderingEngine(plan.run.jinja_rendering_engine)
        known = [*plan.output_columns, *plan.dropped_columns]
        self._plan = plan
        self._files = files
        self._run = run
        self._tables = Tables(declared_types(plan, seed_schema))
        self._processed: dict[str, Tables] = {}
        stored = {*plan.output_columns, *(plan.dropped_columns if plan.run.preserve_dropped_columns else ())}
        self._with_files = [step.name for step in plan.steps if KINDS[step.kind].has_files and step.name in stored]
        self._transforms = {
            processor.name: SchemaTransform(processor, engine, known)
            for processor in plan.config.processors or ()
            if isinstance(processor, SchemaTransformProcessorConfig)
        }
        self._processors = [
            BatchProcessor(processor)
            for processor in plan.config.processors or ()
            if processor.processor_type in PROCESSOR_PLUGINS
        ]

    def write(self, job: CommitJob, values: Sequence[Values], clock: Callable[[], float] = time.monotonic) -> Receipt:
        """Write the files of a batch, beside what there is of it already; nothing is visible yet.

        Raises:
            OSError: the disk refuses, or has lost an image.
            ArtifactStorageError: what is there already is damaged.
        """
        started = clock()
        plan = self._plan
        before = Store(Path(), self._files).receipt(job.batch)
        if before is not None and self._holds(before.current, job):
            return before.current
        block = gather(job.kept, values, [*plan.output_columns, *plan.dropped_columns, MEDIA])
        accounts, made = accounts_of(plan, job, values), block
        block = self.after_batch(block, job.batch)
        contents = self._contents(block, accounts)
        if (said := conversations_of(plan, job, values)) is not None:
            contents[CONVERSATIONS] = said
        manifest = staged_manifest(self._files, job.batch, made, self._with_files)
        if manifest is not None:
            contents[MANIFESTS] = manifest
        profile = self.profile(block, contents.get(PARQUET))
        receipt = replace(
            receipt_of(plan, job, block, accounts), profile=profile, inexact=self._inexact(block, contents)
        )
        if before is not None:
            receipt, contents = merged(self._files, before.current, receipt, contents)
        written = stage_tables(self._files, job.batch, contents)
        return replace(receipt, files=written, run=self._run, seconds=clock() - started)

    def after_batch(self, block: Block, batch: int | None) -> Block:
        """The rows as the processors of plugins leave them. Raises DatasetProcessingError where one fails."""
        if not self._processors or not len(block):
            return block
        block = _with_large(block)
        for processor in self._processors:
            block = processor.apply(block, batch)
        return block

    def output_of(self, block: Block) -> list[str]:
        """The columns of the dataset that its rows have; those of the plan, unless processors have changed them."""
        if not self._processors or not len(block):
            return list(self._plan.output_columns)
        return [name for name in block.columns if name not in self._plan.dropped_columns]

    def processed(self, block: Block) -> dict[str, list[dict[str, object]]]:
        """What the schema-transform processors make of the rows, by processor name."""
        if self._transforms:
            block = _with_large(block)
        return {name: transform.apply(block, self._plan.seed) for name, transform in self._transforms.items()}

    def profile(self, block: Block, table: "pa.Table | None" = None) -> dict[str, Profile]:
        """Statistics of the rows' columns, those that are dropped included; `table` is what is stored of them."""
        if table is None:
            table = self._tables.table(_columns(block, self.output_of(block)))
        names = [*self.output_of(block), *self._plan.dropped_columns]
        return profile_columns(_columns(block, names), {field.name: str(field.type) for field in table.schema})

    def _inexact(self, block: Block, contents: Mapping[str, pa.Table]) -> tuple[str, ...]:
        """Columns of the user's functions whose values a reader gets back as others, if equal ones: 1.0 for 1."""
        custom = {name for step in self._plan.steps if KINDS[step.kind].any_value for name in step.makes}
        found = []
        for folder in (PARQUET, DROPPED):
            for field in contents[folder].schema if folder in contents else ():
                if field.name in custom:
                    read = cells_of(contents[folder].column(field.name), field)
                    if not all(map(is_same, block.columns.get(field.name) or (), read)):
                        found.append(field.name)
        return tuple(found)

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
            contents[PARQUET] = self._tables.table(_columns(block, self.output_of(block)))
            if plan.dropped_columns and plan.run.preserve_dropped_columns:
                contents[DROPPED] = self._tables.table(_columns(block, plan.dropped_columns))
            for name, rows in self.processed(block).items():
                tables = self._processed.setdefault(name, Tables({}))
                columns = {key: [row[key] for row in rows] for key in rows[0]}
                contents[f"{PROCESSED}/{name}"] = tables.table(columns)
        for folder, failures in ((REJECTS, accounts.rejected), (NULLED, accounts.nulled)):
            if failures:
                contents[folder] = failures_table(failures)
        return contents


def receipt_of(plan: Plan, job: CommitJob, block: Block, accounts: Accounts) -> Receipt:
    """The receipt, without files and statistics, of a batch whose complete rows are in `block`."""
    records = plan.geometry.records(job.batch)
    every = np.arange(records.start, records.stop)
    others = np.concatenate([job.kept.rows, job.rejected])
    return Receipt(
        batch=job.batch,
        requested=len(records),
        generated=len(block),
        rejected=len(job.rejected),
        files=(),
        kept=ranges(block.rows),
        unfinished=ranges(every[~np.isin(every, others)]),
        spent=accounts.spent,
        null_filled=len({one.record for one in accounts.nulled}),
        reasons=count_kinds([*accounts.rejected, *accounts.nulled]),
    )


def _columns(block: Block, names: Sequence[str]) -> dict[str, list[object]]:
    return {name: block.columns.get(name) or [None] * len(block) for name in names}


def _with_large(block: Block) -> Block:
    return Block(block.rows, {name: loaded(cells) for name, cells in block.columns.items()})
