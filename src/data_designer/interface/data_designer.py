"""The public entry: declare with a builder, then create, preview or validate."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.defaults import default_models, default_providers
from data_designer.config.info import Information
from data_designer.config.mcp import LocalStdioMCPProvider, MCPProvider, ToolProvider
from data_designer.config.models import SIMULATED_PROVIDER, ModelConfig, ModelProvider
from data_designer.config.near_names import suggestion
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
    managed_people,
    pool_of,
    prepare,
    prepare_unasked,
    refuse_errors,
    seed_digest,
    tool_server,
)
from data_designer.interface.composite_workflow import CompositeWorkflow
from data_designer.logging import configure_logging, is_logging_configured
from data_designer.models.addresses import server_of
from data_designer.models.secrets import SecretResolver
from data_designer.object_storage import Location, location
from data_designer.plan.compile import with_models
from data_designer.plan.model import Geometry, MakeClient
from data_designer.plan.violation import Violation

if TYPE_CHECKING:
    from data_designer.engine.models.facade import ModelFacade
    from data_designer.engine.resources.person_reader import PersonReader
    from data_designer.interface.dry_run import DryRun
    from data_designer.interface.metadata import OnBatchComplete, Provenance
    from data_designer.interface.results import DatasetCreationResults, PreviewResults
    from data_designer.interface.stored import StoredDataset
    from data_designer.models.capability_probe import Known

logger = logging.getLogger(__name__)

_MOST_RECORDS = (1 << 53) - 1
"""Beyond it JSON readers no longer tell one record index from the next."""

_INSTEAD = {
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
        mcp_providers: servers of tools that models may call, each an `MCPProvider` or `LocalStdioMCPProvider`.
        seed_readers: readers of seed sources (`engine.resources.seed_reader`), each for one kind; instead of all
            built-in ones, where any are given.
        managed_assets_path: the folder of managed data, by its path or URL, whose `datasets/en_US.parquet` holds the
            people of a locale; `DATA_DESIGNER_MANAGED_ASSETS_PATH` or `~/.data-designer/managed-assets` when not given.
        person_reader: says with `get_dataset_uri(locale)` where the people of a locale are instead.
        auto_configure_logging: configure the library's logging unless that was done already.
        simulate: let the simulated model stand in for every model.
        source: where the configuration comes from, kept with each dataset so that the command line can resume it.
        clients: name of a provider to a function without arguments that gives an `openai.AsyncOpenAI` (or
            `AsyncAzureOpenAI`), a new one each time: requests to models of that provider go through it. A name that no
            provider has makes one.

    Raises:
        NoModelProvidersError: an empty list of providers.
        InvalidConfigError: something else than a provider, or a client that is no function or for a provider of another
            API than OpenAI's.
        ValueError: two providers of models share a name, or two of tools.
    """

    def __init__(  # noqa: PLR0913 - the public API
        self,
        artifact_path: "str | Location | None" = None,
        *,
        model_providers: Sequence[ModelProvider] | None = None,
        secret_resolver: SecretResolver | None = None,
        seed_readers: Sequence[object] | None = None,
        managed_assets_path: "str | Path | None" = None,
        person_reader: "PersonReader | None" = None,
        mcp_providers: Sequence[ToolProvider] | None = None,
        auto_configure_logging: bool = True,
        simulate: bool = False,
        source: Mapping[str, object] | None = None,
        clients: Mapping[str, MakeClient] | None = None,
    ) -> None:
        if auto_configure_logging and not is_logging_configured():
            configure_logging()
        if model_providers is not None and not model_providers:
            raise NoModelProvidersError("model_providers is empty; give at least one, or leave it out for the defaults")
        providers = list(default_providers() if model_providers is None else model_providers)
        for provider in providers:
            if not isinstance(provider, ModelProvider):
                raise InvalidConfigError(f"model_providers holds {type(provider).__name__}; each is a ModelProvider")
        _refuse_twice([provider.name for provider in providers])
        self._tool_providers = _tool_providers(mcp_providers or ())
        simulated = ModelProvider(name=SIMULATED_PROVIDER, provider_type=SIMULATED_PROVIDER)
        self._providers = {
            SIMULATED_PROVIDER: simulated,
            **{provider.name: provider for provider in providers},
        }
        self._clients = _by_provider(clients or {})
        self._providers |= {name: _asked_through(name, make, self._providers) for name, make in self._clients.items()}
        self._default_provider = providers[0].name if providers else None
        self._artifact_path = location("artifacts" if artifact_path is None else artifact_path)
        self._secret_resolver = secret_resolver
        self._run_config = RunConfig()
        self._simulate = simulate
        self._seed_readers = None if seed_readers is None else tuple(seed_readers)
        self._source = source
        self._known: Known = {}
        """What was found out about endpoints."""
        self._person_source: Callable[[str], str] = (
            partial(managed_people, root=managed_assets_path)
            if person_reader is None
            else person_reader.get_dataset_uri
        )

    # --- settings ----------------------------------------------------------------------------------------

    def set_run_config(self, run_config: RunConfig) -> None:
        """Set how later runs behave.

        Args:
            run_config: the settings.

        Raises:
            InvalidConfigError: it is no `RunConfig`.
        """
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
    def secret_resolver(self) -> SecretResolver:
        """What turns references into keys: the environment and then the text itself, unless another was given."""
        from data_designer.engine.secret_resolver import CompositeResolver, EnvironmentResolver, PlaintextResolver

        return self._secret_resolver or CompositeResolver([EnvironmentResolver(), PlaintextResolver()])

    @property
    def info(self) -> Information:
        """What can be shown about providers."""
        return Information(providers=list(self._providers.values()))

    @property
    def model_provider_registry(self) -> "DataDesigner":
        """Where providers are looked up by name."""
        return self

    def get_provider(self, name: str) -> ModelProvider:
        """A provider.

        Args:
            name: its name.

        Raises:
            UnknownProviderError: there is none of that name.
        """
        if name not in self._providers:
            raise UnknownProviderError(f"there is no provider '{name}'{suggestion(name, self._providers)}")
        return self._providers[name]

    def get_default_model_configs(self) -> list[ModelConfig]:
        """Models that a builder has when it is given none."""
        return default_models()

    def get_default_model_providers(self) -> list[ModelProvider]:
        """Providers that are there when none are given."""
        return default_providers()

    def get_models(self, model_aliases: Sequence[str]) -> "dict[str, ModelFacade]":
        """Models to ask in a script, as functions of custom columns ask theirs.

        Args:
            model_aliases: aliases of `get_default_model_configs`.

        Returns:
            Alias to what asks the model.

        Raises:
            ValueError: there is no such alias.
            UnknownProviderError: its provider is not there.
            SecretResolutionError: the key of its provider cannot be resolved.
        """
        from data_designer.interface.script_models import script_models

        configs = {config.alias: config for config in self.get_default_model_configs()}
        if unknown := [alias for alias in model_aliases if alias not in configs]:
            raise ValueError(f"there is no default model '{unknown[0]}'; there are {', '.join(configs) or 'none'}")
        found = {alias: pool_of(configs[alias], self._context()) for alias in dict.fromkeys(model_aliases)}
        return script_models({a: pool for a, (pool, _) in found.items()}, {a: key for a, (_, key) in found.items()})

    def list_served_models(self, provider: str) -> list[str]:
        """Names of the models that a provider's endpoint says it serves, sorted; the `openai` package asks it.

        Args:
            provider: a provider's name, or the address of an endpoint that needs no key.

        Raises:
            UnknownProviderError: there is no such provider.
            SecretResolutionError: its key cannot be resolved.
            ModelError: the endpoint refused or failed.
        """
        from data_designer.interface.run import list_served_models

        found = self._providers.get(provider)
        if found is None and "://" in provider:
            found = ModelProvider(name=server_of(provider), endpoint=provider)
        return list_served_models(found or self.get_provider(provider), self._context())

    def list_mcp_tool_names(self, mcp_provider_name: str, *, timeout_sec: float = 10.0) -> list[str]:
        """Names of the tools that a server offers, in its order.

        Args:
            mcp_provider_name: one of `mcp_providers`.
            timeout_sec: seconds until it must have answered; it is started, or connected, for this call.

        Raises:
            ValueError: there is no provider of that name.
            MCPClientUnavailableError: it cannot be reached, or not in time.
            MCPToolError: it refuses, or describes a tool without a name.
        """
        provider = self._tool_providers.get(mcp_provider_name)
        if provider is None:
            there = ", ".join(self._tool_providers) or "none"
            raise ValueError(f"there is no tool provider '{mcp_provider_name}'; there are {there}")
        from data_designer.interface.run import tool_names

        return tool_names(tool_server(provider, self._secret_resolver), timeout_sec)

    def compose_workflow(self, *, name: str) -> CompositeWorkflow:
        """A chain of datasets, each seeded from the one before: stages are added to it, and then it is run.

        Args:
            name: that of its folder in `artifact_path`.
        """
        return CompositeWorkflow(name=name, data_designer=self)

    # --- acts --------------------------------------------------------------------------------------------

    def validate(self, config_builder: DataDesignerConfigBuilder) -> None:
        """Check a configuration without asking any model. A key that is missing is a warning here.

        Args:
            config_builder: what to check.

        Raises:
            InvalidConfigError: it is wrong; the message lists every violation.
        """
        checked = check(config_builder, self._context())
        found = but_for_keys(checked.violations)
        _warn(found)
        refuse_errors(found)
        number = len(checked.config.columns)
        logger.info("validation passed: %d column%s", number, "" if number == 1 else "s")

    def check_models(
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        max_attempts: int = 1,
        retry_backoff_seconds: float = 0,
    ) -> None:
        """Ask every model that the configuration uses for a sign of life, and every server of tools for its tools.

        Args:
            config_builder: what uses them.
            max_attempts: does nothing in this version, which warns of that: each model is tried several times anyway.
            retry_backoff_seconds: likewise.

        Raises:
            ModelError: one does not answer.
            MCPError: a server of tools does not, or has not the tools that are wanted.
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

    def preview(
        self, config_builder: DataDesignerConfigBuilder, *, num_records: int = 10, show_prompts: bool = False
    ) -> "PreviewResults":
        """Make a few records in memory, in this process, asking the models that the configuration names.

        Args:
            config_builder: what to make.
            num_records: how many records.
            show_prompts: show each record with the prompts and replies of its cells.

        Raises:
            DataDesignerGenerationError: the configuration is wrong or no record could be made; the cause is chained.
        """
        from data_designer.interface.making import make_preview

        with _wrapped():
            prepared = self._prepare(config_builder, num_records)
            results = make_preview(prepared, config_builder, self._known, show_prompts=show_prompts)
            if config_builder.get_profilers():
                from data_designer.interface.judge_profiles import profile_preview

                profile_preview(results, self._context(), self._known)
            return results

    def dry_run(self, config_builder: DataDesignerConfigBuilder, *, num_records: int = 3) -> "DryRun":
        """Render what would be asked for the first records, and ask nobody: no key, no network, no cost.

        Samplers, seeds, expressions and functions run; in the place of what a model would write stands `<column>`, or
        JSON that fits the column's schema. `print` shows the prompts.

        Args:
            config_builder: what to render.
            num_records: how many records.

        Raises:
            DataDesignerGenerationError: the configuration is wrong; the cause is chained.
        """
        from data_designer.interface.dry_run import dry_run

        with _wrapped():
            checked = self._check(config_builder, num_records)
            return dry_run(prepare_unasked(checked, self._context(), Geometry(num_records, num_records)))

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
        from data_designer.engine.dataset.intact import refuse_damage
        from data_designer.engine.dataset.store import Store, check_name
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
            # A batch that is missing would be made again as a whole, and count as having no rejected records.
            refuse_damage(Store.at(stored.path))
            opened = open_dataset(checked, context, request)
            with released_on_error(opened.store):
                plan = with_models(opened.prepared.plan, models or {})
                opened = replace(opened, resume_point=opened.store.rejected(plan.geometry))
                opened = with_column_cache(opened)
            return make_dataset(opened, config_builder, self._known, asking=plan)

    def open(self, name_or_path: "str | Location") -> "DatasetCreationResults":
        """The results of a dataset that is there, finished or not, without its script, models or keys.

        Args:
            name_or_path: the name of a dataset in `artifact_path`, or the path or URL of one anywhere.

        Raises:
            ArtifactStorageError: there is no such dataset, or it is damaged.
        """
        from data_designer.interface.opening import open_results

        return open_results(self._artifact_path, name_or_path)

    async def acreate(
        self,
        config_builder: DataDesignerConfigBuilder,
        *,
        num_records: int = 10,
        dataset_name: str = "dataset",
        resume: "ResumeMode | str" = ResumeMode.NEVER,
        artifact_path: "str | Location | None" = None,
        **more: Any,
    ) -> "DatasetCreationResults":
        """`create` in a thread, to be awaited, for callers with an event loop of their own.

        Args:
            config_builder: what to make.
            num_records: as of `create`.
            dataset_name: as of `create`.
            resume: as of `create`.
            artifact_path: as of `create`.
            more: what else `create` takes.
        """
        import asyncio

        def make() -> "DatasetCreationResults":
            return self.create(
                config_builder,
                num_records=num_records,
                dataset_name=dataset_name,
                resume=resume,
                artifact_path=artifact_path,
                **more,
            )

        return await asyncio.to_thread(make)

    # --- parts -------------------------------------------------------------------------------------------

    def _context(self, reused: "StoredDataset | None" = None) -> CompileContext:
        run = self._run_config
        if reused is not None and run.seed is None:
            run = run.model_copy(update={"seed": reused.metadata.seed})
        return CompileContext(
            self._providers,
            run,
            self._secret_resolver,
            self._default_provider,
            self._simulate,
            self._clients,
            self._tool_providers,
            self._seed_readers,
            self._person_source,
        )

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
            declared=json.dumps(declared, indent=2, ensure_ascii=False, default=str).encode(),
            seed_data=seed_digest(checked.seed_table),
            settings=self._run_config.model_dump(mode="json", exclude_unset=True, exclude={"display_tui", "progress"}),
            simulated=self._simulate,
            directory=str(Path.cwd()),
            reuse=None if reused is None else str(reused.path),
            source=self._source,
        )


def _by_provider(clients: object) -> dict[str, MakeClient]:
    if isinstance(clients, Mapping):
        return dict(clients)
    raise InvalidConfigError(f"clients are a mapping of names of providers to functions, not {clients!r}")


def _asked_through(name: str, make: object, providers: Mapping[str, ModelProvider]) -> ModelProvider:
    """The provider that is asked through what a function of the user gives, which signs in and knows the address."""
    if not callable(make):
        raise InvalidConfigError(f"clients['{name}'] is no function: give one that makes the client, not {make!r}")
    provider = providers.get(name) or ModelProvider.model_construct(name=name)
    if provider.provider_type != "openai":
        raise InvalidConfigError(
            f"clients['{name}']: the provider is of type '{provider.provider_type}', and a client of the openai "
            "package speaks OpenAI's API only"
        )
    return provider.model_copy(update={"api_key": None})


@contextmanager
def _wrapped() -> Iterator[None]:
    """Everything that goes wrong inside is a generation error with its cause chained, except what is about the disk."""
    try:
        yield
    except (DataDesignerGenerationError, ArtifactStorageError, DeprecationWarning):
        raise
    except DataDesignerError as error:
        # It says what is wrong; where in this library that was seen is no matter of the user's.
        raise DataDesignerGenerationError(str(error)) from error.with_traceback(None)
    except Exception as error:
        raise DataDesignerGenerationError(f"{type(error).__name__}: {error}") from error


def _refuse_twice(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"there are two providers named {', '.join(twice)}; names must differ")


def _tool_providers(given: Sequence[object]) -> dict[str, ToolProvider]:
    found: dict[str, ToolProvider] = {}
    for provider in given:
        if not isinstance(provider, MCPProvider | LocalStdioMCPProvider):
            wanted = "each is an MCPProvider or a LocalStdioMCPProvider"
            raise InvalidConfigError(f"mcp_providers holds {type(provider).__name__}; {wanted}")
        _refuse_twice([*found, provider.name])
        found[provider.name] = provider
    return found


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
