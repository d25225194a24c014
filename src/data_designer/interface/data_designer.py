"""The public entry: declare with a builder, then create, preview or validate."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.defaults import default_models, default_providers
from data_designer.config.info import Information
from data_designer.config.models import SIMULATED_PROVIDER, ModelConfig, ModelProvider
from data_designer.config.run_config import ResumeMode, RunConfig, does_nothing
from data_designer.errors import (
    ArtifactStorageError,
    DataDesignerError,
    DataDesignerGenerationError,
    InvalidConfigError,
    NoModelProvidersError,
    UnknownProviderError,
)
from data_designer.interface.compile import (
    CheckedConfig,
    CompileContext,
    PreparedPlan,
    but_for_keys,
    check,
    prepare,
    refuse_errors,
    seed_digest,
)
from data_designer.interface.workflow import CompositeWorkflow
from data_designer.logging import configure_logging, is_logging_configured
from data_designer.models.secrets import SecretResolver
from data_designer.object_storage import Location, location
from data_designer.plan.compile import with_models
from data_designer.plan.model import Geometry
from data_designer.plan.violation import Violation

if TYPE_CHECKING:
    from data_designer.interface.metadata import OnBatchComplete, Provenance
    from data_designer.interface.results import DatasetCreationResults, PreviewResults
    from data_designer.interface.stored import StoredDataset
    from data_designer.models.capability_probe import Known

logger = logging.getLogger(__name__)

_MOST_RECORDS = (1 << 53) - 1
"""Beyond it JSON readers no longer tell one record index from the next."""

_PEOPLE = "people are made by the sampler person_from_faker"
_INSTEAD = {
    "seed_readers": "give with_seed_dataset a file or a DataFrame",
    "managed_assets_path": _PEOPLE,
    "person_reader": _PEOPLE,
    "mcp_providers": "models are asked without tools",
    "max_attempts": "a model that does not answer is tried again by itself",
    "retry_backoff_seconds": "a model that does not answer is tried again by itself",
}
"""Argument with which this version does nothing to what works."""


class DataDesigner:
    """Makes datasets from declarations. May be used for any number of runs.

    Args:
        artifact_path: the folder of all datasets, by its path or by a URL such as `s3://bucket/folder`; `artifacts` in
            the working directory when not given.
        model_providers: where models are served; when not given, those of the user's home file, else the built-in
            ones. The provider `simulated`, which needs no key and no network, is always there.
        secret_resolver: turns what stands as a key into the key; without it, environment variables are looked up.
        seed_readers, managed_assets_path, person_reader, mcp_providers: do nothing in this version, which warns of
            each that is given.
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
        secret_resolver: SecretResolver | None = None,
        seed_readers: Sequence[object] | None = None,
        managed_assets_path: "str | Path | None" = None,
        person_reader: object = None,
        mcp_providers: Sequence[object] | None = None,
        auto_configure_logging: bool = True,
        simulate: bool = False,
        source: Mapping[str, object] | None = None,
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
        _do_nothing(
            "DataDesigner",
            seed_readers=seed_readers,
            managed_assets_path=managed_assets_path,
            person_reader=person_reader,
            mcp_providers=mcp_providers,
        )

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
    def secret_resolver(self) -> SecretResolver | None:
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
        checked = check(config_builder, self._context())
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

        Args:
            config_builder: what uses them.
            max_attempts: does nothing in this version, which warns of that: each model is tried several times anyway.
            retry_backoff_seconds: likewise.

        Raises:
            ModelError: one does not answer.
            ValueError: a negative number.
        """
        if max_attempts < 1 or retry_backoff_seconds < 0:
            raise ValueError("max_attempts must be at least 1 and retry_backoff_seconds not negative")
        _do_nothing(
            "check_models",
            max_attempts=None if max_attempts == 1 else max_attempts,
            retry_backoff_seconds=retry_backoff_seconds or None,
        )
        from data_designer.interface.run import check_models

        check_models(self._prepare(config_builder, 1))

    def preview(self, config_builder: DataDesignerConfigBuilder, *, num_records: int = 10) -> "PreviewResults":
        """Make a few records in memory, in this process.

        Raises:
            DataDesignerGenerationError: the configuration is wrong or no record could be made; the cause is chained.
        """
        from data_designer.interface.making import make_preview

        with _wrapped():
            results = make_preview(self._prepare(config_builder, num_records), config_builder, self._known)
            if config_builder.get_profilers():
                from data_designer.interface.judge_profiles import profile_preview

                profile_preview(results, self._context(), self._known)
            return results

    def create(  # noqa: PLR0913 - the public API
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        num_records: int = 10,
        dataset_name: str = "dataset",
        resume: "ResumeMode | str" = ResumeMode.NEVER,
        artifact_path: "str | Location | None" = None,
        on_batch_complete: "OnBatchComplete | None" = None,
        reuse: "str | Location | None" = None,
    ) -> "DatasetCreationResults":
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
        from data_designer.engine.dataset.store import check_name
        from data_designer.interface.making import make_dataset
        from data_designer.interface.metadata import DatasetRequest
        from data_designer.interface.open import open_dataset, released_on_error, with_column_cache
        from data_designer.interface.stored import StoredDataset

        root = location(artifact_path) if artifact_path is not None else self._artifact_path
        with _wrapped():
            check_name(dataset_name)
            mode = _resume_mode(resume)
            if on_batch_complete is not None and not callable(on_batch_complete):
                raise DataDesignerGenerationError(f"on_batch_complete cannot be called: {on_batch_complete!r}")
            checked = self._check(config_builder, num_records)
            reused = None if reuse is None else StoredDataset.at(reuse)
            provenance = self._provenance(config_builder, checked, reused)
            request = DatasetRequest(num_records, dataset_name, root, mode, provenance)
            opened = open_dataset(checked, self._context(reused), request)
            with released_on_error(opened.store):
                opened = with_column_cache(opened, required=reused is not None)
            results = make_dataset(opened, config_builder, self._known, on_batch_complete)
            if config_builder.get_profilers():
                from data_designer.interface.judge_profiles import profile_dataset

                profile_dataset(results, self._context(), self._known)
            return results

    def retry_failed(
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        dataset_name: str = "dataset",
        models: Mapping[str, str] | None = None,
        artifact_path: "str | Location | None" = None,
    ) -> "DatasetCreationResults":
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
        from data_designer.engine.dataset.store import check_name
        from data_designer.interface.making import make_dataset
        from data_designer.interface.metadata import DatasetRequest
        from data_designer.interface.open import open_dataset, released_on_error, with_column_cache
        from data_designer.interface.stored import StoredDataset

        root = location(artifact_path) if artifact_path is not None else self._artifact_path
        with _wrapped():
            check_name(dataset_name)
            stored = StoredDataset.at(root / dataset_name)
            checked = self._check(config_builder, stored.requested)
            provenance = self._provenance(config_builder, checked)
            request = DatasetRequest(stored.requested, dataset_name, root, ResumeMode.ALWAYS, provenance)
            fixed = {"buffer_size": stored.geometry.buffer_size, "seed": None}
            context = replace(self._context(), run=self._run_config.model_copy(update=fixed))
            opened = open_dataset(checked, context, request)
            with released_on_error(opened.store):
                plan = with_models(opened.prepared.plan, models or {})
                opened = replace(opened, resume_point=opened.store.rejected(plan.geometry))
                opened = with_column_cache(opened)
            return make_dataset(opened, config_builder, self._known, asking=plan)

    async def acreate(self, config_builder: DataDesignerConfigBuilder, **options: Any) -> "DatasetCreationResults":
        """`create` in a thread, for callers with an event loop of their own."""
        import asyncio

        return await asyncio.to_thread(lambda: self.create(config_builder, **options))

    # --- parts -------------------------------------------------------------------------------------------

    def _context(self, reused: "StoredDataset | None" = None) -> CompileContext:
        run = self._run_config
        if reused is not None and run.seed is None:
            run = run.model_copy(update={"seed": reused.metadata.seed})
        return CompileContext(self._providers, run, self._secret_resolver, self._default_provider, self._simulate)

    def _prepare(self, config_builder: DataDesignerConfigBuilder, num_records: int) -> PreparedPlan:
        checked = self._check(config_builder, num_records)
        return prepare(checked, self._context(), Geometry(num_records, num_records))

    def _check(self, config_builder: DataDesignerConfigBuilder, num_records: int) -> CheckedConfig:
        if isinstance(num_records, bool) or not isinstance(num_records, int) or num_records < 1:
            raise DataDesignerGenerationError(f"num_records must be a positive integer, not {num_records!r}")
        if num_records > _MOST_RECORDS:
            raise DataDesignerGenerationError(f"num_records={num_records} is too large: at most {_MOST_RECORDS}")
        checked = check(config_builder, self._context())
        _warn(checked.violations)
        return checked

    def _provenance(
        self, config_builder: DataDesignerConfigBuilder, checked: CheckedConfig, reused: "StoredDataset | None" = None
    ) -> "Provenance":
        from data_designer.interface.metadata import Provenance

        declared = config_builder.get_builder_config().to_dict()
        return Provenance(
            declared=json.dumps(declared, indent=2, sort_keys=True, ensure_ascii=False, default=str).encode(),
            seed_data=seed_digest(checked.seed_table),
            settings=self._run_config.model_dump(mode="json", exclude_unset=True),
            simulated=self._simulate,
            directory=str(Path.cwd()),
            reuse=None if reused is None else str(reused.path),
            source=self._source,
        )


@contextmanager
def _wrapped() -> Iterator[None]:
    """Everything that goes wrong inside is a generation error with its cause chained, except what is about the disk."""
    try:
        yield
    except (DataDesignerGenerationError, ArtifactStorageError, DeprecationWarning):
        raise
    except DataDesignerError as error:
        raise DataDesignerGenerationError(str(error)) from error
    except Exception as error:
        raise DataDesignerGenerationError(f"{type(error).__name__}: {error}") from error


def _do_nothing(of: str, **given: object) -> None:
    """Warn of each argument that is given and with which this version does nothing."""
    for name, value in given.items():
        if value is not None:
            does_nothing(f"{name} of {of}", _INSTEAD[name], stacklevel=4)


def _warn(found: Sequence[Violation]) -> None:
    for violation in found:
        if violation.level == "WARNING":
            logger.warning("%s", violation)


def _resume_mode(word: "ResumeMode | str") -> ResumeMode:
    try:
        return ResumeMode(word)
    except ValueError as error:
        raise DataDesignerGenerationError(f"resume must be one of {', '.join(ResumeMode)}; not {word!r}") from error
