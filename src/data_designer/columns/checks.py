"""Static checks: everything that is wrong with a configuration, at once, before any token is paid for."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from data_designer.columns.media import unseen_media
from data_designer.columns.processors import plugin_violations, transform_violations
from data_designer.columns.registry import KINDS
from data_designer.columns.templating.templates import template_violations
from data_designer.config.base import SingleColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import ModelProvider
from data_designer.config.processors import SchemaTransformProcessorConfig
from data_designer.config.run_config import JinjaRenderingEngine, RunConfig
from data_designer.plan.columns import producers
from data_designer.plan.violation import Violation
from data_designer.plan.violations import model_violations, run_violations, tool_violations, violations


def violations_of(
    config: DataDesignerConfig,
    run: RunConfig,
    providers: Mapping[str, ModelProvider],
    environment: Mapping[str, str],
    tool_providers: Collection[str] = (),
) -> list[Violation]:
    """Everything that is wrong with a configuration whose seed columns are resolved.

    Args:
        config: the configuration.
        run: the run settings.
        providers: model providers by name.
        environment: where providers find their keys.
        tool_providers: names of servers of tools.
    """
    known = producers(config.columns)
    engine = JinjaRenderingEngine(run.jinja_rendering_engine)
    return [
        *violations(config, KINDS),
        *model_violations(config, providers, environment),
        *tool_violations(config, KINDS, tool_providers),
        *run_violations(config, run),
        *_together(config),
        *(found for column in config.columns for found in _column(column, engine, known)),
        *_media(config, providers),
        *_transforms(config, engine, known),
        *(
            Violation("invalid_plugin", None, f"processor '{processor.name}': {message}")
            for processor in config.processors or ()
            for message in plugin_violations(processor)
        ),
    ]


def _together(config: DataDesignerConfig) -> Iterator[Violation]:
    for kind in KINDS.values():
        if kind.joint is not None:
            yield from kind.joint.check(kind.among(config.columns), config)


def _column(column: SingleColumnConfig, engine: JinjaRenderingEngine, known: Mapping[str, str]) -> Iterator[Violation]:
    kind = KINDS[column.column_type]
    names = {*known, *kind.own_names, *column.required_columns, *(column.skip.columns if column.skip else ())}
    for template in (one for field in kind.templates for one in _several(getattr(column, field))):
        for message in template_violations(template, engine, names):
            yield Violation("invalid_template", column.name, message)
    if column.skip is not None:
        for message in template_violations(column.skip.when, JinjaRenderingEngine.NATIVE, names):
            yield Violation("invalid_template", column.name, f"skip.when: {message}")
    yield from kind.check(column)


def _media(config: DataDesignerConfig, providers: Mapping[str, ModelProvider]) -> Iterator[Violation]:
    models = {model.alias: model for model in config.model_configs or ()}
    for column in config.columns:
        contexts = KINDS[column.column_type].media(column)
        for alias in column.get_model_aliases() if contexts else ():
            provider = providers.get(models[alias].provider or "") if alias in models else None
            if provider is not None:
                yield from unseen_media(column.name, contexts, provider)


def _several(templates: str | Sequence[str] | None) -> Sequence[str]:
    return [templates] if isinstance(templates, str) and templates else templates or ()


def _transforms(
    config: DataDesignerConfig, engine: JinjaRenderingEngine, known: Mapping[str, str]
) -> Iterator[Violation]:
    for processor in config.processors or ():
        if isinstance(processor, SchemaTransformProcessorConfig):
            for message in transform_violations(processor, engine, known):
                yield Violation("invalid_reference", None, f"processor '{processor.name}': {message}")
