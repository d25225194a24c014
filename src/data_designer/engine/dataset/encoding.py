"""The one encoder of cells: as what a value from outside is kept, and how it is written as JSON text.

A value that a model, a user's function or a declaration gives is kept as one of a few kinds, which templates, the
journal and Parquet files all hold: null, true, false, numbers, text, bytes, decimals, dates, times, durations, lists
of them and dicts with text as keys. What cannot be kept is refused before anybody sees it, so that what templates saw
is what is stored. See decision 0025 for the whole table.
"""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, TypeGuard
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import orjson

from data_designer.columns.frames import cells

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from _typeshed import SupportsRichComparison

MAX_LEVELS: Final = 200
"""Lists and dicts inside one another; templates and readers of JSON walk them by recursion."""
MAX_ITEMS: Final = 1_000_000
"""Items of a value in all its lists and dicts."""
_MAX_BITS: Final = 14_281
"""Of an integer: 4,300 digits, which is as many as Python writes (sys.int_info.default_max_str_digits)."""
_LONG_NUMBER: Final = re.compile(r"\d{19}")
"""orjson makes an integer beyond 64 bits a float."""
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
_PLAIN: Final = frozenset({bool, float, type(None)})
_NUMBERS: Final = frozenset({bool, float, int})
_SIMPLE: Final = _PLAIN | {int, str}


class UnstorableValueError(ValueError):
    """A value of a kind that no cell holds."""


def kept(value: object) -> object:
    """A value from outside as a cell holds it; most are kept as they are.

    Arrays, tuples and sets become lists, enumerations what they stand for,
    dataclasses and pydantic models dicts, identifiers and paths text; what pandas marks as missing becomes None.

    Raises:
        UnstorableValueError: it is of another kind, too deep, too large, an integer of more than 4,300 digits, or text
            that no UTF-8 holds. (What comes from an endpoint is mended before: see `lenient_json`.)
    """
    if type(value) is str:
        return value if value.isascii() else _encodable(value)
    if type(value) in _PLAIN:
        return value
    if type(value) is int:
        return _bounded(value)
    return _Keeping().keep(value, 0)


def all_kept(values: Sequence[object]) -> bool:
    """Whether `kept` gives all of some values as they are; where that is not seen at once, no."""
    kinds = set(map(type, values))
    if not kinds <= _SIMPLE:
        return False
    if str in kinds:
        text = "".join(value for value in values if isinstance(value, str))
        if not text.isascii() and not _is_encodable(text):
            return False
    return int not in kinds or all(value.bit_length() <= _MAX_BITS for value in values if isinstance(value, int))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])
        raise UnstorableValueError(f"its text holds half a surrogate pair ({half}), which no file holds") from None
    return text


