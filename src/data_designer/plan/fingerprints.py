"""Digests that tell whether a column of one run has the values it would have in another."""

import ast
import functools
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_types import COLUMN_PLUGINS
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import HOW_IT_IS_ASKED
from data_designer.config.templates import references
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


def user_functions(column: SingleColumnConfig) -> dict[str, Callable[..., Any]]:
    """Functions of the user, or of a plugin, that a column calls, by the name of the field that holds them."""
    plugin = COLUMN_PLUGINS.get(column.column_type)
    candidates = {
        "generator_function": getattr(column, "generator_function", None),
        "plugin": None if plugin is None else plugin.impl_cls,
        "validation_function": getattr(getattr(column, "validator_params", None), "validation_function", None),
    }
    return {name: function for name, function in candidates.items() if function is not None}


def functions_of(column: SingleColumnConfig) -> dict[str, str]:
    """Functions of the user that a column calls, each with a digest of its code."""
    return {name: code_digest(function) for name, function in user_functions(column).items()}


def code_digest(function: Callable[..., Any]) -> str:
    """A digest of what a function does: of its source without layout and comments, else of its compiled code.

    Plain values that it closes over or has as defaults count. What it calls is not looked into, nor what it keeps in
    lists and dicts, which may have changed since.
    """
    return digest(_described(function, ()))


def _described(function: Any, around: tuple[Any, ...]) -> Any:
    """What tells a function from others, given the functions that it is found in."""
    if isinstance(function, type):  # The class of a plugin, whose methods may call each other.
        return _source(function) or function.__qualname__
    if isinstance(function, functools.partial):
        return [
            "partial",
            _described(function.func, around),
            [_plain(one, around) for one in function.args],
            [[name, _plain(one, around)] for name, one in sorted(function.keywords.items())],
        ]
    inner = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    if not hasattr(inner, "__code__"):
        inner = getattr(type(inner).__call__, "__func__", type(inner).__call__)
    code = getattr(inner, "__code__", None)
    if code is None:
        return type(function).__qualname__
    inside = (*around, inner)
    held = [_plain(cell.cell_contents, inside) for cell in inner.__closure__ or () if _is_filled(cell)]
    defaults = [_plain(one, inside) for one in inner.__defaults__ or ()]
    named = [[name, _plain(one, inside)] for name, one in sorted((inner.__kwdefaults__ or {}).items())]
    return [_source(inner) or _compiled(code), defaults, named, held]


def _source(function: Any) -> str | None:
    """Its syntax tree; None where there is no source, or where the source holds more than the function."""
    if function.__name__ == "<lambda>":
        return None
    try:
        return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):
        return None


def _compiled(code: CodeType) -> Any:
    return [code.co_code.hex(), [_constant(one) for one in code.co_consts], code.co_names]


def _constant(value: Any) -> Any:
    match value:
        case CodeType():
            return _compiled(value)
        case frozenset():
            return sorted(map(repr, value))
        case tuple():
            return [_constant(one) for one in value]
        case _:
            return repr(value)


def _plain(value: Any, around: tuple[Any, ...]) -> Any:
    """A value as far as its text is the same in every process: plain data and functions; the kind of anything else."""
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return repr(value)
        case tuple():
            return [_plain(one, around) for one in value]
        case FunctionType() | functools.partial() if all(value is not outer for outer in around):
            return _described(value, around)
        case _:
            return type(value).__qualname__


def _is_filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


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
