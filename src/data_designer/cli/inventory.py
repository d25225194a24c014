"""What there is to declare and to use, as plain text for programs that write configurations."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_designer import config
from data_designer.config.base import ConfigBase
from data_designer.config.column_types import COLUMN_CLASSES
from data_designer.config.defaults import default_models, default_providers, home, managed_assets
from data_designer.config.locales import MANAGED_GIGABYTES
from data_designer.config.models import SIMULATED_PROVIDER, ModelConfig, ModelProvider
from data_designer.config.processors import DropColumnsProcessorConfig, SchemaTransformProcessorConfig
from data_designer.config.sampler_constraints import ColumnInequalityConstraint, ScalarInequalityConstraint
from data_designer.config.sampler_params import SAMPLER_PARAMS
from data_designer.config.validator_params import (
    CodeValidatorParams,
    LocalCallableValidatorParams,
    RemoteValidatorParams,
)
from data_designer.config.version import get_library_version
from data_designer.plan.violations import key_that_is_missing

ROOT = Path(config.__file__).parent
"""Where the classes of declarations are."""

_FILES = {
    "columns": "column_configs.py",
    "samplers": "sampler_params.py",
    "validators": "validator_params.py",
    "processors": "processors.py",
    "constraints": "sampler_constraints.py",
}
FAMILIES = tuple(_FILES)
_COMMANDS = (
    ("data-designer validate CONFIG", "check a configuration without asking any model"),
    ("data-designer preview CONFIG --save-results", "make a few records, and save pages to look at"),
    ("data-designer create CONFIG -n 1000 -d NAME", "make a dataset"),
    ("data-designer resume artifacts/NAME", "go on with it"),
    ("data-designer agent types FAMILY", f"the types of one of {', '.join(_FILES)}"),
)


def context() -> str:
    """All of it."""
    head = [
        f"Data Designer {get_library_version()}",
        "",
        f"config_root: {ROOT}",
        "builder: {config_root}/config_builder.py",
        "base: {config_root}/base.py",
    ]
    parts = [
        "\n".join(head),
        "## Types",
        *map(family, FAMILIES),
        "## Model Aliases",
        model_aliases(),
        "## Persona Datasets",
        persona_datasets(),
        "## Commands",
        _table(("command", "what it does"), _COMMANDS),
    ]
    return "\n\n".join(parts)


def family(name: str) -> str:
    """The types of a family, with the first line of what is said of each."""
    rows = [(kind, (cls.__doc__ or "").strip().partition("\n")[0]) for kind, cls in _classes(name).items()]
    return f"### {name}\n\nfile: {{config_root}}/{_FILES[name]}\n\n{_table(('type', 'description'), rows)}"


def _classes(name: str) -> Mapping[str, type]:
    match name:
        case "columns":
            return COLUMN_CLASSES
        case "samplers":
            return SAMPLER_PARAMS
        case "validators":
            classes: tuple[type[ConfigBase], ...] = (
                CodeValidatorParams,
                LocalCallableValidatorParams,
                RemoteValidatorParams,
            )
            return _by("validator_type", classes)
        case "processors":
            return _by("processor_type", (DropColumnsProcessorConfig, SchemaTransformProcessorConfig))
        case _:
            return _by("constraint_type", (ScalarInequalityConstraint, ColumnInequalityConstraint))


def _by(discriminator: str, classes: Sequence[type[ConfigBase]]) -> dict[str, type]:
    return {str(cls.model_fields[discriminator].default): cls for cls in classes}


def model_aliases() -> str:
    """The models that are there when none are given, and whether each can be used."""
    providers = {provider.name: provider for provider in default_providers()}
    rows = [_alias(model, providers) for model in default_models()]
    if not any(row[4] == "yes" for row in rows):
        cure = f"No model can be used: set the key of a provider, or describe your own in {home()}."
        return f"{cure}\n\n{_aliases(rows)}" if rows else cure
    return _aliases(rows)


def _aliases(rows: Sequence[Sequence[str]]) -> str:
    return _table(("model_alias", "model", "generation_type", "provider", "usable", "reason"), rows)


def _alias(model: ModelConfig, providers: Mapping[str, ModelProvider]) -> tuple[str, ...]:
    name = model.provider or next(iter(providers), "")
    if name == SIMULATED_PROVIDER:
        reason = ""
    elif name not in providers:
        reason = f"there is no provider {name}"
    else:
        missing = key_that_is_missing(providers[name], os.environ)
        reason = "" if missing is None else f"{missing} is not set"
    return (model.alias, model.model, model.generation_type, name, "no" if reason else "yes", reason)


def persona_datasets() -> str:
    """The locales of managed person data, and which are there."""
    folder = managed_assets() / "datasets"
    rows = [
        (name, f"{size} GB", "yes" if (folder / f"{name}.parquet").is_file() else "no")
        for name, size in MANAGED_GIGABYTES.items()
    ]
    return _table(("locale", "size", "installed"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
