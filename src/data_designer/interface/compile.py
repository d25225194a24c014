"""From a builder to a plan: seed columns resolved, everything checked, keys looked up."""

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_designer.columns.checks import violations_of
from data_designer.columns.registry import KINDS
from data_designer.config.column_configs import SeedDatasetColumnConfig
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.defaults import managed_assets
from data_designer.config.mcp import LocalStdioMCPProvider, ToolProvider
from data_designer.config.models import SIMULATED_PROVIDER, ModelConfig, ModelProvider
from data_designer.config.run_config import RunConfig
from data_designer.config.seed import SEED_PLUGINS, SeedConfig
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.errors import InvalidConfigError, SeedReaderConfigError, UnknownProviderError
from data_designer.models.proxies import proxy_for
from data_designer.models.secrets import SecretResolver, resolve_key
from data_designer.object_storage import location
from data_designer.plan.columns import tools_used
from data_designer.plan.compile import compile_plan, with_clients
from data_designer.plan.contents import Digesting
from data_designer.plan.model import Geometry, MakeClient, Plan, Pool
from data_designer.plan.violation import Violation
from data_designer.tools.server import ToolServer

TRACED = "DATA_DESIGNER_ASYNC_TRACE"
"""Variable that does what `RunConfig.async_trace` does, where it is 1."""


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """A plan with what it needs and no plan may hold."""

    plan: Plan
    seed_table: pa.Table | None
    keys: Mapping[str, str | None] = field(repr=False)
    """Model alias to its resolved key."""
    tool_servers: Mapping[str, ToolServer] = field(default_factory=dict, repr=False)
    """Those that its columns use, by the names of their providers."""


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """A configuration with its seed columns resolved, and what is wrong with it."""

    config: DataDesignerConfig
    seed_table: pa.Table | None
    violations: list[Violation]


def managed_people(locale: str, root: "str | Path | None" = None) -> str:
    """Where the managed person data of a locale are, in the folder of managed data or another."""
    return str(location(managed_assets() if root is None else root) / "datasets" / f"{locale}.parquet")


@dataclass(frozen=True, slots=True)
class CompileContext:
    """What a configuration is prepared with."""

    providers: Mapping[str, ModelProvider]
    run: RunConfig
    resolver: SecretResolver | None = None
    default_provider: str | None = None
    """Name of the provider of models that name none."""
    simulate: bool = False
    """Let the simulated model stand in for every model."""
    clients: Mapping[str, MakeClient] = field(default_factory=dict)
    """Name of a provider to what gives the client through which it is asked."""
    tool_providers: Mapping[str, ToolProvider] = field(default_factory=dict)
    """Servers of tools by name."""
    seed_readers: Sequence[Any] | None = None
    """What reads seed sources; None for what always does."""
    person_source: Callable[[str], str] = managed_people
    """Locale to the path or URL of its managed person data."""


def check(builder: DataDesignerConfigBuilder, context: CompileContext) -> CheckedConfig:
    """Resolve the seed columns and find everything that is wrong.

    Raises:
        InvalidConfigError: it is no builder, the seed source can never be read, or its columns collide with declared
            ones.
        SeedReaderError, SeedDatasetError: the seed dataset cannot be read, or not as selected.
    """
    if not isinstance(builder, DataDesignerConfigBuilder):
        raise InvalidConfigError(
            f"a DataDesignerConfigBuilder is needed, not {type(builder).__name__}; "
            "DataDesignerConfigBuilder.from_config() makes one of a dict, a file or its text"
        )
    config = builder.build()
    table = None
    if config.seed_config is not None:
        from data_designer.columns.seeds.large_cells import seed_columns

        try:
            table = _seed_table(config.seed_config, context)
        except SeedReaderConfigError as error:
            raise InvalidConfigError(str(error)) from error
        config = _with_seed_columns(_without_frame(config), seed_columns(table.column_names))
    config = _with_people(config, context.person_source)
    if context.simulate:
        config = _simulated(config)
    elif context.default_provider is not None:
        config = _with_providers(config, context.default_provider)
    found = [_placed(one, builder.places) for one in _violations(config, context)]
    return CheckedConfig(config, table, found)