def cleaned(text: str) -> str:
    """Text as UTF-8 can hold it: half a surrogate pair becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Two halves that stand beside each other are one character.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _Keeping:
    """One value on its way into a cell."""

    def __init__(self) -> None:
        self._left = MAX_ITEMS

    def keep(self, value: object, level: int) -> object:
        """A part of the value, inside so many lists and dicts."""
        if type(value) in _PLAIN or (type(value) is str and value.isascii()):
            return value
        match value:
            case None | bool():
                return value
            case Enum():
                return self.keep(value.value, level)
            case str():
                return _encodable(str.__str__(value))
            case int():
                return _bounded(int(value))
            case float():
                return float(value)
            case Mapping():
                return self._dict(value, level)
            case list() | tuple():
                return self._list(list(value), level)
            case _:
                return self._other(value, level)

    def _other(self, value: object, level: int) -> object:
        match value:
            case set() | frozenset():
                return self._list(_ordered(value), level)
            case bytes() | bytearray() | memoryview():
                return bytes(value)
            case np.ndarray() | np.generic():
                return self.keep(_of_numpy(value), level)
            case UUID() | PurePath():
                return str(value)
            case _ if is_dataclass(value) and not isinstance(value, type):
                return self._dict({one.name: getattr(value, one.name) for one in fields(value)}, level)
            case _ if callable(dump := getattr(type(value), "model_dump", None)):
                return self.keep(dump(value), level)
            case _:
                return _moment_or_number(value)

    def _list(self, items: list[object], level: int) -> list[object]:
        self._enter(len(items), level)
        if _PLAIN.issuperset(map(type, items)):
            return items
        return [self.keep(item, level + 1) for item in items]

    def _dict(self, value: Mapping[object, object], level: int) -> dict[str, object]:
        self._enter(len(value), level)
        made = {
            key if type(key) is str and key.isascii() else _key(key): item
            if type(item) in _PLAIN or (type(item) is str and item.isascii())
            else self.keep(item, level + 1)
            for key, item in value.items()
        }
        if len(made) != len(value):
            raise UnstorableValueError("two keys of a dict are the same text")
        return made

    def _enter(self, items: int, level: int) -> None:
        self._left -= items
        if level >= MAX_LEVELS:
            raise UnstorableValueError(f"it has more than {MAX_LEVELS} levels of lists and dicts")
        if self._left < 0:
            raise UnstorableValueError(f"it has more than {MAX_ITEMS:,} items")


def _bounded(value: int) -> int:
    if value.bit_length() > _MAX_BITS:
        raise UnstorableValueError("an integer has more than 4,300 digits")
    return value


def _ordered(items: "Collection[SupportsRichComparison]") -> list[object]:
    """The same order in every process, where the items have one."""
    try:
        return [*sorted(items)]
    except TypeError:
        return [*sorted(items, key=repr)]


def _of_numpy(value: "npt.NDArray[np.generic] | np.generic") -> object:
    if value.dtype.kind == "M":
        value = value.astype("datetime64[us]")
    elif value.dtype.kind == "m":
        value = value.astype("timedelta64[us]")
    return value.tolist() if isinstance(value, np.ndarray) else value.item()


def _moment_or_number(value: object) -> object:
    match value:
        case _ if type(value).__name__ in ("NAType", "NaTType"):
            return None
        case datetime():
            whole = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
            return whole if getattr(value, "nanosecond", 0) == 0 else value.isoformat()
        case timedelta():
            if getattr(value, "nanoseconds", 0):
                raise UnstorableValueError("a duration is given in nanoseconds, and cells hold microseconds; round it")
            return value.to_pytimedelta() if hasattr(value, "to_pytimedelta") else value
        case date() | time():
            return value
        case Decimal() if value.is_finite():
            return value
        case _ if _is_series(value):
            return kept(cells(value))
        case _:
            raise UnstorableValueError(
                f"it is a {type(value).__name__}; a cell holds text, numbers, dates, bytes, lists and dicts of them"
            )


def _is_series(value: object) -> "TypeGuard[pd.Series]":
    return type(value).__name__ == "Series" and type(value).__module__.startswith("pandas")


def _key(key: object) -> str:
    match key:
        case Enum():
            return _key(key.value)
        case str():
            return _encodable(str.__str__(key))
        case None | bool():
            return json.dumps(key)
        case int() | float() | np.integer() | np.floating() | UUID() | date():
            return str(key)
        case _:
            raise UnstorableValueError(f"a key of a dict is a {type(key).__name__}; use text")


# --- as JSON text ----------------------------------------------------------------------------------------


def encode_json(value: object) -> str | None:
    """A cell as JSON text; None stays None. See `json_text`."""
    return None if value is None else json_text(value)


def json_text(value: object) -> str:
    """A value as JSON text.

    Integers of any size, NaN and Infinity are written as Python writes them. What JSON lacks is text: moments in ISO
    form, decimals as they print, bytes in base64.
    """
    try:
        text = orjson.dumps(value, default=as_text, option=_OPTIONS)
    except TypeError:  # An integer beyond 64 bits, for one.
        text = b"null"
    if b"null" not in text:
        return text.decode()
    # What orjson writes as null may be NaN.
    return json.dumps(value, ensure_ascii=False, default=as_text, separators=(",", ":"))


def json_texts(values: Sequence[object]) -> list[str]:
    """The JSON text of each of some values."""
    if values and _NUMBERS.issuperset(map(type, values)):
        try:
            text = orjson.dumps(values)
        except TypeError:  # An integer beyond 64 bits.
            text = b"null"
        if b"null" not in text:
            return text[1:-1].decode().split(",")
    return [json_text(value) for value in values]


def decode_json(text: str | None) -> object:
    """Undo `encode_json`. Raises ValueError where it is no JSON."""
    if text is None:
        return None
    if not _LONG_NUMBER.search(text):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # Python reads more, such as NaN.
    return json.loads(text)


# --- exactly, for those who read it back -------------------------------------------------------------------

_TAG: Final = "$"
"""Begins the one key of a dict that stands for what JSON lacks; a user's dict with such a key is wrapped in one."""


