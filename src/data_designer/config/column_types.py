"""Kinds of columns, by name."""

import logging
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Discriminator, Tag, ValidationError

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import BUILT_IN_COLUMNS, BuiltInColumnT, BuiltInColumnType, column_kind
from data_designer.config.near_names import suggestion
from data_designer.config.sampler_params import SAMPLER_PARAMS, SamplerType
from data_designer.config.wording import fault
from data_designer.errors import InvalidConfigError, InvalidEnumValueError
from data_designer.plugins import Plugin, PluginType
from data_designer.plugins.discovery import installed_plugins

logger = logging.getLogger(__name__)

_BUILT_IN: dict[str, type[SingleColumnConfig]] = {
    cls.model_fields["column_type"].default: cls for cls in BUILT_IN_COLUMNS
}


def _member(column_type: str) -> str:
    """What a kind of column is called in `DataDesignerColumnType`."""
    return column_type.replace("-", "_").upper()


def _column_plugins(installed: Iterable[Plugin]) -> dict[str, Plugin]:
    """Column type to the plugin that makes such columns; what cannot be used is left out with a warning."""
    found: dict[str, Plugin] = {}
    taken = set(map(_member, _BUILT_IN))
    for plugin in installed:
        if plugin.plugin_type != PluginType.COLUMN_GENERATOR:
            continue
        if _member(plugin.name) in taken:
            why = f"another kind of column is called {_member(plugin.name)}"
        elif _column_class(plugin) is None:
            why = f"{plugin.config_qualified_name} is no SingleColumnConfig"
        else:
            found[plugin.name] = plugin
            taken.add(_member(plugin.name))
            continue
        logger.warning("plugin=%s is left out: %s", plugin.name, why)
    return found


def _column_class(plugin: Plugin) -> type[SingleColumnConfig] | None:
    cls = plugin.config_cls
    return cls if isinstance(cls, type) and issubclass(cls, SingleColumnConfig) else None


COLUMN_PLUGINS = _column_plugins(installed_plugins())
"""Column type to the installed plugin that makes such columns."""
COLUMN_CLASSES = _BUILT_IN | {name: cls for name, plugin in COLUMN_PLUGINS.items() if (cls := _column_class(plugin))}
"""Column type to its class, in the order in which reports show them."""


if TYPE_CHECKING:
    ColumnConfigT = BuiltInColumnT
    DataDesignerColumnType = BuiltInColumnType
else:
    ColumnConfigT = Annotated[
        Union[tuple(Annotated[cls, Tag(kind)] for kind, cls in COLUMN_CLASSES.items())],  # noqa: UP007 - it is computed
        Discriminator(column_kind),
    ]
    DataDesignerColumnType = StrEnum(
        "DataDesignerColumnType",
        {kind.name: kind.value for kind in BuiltInColumnType} | {_member(name): name for name in COLUMN_PLUGINS},
        module=__name__,
    )
    DataDesignerColumnType.__doc__ = "Kinds of columns: those of this page, and those of installed plugins."


def as_column_type(value: "str | DataDesignerColumnType") -> DataDesignerColumnType:
    """The kind of column a string names.

    Raises:
        InvalidEnumValueError: it names none.
    """
    try:
        return DataDesignerColumnType(value)
    except ValueError as error:
        raise InvalidEnumValueError(f"{value!r} is no column type{suggestion(str(value), COLUMN_CLASSES)}") from error


def get_column_config_from_kwargs(
    name: str, column_type: "str | DataDesignerColumnType", **kwargs: object
) -> SingleColumnConfig:
    """A column from its name, its type and its fields.

    Raises:
        InvalidEnumValueError: the column or sampler type is unknown.
        InvalidConfigError: a sampler lacks its type, or its params are of another kind.
    """
    kind = as_column_type(column_type)
    if kind == DataDesignerColumnType.SAMPLER:
        kwargs = _sampler_fields(name, kwargs)
    try:
        return COLUMN_CLASSES[kind.value].model_validate({"name": name, **kwargs})
    except ValidationError as error:
        faults = [fault(one["type"], one["msg"], one["loc"]) for one in error.errors()]
        raise ValidationError.from_exception_data(f"column '{name}'", faults, hide_input=True) from None


def _sampler_fields(name: str, kwargs: Mapping[str, object]) -> dict[str, object]:
    if "sampler_type" not in kwargs:
        raise InvalidConfigError(f"column '{name}': a sampler needs a sampler_type")
    try:
        kind = SamplerType(str(kwargs["sampler_type"]))
    except ValueError as error:
        given = kwargs["sampler_type"]
        raise InvalidEnumValueError(
            f"column '{name}': {given!r} is no sampler type{suggestion(str(given), SamplerType)}"
        ) from error
    params = kwargs.get("params", {})
    wanted = SAMPLER_PARAMS[kind.value]
    if not isinstance(params, dict | wanted):
        raise InvalidConfigError(
            f"column '{name}': params of a {kind.value} sampler are a dict or {wanted.__name__}, "
            f"not {type(params).__name__}"
        )
    return {**kwargs, "params": params}


def get_column_display_order() -> list[str]:
    """Column types in the order in which reports show them."""
    return list(COLUMN_CLASSES)


def get_column_emoji_from_type(column_type: "str | DataDesignerColumnType") -> str:
    """A symbol for tables and reports."""
    return COLUMN_CLASSES[as_column_type(column_type).value].get_column_emoji()


__all__ = [
    "COLUMN_CLASSES",
    "ColumnConfigT",
    "DataDesignerColumnType",
    "as_column_type",
    "get_column_config_from_kwargs",
    "get_column_display_order",
    "get_column_emoji_from_type",
]
