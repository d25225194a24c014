"""Bases of what a user declares."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from data_designer.config.near_names import suggestion
from data_designer.config.templates import references


class ConfigBase(BaseModel):
    """Base of everything that a user declares.

    A field that there is not is refused with the nearest name that there is; a value of another type is refused in one
    line that names the field. Objects can be made from a dict (`model_validate`) and turned into one
    (`model_dump(mode="json")`). Enumerations are kept as their plain values. Assigning to a field does not check the
    value again.
    """

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
    """When a cell is not computed, and what it holds instead.

    A cell is skipped where `when` holds, where it cannot be evaluated (which the log says), or where a column that it
    requires was skipped (`propagate_skip`). Nothing is asked of a model for it, its side effects are null, and the
    record stays in the dataset. `sampler` and `seed-dataset` columns cannot be skipped.
    """

    when: str
    """Jinja template with braces, such as `{{ language == 'de' }}`; the cell is skipped where its value is true. It
    has to name at least one column, and not the skipped column itself."""
    value: bool | int | float | str | None = None
    """What skipped cells hold; null where it is not given. In an `expression` column it is converted to the column's
    `dtype`."""

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
    """Base of every column: the fields that all kinds have."""

    name: str
    """Name of the column, unique in a configuration. Templates refer to it, so let it be a name that Jinja can read:
    letters, digits and `_`."""
    drop: bool = False
    """Make the column and let others use it, but leave it out of the dataset. Its values are kept in
    `dropped-columns-parquet-files/` unless `RunConfig.preserve_dropped_columns` is off."""
    column_type: str
    """Which kind of column this is; each class has its own. In a file it has to be given."""
    skip: SkipConfig | None = None
    """When cells are not computed; unset, all are."""
    propagate_skip: bool = True
    """Whether a cell is skipped too where a column that it requires was. Columns that only `skip.when` names do not
    count."""

    @field_validator("name")
    @classmethod
    def _is_called(cls, name: str) -> str:
        if not name:
            raise ValueError("a column needs a name")
        return name

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
    """Unique name. What a schema transform writes is in the folder of that name, below `processors-files/`."""
    processor_type: str
    """Which kind of processor this is; each class has its own. In a file it has to be given."""
