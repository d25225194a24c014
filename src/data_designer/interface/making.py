"""Makes records: a few in memory, or what is left of a dataset that is open."""

import importlib
import logging
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from data_designer.columns.registry import KINDS
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.engine.dataset.accounts import accounts_of
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.media import in_base64
from data_designer.engine.dataset.promotion import promote
from data_designer.engine.dataset.sink import Sink, receipt_of
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import Totals, total
from data_designer.engine.execution.driver import RunReport
from data_designer.engine.observe.metrics import Metrics
from data_designer.engine.observe.progress import Progress
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import MEDIA, Values, gather
from data_designer.engine.protocol.receipt import Receipt
from data_designer.interface import run as running
from data_designer.interface.compile import PreparedPlan
from data_designer.interface.metadata import MetadataWriter, OnBatchComplete
from data_designer.interface.metrics_server import serving
from data_designer.interface.open import OpenDataset, refilled, with_time_left
from data_designer.interface.outcomes import (
    RunOutcomes,
    how_to_resume,
    log_outcomes,
    outcomes_of,
    refuse_empty,
    top_reasons,
)
from data_designer.interface.results import ArtifactStorage, DatasetCreationResults, DatasetMetadata, PreviewResults
from data_designer.models.capability_probe import Known
from data_designer.plan.kinds import seed_columns
from data_designer.plan.model import Plan
from data_designer.values import Block

logger = logging.getLogger(__name__)

_BEGINNING = 0.2
"""Seconds in which a run has asked its first models."""


# --- in memory -------------------------------------------------------------------------------------------


def make_preview(prepared: PreparedPlan, builder: DataDesignerConfigBuilder, known: Known) -> PreviewResults:
    """Make the records of a plan in this process, and keep them in memory.

    Args:
        prepared: the plan.
        builder: what was declared.
        known: what was found out about endpoints before.

    Raises:
        DataDesignerGenerationError: no record could be made.
    """
    kept, plan = _Kept(), prepared.plan
    # Models take their time, and the frame is made after it.
    with _imported_meanwhile("pandas"), Progress(plan.geometry.num_records, plan.run.progress_interval) as progress:
        report = running.preview(prepared, [progress], kept.keep, known)
    import pandas as pd

    totals = total(kept.receipts)
    outcomes = outcomes_of(plan, totals, report)
    refuse_empty(report, outcomes)
    return PreviewResults(
        config_builder=builder,
        dataset_metadata=DatasetMetadata(seed_columns(plan.config.columns, KINDS)),
        analysis=analyse(plan, totals),
        dataset=pd.DataFrame(kept.columns, columns=list(plan.output_columns)),
        processor_artifacts=kept.processed,
        task_traces=[],
        plan=plan,
        outcomes=outcomes,
    )


@contextmanager
def _imported_meanwhile(module: str) -> Iterator[None]:
    """Have a module that is needed afterwards imported in a thread, once what is inside has had time to begin."""
    importing = threading.Timer(_BEGINNING, importlib.import_module, (module,))
    importing.start()
    try:
        yield
    finally:
        importing.cancel()


