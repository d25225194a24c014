"""The public entry: declare with a builder, then create, preview or validate."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.defaults import default_models, default_providers
from data_designer.config.info import Information
from data_designer.config.models import SIMULATED_PROVIDER, ModelConfig, ModelProvider
from data_designer.config.run_config import ResumeMode, RunConfig
from data_designer.engine.dataset.accounts import accounts_of
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.promotion import promote
from data_designer.engine.dataset.sink import Sink, receipt_of
from data_designer.engine.dataset.store import Store, check_name
from data_designer.engine.dataset.totals import Totals, total
from data_designer.engine.execution.driver import RunReport
from data_designer.engine.execution.observation import Observer
from data_designer.engine.observe.metrics import Metrics
from data_designer.engine.observe.progress import Progress
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import Values, gather
from data_designer.engine.protocol.receipt import Receipt
from data_designer.errors import (
    ArtifactStorageError,
    DataDesignerError,
    DataDesignerGenerationError,
    InvalidConfigError,
    NoModelProvidersError,
    UnknownProviderError,
)
from data_designer.interface import run as running
from data_designer.interface.compile import (
    Checked,
    CompileContext,
    Prepared,
    but_for_keys,
    check,
    prepare,
    refuse_errors,
    seed_digest,
)
from data_designer.interface.metadata import MetadataWriter, Provenance
from data_designer.interface.metrics_server import serving
from data_designer.interface.open import (
    DatasetRequest,
    Opened,
    open_dataset,
    refilled,
    released_on_error,
    with_column_cache,
    with_time_left,
)
from data_designer.interface.outcomes import how_to_resume, log_outcomes, outcomes_of, refuse_empty, top_reasons
from data_designer.interface.results import (
    ArtifactStorage,
    DatasetCreationResults,
    DatasetMetadata,
    PreviewResults,
)
from data_designer.interface.stored import StoredDataset
from data_designer.interface.workflow import CompositeWorkflow
from data_designer.logging import configure_logging, is_logging_configured
from data_designer.models.capability_probe import Known
from data_designer.object_storage import Location, location
from data_designer.plan.compile import with_models
from data_designer.plan.model import Geometry, Plan
from data_designer.plan.violations import Violation

logger = logging.getLogger(__name__)

_MOST_RECORDS = (1 << 53) - 1
"""Beyond it JSON readers no longer tell one record index from the next."""


class DataDesigner:
    """Makes datasets from declarations. May be used for any number of runs.

    Args:
        artifact_path: the folder of all datasets, by its path or by a URL such as `s3://bucket/folder`; `artifacts` in
            the working directory when not given.
        model_providers: where models are served; when not given, those of the user's home file, else the built-in
            ones. The provider `simulated`, which needs no key and no network, is always there.
        secret_resolver: turns what stands as a key into the key; without it, environment variables are looked up.
        seed_readers, managed_assets_path, person_reader, mcp_providers: accepted; not used by this version.
        auto_configure_logging: configure the library's logging unless that was done already.
        simulate: let the simulated model stand in for every model.
        source: where the configuration comes from, kept with each dataset so that the command line can resume it.

    Raises:
        NoModelProvidersError: an empty list of providers.
        InvalidConfigError: something else than a provider.
        ValueError: two providers share a name.
    """

    def __init__(  # noqa: PLR0913 - the public API
        self,
        artifact_path: "str | Location | None" = None,
        *,
        model_providers: Sequence[ModelProvider] | None = None,
        secret_resolver: Any = None,
        seed_readers: Sequence[Any] | None = None,
        managed_assets_path: "str | Path | None" = None,
        person_reader: Any = None,
        mcp_providers: Sequence[Any] | None = None,
        auto_configure_logging: bool = True,
        simulate: bool = False,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        if auto_configure_logging and not is_logging_configured():
            configure_logging()
        if model_providers is not None and not model_providers:
            raise NoModelProvidersError("model_providers is empty; give at least one, or leave it out for the defaults")
        providers = list(default_providers() if model_providers is None else model_providers)
        for provider in providers:
            if not isinstance(provider, ModelProvider):
                raise InvalidConfigError(f"model_providers holds {type(provider).__name__}; each is a ModelProvider")
        names = [provider.name for provider in providers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there are two providers named {', '.join(twice)}; names must differ")
        simulated = ModelProvider(name=SIMULATED_PROVIDER, provider_type=SIMULATED_PROVIDER)
        self._providers = {
            SIMULATED_PROVIDER: simulated,
            **{provider.name: provider for provider in providers},
        }
        self._default_provider = providers[0].name if providers else None
        self._artifact_path = location("artifacts" if artifact_path is None else artifact_path)
        self._secret_resolver = secret_resolver
        self._run_config = RunConfig()
        self._simulate = simulate
        self._source = source
        self._known: Known = {}
        """What was found out about endpoints."""
        self._unused = (seed_readers, managed_assets_path, person_reader, mcp_providers)

    # --- settings ----------------------------------------------------------------------------------------

    def set_run_config(self, run_config: RunConfig) -> None:
        """Set how later runs behave. Raises InvalidConfigError where that is no RunConfig."""
        if not isinstance(run_config, RunConfig):
            raise InvalidConfigError(f"a RunConfig is needed, not {type(run_config).__name__}")
        self._run_config = run_config

    @property
    def run_config(self) -> RunConfig:
        """How runs behave."""
        return self._run_config

    @property
    def artifact_path(self) -> Location:
        """The folder of all datasets."""
        return self._artifact_path

    @property
    def secret_resolver(self) -> Any:
        """What turns references into keys; None for the environment."""
        return self._secret_resolver

    @property
    def info(self) -> Information:
        """What can be shown about providers."""
        return Information(providers=list(self._providers.values()))

    @property
    def model_provider_registry(self) -> "DataDesigner":
        """Where providers are looked up by name."""
        return self

    def get_provider(self, name: str) -> ModelProvider:
        """A provider. Raises UnknownProviderError where there is none of that name."""
        if name not in self._providers:
            raise UnknownProviderError(f"there is no provider '{name}'; there are {', '.join(self._providers)}")
        return self._providers[name]

    def get_default_model_configs(self) -> list[ModelConfig]:
        """Models that a builder has when it is given none."""
        return default_models()

    def get_default_model_providers(self) -> list[ModelProvider]:
        """Providers that are there when none are given."""
        return default_providers()

    def compose_workflow(self, *, name: str) -> CompositeWorkflow:
        """A chain of datasets (not built yet: adding a stage says so)."""
        return CompositeWorkflow(name)

    # --- acts --------------------------------------------------------------------------------------------

    def validate(self, config_builder: DataDesignerConfigBuilder) -> None:
        """Check a configuration without asking any model. A key that is missing is a warning here.

        Raises:
            InvalidConfigError: it is wrong; the message lists every violation.
        """
        checked = check(config_builder, self._around())
        found = but_for_keys(checked.violations)
        _warn(found)
        refuse_errors(found)
        logger.info("validation passed: %d columns", len(checked.config.columns))

    def check_models(
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        max_attempts: int = 1,
        retry_backoff_seconds: float = 0,
    ) -> None:
        """Ask every model that the configuration uses for a sign of life.

        Raises:
            ModelError: one does not answer.
            ValueError: a negative number.
        """
        if max_attempts < 1 or retry_backoff_seconds < 0:
            raise ValueError("max_attempts must be at least 1 and retry_backoff_seconds not negative")
        running.check_models(self._prepare(config_builder, 1))

    def preview(self, config_builder: DataDesignerConfigBuilder, *, num_records: int = 10) -> PreviewResults:
        """Make a few records in memory, in this process.

        Raises:
            DataDesignerGenerationError: the configuration is wrong or no record could be made; the cause is chained.
        """
        with _wrapped():
            prepared = self._prepare(config_builder, num_records)
            kept = _Kept()
            with Progress(num_records, self._run_config.progress_interval) as progress:
                report = running.preview(prepared, [progress], kept.keep, self._known)
        plan = prepared.plan
        totals = total(kept.receipts)
        outcomes = outcomes_of(plan, totals, report)
        refuse_empty(report, outcomes)
        return PreviewResults(
            config_builder=config_builder,
            dataset_metadata=DatasetMetadata(_seed_names(plan)),
            analysis=analyse(plan, totals),
            dataset=pd.DataFrame(kept.columns, columns=list(plan.output_columns)),
            processor_artifacts=kept.processed,
            task_traces=[],
            plan=plan,
            outcomes=outcomes,
        )

    def create(  # noqa: PLR0913 - the public API
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        num_records: int = 10,
        dataset_name: str = "dataset",
        resume: "ResumeMode | str" = ResumeMode.NEVER,
        artifact_path: "str | Location | None" = None,
        on_batch_complete: Callable[[Any], None] | None = None,
        reuse: "str | Location | None" = None,
    ) -> DatasetCreationResults:
        """Make a dataset on disk.

        Args:
            config_builder: what to make.
            num_records: how many records.
            dataset_name: name of its folder; where it is taken, a sibling with a time stamp is made.
            resume: what to do with a dataset of that name that is there already: `never` leaves it alone and makes
                another beside it, `always` goes on with it, `if_possible` does so where it was made with the same
                configuration. More records than before are added to it.
            artifact_path: the folder of all datasets, for this call.
            on_batch_complete: called with the path (or URL) of the Parquet file of each committed batch.
            reuse: folder of another dataset, from which columns are taken that are declared there as they are here, and
                so is all that they are made from: an edited configuration pays for what changed.

        Raises:
            DataDesignerEarlyShutdownError: too many cells of a column failed and no record was complete.
            DataDesignerGenerationError: the configuration is wrong or no record could be made; the cause is chained.
            ArtifactStorageError: the dataset's folder cannot be written, another run writes it, or `resume` is
                `always` and there is nothing to resume.
        """
        root = location(artifact_path) if artifact_path is not None else self._artifact_path
        with _wrapped():
            check_name(dataset_name)
            mode = _resume_mode(resume)
            if on_batch_complete is not None and not callable(on_batch_complete):
                raise DataDesignerGenerationError(f"on_batch_complete cannot be called: {on_batch_complete!r}")
            checked = self._check(config_builder, num_records)
            column_cache = None if reuse is None else StoredDataset.at(reuse)
            provenance = self._origin(config_builder, checked, column_cache)
            wanted = DatasetRequest(num_records, dataset_name, root, mode, provenance)
            opened = open_dataset(checked, self._around(column_cache), wanted)
            with released_on_error(opened.store):
                opened = with_column_cache(opened, required=column_cache is not None)
        return self._make(config_builder, opened, dataset_name, on_batch_complete)

    def retry_failed(
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        dataset_name: str = "dataset",
        models: Mapping[str, str] | None = None,
        artifact_path: "str | Location | None" = None,
    ) -> DatasetCreationResults:
        """Make the rejected records of a dataset again and put those that come out into their places.

        Args:
            config_builder: what the dataset was made with.
            dataset_name: name of its folder.
            models: model alias to the name of another model, of the same provider, to ask this time.
            artifact_path: the folder of all datasets, for this call.

        Raises:
            DataDesignerGenerationError: the dataset was made with another configuration; the cause is chained.
            ArtifactStorageError: there is no such dataset, it cannot be written, or another run writes it.
        """
        root = location(artifact_path) if artifact_path is not None else self._artifact_path
        with _wrapped():
            check_name(dataset_name)
            stored = StoredDataset.at(root / dataset_name)
            checked = self._check(config_builder, stored.requested)
            provenance = self._origin(config_builder, checked)
            wanted = DatasetRequest(stored.requested, dataset_name, root, ResumeMode.ALWAYS, provenance)
            fixed = {"buffer_size": stored.geometry.buffer_size, "seed": None}
            around = replace(self._around(), run=self._run_config.model_copy(update=fixed))
            opened = open_dataset(checked, around, wanted)
            with released_on_error(opened.store):
                plan = with_models(opened.prepared.plan, models or {})
                again = with_column_cache(replace(opened, resume_point=opened.store.rejected(plan.geometry)))
        return self._make(config_builder, again, dataset_name, asking=plan)

    async def acreate(self, config_builder: DataDesignerConfigBuilder, **options: Any) -> DatasetCreationResults:
        """`create` in a thread, for callers with an event loop of their own."""
        return await asyncio.to_thread(lambda: self.create(config_builder, **options))

    # --- parts -------------------------------------------------------------------------------------------

    def _around(self, column_cache: StoredDataset | None = None) -> CompileContext:
        run = self._run_config
        if column_cache is not None and run.seed is None:
            run = run.model_copy(update={"seed": column_cache.metadata.get("seed")})
        return CompileContext(self._providers, run, self._secret_resolver, self._default_provider, self._simulate)

    def _prepare(self, config_builder: DataDesignerConfigBuilder, num_records: int) -> Prepared:
        checked = self._check(config_builder, num_records)
        return prepare(checked, self._around(), Geometry(num_records, num_records))

    def _check(self, config_builder: DataDesignerConfigBuilder, num_records: int) -> Checked:
        if isinstance(num_records, bool) or not isinstance(num_records, int) or num_records < 1:
            raise DataDesignerGenerationError(f"num_records must be a positive integer, not {num_records!r}")
        if num_records > _MOST_RECORDS:
            raise DataDesignerGenerationError(f"num_records={num_records} is too large: at most {_MOST_RECORDS}")
        checked = check(config_builder, self._around())
        _warn(checked.violations)
        return checked

    def _origin(
        self, config_builder: DataDesignerConfigBuilder, checked: Checked, column_cache: StoredDataset | None = None
    ) -> Provenance:
        declared = config_builder.get_builder_config().to_dict()
        settings = self._run_config.model_dump(mode="json", exclude_unset=True)
        text = json.dumps(declared, indent=2, sort_keys=True, ensure_ascii=False, default=str).encode()
        reuse = None if column_cache is None else str(column_cache.path)
        return Provenance(
            text, seed_digest(checked.seed_table), settings, self._simulate, str(Path.cwd()), reuse, self._source
        )

    def _make(
        self,
        builder: DataDesignerConfigBuilder,
        opened: Opened,
        dataset_name: str,
        on_batch: Callable[[Any], None] | None = None,
        asking: Plan | None = None,
    ) -> DatasetCreationResults:
        """Make what is left of a dataset that was opened; its lock is released whatever happens.

        Args:
            builder: what was declared.
            opened: the dataset.
            dataset_name: the name that was asked for.
            on_batch: called with each file of rows.
            asking: the plan that is run, where it asks other models than were declared.
        """
        store, plan = opened.store, opened.prepared.plan
        assert store.lock is not None
        metadata = MetadataWriter(
            store, plan, dataset_name, opened.provenance, opened.requested, on_batch, opened.spent
        )
        with _wrapped(), store.lock:
            before = metadata.write()
            logger.info("dataset=%s records=%d seed=%d", store.path, plan.geometry.num_records, plan.seed)
            report = RunReport(None, None)
            unmade = opened if not opened.done else refilled(opened, before.generated)
            if unmade is None:
                logger.warning("nothing is left to make; nothing is asked of any model")
            else:
                if opened.resumed:
                    logger.info("resumed generated=%d rejected=%d", before.generated, before.rejected)
                progress = Progress(plan.geometry.num_records, self._run_config.progress_interval)
                progress.generated, progress.rejected = before.generated, before.rejected
                progress.replaced = _counts_of(store, opened.resume_point.partial)
                metrics = Metrics(plan, progress.replaced)
                with progress, serving(metrics.exposition, self._run_config.otel_metrics_port):
                    watched = _Watched(metadata, progress, metrics)
                    opened, report = self._run(unmade, asking or unmade.prepared.plan, watched)
            with suppress(OSError):  # What is left over does no harm, and goes the next time.
                promote(store)
                store.tidy()
            totals = metadata.write(final=True)
        return self._finished(builder, opened, ArtifactStorage(store, dataset_name), totals, report)

    def _run(self, opened: Opened, plan: Plan, watched: "_Watched") -> tuple[Opened, RunReport]:
        """Run a plan, and then, where that is wanted, for further records as long as some are missing."""
        metadata = watched.metadata
        again: Opened | None = replace(opened, prepared=replace(opened.prepared, plan=plan))
        metadata.plan = opened.prepared.plan
        began = time.monotonic()
        with running.one_ray(plan):
            while again is not None:
                report = running.create(again, watched.observers, metadata.publish, self._known)
                metadata.spent = report.spent.or_more(metadata.spent)
                opened = replace(again, spent=metadata.spent)
                again = refilled(opened, metadata.write().generated) if report.stop_reason is None else None
                if again is not None:
                    again = with_time_left(again, plan, time.monotonic() - began)
                    watched.goes_on_with(again.prepared.plan)
                    drawn = metadata.plan.geometry.num_records
                    logger.info("refilling: %d records drawn in all for the %d asked for", drawn, opened.requested)
        return opened, report

    def _finished(
        self,
        builder: DataDesignerConfigBuilder,
        opened: Opened,
        storage: ArtifactStorage,
        totals: Totals,
        report: RunReport,
    ) -> DatasetCreationResults:
        outcomes = outcomes_of(opened.prepared.plan, totals, report, opened.requested)
        refuse_empty(report, outcomes, storage.base_dataset_path)
        stopped = report.stop_reason
        if stopped is not None:
            if report.tripped_column is not None:
                stopped = "; ".join([stopped, *top_reasons(outcomes)])
            logger.warning(
                "generated %d of %d requested records; the run was stopped: %s; %s",
                outcomes.generated,
                outcomes.requested,
                stopped,
                how_to_resume(storage.base_dataset_path) if outcomes.unfinished else "nothing is left to make",
            )
        elif outcomes.refilled and outcomes.generated < outcomes.requested:
            logger.warning(
                "%d records are missing: all %d further records that may be drawn for them were drawn; give a larger "
                "refill_candidates and resume, or see rejected/ for what fails",
                outcomes.requested - outcomes.generated,
                outcomes.refilled,
            )
        log_outcomes(outcomes)
        return DatasetCreationResults(opened.prepared.plan, storage, builder, outcomes, early_shutdown=stopped)


@dataclass(frozen=True, slots=True)
class _Watched:
    """What is shown everything that happens in a run."""

    metadata: MetadataWriter
    progress: Progress
    metrics: Metrics

    @property
    def observers(self) -> list[Observer]:
        return [self.progress, self.metadata, self.metrics]

    def goes_on_with(self, plan: Plan) -> None:
        """Further records are drawn."""
        self.metadata.plan = self.metrics.plan = plan
        self.progress.target = plan.geometry.num_records


class _wrapped:  # noqa: N801 - reads as the statement it is
    """Everything that goes wrong inside is a generation error with its cause chained, except what is about the disk."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, DataDesignerGenerationError | ArtifactStorageError | DeprecationWarning):
            return
        if isinstance(error, DataDesignerError):
            raise DataDesignerGenerationError(str(error)) from error
        if isinstance(error, Exception):
            raise DataDesignerGenerationError(f"{type(error).__name__}: {error}") from error


