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
from data_designer.columns.seeds.large_cells import loaded
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.dataset_metadata import DatasetMetadata
from data_designer.config.resume_mode import ResumeMode
from data_designer.engine.dataset.accounts import accounts_of
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.conversations import conversations_in, conversations_of
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.media import in_base64
from data_designer.engine.dataset.promotion import promote
from data_designer.engine.dataset.sink import Sink, receipt_of
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import Totals, total
from data_designer.engine.execution.driver import RunReport
from data_designer.engine.execution.observation import Observer
from data_designer.engine.observe.metrics import Metrics
from data_designer.engine.observe.progress import Earlier, Progress
from data_designer.engine.observe.scheduler_events import EventLines, EventsFile
from data_designer.engine.observe.slot_accounts import SlotAccounts
from data_designer.engine.observe.traces import Traces
from data_designer.engine.protocol.conversation import Conversation
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import MEDIA, Values, gather
from data_designer.engine.protocol.receipt import Receipt
from data_designer.interface import run as running
from data_designer.interface.compile import PreparedPlan
from data_designer.interface.ending_views import say_in_log
from data_designer.interface.kept_accounts import KeptAccounts
from data_designer.interface.metadata import MetadataWriter, OnBatchComplete
from data_designer.interface.metrics_server import serving
from data_designer.interface.open import OpenDataset, refilled, with_time_left
from data_designer.interface.outcomes import outcomes_of, refuse_empty
from data_designer.interface.progress_views import watched
from data_designer.interface.results import ArtifactStorage, DatasetCreationResults, PreviewResults
from data_designer.models.capability_probe import Known
from data_designer.plan.kinds import seed_columns
from data_designer.plan.model import Plan
from data_designer.values import Block

logger = logging.getLogger(__name__)

_WORTH_ADVICE = 5.0
"""Seconds of a run from which on it is looked for what holds it up."""
_BEGINNING = 0.2
"""Seconds in which a run has asked its first models."""


# --- in memory -------------------------------------------------------------------------------------------


def make_preview(
    prepared: PreparedPlan, builder: DataDesignerConfigBuilder, known: Known, *, show_prompts: bool = False
) -> PreviewResults:
    """Make the records of a plan in this process, and keep them in memory.

    Args:
        prepared: the plan.
        builder: what was declared.
        known: what was found out about endpoints before.
        show_prompts: whether records are shown with what was said for their cells.

    Raises:
        DataDesignerGenerationError: no record could be made.
    """
    prepared = _keeping_conversations(prepared)
    kept, plan, traces, began = _Kept(), prepared.plan, Traces(), time.monotonic()
    # Models take their time, and the frame is made after it.
    progress = Progress(plan)
    with _imported_meanwhile("pandas"), watched(progress, plan.run):
        report = running.preview(prepared, [progress, traces], kept.keep, known)
        progress.end(stopped=report.stop_reason is not None)
    import pandas as pd

    totals = total(kept.receipts)
    outcomes = outcomes_of(plan, totals, report)
    refuse_empty(report, outcomes)
    return PreviewResults(
        config_builder=builder,
        dataset_metadata=DatasetMetadata(seed_column_names=seed_columns(plan.config.columns, KINDS)),
        analysis=analyse(plan, totals, plan.geometry.num_records),
        dataset=pd.DataFrame(kept.columns, columns=list(kept.columns or plan.output_columns)),
        processor_artifacts=kept.processed,
        task_traces=traces.in_order(),
        plan=plan,
        outcomes=outcomes,
        seconds=time.monotonic() - began,
        conversations=kept.conversations,
        records=kept.records,
        show_prompts=show_prompts,
    )


