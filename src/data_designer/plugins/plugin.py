"""What a plugin is: a configuration class, and the class that carries it out."""

import importlib
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

from data_designer.errors import PluginLoadError

_DISCRIMINATORS = {
    "column-generator": "column_type",
    "seed-reader": "seed_type",
    "processor": "processor_type",
}


class PluginType(StrEnum):
    """What a plugin adds."""

    COLUMN_GENERATOR = "column-generator"
    """A kind of column."""
    SEED_READER = "seed-reader"
    """A kind of seed source."""
    PROCESSOR = "processor"
    """A kind of processor."""

    @property
    def discriminator_field(self) -> str:
        """The field that tells kinds of what it adds apart."""
        return _DISCRIMINATORS[self.value]

    @property
    def display_name(self) -> str:
        """What it adds, in words."""
        return self.value.replace("-", " ")


class Plugin(BaseModel):
    """A plugin: a configuration class and the class that carries it out, both by dotted name."""

    model_config = ConfigDict(ignored_types=(cached_property,), defer_build=True)

    impl_qualified_name: str
    """Dotted name of the class that makes cells, a `ColumnGenerator`."""
    config_qualified_name: str
    """Dotted name of the configuration class, with a literal `column_type` that has a default."""
    plugin_type: PluginType
    """What it adds."""

    @model_validator(mode="after")
    def _is_named(self) -> "Plugin":
        if not self.name.replace("-", "_").isidentifier():
            raise ValueError(f"plugin name {self.name!r} is no identifier")
        return self

    @property
    def discriminator_field(self) -> str:
        """The field of its configuration class that tells kinds apart."""
        return self.plugin_type.discriminator_field

    @property
    def enum_key_name(self) -> str:
        """What its kind is called in enumerations."""
        return self.name.replace("-", "_").upper()

    @property
    def config_type_as_class_name(self) -> str:
        """Its name as that of a class."""
        return self.enum_key_name.title().replace("_", "")

    @property
    def name(self) -> str:
        """The discriminator value of its configuration class."""
        cls, discriminator = self.config_cls, self.discriminator_field
        fields = cls.model_fields if isinstance(cls, type) and issubclass(cls, BaseModel) else {}
        field = fields.get(discriminator)
        if field is None or get_origin(field.annotation) is not Literal or not isinstance(field.default, str):
            raise ValueError(f"{self.config_qualified_name} needs a literal '{discriminator}' with a default")
        return field.default

    @cached_property
    def config_cls(self) -> object:
        """The configuration class. Raises PluginLoadError where it cannot be imported."""
        return _load(self.config_qualified_name)

    @cached_property
    def impl_cls(self) -> Any:
        """The class that carries it out. Raises PluginLoadError where it cannot be imported."""
        return _load(self.impl_qualified_name)


def _load(qualified_name: str) -> object:
    module, _, name = qualified_name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        # Another package's code may raise anything.
        raise PluginLoadError(
            f"plugin class {qualified_name!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
