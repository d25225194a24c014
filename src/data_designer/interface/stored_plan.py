"""The plan of a dataset that is there, as far as it is kept: it needs no key, no seed file and no script."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data_designer.columns.registry import KINDS
from data_designer.config.column_configs import SeedDatasetColumnConfig
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.custom_column import custom_column_generator
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import ModelProvider
from data_designer.engine.dataset.metadata import Metadata
from data_designer.errors import ArtifactStorageError, DataDesignerError, DatasetGenerationError
from data_designer.interface.stored import StoredDataset
from data_designer.plan.columns import makes
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Plan

_NOWHERE = "http://not.kept.invalid"
"""Where models were served is not kept; nobody asks them."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a dataset was made by."""

    builder: DataDesignerConfigBuilder
    """What was declared, but for the seed dataset."""
    plan: Plan


def recalled(stored: StoredDataset) -> Recalled:
    """The declaration and the plan of a dataset.

    In the place of functions, which no file carries, are others that say so when they are called.

    Raises:
        ArtifactStorageError: the declaration is missing or damaged, or a plugin that it needs is.
    """
    declared = stored.declared()
    try:
        with warnings.catch_warnings(action="ignore"):  # What does nothing was said when it was made.
            builder = _builder(declared, stored.metadata)
            config = _with_seed_columns(builder.build(), stored.metadata)
            run = stored.run_config({})
        names = {model.provider or "" for model in config.model_configs or ()}
        nobody = {name: ModelProvider(name=name, endpoint=_NOWHERE) for name in names}
        geometry, seed = stored.geometry, stored.metadata.seed
        return Recalled(builder, compile_plan(config, nobody, run, geometry, seed, kinds=KINDS))
    except (ValueError, KeyError, TypeError, DataDesignerError) as error:
        raise ArtifactStorageError(f"the declaration of {stored.path} cannot be read: {error}") from error


def _builder(declared: Mapping[str, Any], metadata: Metadata) -> DataDesignerConfigBuilder:
    config = dict(declared["data_designer"])
    config.pop("seed_config", None)  # Its columns are known, and its file may be gone.
    effects = _effects(config["columns"], metadata)
    columns = [_with_stand_in(column, effects.get(column["name"], [])) for column in config["columns"]]
    return DataDesignerConfigBuilder.from_config({**declared, "data_designer": {**config, "columns": columns}})


def _with_stand_in(column: dict[str, Any], effects: list[str]) -> dict[str, Any]:
    match column:
        case {"name": name, "generator_function": function}:
            made = custom_column_generator(side_effect_columns=effects)(_stand_in(name, function))
            return {**column, "generator_function": made, "generator_params": None}
        case {"validator_params": {"validation_function": function} as params, "name": name}:
            return {**column, "validator_params": {**params, "validation_function": _stand_in(name, function)}}
        case _:
            return column


def _stand_in(column: str, function: str) -> Callable[[object], object]:
    def raising(row: object) -> object:  # noqa: ARG001 - as the function in whose place it is
        raise DatasetGenerationError(
            f"column '{column}': the function {function} is not kept with the dataset; run the script that has it"
        )

    raising.__name__ = raising.__qualname__ = function
    return raising


def _effects(columns: list[dict[str, Any]], metadata: Metadata) -> dict[str, list[str]]:
    """Custom column to its further columns: the fingerprint of these is its own."""
    declared, prints = {column["name"] for column in columns}, metadata.fingerprints
    by_print: dict[str, list[str]] = {}
    for name, fingerprint in prints.items():
        if name not in declared:
            by_print.setdefault(fingerprint, []).append(name)
    return {name: by_print.get(prints.get(name, ""), []) for name in declared}


def _with_seed_columns(config: DataDesignerConfig, metadata: Metadata) -> DataDesignerConfig:
    """With a column for each name that no declared column makes."""
    made = {name for column in config.columns for name in makes(column)}
    seeds = [SeedDatasetColumnConfig(name=name) for name in metadata.fingerprints if name not in made]
    return config.model_copy(update={"columns": [*config.columns, *seeds]})
