"""From a builder to a plan: seed columns resolved, everything checked, keys looked up."""

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from data_designer.columns.checks import violations_of
from data_designer.columns.registry import KINDS
from data_designer.config.column_configs import SeedDatasetColumnConfig
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import SIMULATED_PROVIDER, ModelProvider
from data_designer.config.run_config import RunConfig
from data_designer.errors import InvalidConfigError, SeedReaderConfigError
from data_designer.models.proxies import proxy_for
from data_designer.models.secrets import SecretResolver, resolve_key
from data_designer.plan.compile import compile_plan
from data_designer.plan.contents import Digesting
from data_designer.plan.model import Geometry, Plan
from data_designer.plan.violation import Violation


@dataclass(frozen=True, slots=True)
class PreparedPlan:
    """A plan with what it needs and no plan may hold."""

    plan: Plan
    seed_table: pa.Table | None
    keys: Mapping[str, str | None] = field(repr=False)
    """Model alias to its resolved key."""


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """A configuration with its seed columns resolved, and what is wrong with it."""

    config: DataDesignerConfig
    seed_table: pa.Table | None
    violations: list[Violation]


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
        from data_designer.columns.seeds.program import read_seed

        try:
            table = read_seed(config.seed_config)
        except SeedReaderConfigError as error:
            raise InvalidConfigError(str(error)) from error
        config = _with_seed_columns(config, table.column_names)
    if context.simulate:
        config = _simulated(config)
    elif context.default_provider is not None:
        config = _with_providers(config, context.default_provider)
    environment = os.environ if context.resolver is None else _Everything()
    return CheckedConfig(config, table, violations_of(config, context.run, context.providers, environment))


class _Everything(dict[str, str]):
    """Stands for an environment in which every key is set: a resolver of the user's own will look."""

    def get(self, key: str, default: object = None) -> str:  # noqa: ARG002
        return key


def _with_seed_columns(config: DataDesignerConfig, names: Sequence[str]) -> DataDesignerConfig:
    declared = {column.name: column for column in config.columns}
    taken = [name for name in names if name in declared and not KINDS[declared[name].column_type].from_seed]
    if taken:
        raise InvalidConfigError(f"Seed dataset column(s) {', '.join(taken)} are declared as columns too; rename one")
    added = [SeedDatasetColumnConfig(name=name) for name in names if name not in declared]
    return config.model_copy(update={"columns": [*config.columns, *added]})


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
    if errors:
        listed = "\n".join(f"  - {violation}" for violation in errors)
        raise InvalidConfigError(f"the configuration contains {len(errors)} validation errors:\n{listed}")


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
    refuse_errors(checked.violations)
    if seed is None:
        seed = context.run.seed if context.run.seed is not None else secrets.randbits(63)
    plan = compile_plan(
        checked.config, context.providers, context.run, geometry, seed, kinds=KINDS, seed_data=seed_data
    )
    for pool in plan.pools.values():
        for address in filter(None, pool.provider.addresses):
            proxy_for(address, os.environ)
    keys = {alias: _key(pool.provider.api_key, context.resolver) for alias, pool in plan.pools.items()}
    return PreparedPlan(plan, checked.seed_table, keys)


def seed_digest(table: pa.Table | None) -> str:
    """A digest of a seed dataset's columns and rows; empty where there is none."""
    if table is None:
        return ""
    digest = hashlib.sha256()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(Digesting(digest.update), mode="w"), plain.schema) as writer:
        writer.write_table(plain)
    return digest.hexdigest()


def _key(api_key: str | None, resolver: SecretResolver | None) -> str | None:
    if api_key is None or resolver is None:
        return resolve_key(api_key, os.environ)
    return resolver.resolve(api_key)