class _Kept:
    """A preview's batch, kept in memory instead of written."""

    def __init__(self) -> None:
        self.columns: dict[str, list[object]] = {}
        self.processed: dict[str, list[dict[str, object]]] = {}
        self.receipts: list[Receipt] = []

    def keep(self, plan: Plan, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Take the batch."""
        sink = Sink(plan, LocalFiles(Path()), run=0)
        block = gather(job.kept, values, [*plan.output_columns, *plan.dropped_columns, MEDIA])
        shown = Block(block.rows, in_base64(block, [*plan.output_columns, *plan.dropped_columns]))
        self.columns = {name: shown.columns.get(name, []) for name in plan.output_columns}
        self.processed = sink.processed(shown)
        receipt = replace(receipt_of(plan, job, block, accounts_of(plan, job, values)), profile=sink.profile(block))
        self.receipts.append(receipt)
        return receipt


# --- on disk ---------------------------------------------------------------------------------------------


def make_dataset(
    opened: OpenDataset,
    builder: DataDesignerConfigBuilder,
    known: Known,
    on_batch: OnBatchComplete | None = None,
    asking: Plan | None = None,
) -> DatasetCreationResults:
    """Make what is left of a dataset that was opened; its lock is released whatever happens.

    Args:
        opened: the dataset.
        builder: what was declared.
        known: what was found out about endpoints before.
        on_batch: called with each file of rows.
        asking: the plan that is run, where it asks other models than were declared.

    Raises:
        DataDesignerGenerationError: there is no record.
        ArtifactStorageError: the dataset's files cannot be written.
    """
    store, plan, request = opened.store, opened.prepared.plan, opened.request
    assert store.lock is not None
    writer = MetadataWriter(store, plan, request, on_batch, opened.spent)
    with store.lock:
        before = writer.write()
        logger.info("dataset=%s records=%d seed=%d", store.path, plan.geometry.num_records, plan.seed)
        report = RunReport(None, None)
        unmade = opened if not opened.done else refilled(opened, before.generated)
        if unmade is None:
            logger.warning("nothing is left to make; nothing is asked of any model")
        else:
            if opened.resumed:
                logger.info("resumed generated=%d rejected=%d", before.generated, before.rejected)
            opened, report = _run(unmade, asking or unmade.prepared.plan, before, writer, known)
        totals = _in_one_form(store)
        writer.finish(totals)
    outcomes = outcomes_of(opened.prepared.plan, totals, report, request.num_records)
    storage = ArtifactStorage(store, request.dataset_name)
    refuse_empty(report, outcomes, store.path)
    stopped = _why_stopped(report, outcomes, store)
    log_outcomes(outcomes)
    return DatasetCreationResults(opened.prepared.plan, storage, builder, outcomes, early_shutdown=stopped)


def _run(
    opened: OpenDataset, asking: Plan, before: Totals, writer: MetadataWriter, known: Known
) -> tuple[OpenDataset, RunReport]:
    """Run a plan, and then, where that is wanted, for further records as long as some are missing."""
    writer.plan = opened.prepared.plan
    progress = Progress(opened.prepared.plan.geometry.num_records, asking.run.progress_interval)
    progress.generated, progress.rejected = before.generated, before.rejected
    progress.replaced = _counts_of(opened.store, opened.resume_point.partial)
    metrics = Metrics(opened.prepared.plan, progress.replaced)
    opened, began = replace(opened, prepared=replace(opened.prepared, plan=asking)), time.monotonic()
    exposed = serving(metrics.exposition, asking.run.otel_metrics_port)
    with progress, exposed, running.one_ray(asking):
        while True:
            report = running.create(opened, [progress, writer, metrics], writer.publish, known)
            writer.spent = report.spent.or_more(writer.spent)
            opened = replace(opened, spent=writer.spent)
            more = None
            if report.stop_reason is None and asking.run.on_row_failure == "refill":
                more = refilled(opened, writer.write().generated)
            if more is None:
                return opened, report
            opened = with_time_left(more, asking, time.monotonic() - began)
            drawn, wanted = opened.prepared.plan.geometry.num_records, opened.request.num_records
            writer.plan = metrics.plan = opened.prepared.plan
            progress.target = drawn
            logger.info("refilling: %d records drawn in all for the %d asked for", drawn, wanted)


def _counts_of(store: Store, batches: Collection[int]) -> dict[int, tuple[int, int]]:
    receipts = (store.receipt(batch) for batch in batches)
    return {receipt.batch: (receipt.generated, receipt.rejected) for receipt in receipts if receipt is not None}


def _in_one_form(store: Store) -> Totals:
    """The totals of a dataset whose files have been given one schema a folder, and that holds nothing needless."""
    totals = total(store.receipts())
    with suppress(OSError):  # What is left over does no harm, and goes the next time.
        written = promote(store, totals.examples)
        store.tidy()
        if not written:
            return totals
    return total(store.receipts())


def _why_stopped(report: RunReport, outcomes: RunOutcomes, store: Store) -> str | None:
    """Why a run ended early, if it did; says so, and what is missing."""
    stopped = report.stop_reason
    if stopped is not None:
        if report.tripped_column is not None:
            stopped = "; ".join([stopped, *top_reasons(outcomes)])
        logger.warning(
            "generated %d of %d requested records; the run was stopped: %s; %s",
            outcomes.generated,
            outcomes.requested,
            stopped,
            how_to_resume(store.path) if outcomes.unfinished else "nothing is left to make",
        )
    elif outcomes.refilled and outcomes.generated < outcomes.requested:
        logger.warning(
            "%d records are missing: all %d further records that may be drawn for them were drawn; give a larger "
            "refill_candidates and resume, or see rejected/ for what fails",
            outcomes.requested - outcomes.generated,
            outcomes.refilled,
        )
    return stopped
