"""A value of any kind as text: as it is, and no longer than a reader can take in."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_DEEPEST = 100
"""Levels of a value that are shown."""
_LONGEST_LIST = 8
"""Of numbers: of more, such as an embedding, the first ones are enough."""
_LONGEST_LINE = 60
"""Characters of a nested value that is written in one line."""
_LONGEST_NUMBER = 10_000
"""Bits of a number that is written in digits: Python refuses to do so with many more."""


_MEDIUM = re.compile(
    r"(data:[^,\s]{1,100},|iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUQz|//[uv]|GkXfo|AAAA[A-Z])[A-Za-z0-9+/]{400}"
)
"""How text begins that is an image or another medium in base64, of which there may be megabytes."""
_SHOWN_OF_MEDIUM = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is shown; of the rest it is said how much there is."""

    text: int = 2_000
    """Characters of a value that is a text."""
    characters: int = 300
    """Of a text inside another value."""
    items: int = 5
    """Of a list."""
    fields: int = 6


USUAL = Limits()
OF_MODELS = Limits(text=6_000, characters=1_000, items=12, fields=24)
"""For what a model has made: that is what is looked at."""
NONE = Limits(*[sys.maxsize] * 4)


def text_of(value: object, limits: Limits = USUAL) -> str:
    """A value as it is shown. Where it cannot be, its type is: a record is never hidden by one of its values."""
    try:
        data = plain(value)
        if isinstance(data, str):
            return _cut(data, limits.text)
        return "\n".join(_written(data, limits))
    except Exception:  # noqa: BLE001 - the value may be anything, and do anything when it is looked at
        return f"<{type(value).__name__} that cannot be shown>"


def is_there(value: object) -> bool:
    """Whether it is a value at all."""
    return not (value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value))  # noqa: PLR0124 - NaN


def _written(value: object, limits: Limits) -> Iterator[str]:
    """JSON data as lines: in one where that is short, else a line each member."""
    match value:
        case str():
            rest = len(value) - limits.characters
            yield _json(value) if rest <= 0 else f"{_json(value[: limits.characters])}… +{rest:,} characters"
        case [*numbers] if len(numbers) > _LONGEST_LIST and all(isinstance(one, int | float) for one in numbers):
            rest = len(numbers) - _LONGEST_LIST
            shown = ", ".join(map(_json, numbers[:_LONGEST_LIST]))
            yield f"[{shown}, … {rest:,} more numbers]"
        case Mapping() | list() if _is_short(value, limits):
            yield _json(value)
        case Mapping():
            members = [(f"{_json(key)}: ", inner) for key, inner in value.items()]
            yield from _members("{}", members, limits.fields, "fields", limits)
        case list():
            yield from _members("[]", [("", inner) for inner in value], limits.items, "items", limits)
        case _:
            yield _json(value)


def _members(
    brackets: str, members: Sequence[tuple[str, object]], most: int, what: str, limits: Limits
) -> Iterator[str]:
    yield brackets[0]
    for place, (name, inner) in enumerate(members[:most], 1):
        first, *more = _written(inner, limits)
        lines = [f"{name}{first}", *more]
        yield from (f"  {line}" for line in lines[:-1])
        yield f"  {lines[-1]}{',' if place < len(members) else ''}"
    if len(members) > most:
        yield f"  … {len(members) - most:,} more {what}"
    yield brackets[1]


def _is_short(value: object, limits: Limits) -> bool:
    """Whether a nested value is one short line, and nothing of it is left out."""
    most = limits.fields if isinstance(value, Mapping) else limits.items
    return isinstance(value, Mapping | list) and len(value) <= most and len(_json(value)) <= _LONGEST_LINE


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… +{len(text) - most:,} characters"


def plain(value: object, depth: int = 0) -> object:
    """A value as JSON data, as far as it is any."""
    if depth > _DEEPEST:
        return "…"
    if callable(listed := getattr(value, "tolist", None)):
        value = listed()
    if isinstance(value, Mapping):
        return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, depth + 1) for inner in value]
    if isinstance(value, str) and _MEDIUM.match(value):
        return f"{value[:_SHOWN_OF_MEDIUM]}... ({len(value):,} characters)"
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return hex(value)
    return value if is_there(value) else None
