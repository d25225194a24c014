"""Bases of what a user declares."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, field_validator, model_validator
from pydantic_core import CoreSchema, core_schema

from data_designer.config.near_names import suggestion
from data_designer.config.templates import references


class ConfigBase(BaseModel):
    """Configuration data: unknown fields are refused, enumerations are kept as their plain values."""

    FIELD: ClassVar[str] = "field"
    """What a field is called where one is wrong."""
    SHOWN: ClassVar[bool] = True
    """Whether values may be shown in what is said of them."""

    model_config = ConfigDict(
        protected_namespaces=(),
        use_enum_values=True,
        arbitrary_types_allowed=True,
        extra="forbid",
        ignored_types=(cached_property,),
        hide_input_in_errors=True,  # Messages hold what helps of it.
        defer_build=True,  # Building all of them takes longer than importing pydantic; a declaration uses few.
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let what is wrong with a value be said in one line a fault."""

        def said(value: object, validate: Callable[[object], object]) -> object:
            try:
                return validate(value)
            except ValidationError as error:
                from data_designer.config.wording import in_words

                raise in_words(error, cls) from None

        return core_schema.no_info_wrap_validator_function(said, handler(source))

    if not TYPE_CHECKING:  # A checker would take any name for a field.

        def __setattr__(self, name: str, value: object) -> None:
            try:
                super().__setattr__(name, value)
            except ValueError:
                if name in type(self).model_fields:
                    raise
                near = suggestion(name, type(self).model_fields)
                raise ValueError(f"{type(self).__name__} has no {self.FIELD} '{name}'{near}") from None


class SkipConfig(ConfigBase):
    """When a cell is not computed, and what it holds then."""

    when: str
    """Jinja template with braces; the cell is skipped where its value is true."""
    value: bool | int | float | str | None = None
    """Written into skipped cells."""

    @field_validator("when")
    @classmethod
    def _refers_to_something(cls, when: str) -> str:
        if not references(when):
            raise ValueError(f"skip.when refers to no column: {when!r}; write names inside {{{{ }}}}")
        return when

    @property
    def columns(self) -> list[str]:
        """Names in `when`, sorted."""
        return sorted(references(self.when))


class SingleColumnConfig(ConfigBase, ABC):
    """Base of every column."""

    name: str
    """The column's name, unique in a configuration."""
    drop: bool = False
    """Generate the column and let others use it, but leave it out of the dataset."""
    column_type: str
    """Tells the kinds of columns apart."""
    skip: SkipConfig | None = None
    """When a cell is skipped."""
    propagate_skip: bool = True
    """Whether a cell is skipped too when a column it requires was."""

    @property
    @abstractmethod
    def required_columns(self) -> list[str]:
        """Columns whose values a cell is computed from."""

    @property
    @abstractmethod
    def side_effect_columns(self) -> list[str]:
        """Further columns it writes."""

    def get_model_aliases(self) -> list[str]:
        """Aliases of the models it asks."""
        alias = getattr(self, "model_alias", None)  # Columns of plugins may have one, too.
        return [] if alias is None else [alias]

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🎨"

    @model_validator(mode="after")
    def _is_not_skipped_by_itself(self) -> "SingleColumnConfig":
        if self.skip is not None:
            own = {self.name, *self.side_effect_columns}.intersection(self.skip.columns)
            if own:
                raise ValueError(f"skip.when of column '{self.name}' references itself: {', '.join(sorted(own))}")
        return self


class ProcessorConfig(ConfigBase, ABC):
    """Base of every processor."""

    name: str
    """Unique name; the folder of what it writes."""
    processor_type: str
    """Tells the kinds of processors apart."""