class _Kept:
    """A preview's batch, kept in memory instead of written."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
        self.processed: dict[str, list[dict[str, Any]]] = {}
        self.receipts: list[Receipt] = []

    def keep(self, plan: Plan, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Take the batch."""
        sink = Sink(plan, LocalFiles(Path()), run=0)
        block = gather(job.kept, values, [*plan.output_columns, *plan.dropped_columns])
        self.columns = {name: block.columns.get(name, []) for name in plan.output_columns}
        self.processed = sink.processed(block)
        receipt = replace(receipt_of(plan, job, block, accounts_of(plan, job, values)), profile=sink.profile(block))
        self.receipts.append(receipt)
        return receipt


def _warn(found: Sequence[Violation]) -> None:
    for violation in found:
        if violation.level == "WARNING":
            logger.warning("%s", violation)


def _resume_mode(word: "ResumeMode | str") -> ResumeMode:
    try:
        return ResumeMode(word)
    except ValueError as error:
        raise DataDesignerGenerationError(f"resume must be one of {', '.join(ResumeMode)}; not {word!r}") from error


def _seed_names(plan: Plan) -> list[str]:
    return [column.name for column in plan.config.columns if column.column_type == "seed-dataset"]


def _counts_of(store: Store, batches: Collection[int]) -> dict[int, tuple[int, int]]:
    receipts = (store.receipt(batch) for batch in batches)
    return {receipt.batch: (receipt.generated, receipt.rejected) for receipt in receipts if receipt is not None}
