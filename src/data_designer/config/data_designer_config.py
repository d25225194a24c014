"""A whole declaration."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, model_validator

from data_designer.config.analysis.column_profilers import JudgeScoreProfilerConfig
from data_designer.config.base import ConfigBase, ProcessorConfig
from data_designer.config.column_configs import CustomColumnConfig, SamplerColumnConfig, ValidationColumnConfig
from data_designer.config.column_types import ColumnConfigT
from data_designer.config.mcp import ToolConfig
from data_designer.config.models import HOW_IT_IS_ASKED, ModelConfig
from data_designer.config.processors import (
    PROCESSOR_PLUGINS,
    DropColumnsProcessorConfig,
    SchemaTransformProcessorConfig,
)
from data_designer.config.sampler_constraints import AnyConstraint
from data_designer.config.sampler_params import SamplerType, SubcategorySamplerParams
from data_designer.config.seed import SeedConfig
from data_designer.config.validator_params import HOW_A_SERVICE_IS_ASKED, ValidatorType

if TYPE_CHECKING:
    AnyProcessor = DropColumnsProcessorConfig | SchemaTransformProcessorConfig | ProcessorConfig
else:
    _OF_PLUGINS = tuple(plugin.config_cls for plugin in PROCESSOR_PLUGINS.values())
    AnyProcessor = Annotated[
        Union[(DropColumnsProcessorConfig, SchemaTransformProcessorConfig, *_OF_PLUGINS)],
        Field(discriminator="processor_type"),
    ]

_FINGERPRINT_VERSION = 2
_OPTIONAL_LISTS = ("model_configs", "tool_configs", "constraints", "processors")


class Exportable(ConfigBase):
    """What can be written as a file."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return self.model_dump(mode="json")

    def to_yaml(self, path: "str | Path | None" = None, *, indent: int = 2, **kwargs: Any) -> str | None:
        """Write as YAML.

        Args:
            path: the file; unset, the text is returned.
            indent: columns by which levels are indented.
            kwargs: options of `yaml.safe_dump`.
        """
        import yaml

        options = {"allow_unicode": True, "sort_keys": True, "default_flow_style": False, **kwargs}
        return _put(yaml.safe_dump(self.to_dict(), indent=indent, **options), path)

    def to_json(self, path: "str | Path | None" = None, *, indent: int = 2, **kwargs: Any) -> str | None:
        """Write as JSON.

        Args:
            path: the file; unset, the text is returned.
            indent: columns by which levels are indented.
            kwargs: options of `json.dumps`.
        """
        return _put(json.dumps(self.to_dict(), indent=indent, **{"ensure_ascii": False, **kwargs}), path)


def repeated(names: Sequence[str]) -> list[str]:
    """Names that are given more than once, each once."""
    return [name for name, count in Counter(names).items() if count > 1]


def _put(text: str, path: "str | Path | None") -> str | None:
    if path is None:
        return text
    Path(path).write_text(text, encoding="utf-8")
    return None


class DataDesignerConfig(Exportable):
    """A whole declaration: what `build()` of a builder gives, and what a file holds.

    Names of columns, aliases and processors are given once.
    """

    columns: list[ColumnConfigT]
    """The columns, in the order in which the dataset has them."""
    model_configs: list[ModelConfig] | None = None
    """Models that columns may ask."""
    tool_configs: list[ToolConfig] | None = None
    """Tools that their models may call."""
    seed_config: SeedConfig | None = None
    """The seed dataset."""
    constraints: list[AnyConstraint] | None = None
    """Inequalities that sampled values satisfy."""
    profilers: list[JudgeScoreProfilerConfig] | None = None
    """What looks at the finished dataset; they do not change it."""
    processors: list[AnyProcessor] | None = None
    """What is done to each batch once its columns are there, in this order."""

    @model_validator(mode="after")
    def _every_name_is_given_once(self) -> "DataDesignerConfig":
        named: dict[str, list[str]] = {
            "columns named": [column.name for column in self.columns],
            "models with the alias": [model.alias for model in self.model_configs or ()],
            "tool configs with the alias": [tool.tool_alias for tool in self.tool_configs or ()],
            "processors named": [processor.name for processor in self.processors or ()],
        }
        twice = [f"two {what} '{name}'" for what, names in named.items() for name in repeated(names)]
        if twice:
            raise ValueError(f"there are {', '.join(twice)}; rename one of them")
        return self

    @model_validator(mode="after")
    def _subcategories_have_categories(self) -> "DataDesignerConfig":
        by_name = {column.name: column for column in self.columns}
        for column in self.columns:
            match column:
                case SamplerColumnConfig(params=SubcategorySamplerParams(category=category)):
                    parent = by_name.get(category)
                case _:
                    continue
            is_category = isinstance(parent, SamplerColumnConfig) and parent.sampler_type == SamplerType.CATEGORY
            if parent is not None and not is_category:
                raise ValueError(f"column '{column.name}': its category '{parent.name}' is no category sampler")
        return self

    def fingerprint(self) -> dict[str, str | int]:
        """A digest of everything that decides what the data is.

        How fast and by which settings it is made is left out: two configurations with the same digest make the same
        data from the same seed. Functions count by their names, a DataFrame by its being one.
        """
        canonical = json.dumps(self._canonical(), sort_keys=True, separators=(",", ":"), default=str)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return {
            "config_hash": f"sha256:{digest}",
            "config_hash_algo": "sha256",
            "config_hash_version": _FINGERPRINT_VERSION,
        }

    def _canonical(self) -> dict[str, Any]:
        data = self.to_dict()
        data.pop("profilers")
        for key in _OPTIONAL_LISTS:
            data[key] = data[key] or []
        for model in data["model_configs"]:
            model.pop("skip_health_check")
            model.pop("price")
            for name in HOW_IT_IS_ASKED:
                model["inference_parameters"].pop(name, None)
        for tool in data["tool_configs"]:
            tool.pop("timeout_sec")
            # All have stood as an empty list since the first version; that none are allowed is told apart from it.
            tool["allow_tools"] = [] if tool["allow_tools"] is None else tool["allow_tools"] or None
        data["model_configs"].sort(key=lambda model: model["alias"])
        data["tool_configs"].sort(key=lambda tool: tool["tool_alias"])
        source = (data["seed_config"] or {}).get("source", {})
        if source.get("seed_type") == "hf":
            source.pop("token")
            source.pop("endpoint")
        for column, dumped in zip(self.columns, data["columns"], strict=True):
            if isinstance(column, ValidationColumnConfig) and column.validator_type == ValidatorType.REMOTE:
                for name in HOW_A_SERVICE_IS_ASKED:
                    dumped["validator_params"].pop(name)
            if isinstance(column, CustomColumnConfig):
                function = column.generator_function
                dumped["generator_function"] = [
                    getattr(function, name, None) for name in ("__name__", "__qualname__", "__module__")
                ] + [function.custom_column_metadata]
        return data
