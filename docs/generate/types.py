"""Types, defaults and limits of fields, as a reader may take them."""

import types
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from docs.generate import docstrings
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

MOST_KINDS = 6
"""Alternatives of a type that are listed; of more its name is given."""


def is_discriminator(field: FieldInfo) -> bool:
    """Whether a field can have one value only."""
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def shown(cls: type, name: str, of: object) -> str:
    """The type of a field."""
    text = _shown(of)
    is_long = text.count(" | ") >= MOST_KINDS
    return docstrings.annotation(cls, name) if is_long or text in ("Any", "object") else text


def _shown(of: Any) -> str:
    origin, arguments = get_origin(of), get_args(of)
    if of is None or of is type(None):
        return "None"
    if origin is Annotated:
        return _shown(arguments[0])
    if origin is Literal:
        return " | ".join(value(one) for one in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_shown(one) for one in arguments))
    if origin is Callable:
        return "function"
    if origin is not None:
        return f"{_named(origin)}[{', '.join(map(_shown, arguments))}]"
    return _named(of)


def _named(of: Any) -> str:
    # A class that is imported when it is needed is a name in the source, and nothing yet.
    forward = getattr(of, "__forward_arg__", None)
    return str(forward or getattr(of, "__name__", of))


def named_in(of: Any) -> list[str]:
    """Names of the classes in a type."""
    arguments = get_args(of)
    if arguments:
        return list(dict.fromkeys(name for one in arguments for name in named_in(one)))
    return [of.__name__] if isinstance(of, type) else []


def value(of: object) -> str:
    """A value as it is written in Python."""
    if isinstance(of, Enum):
        of = of.value
    return f'"{of}"' if isinstance(of, str) else repr(of)


def default(field: FieldInfo) -> str:
    """What a field is when it is not given, or that it must be."""
    if field.is_required():
        return "required"
    found = field.get_default(call_default_factory=True)
    if found is PydanticUndefined:
        return "required"
    is_object = type(found).__module__.startswith("data_designer") and not isinstance(found, Enum)
    return f"default `{type(found).__name__}()`" if is_object else f"default `{value(found)}`"


def limits(field: FieldInfo) -> list[str]:
    """What values a field may have, beside their type."""
    found: list[str] = []
    items = "items" if get_origin(field.annotation) is list else "characters"
    for one in field.metadata:
        match one:
            case annotated_types.Ge():
                found.append(f"at least {one.ge}")
            case annotated_types.Gt():
                found.append(f"greater than {one.gt}")
            case annotated_types.Le():
                found.append(f"at most {one.le}")
            case annotated_types.Lt():
                found.append(f"less than {one.lt}")
            case annotated_types.MinLen():
                found.append(f"at least {one.min_length} {items if one.min_length != 1 else items[:-1]}")
            case annotated_types.MaxLen():
                found.append(f"at most {one.max_length} {items}")
            case _ if getattr(one, "pattern", None):
                found.append(f"matches `{one.pattern}`")
            case _:
                pass
    return found
