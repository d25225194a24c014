"""Digests that tell whether a column of one run has the values it would have in another."""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data_designer.config.base import SingleColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.plan.model import SAMPLERS, SEED, Step

_LENGTH = 16
"""Hexadecimal digits; 64 bits, since a dataset has some dozens of columns."""

_NO_MATTER = ("drop",)
"""Fields of a column that do not change its values."""


def column_fingerprints(config: DataDesignerConfig, steps: Sequence[Step], seed: int, seed_data: str) -> dict[str, str]:
    """Column to a digest of all that decides its values, that of the columns it is made from included.

    Two columns with the same digest have the same value in the record of the same index, except for what models
    and functions of the user answer. Not included: how a run is executed, where models are served, and with which key.

    Args:
        config: the configuration with seed columns resolved.
        steps: its steps, each after those it needs.
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
            made = digest([_column(column), functions_of(column), upstream, asked])
            found.update(dict.fromkeys(step.makes, made))
    return found


def digest(content: Any) -> str:
    """A short digest of JSON data."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_LENGTH]


def functions_of(column: SingleColumnConfig) -> dict[str, str]:
    """Functions of the user that a column calls, each with a digest of its code."""
    candidates = {
        "generator_function": getattr(column, "generator_function", None),
        "validation_function": getattr(getattr(column, "validator_params", None), "validation_function", None),
    }
    return {name: code_digest(function) for name, function in candidates.items() if function is not None}


def code_digest(function: Callable[..., Any]) -> str:
    """A digest of what a function does: of its source without layout and comments, else of its compiled code.

    What it calls is not looked into.
    """
    inner = inspect.unwrap(function)
    try:
        source = textwrap.dedent(inspect.getsource(inner))
        return digest(ast.dump(ast.parse(source)))
    except (OSError, TypeError, SyntaxError):
        code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
        return digest(type(inner).__qualname__ if code is None else [code.co_code.hex(), repr(code.co_names)])


def _column(column: SingleColumnConfig) -> dict[str, Any]:
    return {name: value for name, value in column.model_dump(mode="json").items() if name not in _NO_MATTER}


def _model(dumped: dict[str, Any]) -> dict[str, Any]:
    params = {k: v for k, v in dumped["inference_parameters"].items() if k not in ("max_parallel_requests", "timeout")}
    return {"model": dumped["model"], "provider": dumped["provider"], "inference_parameters": params}


def _samplers(config: DataDesignerConfig, columns: Sequence[SingleColumnConfig], seed: int) -> dict[str, str]:
    """A sampler counts with every sampler that its declaration may refer to."""
    constraints = [constraint.model_dump(mode="json") for constraint in config.constraints or ()]
    dumped = {
        column.name: {"column": _column(column), "constraints": [c for c in constraints if column.name in _texts(c)]}
        for column in columns
    }
    return {name: digest([SAMPLERS, seed, [dumped[other] for other in _mentioned(name, dumped)]]) for name in dumped}


def _mentioned(name: str, dumped: Mapping[str, Any]) -> list[str]:
    """The names of samplers that can be reached from one by what is written in it, itself first, then sorted."""
    found, waiting = {name}, [name]
    while waiting:
        text = json.dumps(dumped[waiting.pop()], default=str)
        new = {other for other in dumped if other not in found and other in text}
        found |= new
        waiting.extend(new)
    return [name, *sorted(found - {name})]


def _texts(constraint: dict[str, Any]) -> set[str]:
    return {value for value in constraint.values() if isinstance(value, str)}