def _keeping_conversations(prepared: PreparedPlan) -> PreparedPlan:
    """The same, of whose few records all conversations are kept, unless the setting is given."""
    run = prepared.plan.run
    if "keep_conversations" in run.model_fields_set:
        return prepared
    return replace(prepared, plan=replace(prepared.plan, run=run.model_copy(update={"keep_conversations": "all"})))


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
        self.conversations: list[Conversation] = []
        self.records: list[int] = []

    def keep(self, plan: Plan, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Take the batch."""
        sink = Sink(plan, LocalFiles(Path()), run=0)
        block = gather(job.kept, values, [*plan.output_columns, *plan.dropped_columns, MEDIA])
        block = Block(block.rows, {name: loaded(cells) for name, cells in block.columns.items()})
        shown = Block(block.rows, in_base64(block, [*plan.output_columns, *plan.dropped_columns]))
        shown = sink.after_batch(shown, None)
        self.columns = {name: shown.columns.get(name, []) for name in sink.output_of(shown)}
        self.processed = sink.processed(shown)
        self.records = block.rows.tolist()
        said = conversations_of(plan, job, values)
        self.conversations = [] if said is None else list(conversations_in(said))
        receipt = replace(receipt_of(plan, job, block, accounts_of(plan, job, values)), profile=sink.profile(shown))
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
    began = time.monotonic()
    assert store.lock is not None
    writer = MetadataWriter(store, plan, request, on_batch, opened.spent)
    with store.lock:
        before = writer.write()
        logger.info("dataset=%s records=%d seed=%d", store.path, plan.geometry.num_records, plan.seed)
        report, traces = RunReport(None, None), Traces()
        unmade = opened if not opened.done else refilled(opened, before.generated)
        if unmade is None:
            logger.warning("nothing is left to make; nothing is asked of any model")
        else:
            if opened.resumed:
                logger.info("resumed generated=%d rejected=%d", before.generated, before.rejected)
            opened, report = _run(unmade, asking or unmade.prepared.plan, before, writer, known, traces)
        totals = _in_one_form(store)
        writer.finish(totals, report.stop_reason)
        advice = _advice(store, opened.prepared.plan, totals, time.monotonic() - began)
    outcomes = outcomes_of(opened.prepared.plan, totals, report, request.num_records)
    storage = ArtifactStorage(store, request.dataset_name)
    refuse_empty(report, outcomes, store.path)
    results = DatasetCreationResults(
        opened.prepared.plan,
        storage,
        builder,
        outcomes,
        report.stop_reason,
        task_traces=traces.in_order(),
        seconds=time.monotonic() - began,
        advice=advice,
        requested_resume_mode=request.resume,
        effective_resume_mode=ResumeMode.ALWAYS if opened.resumed else ResumeMode.NEVER,
    )
    say_in_log(results.ending())
    return results


def _advice(store: Store, plan: Plan, totals: Totals, seconds: float) -> list[str]:
    """What to change, where the run was long enough for it to matter: to find it takes some time, too."""
    if seconds < _WORTH_ADVICE:
        return []
    from data_designer.interface.explain import advice_of

    try:
        return [str(one) for one in advice_of(store, plan, totals.spent) if one.is_worth_saying]
    except Exception:
        # The dataset is made: nobody loses it for want of advice.
        logger.warning("no advice could be found; please report this", exc_info=True)
        return []


def _run(
    opened: OpenDataset, asking: Plan, before: Totals, writer: MetadataWriter, known: Known, traces: Traces
) -> tuple[OpenDataset, RunReport]:
    """Run a plan, and then, where that is wanted, for further records as long as some are missing."""
    writer.plan = opened.prepared.plan
    store = opened.store
    replaced = _counts_of(store, opened.resume_point.partial)
    earlier = Earlier(before.generated, before.rejected, replaced, before.spent)
    progress = Progress(replace(asking, geometry=opened.prepared.plan.geometry), str(store.path), earlier)
    accounts = SlotAccounts(asking, time.monotonic, run=store.run, began=time.time(), replaced=replaced)
    metrics = Metrics(opened.prepared.plan, replaced, accounts)
    opened, began = replace(opened, prepared=replace(opened.prepared, plan=asking)), time.monotonic()
    shown, exposed = (
        watched(progress, asking.run, store.files),
        serving(metrics.exposition, asking.run.otel_metrics_port),
    )
    observers = [progress, writer, metrics, accounts, *((traces,) if asking.run.async_trace else ())]
    with shown, exposed, KeptAccounts(accounts, store.files, store.path) as kept, running.one_ray(asking):
        while True:
            with _events_written(opened) as events:
                report = running.create(opened, [*observers, kept, *events], writer.publish, known)
            writer.spent = report.spent.or_more(writer.spent)
            opened = replace(opened, spent=writer.spent)
            more = None
            if report.stop_reason is None and asking.run.on_row_failure == "refill":
                more = refilled(opened, writer.write().generated)
            if more is None:
                progress.end(stopped=report.stop_reason is not None)
                return opened, report
            opened = with_time_left(more, asking, time.monotonic() - began)
            drawn, wanted = opened.prepared.plan.geometry.num_records, opened.request.num_records
            writer.plan = metrics.plan = progress.plan = opened.prepared.plan
            logger.info("refilling: %d records drawn in all for the %d asked for", drawn, wanted)


@contextmanager
def _events_written(opened: OpenDataset) -> Iterator[list[Observer]]:
    """Observers that write the scheduler's events beside the dataset, if that is wanted."""
    plan = opened.prepared.plan
    if not plan.run.write_scheduler_events:
        yield []
        return
    with EventsFile(opened.store.files, EventLines(plan, opened.store.run, time.time())) as events:
        yield [events]


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