def packed(value: object) -> object:
    """A cell as what JSON text holds exactly, moments, decimals and bytes included; see `unpacked`."""
    if type(value) is dict:
        inner = {key: packed(item) for key, item in value.items()}
        return {f"{_TAG}dict": inner} if any(key.startswith(_TAG) for key in value) else inner
    if type(value) is list:
        return [packed(item) for item in value]
    kind = type(value)
    if kind not in _TEXTS:
        return value
    if isinstance(value, timedelta):
        return {f"{_TAG}timedelta": [value.days, value.seconds, value.microseconds]}
    zone = getattr(getattr(value, "tzinfo", None), "key", None)
    text = as_text(value)
    return {f"{_TAG}{kind.__name__}": text if zone is None else [text, zone]}


def unpacked(value: object) -> object:
    """Undo `packed`. Raises ValueError, KeyError or ArithmeticError where it was not made by it."""
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    [key, content] = next(iter(value.items())) if len(value) == 1 else ("", None)
    if not key.startswith(_TAG):
        return {key: unpacked(item) for key, item in value.items()}
    kind = key.removeprefix(_TAG)
    if isinstance(content, str):
        return _READ[kind](content)
    match kind, content:
        case "dict", dict():
            return {key: unpacked(item) for key, item in content.items()}
        case "timedelta", [int(days), int(seconds), int(microseconds)]:
            return timedelta(days, seconds, microseconds)
        case "datetime", [str(moment), str(zone)]:
            return datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
        case _:
            raise ValueError(f"{key} is of no kind that is packed")


_READ: Mapping[str, Callable[[str], object]] = {
    "bytes": base64.b64decode,
    "Decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}


def is_same(one: object, other: object) -> bool:
    """Whether two cells are equal and of one kind at every depth: true is not 1, and 1 is not 1.0."""
    if type(one) is not type(other):
        return False
    match one:
        case dict() if isinstance(other, dict):
            return list(one) == list(other) and all(is_same(one[key], other[key]) for key in one)
        case list() if isinstance(other, list):
            return len(one) == len(other) and all(map(is_same, one, other))
        case float():
            return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN is no other than itself here
        case _:
            return bool(one == other)


def lacks_json(value: object) -> bool:
    """Whether JSON text says something else than a cell that is kept: a moment, a decimal, bytes."""
    match value:
        case dict():
            return any(map(lacks_json, value.values()))
        case list():
            return any(map(lacks_json, value))
        case _:
            return type(value) in _TEXTS


_TEXTS: Final = frozenset({bytes, Decimal, datetime, date, time, timedelta})
"""Kinds of cells that are text in JSON."""


def as_text(value: object) -> str:
    """What JSON has no form for; a value that was never a cell, such as one of a seed row, becomes its text."""
    if type(value) is bytes:
        return base64.b64encode(value).decode()
    if type(value) is datetime or type(value) is date or type(value) is time:
        return value.isoformat()
    return str(value)
