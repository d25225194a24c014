"""Columns of installed plugins: carried out as custom columns are, by a method of the plugin's class."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from data_designer.columns.custom import (
    CustomCellProgram,
    CustomColumnProgram,
    classes_of,
    custom_program,
    scope_of,
)
from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import CustomColumnConfig, GenerationStrategy
from data_designer.config.column_types import COLUMN_CLASSES, COLUMN_PLUGINS
from data_designer.config.custom_column import custom_column_generator
from data_designer.config.processors import PROCESSOR_PLUGINS
from data_designer.config.seed import SEED_PLUGINS
from data_designer.errors import PluginLoadError
from data_designer.plan.kinds import ColumnKind, Functions, named_statistics
from data_designer.plan.model import Plan, Scope, Step
from data_designer.plan.violation import Violation

_OWED = ("get_generation_strategy", "carried_out_by")
"""What the base classes give."""

_TEMPLATES = ("prompt", "system_prompt", "expr")
"""Fields that hold templates where a plugin's configuration has them."""


class _Generator(Protocol):
    """What carries out a plugin's column: see `engine.column_generators.generators.base`."""

    def generate(self, data: object) -> object: ...

    async def agenerate(self, data: object) -> object: ...

    def carried_out_by(self) -> Callable[..., object]: ...

    def asking(self, models: Mapping[str, object]) -> AbstractContextManager[None]: ...


def plugin_violations(column: SingleColumnConfig) -> Iterator[str]:
    """What keeps a plugin's column from being made in this process; nothing where it is fine."""
    plugin = COLUMN_PLUGINS.get(column.column_type)
    if plugin is None:
        yield f"no installed plugin makes '{column.column_type}' columns, or DISABLE_DATA_DESIGNER_PLUGINS is set"
        return
    try:
        generator = plugin.impl_cls
    except PluginLoadError as error:
        yield str(error)
        return
    if not all(hasattr(generator, name) for name in _OWED):
        yield f"{plugin.impl_qualified_name} is neither a ColumnGeneratorCellByCell nor a ColumnGeneratorFullColumn"
    elif generator.carried_out_by() is None:
        yield f"{plugin.impl_qualified_name} has neither generate nor agenerate"


def as_custom(column: SingleColumnConfig) -> CustomColumnConfig:
    """The custom column that does what a plugin's column does.

    Raises:
        PluginLoadError: the plugin's class cannot be imported or made.
    """
    plugin = COLUMN_PLUGINS[column.column_type]
    try:
        generator = plugin.impl_cls(config=column)
    except Exception as error:
        # Another package's code may raise anything.
        raise PluginLoadError(
            f"column '{column.name}': {plugin.impl_qualified_name} cannot be made: {type(error).__name__}: {error}"
        ) from error
    strategy = GenerationStrategy(generator.get_generation_strategy())
    return CustomColumnConfig(
        name=column.name,
        skip=column.skip,
        propagate_skip=column.propagate_skip,
        generator_function=_function(column, generator, strategy),
        generation_strategy=strategy,
    )


def plugin_kinds() -> Iterator[ColumnKind[SingleColumnConfig]]:
    """The kinds that installed plugins add."""
    for column_type in COLUMN_PLUGINS:
        config = COLUMN_CLASSES[column_type]
        yield ColumnKind(
            config=config,
            build=_build,
            scope=_scope,
            templates=tuple(name for name in _TEMPLATES if name in config.model_fields),
            check=_check,
            functions=_functions,
            classes=_classes,
            asks_freely=True,
            calls_any_tools=True,
            any_value=True,
            statistics=named_statistics,
        )


def plugin_packages() -> set[str]:
    """Top-level packages that installed plugins consist of."""
    plugins = [*COLUMN_PLUGINS.values(), *SEED_PLUGINS.values(), *PROCESSOR_PLUGINS.values()]
    names = {name for one in plugins for name in (one.config_qualified_name, one.impl_qualified_name)}
    return {name.partition(".")[0] for name in names}


def _build(step: Step, _plan: Plan, _seed_table: object) -> CustomCellProgram | CustomColumnProgram:
    [column] = step.configs
    return custom_program(as_custom(column), step.makes)


def _scope(column: SingleColumnConfig) -> Scope:
    return scope_of(COLUMN_PLUGINS[column.column_type].impl_cls.get_generation_strategy())


def _check(column: SingleColumnConfig) -> Iterator[Violation]:
    for message in plugin_violations(column):
        yield Violation("invalid_plugin", column.name, message)


def _functions(column: SingleColumnConfig) -> Functions:
    return {"plugin": COLUMN_PLUGINS[column.column_type].impl_cls}


def _classes(column: SingleColumnConfig) -> Functions:
    given = classes_of(getattr(column, "generator_params", None))
    return {**given, "configuration of the plugin": type(column)}


def _function(column: SingleColumnConfig, generator: _Generator, strategy: GenerationStrategy) -> Callable[..., object]:
    def whole(df: object, generator_params: None, models: Mapping[str, object]) -> object:  # noqa: ARG001
        with generator.asking(models):
            return generator.generate(df)

    def cell(row: object, generator_params: None, models: Mapping[str, object]) -> object:  # noqa: ARG001
        with generator.asking(models):
            return generator.generate(row)

    async def awaited(row: object, generator_params: None, models: Mapping[str, object]) -> object:  # noqa: ARG001
        with generator.asking(models):
            return await generator.agenerate(row)

    one: Callable[..., object] = awaited if generator.carried_out_by().__name__ == "agenerate" else cell
    function = whole if strategy == GenerationStrategy.FULL_COLUMN else one
    function.__name__ = type(generator).__name__
    aliases = column.get_model_aliases()
    return custom_column_generator(column.required_columns, column.side_effect_columns, aliases)(function)
