"""Digests that tell whether a column of one run has the values it would have in another."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_types import COLUMN_PLUGINS
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import HOW_IT_IS_ASKED
from data_designer.config.templates import references
from data_designer.plan.model import SAMPLERS, SEED, Step
from data_designer.plan.user_code import UserCode, user_code

_LENGTH = 16
"""Hexadecimal digits; 64 bits, since a dataset has some dozens of columns."""

_NO_MATTER = ("drop",)
"""Fields of a column that do not change its values."""


def column_fingerprints(
    config: DataDesignerConfig, steps: Sequence[Step], code: Mapping[str, UserCode], seed: int, seed_data: str
) -> dict[str, str]:
    """Column to a digest of all that decides its values, that of the columns it is made from included.

    Two columns with the same digest have the same value in the record of the same index, except for what models
    and functions of the user answer. Not included: how a run is executed, where models are served, and with which key.

    Args:
        config: the configuration with seed columns resolved.
        steps: its steps, each after those it needs.
        code: column to what the functions of the user do that it calls, for those that call any.
        seed: key of the random streams.
        seed_data: a digest of the seed dataset's rows.
    """
    models = {model.alias: _model(model.model_dump(mode="json")) for model in config.model_configs or ()}
    found: dict[str, str] = {}
    for step in steps:
        if step.kind == SEED:
            chosen = None if config.seed_config is None else config.seed_config.model_dump(mode="json")
            strategy = {name: value for name, value in (chosen or {}).items() if name != "source"}
            found.update({name: digest([SEED, name, strategy, seed_data, seed]) for name in step.makes})
        elif step.kind == SAMPLERS:
            found.update(_samplers(config, step.configs, seed))
        else:
            [column] = step.configs
            upstream = [found[name] for name in step.needs]
            asked = [models.get(alias) for alias in column.get_model_aliases()]
            parts = code[column.name].parts if column.name in code else {}
            made = digest([_column(column), parts, upstream, asked])
            found.update(dict.fromkeys(step.makes, made))
    return found


def digest(content: Any) -> str:
    """A short digest of JSON data."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_LENGTH]


def user_functions(column: SingleColumnConfig) -> dict[str, Callable[..., Any]]:
    """Functions of the user, or of a plugin, that a column calls, by the name of the field that holds them."""
    plugin = COLUMN_PLUGINS.get(column.column_type)
    candidates = {
        "generator_function": getattr(column, "generator_function", None),
        "plugin": None if plugin is None else plugin.impl_cls,
        "validation_function": getattr(getattr(column, "validator_params", None), "validation_function", None),
    }
    return {name: function for name, function in candidates.items() if function is not None}


def code_of(column: SingleColumnConfig) -> UserCode:
    """What the functions of the user do that a column calls; nothing where it calls none."""
    functions: dict[str, Any] = dict(user_functions(column))
    if functions and (params := getattr(column, "generator_params", None)) is not None:
        functions["class of generator_params"] = type(params)
    if column.column_type in COLUMN_PLUGINS:
        functions["configuration of the plugin"] = type(column)
    return user_code(functions)


def _column(column: SingleColumnConfig) -> dict[str, Any]:
    return {name: value for name, value in column.model_dump(mode="json").items() if name not in _NO_MATTER}


def _model(dumped: dict[str, Any]) -> dict[str, Any]:
    params = {k: v for k, v in dumped["inference_parameters"].items() if k not in HOW_IT_IS_ASKED}
    return {"model": dumped["model"], "provider": dumped["provider"], "inference_parameters": params}


def _samplers(config: DataDesignerConfig, columns: Sequence[SingleColumnConfig], seed: int) -> dict[str, str]:
    """A sampler counts with every sampler that it is drawn from, and with the constraints on each of them."""
    constraints = [constraint.model_dump(mode="json") for constraint in config.constraints or ()]
    on = {column.name: [c for c in constraints if c["target_column"] == column.name] for column in columns}
    needs = {column.name: _sampler_needs(column, on[column.name]) & on.keys() for column in columns}
    dumped = {column.name: [_column(column), on[column.name]] for column in columns}
    return {name: digest([SAMPLERS, seed, [dumped[other] for other in _reached(name, needs)]]) for name in dumped}


def _sampler_needs(column: Any, constraints: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names that a sampler's declaration refers to."""
    names = {str(c["rhs"]) for c in constraints if isinstance(c["rhs"], str)}
    for condition, params in [("", column.params), *column.conditional_params.items()]:
        names |= references(f"{{{{ {condition} }}}}") if condition else set()
        for field in ("category", "reference_column_name"):
            name = getattr(params, field, None)
            names |= {name} if isinstance(name, str) else set()
    return names


def _reached(name: str, needs: Mapping[str, set[str]]) -> list[str]:
    """What a sampler depends on, directly or not: itself first, then sorted."""
    found, waiting = {name}, [name]
    while waiting:
        new = needs[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return [name, *sorted(found - {name})]
