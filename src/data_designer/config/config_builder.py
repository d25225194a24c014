"""The builder: a declaration put together step by step."""

import copy
import html
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import ValidationError, model_validator

from data_designer.config.analysis.column_profilers import JudgeScoreProfilerConfig
from data_designer.config.base import ProcessorConfig, SingleColumnConfig
from data_designer.config.column_types import (
    COLUMN_CLASSES,
    DataDesignerColumnType,
    as_column_type,
    get_column_config_from_kwargs,
)
from data_designer.config.data_designer_config import AnyProcessor, DataDesignerConfig, Exportable, repeated
from data_designer.config.defaults import default_models
from data_designer.config.info import Information
from data_designer.config.mcp import ToolConfig
from data_designer.config.models import ModelConfig, load_model_configs
from data_designer.config.near_names import suggestion
from data_designer.config.processors import (
    PROCESSOR_PLUGINS,
    DropColumnsProcessorConfig,
    ProcessorType,
    SchemaTransformProcessorConfig,
    meant_by,
)
from data_designer.config.sampler_constraints import (
    AnyConstraint,
    ColumnInequalityConstraint,
    ConstraintType,
    ScalarInequalityConstraint,
)
from data_designer.config.seed import AnySeedSource, IndexRange, PartitionBlock, SamplingStrategy, SeedConfig
from data_designer.config.version import get_library_version
from data_designer.errors import (
    BuilderConfigurationError,
    BuilderSerializationError,
    DataDesignerError,
    InvalidColumnTypeError,
)

if TYPE_CHECKING:
    from data_designer.config.config_files import Declared

logger = logging.getLogger(__name__)

_PROCESSORS: dict[str, type[ProcessorConfig]] = {
    ProcessorType.DROP_COLUMNS: DropColumnsProcessorConfig,
    ProcessorType.SCHEMA_TRANSFORM: SchemaTransformProcessorConfig,
    **{name: cast("type[ProcessorConfig]", plugin.config_cls) for name, plugin in PROCESSOR_PLUGINS.items()},
}
_CONSTRAINTS: dict[str, type[AnyConstraint]] = {
    ConstraintType.SCALAR_INEQUALITY: ScalarInequalityConstraint,
    ConstraintType.COLUMN_INEQUALITY: ColumnInequalityConstraint,
}
_LONG_LIST = 4


def _no_column(given: object) -> str:
    names = ", ".join(cls.__name__ for cls in COLUMN_CLASSES.values())
    return f"{type(given).__name__} is no column; columns are {names}"


class BuilderConfig(Exportable):
    """A declaration as it stands in a file that was written."""

    data_designer: DataDesignerConfig
    """The declaration."""
    library_version: str | None = None
    """The version that wrote it; the running one when it is not given. Another one is warned of."""

    @model_validator(mode="after")
    def _stamp(self) -> "BuilderConfig":
        running = get_library_version()
        if self.library_version not in (None, running):
            logger.warning("config version=%s running=%s", self.library_version, running)
        self.library_version = self.library_version or running
        return self


def _parsed(source: "Declared") -> DataDesignerConfig:
    """The declaration that a source holds. Raises what is wrong with it, all at once."""
    try:
        return BuilderConfig.model_validate(source.content).data_designer
    except (ValidationError, DataDesignerError) as error:
        from data_designer.config.declaration_faults import refusal

        raise refusal(source, error) from None


