"""The decorator that makes a function a column's generator."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])

_METADATA = "custom_column_metadata"

_NAMES = (("row", "df"), ("generator_params",), ("models",))
"""What each positional parameter may be called."""


def custom_column_generator(
    required_columns: Sequence[str] | None = None,
    side_effect_columns: Sequence[str] | None = None,
    model_aliases: Sequence[str] | None = None,
) -> Callable[[Function], Function]:
    """Mark a function as the generator of a custom column.

    The function is given `row`, a dict of the columns that it requires (or `df`, a DataFrame of a batch), and where it
    has more parameters `generator_params` and `models`, in this order and by these names. It may be `async def`. The
    decorator is used with parentheses.

    Args:
        required_columns: columns that have to be there before the function is called.
        side_effect_columns: further columns that it adds.
        model_aliases: models that it asks, by their aliases; it is given a `ModelFacade` for each.

    Raises:
        TypeError: the decorator is used without parentheses, or the function's parameters are none that can be filled.
    """
    if callable(required_columns):
        raise TypeError("use the decorator with parentheses: @custom_column_generator()")
    metadata = {
        "required_columns": list(required_columns or ()),
        "side_effect_columns": list(side_effect_columns or ()),
        "model_aliases": list(model_aliases or ()),
    }

    def decorate(function: Function) -> Function:
        _check_parameters(function)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: object, **kwargs: object) -> object:
                return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args: object, **kwargs: object) -> object:
                return function(*args, **kwargs)

        for target in (function, wrapper):
            setattr(target, _METADATA, metadata)
        return wrapper  # type: ignore[return-value]

    return decorate


def _check_parameters(function: Callable[..., object]) -> None:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    called = getattr(function, "__name__", repr(function))
    if not 1 <= len(names) <= len(_NAMES):
        raise TypeError(
            f"{called}() takes {len(names)} parameters; a generator takes 1 to 3: row or df, generator_params, models"
        )
    for place, (name, allowed) in enumerate(zip(names, _NAMES, strict=False), 1):
        if name not in allowed:
            raise TypeError(f"{called}(): parameter {place} is '{name}', but must be called {' or '.join(allowed)}")
