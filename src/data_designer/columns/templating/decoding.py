"""Turns a cell's value into what templates may see: JSON types, with the objects and lists of JSON text decoded."""

import json
import math
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from data_designer.columns.templating.exact import Exact, numpy_seconds, seconds
from data_designer.columns.templating.scalar_text import LONGEST, NUMBER, WORDS, ScalarText

if TYPE_CHECKING:
    import numpy.typing as npt

_TEXT = {str}
_FLOAT = {float}
_AS_THEY_ARE = frozenset({int, bool, type(None)})
_SPACE = " \t\n\r"
_CLOSING = {"{": "}", "[": "]"}
OPENING = frozenset({*_SPACE, *_CLOSING, *"0123456789", *(word[0] for word in WORDS), "-"})
"""First characters of JSON texts. What begins with another, as nearly all prose does, is only text."""
OPENING_CONTAINERS = frozenset({*_SPACE, *_CLOSING})
"""First characters of JSON objects and lists, which print otherwise than they stand; numbers and words do not."""


def decoded(value: object) -> object:
    """Give a cell's value as templates see it.

    Values that JSON does not know become what it would hold in their place (dates their ISO text, NaN null,
    arrays lists), and every string that is a JSON object or list, at any depth, becomes what it says. Nothing is
    changed in place.
    """
    convert = _CONVERSIONS.get(type(value))
    return _foreign(value) if convert is None else convert(value)


def decoded_fields(value: object, fields: Collection[str]) -> object:
    """Give a cell's value as templates see it that read nothing of a dict but some keys.

    Of a dict, only those keys are there.
    """
    # A key that is no text could be one of them once it is text.
    if type(value) is dict and set(map(type, value)) <= _TEXT:
        return {key: decoded(value[key]) for key in fields if key in value}
    return decoded(value)


def decoded_column(
    values: Sequence[object], decode: Callable[[object], object], opening: Collection[str] = OPENING
) -> Sequence[object]:
    """Give a column's cells as templates see them.

    Args:
        values: The cells.
        decode: Gives one: `decoded`, or some fields of it.
        opening: Beginnings of texts that may be anything but text.
    """
    kinds = set(map(type, values))
    if kinds <= _AS_THEY_ARE:
        return values
    if kinds == _TEXT:
        return [decode(text) if isinstance(text, str) and text[:1] in opening else text for text in values]
    if kinds == _FLOAT and not any(value != value for value in values):  # noqa: PLR0124 - NaN is no other
        return values
    return [*map(decode, values)]


def decoded_text(text: str) -> object:
    """Give the object or list that a text says if it is one in JSON, else the text itself.

    A text that JSON reads as a number, a truth value or null stays a text that can be calculated with. JSON is
    attempted only where the first and last characters allow it: nearly all cells are prose, and a failed attempt
    costs more than the whole rest of a prompt.
    """
    if text[:1] not in OPENING:
        return text
    body = text.strip(_SPACE)
    if not body:
        return text
    first = body[0]
    if (last := _CLOSING.get(first)) is not None:
        return _loaded(text) if body[-1] == last else text
    if body in WORDS or (first in "-0123456789" and len(body) <= LONGEST and NUMBER.fullmatch(body)):
        return ScalarText(text)
    return text


def _loaded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _same(value: object) -> object:
    return value


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mapping(value: Mapping[object, object]) -> dict[str, object]:
    return {_key(key): decoded(item) for key, item in value.items()}


def _sequence(value: Iterable[object]) -> list[object]:
    return [decoded(item) for item in value]


def _key(key: object) -> str:
    match key:
        case str():
            return key
        case None | bool():
            return json.dumps(key)
        case _:
            return str(key)


_CONVERSIONS: Mapping[type, Callable[[Any], object]] = {
    str: decoded_text,
    int: _same,
    bool: _same,
    type(None): _same,
    float: _number,
    dict: _mapping,
    list: _sequence,
    tuple: _sequence,
}


def _foreign(value: object) -> object:
    """Convert what is not a plain JSON type."""
    match value:
        case str():
            return decoded_text(str(value))
        case Enum():
            return decoded(value.value)
        case Mapping():
            return _mapping(value)
        case set() | frozenset() | list() | tuple():
            return _sequence(value)
        case np.ndarray() | np.generic():
            return _numpy(value)
        case _:
            return _scalar(value)


def _numpy(value: "npt.NDArray[np.generic] | np.generic") -> object:
    match value:
        case np.datetime64() | np.timedelta64() if np.isnat(value):
            return None
        case np.datetime64():
            return str(value)
        case np.timedelta64():
            return numpy_seconds(value)
        case np.ndarray():
            return _sequence(value)
        case _:
            return decoded(value.item())


def _scalar(value: object) -> object:
    """Convert one thing; unknown objects become their text."""
    if _is_missing(value):
        return None
    match value:
        case Decimal():
            return Exact(value)
        case timedelta():
            return seconds(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return _bytes(bytes(value))
        case _:
            return str(value)


def _bytes(value: bytes) -> object:
    """Give the text that bytes are, or as JSON and mail show others: base64."""
    try:
        return decoded_text(value.decode())
    except UnicodeDecodeError:
        return b64encode(value).decode()


def _is_missing(value: object) -> bool:
    """Tell NaN, NaT and NA of whatever class: none of them equals itself."""
    try:
        return bool(value != value)  # noqa: PLR0124 - that is the test
    except (TypeError, ArithmeticError):  # A signalling NaN answers nothing at all.
        return True