def _seed_table(seed: SeedConfig, context: CompileContext) -> pa.Table:
    if context.seed_readers is not None or seed.source.seed_type in SEED_PLUGINS:
        from data_designer.engine.resources.seed_reader import SeedReaderRegistry

        registry = SeedReaderRegistry(context.seed_readers or ())
        for plugin in SEED_PLUGINS.values():
            registry.add_reader(plugin.impl_cls())
        return registry.read(seed, _Resolver(context.resolver))
    from data_designer.columns.seeds.program import read_seed

    return read_seed(seed, lambda key: _resolved(key, context.resolver))


class _Resolver:
    """Resolves as keys of providers are resolved."""

    def __init__(self, given: SecretResolver | None) -> None:
        self._given = given

    def resolve(self, secret: str) -> str:
        """The secret; empty where there is none."""
        return _resolved(secret, self._given) or ""


def _violations(config: DataDesignerConfig, context: CompileContext) -> list[Violation]:
    environment = os.environ if context.resolver is None else _Everything()
    return violations_of(config, context.run, context.providers, environment, context.tool_providers)


def _placed(violation: Violation, places: Mapping[str, str]) -> Violation:
    """The same with the line on which the column or model that it is about is declared, where that is known."""
    return replace(violation, place=places.get(violation.column or violation.model or "", ""))


class _Everything(dict[str, str]):
    """Stands for an environment in which every key is set: a resolver of the user's own will look."""

    def get(self, key: str, default: object = None) -> str:  # noqa: ARG002
        return key


def _without_frame(config: DataDesignerConfig) -> DataDesignerConfig:
    """The same without the rows of a seed that is a frame: the plan, which holds it, goes to every process."""
    seed = config.seed_config
    if seed is None or not isinstance(seed.source, DataFrameSeedSource):
        return config
    source = seed.source.model_copy(update={"df": seed.source.df.iloc[:0]})
    return config.model_copy(update={"seed_config": seed.model_copy(update={"source": source})})


def _with_seed_columns(config: DataDesignerConfig, names: Sequence[str]) -> DataDesignerConfig:
    declared = {column.name: column for column in config.columns}
    taken = [name for name in names if name in declared and not KINDS[declared[name].column_type].from_seed]
    if taken:
        raise InvalidConfigError(f"Seed dataset column(s) {', '.join(taken)} are declared as columns too; rename one")
    added = [SeedDatasetColumnConfig(name=name) for name in names if name not in declared]
    return config.model_copy(update={"columns": [*config.columns, *added]})


def _with_people(config: DataDesignerConfig, source: Callable[[str], str]) -> DataDesignerConfig:
    columns = [KINDS[column.column_type].placed(column, source) for column in config.columns]
    return config.model_copy(update={"columns": columns})


def _with_providers(config: DataDesignerConfig, default: str) -> DataDesignerConfig:
    models = [model.model_copy(update={"provider": model.provider or default}) for model in config.model_configs or ()]
    return config.model_copy(update={"model_configs": models})


def _simulated(config: DataDesignerConfig) -> DataDesignerConfig:
    models = [model.model_copy(update={"provider": SIMULATED_PROVIDER}) for model in config.model_configs or ()]
    columns = [KINDS[column.column_type].simulated(column) for column in config.columns]
    return config.model_copy(update={"model_configs": models, "columns": columns})


def but_for_keys(found: Sequence[Violation]) -> list[Violation]:
    """The same, where no model is asked: a key that is not there now may be there when one is."""
    return [replace(one, level="WARNING") if one.type == "missing_api_key" else one for one in found]


def refuse_errors(found: Sequence[Violation]) -> None:
    """Raise InvalidConfigError with every violation if any is an error."""
    errors = [violation for violation in found if violation.level == "ERROR"]
    if len(errors) == 1:
        raise InvalidConfigError(f"the configuration is not valid: {errors[0]}")
    if errors:
        listed = "\n".join(f"  - {violation}" for violation in errors)
        raise InvalidConfigError(f"the configuration has {len(errors)} errors:\n{listed}")


