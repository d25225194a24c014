"""From a declaration to a Plan."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import ModelProvider
from data_designer.config.near_names import suggestion
from data_designer.config.processors import DropColumnsProcessorConfig, meant_by
from data_designer.config.run_config import RunConfig
from data_designer.errors import ConfigCompilationError
from data_designer.plan.columns import makes, ordered_steps
from data_designer.plan.fingerprints import code_of, column_fingerprints, digest
from data_designer.plan.fusion import fuse
from data_designer.plan.kinds import Kinds, seed_columns
from data_designer.plan.model import LOCAL, Geometry, MakeClient, Plan, Pool, Step
from data_designer.plan.tools import ToolSet


def compile_plan(  # noqa: PLR0913 - all that decides a plan, named where it is compiled
    config: DataDesignerConfig,
    providers: Mapping[str, ModelProvider],
    run: RunConfig,
    geometry: Geometry,
    seed: int,
    *,
    kinds: Kinds,
    seed_data: str = "",
) -> Plan:
    """Compile a configuration whose seed columns are resolved and which `violations` found nothing wrong with.

    Args:
        config: what the user declared, one `seed-dataset` column for each column of the seed dataset.
        providers: model providers by name.
        run: the run settings.
        geometry: how many records, cut how.
        seed: key of every random stream.
        kinds: those of the columns.
        seed_data: a digest of the seed dataset's rows, where fingerprints matter.

    Raises:
        ConfigCompilationError: a column names an alias or provider that is not there.
        DAGCircularDependencyError: columns need each other in a circle.
    """
    steps = ordered_steps(config.columns, kinds)
    made = output_order(config, kinds)
    dropped = dropped_columns(config, made)
    code = {column.name: found for column in config.columns if (found := code_of(column, kinds)).parts}
    return Plan(
        config=config,
        steps=steps,
        stages=fuse(steps),
        pools=_pools(steps, config, providers, kinds),
        geometry=geometry,
        run=run,
        seed=seed,
        fingerprint=str(config.fingerprint()["config_hash"]),
        fingerprints=column_fingerprints(config, steps, kinds, code, seed, seed_data),
        code=code,
        output_columns=tuple(name for name in made if name not in dropped),
        dropped_columns=tuple(name for name in made if name in dropped),
    )


def with_models(plan: Plan, models: Mapping[str, str]) -> Plan:
    """A plan that asks other models of the same providers; the configuration stays what was declared.

    Raises:
        ConfigCompilationError: there is no such alias.
    """
    unknown = sorted(set(models) - set(plan.pools))
    if unknown:
        raise ConfigCompilationError(f"no column uses a model alias '{unknown[0]}'{suggestion(unknown[0], plan.pools)}")
    pools = {alias: pool.with_model(models[alias]) if alias in models else pool for alias, pool in plan.pools.items()}
    changed = {alias: name for alias, name in models.items() if name != plan.pools[alias].model_name}
    prints = dict(plan.fingerprints)
    others: set[str] = set()
    for step in plan.steps:
        if not changed.keys().isdisjoint((step.pool, *step.asks)) or others.intersection(step.needs):
            others.update(step.makes)
            prints.update({name: digest([prints[name], changed]) for name in step.makes})
    return replace(plan, pools=pools, fingerprints=prints)


def with_native(plan: Plan, forms: Mapping[str, str | None]) -> Plan:
    """A plan whose replies in JSON are constrained by the endpoint, in the form that each alias has."""
    pools = {alias: replace(pool, native=forms.get(alias)) for alias, pool in plan.pools.items()}
    return replace(plan, pools=pools)


def with_clients(plan: Plan, clients: Mapping[str, MakeClient]) -> Plan:
    """A plan whose requests go through clients of the user, by the names of their providers."""
    pools = {alias: replace(pool, client=clients.get(pool.provider.name)) for alias, pool in plan.pools.items()}
    return replace(plan, pools=pools)


def with_tools(plan: Plan, tools: Mapping[str, ToolSet]) -> Plan:
    """A plan that knows the tools of each alias that its columns use."""
    return replace(plan, tools=tools)


def output_order(config: DataDesignerConfig, kinds: Kinds) -> tuple[str, ...]:
    """Every column that is made: seed columns first, then as declared, side effects after their producer."""
    seeds = seed_columns(config.columns, kinds)
    return tuple(dict.fromkeys([*seeds, *(name for column in config.columns for name in makes(column))]))


def dropped_columns(config: DataDesignerConfig, names: Sequence[str]) -> frozenset[str]:
    """Those of the columns `names` that stay out of the dataset, by `drop=True` or by a drop-columns processor."""
    dropped = {column.name for column in config.columns if column.drop}
    for processor in config.processors or ():
        if isinstance(processor, DropColumnsProcessorConfig):
            dropped.update(name for pattern in processor.column_names for name in meant_by(pattern, names))
    return frozenset(dropped)


def _services(steps: Sequence[Step], kinds: Kinds) -> dict[str, Pool]:
    """Pools of what is no model."""
    found = (kinds[step.kind].service(step.configs[0]) for step in steps if not step.joint)
    return {pool.alias: pool for pool in found if pool is not None}


def _pools(
    steps: Sequence[Step], config: DataDesignerConfig, providers: Mapping[str, ModelProvider], kinds: Kinds
) -> dict[str, Pool]:
    models = {model.alias: model for model in config.model_configs or ()}
    pools = _services(steps, kinds)
    for alias in sorted(models.keys() & pools.keys()):
        raise ConfigCompilationError(f"'{alias}' is what a column's service is called; give the model another alias")
    for name, alias in ((step.name, alias) for step in steps for alias in (step.pool, *step.asks)):
        if alias == LOCAL or alias in pools:
            continue
        model = models.get(alias)
        if model is None:
            raise ConfigCompilationError(f"column '{name}' uses model alias '{alias}', which is not declared")
        provider = providers.get(model.provider or "")
        if provider is None:
            raise ConfigCompilationError(f"model '{model.alias}' names provider '{model.provider}', which is not given")
        pools[alias] = Pool(alias, model.inference_parameters.max_parallel_requests, model, provider)
    for step in steps:
        _refuse_starving(step, pools)
    return pools


def _refuse_starving(step: Step, pools: Mapping[str, Pool]) -> None:
    """A function that waits for one alias must not keep the last slot of a server from it for another."""
    for provider in {pools[alias].provider.name: pools[alias].provider for alias in step.asks}.values():
        sharing = sum(pool.provider.name == provider.name for pool in pools.values())
        most = provider.max_parallel_requests
        if most is not None and most < sharing:
            raise ConfigCompilationError(
                f"column '{step.name}' asks several models, and provider '{provider.name}' takes {most} requests at "
                f"once for {sharing} models: give it max_parallel_requests of {sharing} or more"
            )