class DataDesignerConfigBuilder:
    """Collects columns, models, a seed dataset, constraints and processors into a configuration.

    Every method that changes it returns the builder, so calls can be chained. Columns may be added in any order; adding
    a name again replaces the column where it stands.

    Args:
        model_configs: models that columns may ask, as a list, a YAML file or its text; those of the user's home file
            when not given, else the built-in ones.
        tool_configs: tools that models may call.

    Raises:
        BuilderConfigurationError: two models have one alias.
        InvalidConfigError: a file of models cannot be read.
    """

    def __init__(
        self,
        model_configs: "list[ModelConfig] | str | Path | None" = None,
        tool_configs: list[ToolConfig] | None = None,
    ) -> None:
        self._model_configs = list(load_model_configs(model_configs)) if model_configs else default_models()
        self._tool_configs = list(tool_configs or [])
        for alias in repeated([model.alias for model in self._model_configs]):
            raise BuilderConfigurationError(f"there are two models with the alias '{alias}'; rename one of them")
        self._columns: dict[str, SingleColumnConfig] = {}
        self._constraints: list[AnyConstraint] = []
        self._processors: list[AnyProcessor] = []
        self._profilers: list[JudgeScoreProfilerConfig] = []
        self._seed_config: SeedConfig | None = None
        self._places: dict[str, str] = {}
        """Name of a column or alias of a model to where it is declared, in a file."""

    def copy(self) -> Self:
        """Another builder of the same, which goes its own way from here; columns and models are shared."""
        made = copy.copy(self)
        made.__dict__.update(
            {name: copy.copy(held) for name, held in vars(self).items() if isinstance(held, list | dict)}
        )
        return made

    # --- reading -----------------------------------------------------------------------------------------

    @classmethod
    def from_config(cls, config: "BuilderConfig | dict[str, Any] | str | Path") -> Self:
        """A builder from a configuration that is there.

        Args:
            config: a dict, a `BuilderConfig`, a YAML or JSON file, its text, or its URL.

        Raises:
            FileNotFoundError: there is no such file.
            InvalidConfigError: it does not parse, or is wrong; the message lists every fault with its line.
            ValueError: it is nothing that describes a configuration.
        """
        from data_designer.config.config_files import read_declared

        source = read_declared({} if isinstance(config, BuilderConfig) else config)
        declared = config.data_designer if isinstance(config, BuilderConfig) else _parsed(source)
        builder = cls(declared.model_configs or None, declared.tool_configs)
        for column in declared.columns:
            builder.add_column(column)
        for constraint in declared.constraints or ():
            builder.add_constraint(constraint)
        builder._seed_config = declared.seed_config
        for processor in declared.processors or ():
            builder.add_processor(processor)
        for profiler in declared.profilers or ():
            builder.add_profiler(profiler)
        builder._places = source.places()
        return builder

    @property
    def model_configs(self) -> list[ModelConfig]:
        """Models that columns may use."""
        return self._model_configs

    @property
    def tool_configs(self) -> list[ToolConfig]:
        """Tools that columns may use."""
        return self._tool_configs

    @property
    def allowed_references(self) -> list[str]:
        """Names that templates may use: columns and their side effects. Those of the seed are not known yet."""
        return [name for column in self._columns.values() for name in (column.name, *column.side_effect_columns)]

    @property
    def info(self) -> Information:
        """What can be shown about samplers and models."""
        return Information(models=self._model_configs)

    @property
    def places(self) -> Mapping[str, str]:
        """Columns, by name, and models, by alias, to the file and line where they are declared."""
        return self._places

    def get_column_config(self, name: str) -> SingleColumnConfig:
        """A column.

        Args:
            name: its name.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._columns:
            raise KeyError(f"there is no column '{name}'{suggestion(name, self._columns)}")
        return self._columns[name]

    def get_column_configs(self) -> list[SingleColumnConfig]:
        """All columns, in the order in which they were first added."""
        return list(self._columns.values())

    def get_columns_of_type(self, column_type: "str | DataDesignerColumnType") -> list[SingleColumnConfig]:
        """Columns of a type."""
        kind = as_column_type(column_type)
        return [column for column in self._columns.values() if column.column_type == kind]

    def get_columns_excluding_type(self, column_type: "str | DataDesignerColumnType") -> list[SingleColumnConfig]:
        """Columns of all other types."""
        kind = as_column_type(column_type)
        return [column for column in self._columns.values() if column.column_type != kind]

    def num_columns_of_type(self, column_type: "str | DataDesignerColumnType") -> int:
        """How many columns of a type there are."""
        return len(self.get_columns_of_type(column_type))

    def get_constraints(self, target_column: str) -> list[AnyConstraint]:
        """Constraints on a column."""
        return [constraint for constraint in self._constraints if constraint.target_column == target_column]

    def get_processor_configs(self) -> list[AnyProcessor]:
        """All processors."""
        return list(self._processors)

    def get_profilers(self) -> list[JudgeScoreProfilerConfig]:
        """All profilers."""
        return list(self._profilers)

    def get_tool_config(self, alias: str) -> ToolConfig:
        """A tool config.

        Args:
            alias: its alias.

        Raises:
            KeyError: there is none of that alias.
        """
        return {tool.tool_alias: tool for tool in self._tool_configs}[alias]

    def get_seed_config(self) -> SeedConfig | None:
        """The seed dataset."""
        return self._seed_config

    # --- columns -----------------------------------------------------------------------------------------

    def add_column(
        self,
        column_config: SingleColumnConfig | None = None,
        *,
        name: str | None = None,
        column_type: "str | DataDesignerColumnType | None" = None,
        **kwargs: object,
    ) -> Self:
        """Add a column: an object, or one described by name, kind and fields.

        Args:
            column_config: the column.
            name: its name, where no object is given.
            column_type: its kind, such as `llm-text`.
            kwargs: the fields of its class.

        Raises:
            InvalidColumnTypeError: the object is no column.
            BuilderConfigurationError: the name or the kind is missing.
            InvalidEnumValueError: there is no such kind.
            InvalidConfigError, UserJinjaTemplateSyntaxError, pydantic.ValidationError: the fields do not fit the kind.
        """
        if column_config is None:
            if name is None or column_type is None:
                raise BuilderConfigurationError("add_column needs a column object, or both name and column_type")
            column_config = get_column_config_from_kwargs(name, column_type, **kwargs)
        elif not isinstance(column_config, SingleColumnConfig):
            raise InvalidColumnTypeError(_no_column(column_config))
        self._columns[column_config.name] = column_config
        self._places.pop(column_config.name, None)
        return self

    def delete_column(self, column_name: str) -> Self:
        """Remove a column; a name that is not there is no error.

        Args:
            column_name: its name.

        Raises:
            BuilderConfigurationError: it belongs to the seed dataset.
        """
        column = self._columns.get(column_name)
        if column is not None and column.column_type == DataDesignerColumnType.SEED_DATASET:
            raise BuilderConfigurationError(f"column '{column_name}' belongs to the seed dataset and cannot be deleted")
        self._columns.pop(column_name, None)
        return self

    # --- everything else ---------------------------------------------------------------------------------

    def add_constraint(
        self,
        constraint: AnyConstraint | None = None,
        *,
        constraint_type: "str | ConstraintType | None" = None,
        **kwargs: object,
    ) -> Self:
        """Add a constraint: an object, or one described by its kind and fields.

        Args:
            constraint: the constraint.
            constraint_type: its kind, where no object is given.
            kwargs: the fields of its class.

        Raises:
            BuilderConfigurationError: it is no constraint, or there is no such kind.
            pydantic.ValidationError: the fields do not fit the kind.
        """
        if constraint is None:
            wanted = _CONSTRAINTS.get(str(constraint_type)) if constraint_type is not None else None
            if wanted is None:
                kinds = ", ".join(ConstraintType)
                raise BuilderConfigurationError(f"add_constraint needs an object, or a constraint_type of {kinds}")
            constraint = wanted.model_validate(kwargs)
        if not isinstance(constraint, tuple(_CONSTRAINTS.values())):
            raise BuilderConfigurationError(f"{type(constraint).__name__} is no constraint")
        self._constraints.append(constraint)
        return self

    def delete_constraints(self, target_column: str) -> Self:
        """Remove all constraints on a column."""
        self._constraints = [c for c in self._constraints if c.target_column != target_column]
        return self

    def add_processor(
        self,
        processor_config: AnyProcessor | None = None,
        *,
        processor_type: "str | ProcessorType | None" = None,
        **kwargs: object,
    ) -> Self:
        """Add a processor: an object, or one described by its kind and fields. One of the same name is replaced.

        Adding one that drops columns marks those that are there already as dropped.

        Args:
            processor_config: the processor.
            processor_type: its kind, where no object is given.
            kwargs: the fields of its class.

        Raises:
            BuilderConfigurationError: it is no processor, or there is no such kind.
            pydantic.ValidationError: the fields do not fit the kind.
        """
        if processor_config is None:
            wanted = _PROCESSORS.get(str(processor_type)) if processor_type is not None else None
            if wanted is None:
                kinds = ", ".join(_PROCESSORS)
                raise BuilderConfigurationError(f"add_processor needs an object, or a processor_type of {kinds}")
            processor_config = wanted.model_validate(kwargs)
        if not isinstance(processor_config, tuple(_PROCESSORS.values())):
            raise BuilderConfigurationError(f"{type(processor_config).__name__} is no processor")
        before = next((p for p in self._processors if p.name == processor_config.name), None)
        self._processors = [p for p in self._processors if p is not before]
        if before is not None:
            self._mark_dropped(before, drop=False)
        self._processors.append(processor_config)
        for processor in self._processors:
            self._mark_dropped(processor, drop=True)
        return self

    def _mark_dropped(self, processor: AnyProcessor, *, drop: bool) -> None:
        for pattern in processor.column_names if isinstance(processor, DropColumnsProcessorConfig) else ():
            for name in meant_by(pattern, self._columns):
                self._columns[name] = self._columns[name].model_copy(update={"drop": drop})

    def add_profiler(self, profiler_config: JudgeScoreProfilerConfig) -> Self:
        """Add a profiler, which looks at the judge columns of the finished dataset; where there are several, the last.

        See `results.load_analysis().column_profiles`.

        Args:
            profiler_config: the profiler.

        Raises:
            BuilderConfigurationError: it is no profiler.
        """
        if not isinstance(profiler_config, JudgeScoreProfilerConfig):
            raise BuilderConfigurationError(f"{type(profiler_config).__name__} is no profiler")
        self._profilers.append(profiler_config)
        return self

    def add_model_config(self, model_config: ModelConfig) -> Self:
        """Add a model.

        Args:
            model_config: the model.

        Raises:
            BuilderConfigurationError: its alias is there already.
        """
        if any(model.alias == model_config.alias for model in self._model_configs):
            raise BuilderConfigurationError(f"there is a model with alias '{model_config.alias}' already")
        self._model_configs.append(model_config)
        return self

    def delete_model_config(self, alias: str) -> Self:
        """Remove a model; an alias that is not there is no error."""
        self._model_configs = [model for model in self._model_configs if model.alias != alias]
        if not self._model_configs:
            logger.warning("no model configs are left")
        return self

    def add_tool_config(self, tool_config: ToolConfig) -> Self:
        """Add a tool config.

        Args:
            tool_config: the tool config.

        Raises:
            BuilderConfigurationError: its alias is there already.
        """
        if any(tool.tool_alias == tool_config.tool_alias for tool in self._tool_configs):
            raise BuilderConfigurationError(f"there is a tool config with alias '{tool_config.tool_alias}' already")
        self._tool_configs.append(tool_config)
        return self

    def delete_tool_config(self, alias: str) -> Self:
        """Remove a tool config; an alias that is not there is no error."""
        self._tool_configs = [tool for tool in self._tool_configs if tool.tool_alias != alias]
        return self

    def with_seed_dataset(
        self,
        seed_source: AnySeedSource,
        *,
        sampling_strategy: SamplingStrategy = SamplingStrategy.ORDERED,
        selection_strategy: IndexRange | PartitionBlock | None = None,
    ) -> Self:
        """Set the seed dataset; its columns become columns of the dataset.

        Args:
            seed_source: where the rows come from.
            sampling_strategy: in which order they are used.
            selection_strategy: which of them are used; all, when not given.

        Raises:
            BuilderConfigurationError: it is a path or a DataFrame by itself.
        """
        if isinstance(seed_source, str | Path):
            raise BuilderConfigurationError(f"a seed source is needed: LocalFileSeedSource(path={str(seed_source)!r})")
        if type(seed_source).__name__ == "DataFrame":
            raise BuilderConfigurationError("a seed source is needed: DataFrameSeedSource(df=...)")
        self._seed_config = SeedConfig(
            source=seed_source, sampling_strategy=sampling_strategy, selection_strategy=selection_strategy
        )
        return self

    # --- writing -----------------------------------------------------------------------------------------

    def build(self) -> DataDesignerConfig:
        """The configuration.

        Raises:
            BuilderConfigurationError: a tool config names a tool twice.
            pydantic.ValidationError: columns contradict each other.
        """
        for tool in self._tool_configs:
            if len(set(tool.allow_tools or ())) < len(tool.allow_tools or ()):
                raise BuilderConfigurationError(f"tool config '{tool.tool_alias}' names a tool twice in allow_tools")
        return DataDesignerConfig(
            columns=list(self._columns.values()),
            model_configs=self._model_configs,
            tool_configs=self._tool_configs,
            seed_config=self._seed_config,
            constraints=self._constraints or None,
            profilers=self._profilers or None,
            processors=self._processors or None,
        )

    def get_builder_config(self) -> BuilderConfig:
        """The configuration as it stands in a file."""
        return BuilderConfig(data_designer=self.build())

    def write_config(self, path: "str | Path", indent: int = 2, **kwargs: object) -> None:
        """Write the configuration to a file, which `from_config` and every command read.

        Args:
            path: a file that ends in `.yaml`, `.yml` or `.json`.
            indent: columns by which levels are indented.
            kwargs: options of `yaml.safe_dump`, or of `json.dumps`.

        Raises:
            BuilderConfigurationError: it ends in something else.
            BuilderSerializationError: the seed dataset is a DataFrame, which no file can carry.
        """
        suffix = Path(path).suffix
        if self._seed_config is not None and self._seed_config.source.seed_type == "df":
            raise BuilderSerializationError(
                "a DataFrame seed cannot be written; use LocalFileSeedSource.from_dataframe"
            )
        if suffix in (".yaml", ".yml"):
            self.get_builder_config().to_yaml(path, indent=indent, **kwargs)
        elif suffix == ".json":
            self.get_builder_config().to_json(path, indent=indent, **kwargs)
        else:
            raise BuilderConfigurationError(f"{path} must end in .yaml, .yml or .json")

    def __repr__(self) -> str:
        lines = []
        if self._seed_config is not None:
            lines.append(f"    seed_dataset: {self._seed_config.source.seed_type} seed")
        for kind in COLUMN_CLASSES:
            names = [column.name for column in self._columns.values() if column.column_type == kind]
            if names:
                listed = json.dumps(names, indent=8) if len(names) >= _LONG_LIST else str(names)
                lines.append(f"    {kind.replace('-', '_')}_columns: {listed}")
        inside = "\n" + "\n".join(lines) + "\n" if lines else ""
        return f"DataDesignerConfigBuilder({inside})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
