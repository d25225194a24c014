"""Static checks of a declaration: everything that is wrong with it, at once, before any token is paid for."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from data_designer.config.backends import backend_of
from data_designer.config.base import SingleColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.folder_names import unusable
from data_designer.config.models import PROVIDER_TYPES, ModelConfig, ModelProvider
from data_designer.config.near_names import listed, no_column, no_model, suggestion
from data_designer.config.processors import DropColumnsProcessorConfig, SchemaTransformProcessorConfig, meant_by
from data_designer.config.run_config import RunConfig
from data_designer.plan.columns import find_cycle, producers, tool_alias_of, tools_used
from data_designer.plan.compile import dropped_columns, output_order
from data_designer.plan.kinds import ColumnKind, Kinds
from data_designer.plan.violation import Violation

_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")


def violations(config: DataDesignerConfig, kinds: Kinds) -> list[Violation]:
    """Everything that the declaration alone shows to be wrong; seed columns must be resolved already."""
    known = producers(config.columns)
    return [
        *_duplicates(config.columns),
        *_side_effects(config.columns),
        *(found for column in config.columns for found in _references(column, kinds[column.column_type], known)),
        *_lint(config.columns, kinds, known),
        *_generation_types(config, kinds),
        *_cycle(config.columns),
        *_drops(config, kinds, known),
        *_processor_names(config),
    ]


def model_violations(
    config: DataDesignerConfig, providers: Mapping[str, ModelProvider], environment: Mapping[str, str]
) -> list[Violation]:
    """What is wrong between columns, model aliases, providers and keys."""
    models = {model.alias: model for model in config.model_configs or ()}
    found: list[Violation] = []
    used: set[str] = set()
    for column in config.columns:
        for alias in filter(None, column.get_model_aliases()):
            used.add(alias)
            if alias not in models:
                found.append(Violation("unknown_model_alias", column.name, no_model(alias, models)))
    for profiler in config.profilers or ():
        alias = profiler.model_alias
        used.add(alias)
        if alias not in models:
            found.append(Violation("unknown_model_alias", None, f"a profiler: {no_model(alias, models)}"))
        elif models[alias].generation_type != "chat-completion":
            message = f"a profiler asks model '{alias}', which is no chat model"
            found.append(Violation("unsupported_generation_type", None, message))
    for alias in sorted(used & set(models)):
        found.extend(_provider_violations(alias, models[alias].provider or "", providers, environment))
        found.extend(_backend_violations(models[alias], providers.get(models[alias].provider or "")))
    return found


def tool_violations(config: DataDesignerConfig, kinds: Kinds, providers: Collection[str]) -> Iterator[Violation]:
    """What is wrong between columns, tool aliases and the servers of tools, given the names of those."""
    declared = {tool.tool_alias for tool in config.tool_configs or ()}
    for column in config.columns:
        alias = tool_alias_of(column)
        if alias is not None and alias not in declared:
            message = f"tool alias '{alias}' is not declared; declared: {listed(declared)}"
            yield Violation("unknown_tool_alias", column.name, message)
    for tool in tools_used(config, kinds):
        for name in tool.providers:
            if name not in providers:
                message = (
                    f"tool config '{tool.tool_alias}' names provider '{name}', which is not given; given: "
                    f"{listed(providers)}; scripts give DataDesigner mcp_providers, commands read mcp_providers.yaml"
                )
                yield Violation("unknown_tool_provider", None, message)
        if tool.allow_tools == [] or not tool.providers:
            message = f"tool config '{tool.tool_alias}' allows no tools; leave allow_tools out to allow all"
            yield Violation("no_tools", None, message, "WARNING")


def run_violations(config: DataDesignerConfig, run: RunConfig) -> list[Violation]:
    """What is wrong between the models that columns use and the run settings."""
    return [*_resource_violations(config, run), *_price_violations(config, run)]


def _resource_violations(config: DataDesignerConfig, run: RunConfig) -> Iterator[Violation]:
    known = {model.alias for model in config.model_configs or ()}
    for alias in sorted(set(run.replica_resources) - known):
        message = f"replica_resources names the model alias '{alias}', which is not declared{suggestion(alias, known)}"
        yield Violation("unknown_model_alias", None, message)
    for alias, wanted in run.replica_resources.items():
        for name in sorted(name for name, amount in wanted.items() if not 0 <= amount < math.inf):
            message = f"replica_resources of '{alias}': {wanted[name]} is no amount of '{name}'"
            yield Violation("invalid_resources", None, message)


def _price_violations(config: DataDesignerConfig, run: RunConfig) -> list[Violation]:
    if run.budget is None or run.budget.usd is None:
        return []
    used = {alias for column in config.columns for alias in column.get_model_aliases()}
    used |= {profiler.model_alias for profiler in config.profilers or ()}
    free = sorted(model.alias for model in config.model_configs or () if model.alias in used and model.price is None)
    message = "the budget is in USD, but model '{}' has no price; give its ModelConfig a price"
    return [Violation("budget_without_price", None, message.format(alias), model=alias) for alias in free]


def _backend_violations(model: ModelConfig, provider: ModelProvider | None) -> Iterator[Violation]:
    if provider is None:
        return
    if provider.provider_type not in PROVIDER_TYPES:
        message = (
            f"provider '{provider.name}' is of type '{provider.provider_type}', which is not known"
            f"{suggestion(provider.provider_type, PROVIDER_TYPES)}"
        )
        yield Violation("unknown_provider_type", None, message, model=model.alias)
    elif model.generation_type not in PROVIDER_TYPES[provider.provider_type]:
        able = [name for name, types in PROVIDER_TYPES.items() if model.generation_type in types]
        message = (
            f"model '{model.alias}' is one of generation_type '{model.generation_type}', which providers of type "
            f"'{provider.provider_type}' are not asked for; those of type {listed(able)} are"
        )
        yield Violation("unsupported_generation_type", None, message, model=model.alias)
    try:
        backend = backend_of(provider)
    except LookupError as error:
        yield Violation("unknown_backend", None, str(error), model=model.alias)
        return
    asked = model.inference_parameters.max_parallel_requests
    if backend is not None and asked not in backend.parallel_requests:
        low, high = backend.parallel_requests[0], backend.parallel_requests[-1]
        message = (
            f"model '{model.alias}' asks for max_parallel_requests={asked}; recommended for {backend.title} "
            f"{'are' if low != high else 'is'} {low} to {high}{backend.hint}"
        )
        yield Violation("unusual_parallel_requests", None, message, "WARNING", model.alias)


def key_that_is_missing(provider: ModelProvider, environment: Mapping[str, str]) -> str | None:
    """The variable from which a provider takes its key, where it is not set."""
    key = provider.api_key
    return key if key and _ENVIRONMENT_NAME.fullmatch(key) and not environment.get(key) else None


def _provider_violations(
    alias: str, name: str, providers: Mapping[str, ModelProvider], environment: Mapping[str, str]
) -> Iterator[Violation]:
    provider = providers.get(name)
    if provider is None:
        message = f"model '{alias}' names provider '{name}', which is not given{suggestion(name, providers)}"
        yield Violation("unknown_provider", None, message, model=alias)
        return
    key = key_that_is_missing(provider, environment)
    if key is not None:
        message = f"model '{alias}': provider '{name}' takes its key from {key}, which is not set; export {key}=..."
        yield Violation("missing_api_key", None, message, model=alias)


def _duplicates(columns: Sequence[SingleColumnConfig]) -> Iterator[Violation]:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            yield Violation("duplicate_column", column.name, "declared twice; rename one of them")
        seen.add(column.name)


def _side_effects(columns: Sequence[SingleColumnConfig]) -> Iterator[Violation]:
    makers: dict[str, str] = {}
    declared = {column.name for column in columns}
    for column in columns:
        for effect in column.side_effect_columns:
            if effect in declared - {column.name}:
                message = f"makes '{effect}' too, which is a column of its own; rename one of them"
                yield Violation("duplicate_side_effect", column.name, message)
            elif effect in makers:
                message = f"makes '{effect}', which column '{makers[effect]}' makes too"
                yield Violation("duplicate_side_effect", column.name, message)
            makers[effect] = column.name


def _references(
    column: SingleColumnConfig, kind: ColumnKind[SingleColumnConfig], known: Mapping[str, str]
) -> Iterator[Violation]:
    for name in sorted(set(column.required_columns) - set(known)):
        yield Violation(kind.missing_reference, column.name, no_column(name, known))
    for name in sorted(set(column.skip.columns if column.skip else ()) - set(known)):
        yield Violation("skip_reference_missing", column.name, f"skip.when {no_column(name, known)}")
    if column.name in column.required_columns:
        yield Violation("self_reference", column.name, "refers to itself")


def _lint(columns: Sequence[SingleColumnConfig], kinds: Kinds, known: Mapping[str, str]) -> Iterator[Violation]:
    """What kinds have against columns beside others, kind of trouble by kind of trouble."""
    by_name = {column.name: column for column in columns}
    makers = {name: by_name[maker] for name, maker in known.items()}
    for lint in dict.fromkeys(kind.lint for kind in kinds.values()):
        for column in columns:
            if kinds[column.column_type].lint is lint:
                yield from lint(column, makers)


def _generation_types(config: DataDesignerConfig, kinds: Kinds) -> Iterator[Violation]:
    """Columns whose model makes something else than they ask for."""
    models = {model.alias: model for model in config.model_configs or ()}
    for column in config.columns:
        wanted = kinds[column.column_type].generation_type
        for alias in column.get_model_aliases() if wanted is not None else ():
            if alias in models and models[alias].generation_type != wanted:
                message = (
                    f"asks for what model '{alias}' does not make, which is one of generation_type "
                    f"'{models[alias].generation_type}'; give it inference_parameters of generation_type '{wanted}'"
                )
                yield Violation("wrong_generation_type", column.name, message)


def _cycle(columns: Sequence[SingleColumnConfig]) -> Iterator[Violation]:
    circle = find_cycle(columns)
    if circle is not None and len(circle) > 2:
        yield Violation("cycle", circle[0], f"columns need each other in a circle: {' -> '.join(circle)}")


def _drops(config: DataDesignerConfig, kinds: Kinds, known: Mapping[str, str]) -> Iterator[Violation]:
    made = output_order(config, kinds)
    if not set(made) - dropped_columns(config, made):
        message = "nothing is left to write: there is no column, or all are dropped"
        yield Violation("all_columns_dropped", None, message)
    for processor in config.processors or ():
        for pattern in processor.column_names if isinstance(processor, DropColumnsProcessorConfig) else ():
            if meant_by(pattern, known):
                continue
            if "*" in pattern:
                message = f"processor '{processor.name}': '{pattern}' matches no column"
                yield Violation("invalid_column", None, message, "WARNING")
            else:
                near = suggestion(pattern, known)
                message = f"processor '{processor.name}' drops '{pattern}', which no column makes{near}"
                yield Violation("invalid_column", None, message)


def _processor_names(config: DataDesignerConfig) -> Iterator[Violation]:
    for processor in config.processors or ():
        if isinstance(processor, SchemaTransformProcessorConfig) and (why := unusable(processor.name)):
            message = f"the name of the processor '{processor.name}', which its folder is to have, {why}"
            yield Violation("processor_name", None, message)