def prepare(
    checked: CheckedConfig, context: CompileContext, geometry: Geometry, *, seed: int | None = None, seed_data: str = ""
) -> PreparedPlan:
    """Compile a checked configuration.

    Args:
        checked: the configuration.
        context: what it is compiled with.
        geometry: how many records, cut how.
        seed: key of every random stream; without it that of the run settings, else a fresh one.
        seed_data: a digest of the seed dataset's rows.

    Raises:
        InvalidConfigError: a violation is an error, or the environment names a proxy that cannot be used.
        SecretResolutionError: a key cannot be resolved.
    """
    plan = with_clients(_compiled(checked, context, geometry, seed, seed_data), context.clients)
    for pool in plan.pools.values():
        for address in filter(None, pool.provider.addresses):
            proxy_for(address, os.environ)
    keys = {alias: key_of(pool.provider, context) for alias, pool in plan.pools.items()}
    names = {name for tool in tools_used(checked.config, KINDS) for name in tool.providers}
    servers = {name: tool_server(context.tool_providers[name], context.resolver) for name in sorted(names)}
    return PreparedPlan(plan, checked.seed_table, keys, servers)


def tool_server(provider: ToolProvider, resolver: SecretResolver | None) -> ToolServer:
    """A server of tools with its key. Raises SecretResolutionError."""
    key = None if isinstance(provider, LocalStdioMCPProvider) else _resolved(provider.api_key, resolver)
    return ToolServer(provider, key)


def prepare_unasked(checked: CheckedConfig, context: CompileContext, geometry: Geometry) -> PreparedPlan:
    """Compile a checked configuration of which no model will be asked: no key is needed.

    Raises:
        InvalidConfigError: a violation is an error, that of a missing key apart.
    """
    keyless = replace(checked, violations=but_for_keys(checked.violations))
    return PreparedPlan(_compiled(keyless, context, geometry, None, ""), checked.seed_table, {})


def _compiled(
    checked: CheckedConfig, context: CompileContext, geometry: Geometry, seed: int | None, seed_data: str
) -> Plan:
    refuse_errors(checked.violations)
    run = context.run
    if os.environ.get(TRACED) == "1":
        run = run.model_copy(update={"async_trace": True})
    if seed is None:
        seed = run.seed if run.seed is not None else secrets.randbits(63)
    return compile_plan(checked.config, context.providers, run, geometry, seed, kinds=KINDS, seed_data=seed_data)


def pool_of(model: ModelConfig, context: CompileContext) -> tuple[Pool, str | None]:
    """Where a model is asked outside of a run, and with which key.

    Raises:
        UnknownProviderError: there is no such provider.
        SecretResolutionError: its key cannot be resolved.
    """
    name = SIMULATED_PROVIDER if context.simulate else model.provider or context.default_provider or ""
    provider = context.providers.get(name)
    if provider is None:
        raise UnknownProviderError(f"there is no provider '{name}'; there are {', '.join(context.providers)}")
    key = key_of(provider, context)
    slots, client = model.inference_parameters.max_parallel_requests, context.clients.get(name)
    return Pool(model.alias, slots, model, provider, client=client), key


def seed_digest(table: pa.Table | None) -> str:
    """A digest of a seed dataset's columns and rows; empty where there is none."""
    if table is None:
        return ""
    from data_designer.columns.seeds.large_cells import by_content

    digest = hashlib.sha256()
    plain = by_content(table).replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(Digesting(digest.update), mode="w"), plain.schema) as writer:
        writer.write_table(plain)
    return digest.hexdigest()


def key_of(provider: ModelProvider, context: CompileContext) -> str | None:
    """A provider's key. Raises SecretResolutionError where it cannot be resolved."""
    return _resolved(provider.api_key, context.resolver)


def _resolved(api_key: str | None, resolver: SecretResolver | None) -> str | None:
    if api_key is None or resolver is None:
        return resolve_key(api_key, os.environ)
    return resolver.resolve(api_key)
