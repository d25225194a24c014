"""Texts that JSON reads as a number, a truth value or null: `1.10`, `007` is none, `true`."""

import json
import operator
import re
from collections.abc import Callable
from typing import Any, Final

NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
WORDS: Final = frozenset({"true", "false", "null", "NaN", "Infinity", "-Infinity"})
LONGEST: Final = 4300
"""Characters of a text that is still read as a number: as many as Python reads of an integer."""

_TEXT_FORMAT = re.compile(r"(?:.?[<>^])?(?:[1-9]\d*)?s?", re.DOTALL)


class ScalarText(str):
    """A text that says a number, a truth value or null.

    It prints, joins and indexes as the text it is, and compares so with texts. It calculates, compares with what
    is no text, orders among its like and is true or false as what it says.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) if isinstance(other, str) else bool(said(self) == other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __lt__(self, other: Any) -> bool:
        return _ordered(operator.lt, self, other)

    def __le__(self, other: Any) -> bool:
        return _ordered(operator.le, self, other)

    def __gt__(self, other: Any) -> bool:
        return _ordered(operator.gt, self, other)

    def __ge__(self, other: Any) -> bool:
        return _ordered(operator.ge, self, other)

    def __add__(self, other: Any) -> Any:
        return str.__add__(self, other) if _is_plain(other) else said(self) + said(other)

    def __radd__(self, other: Any) -> Any:
        return str.__add__(other, self) if _is_plain(other) else other + said(self)

    def __sub__(self, other: Any) -> Any:
        return said(self) - said(other)

    def __rsub__(self, other: Any) -> Any:
        return other - said(self)

    def __mul__(self, other: Any) -> Any:
        return said(self) * said(other)

    def __rmul__(self, other: Any) -> Any:
        return other * said(self)

    def __truediv__(self, other: Any) -> Any:
        return said(self) / said(other)

    def __rtruediv__(self, other: Any) -> Any:
        return other / said(self)

    def __floordiv__(self, other: Any) -> Any:
        return said(self) // said(other)

    def __rfloordiv__(self, other: Any) -> Any:
        return other // said(self)

    def __mod__(self, other: Any) -> Any:
        return said(self) % said(other)

    def __rmod__(self, other: Any) -> Any:
        return str.__mod__(other, self) if _is_plain(other) else other % said(self)

    def __pow__(self, other: Any) -> Any:
        return said(self) ** said(other)

    def __rpow__(self, other: Any) -> Any:
        return other ** said(self)

    def __neg__(self) -> Any:
        return -said(self)

    def __pos__(self) -> Any:
        return +said(self)

    def __abs__(self) -> Any:
        return abs(said(self))

    def __round__(self, digits: int | None = None) -> Any:
        return round(said(self), digits)

    def __int__(self) -> int:
        return int(said(self))

    def __float__(self) -> float:
        return float(said(self))

    def __index__(self) -> int:
        return operator.index(said(self))

    def __bool__(self) -> bool:
        return bool(said(self))

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec) if _TEXT_FORMAT.fullmatch(spec) else format(said(self), spec)

    def lower(self) -> str:
        """Give the text in lower case, still one that calculates: sorting and searching extremes look at it."""
        text = str.lower(self)
        return ScalarText(text) if NUMBER.fullmatch(text.strip()) else text


def said(value: Any) -> Any:
    """Give what a text says, and everything else as it is."""
    return json.loads(value) if isinstance(value, ScalarText) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, ScalarText)


def _ordered(compare: Callable[[Any, Any], bool], one: ScalarText, other: Any) -> bool:
    """Compare as numbers, unless one of them is a text that says no number."""
    left, right = said(one), said(other)
    texts = isinstance(other, str) and not (isinstance(left, int | float) and isinstance(right, int | float))
    return compare(str(one), str(other)) if texts else compare(left, right)
