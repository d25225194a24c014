"""Kinds of columns: everything that the product knows of one, in one value. `columns.registry` lists them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from data_designer.config.analysis.column_statistics import GeneralColumnStatistics
from data_designer.config.base import SingleColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.media import ModalityContext
from data_designer.plan.model import Plan, Pool, Scope, Step
from data_designer.plan.profile import Profile
from data_designer.plan.program import Program
from data_designer.plan.violation import Violation

if TYPE_CHECKING:
    import pyarrow as pa

Config = TypeVar("Config", bound=SingleColumnConfig)

Functions: TypeAlias = Mapping[str, Callable[..., object]]
"""Functions of the user, or classes, by the name under which messages and digests tell them apart."""
Statistics: TypeAlias = tuple[type[GeneralColumnStatistics], Mapping[str, object]]
"""The class of a column's statistics, and the fields of it that not every column has."""
Group: TypeAlias = Literal["seed", "generated", "verdict", "judge", "media"]
"""Parts of a record as it is shown."""


def _cell(_: SingleColumnConfig) -> Scope:
    return "cell"


def _nothing(*_: object) -> tuple[()]:
    return ()


def _no_service(_: SingleColumnConfig) -> Pool | None:
    return None


def _as_it_is(column: Config) -> Config:
    return column


def _where_it_is(column: Config, _: Callable[[str], str]) -> Config:
    return column


def _no_functions(_: SingleColumnConfig) -> Functions:
    return {}


def _no_type(_: SingleColumnConfig) -> "pa.DataType | None":
    return None


def _general(_column: SingleColumnConfig, _profile: Profile) -> Statistics:
    return GeneralColumnStatistics, {}


def named_statistics(column: SingleColumnConfig, _: Profile) -> Statistics:
    """What is said of all values, under the column's own type."""
    return GeneralColumnStatistics, {"column_type": column.column_type}


def _no_language(_: SingleColumnConfig) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Joint(Generic[Config]):
    """What a kind has whose columns are all made by one step, for all live rows of a batch, from no other column.

    Such values are made here and of kinds that cells hold; where they cannot be made, the record is rejected.
    """

    step: str
    """The step's name."""
    digests: Callable[[Sequence[Config], DataDesignerConfig, int, str], Mapping[str, str]]
    """Column to what decides its values, of the columns, their configuration, its seed and the digest of seed data."""
    check: Callable[[Sequence[Config], DataDesignerConfig], Iterable[Violation]] = _nothing
    """What is wrong with all of them together; also asked where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKind(Generic[Config]):
    """A kind of column. Its functions are those of modules, so that it can be pickled."""

    config: type[Config]
    """The class of what the user declares: it says what a column needs and makes, and which model it asks."""
    build: Callable[[Step, Plan, "pa.Table | None"], Program]
    """The program of a step, given the rows of the seed dataset; made once for each process that runs it.

    It may raise ConfigCompilationError.
    """

    joint: Joint[Config] | None = None
    """What makes all columns of the kind together; None where each is made by a step of its own."""
    scope: Callable[[Config], Scope] = _cell
    """Whether a step computes any rows at any time, or all live rows of a batch together."""
    service: Callable[[Config], Pool | None] = _no_service
    """The pool of what a column asks that is no model; None where it asks nothing, or a model."""
    simulated: Callable[[Config], Config] = _as_it_is
    """The column with a simulated service in the place of the one that it asks."""
    placed: Callable[[Config, Callable[[str], str]], Config] = _where_it_is
    """The column that knows where its people are, given what says of a locale where managed person data of it are."""
    cheap: bool = False
    """Computed wherever the row already is, whichever pool that is."""
    generation_type: str | None = None
    """What the models that it asks must make; None where that is not one thing."""
    asks_freely: bool = False
    """Whether a value takes as many requests as its dialogue likes, so that one reply is not what is hoped for."""
    calls_any_tools: bool = False
    """Whether the models that a column asks may call the tools of any tool config, as a function of the user has it."""
    in_json: bool = False
    """Whether replies are JSON of a schema, which an endpoint can be asked to constrain."""
    from_seed: bool = False
    """Whether they are the columns of the seed dataset: first in the output, in its types."""

    templates: tuple[str, ...] = ()
    """Fields that hold a Jinja template, several, or None; or properties that gather them."""
    own_names: tuple[str, ...] = ()
    """What these may name beside columns."""
    missing_reference: str = "invalid_reference"
    """What a reference to what no column makes is called."""
    lint: Callable[[Config, Mapping[str, SingleColumnConfig]], Iterable[Violation]] = _nothing
    """What is wrong between it and others, given who makes each name. Kinds with the same one are reported together."""
    check: Callable[[Config], Iterable[Violation]] = _nothing
    """What keeps a column from being computed, its templates apart."""

    media: Callable[[Config], Sequence[ModalityContext]] = _nothing
    """What its model is shown beside the prompt; each may be megabytes."""

    functions: Callable[[Config], Functions] = _no_functions
    """What it calls of the user's, by role: its code is sent to workers, its results are kept."""
    classes: Callable[[Config], Functions] = _no_functions
    """Classes of the user whose objects the functions are given; their code decides values too."""
    has_files: bool = False
    """Whether values are lists of files, by their places below the dataset directory."""
    any_value: bool = False
    """Whether its values are of any types, as a function of the user gives them; a file may read back others."""

    arrow_type: Callable[[Config], "pa.DataType | None"] = _no_type
    """The type that the declaration fixes; None where the values decide."""
    pooled_type: Callable[[Config, Pool], "pa.DataType | None"] | None = None
    """The same, where the pool that is asked has its part in it."""
    statistics: Callable[[Config, Profile], Statistics] = _general
    """What is said of its values beyond what is said of all."""
    group: Group = "generated"
    """Where a record's display has it."""
    language: Callable[[Config], str] = _no_language
    """The language of its values where they are code, which is shown as such; else empty."""

    @property
    def name(self) -> str:
        """The `column_type` of its columns."""
        return str(self.config.model_fields["column_type"].default)

    def among(self, columns: Iterable[SingleColumnConfig]) -> tuple[Config, ...]:
        """Those of some columns that are of this kind."""
        name = self.name
        return tuple(one for one in columns if isinstance(one, self.config) and one.column_type == name)


Kinds: TypeAlias = Mapping[str, ColumnKind[Any]]
"""Column type to its kind."""


def seed_columns(columns: Iterable[SingleColumnConfig], kinds: Kinds) -> list[str]:
    """Those of some columns that are the seed dataset's."""
    return [column.name for column in columns if kinds[column.column_type].from_seed]
