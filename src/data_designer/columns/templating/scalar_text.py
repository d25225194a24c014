"""Texts that JSON reads as a number, a truth value or null: `1.10`, `007` is none, `true`."""

import json
import operator
import re
from collections.abc import Callable
from typing import Final, TypeGuard

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

    def __round__(self, digits: int | None = None) -> object:
        return round(json.loads(self), digits)

    def __int__(self) -> int:
        return int(json.loads(self))

    def __float__(self) -> float:
        return float(json.loads(self))

    def __index__(self) -> int:
        return operator.index(json.loads(self))

    def __bool__(self) -> bool:
        return bool(json.loads(self))

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec) if _TEXT_FORMAT.fullmatch(spec) else format(json.loads(self), spec)

    def lower(self) -> str:
        """Give the text in lower case, still one that calculates: sorting and searching extremes look at it."""
        text = str.lower(self)
        return ScalarText(text) if NUMBER.fullmatch(text.strip()) else text


def said(value: object) -> object:
    """Give what a text says, and everything else as it is."""
    return json.loads(value) if isinstance(value, ScalarText) else value


# --- operators ---------------------------------------------------------------------------------------------

_OfTexts = Callable[[str, str], str]
"""What an operator is where the other is a text that says nothing; None where such a text calculates too."""
_Operator = Callable[[ScalarText, object], object]


def _is_plain(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and not isinstance(value, ScalarText)


def _forth(operate: Callable[[object, object], object], of_texts: _OfTexts | None) -> _Operator:
    def method(text: ScalarText, other: object) -> object:
        if of_texts is not None and _is_plain(other):
            return of_texts(text, other)
        return operate(json.loads(text), said(other))

    return method


def _back(operate: Callable[[object, object], object], of_texts: _OfTexts | None) -> _Operator:
    def method(text: ScalarText, other: object) -> object:
        if of_texts is not None and _is_plain(other):
            return of_texts(other, text)
        return operate(other, json.loads(text))

    return method


def _alone(operate: Callable[[object], object]) -> Callable[[ScalarText], object]:
    return lambda text: operate(json.loads(text))


def _ordering(compare: Callable[[object, object], bool]) -> _Operator:
    """Compare as numbers, unless one of them is a text that says no number."""

    def method(text: ScalarText, other: object) -> bool:
        left, right = json.loads(text), said(other)
        texts = isinstance(other, str) and not (isinstance(left, int | float) and isinstance(right, int | float))
        return compare(str(text), str(other)) if texts else compare(left, right)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _operate = getattr(operator, _name)
    setattr(ScalarText, f"__{_name}__", _forth(_operate, str.__add__ if _name == "add" else None))
    setattr(ScalarText, f"__r{_name}__", _back(_operate, {"add": str.__add__, "mod": str.__mod__}.get(_name)))
for _name in ("neg", "pos", "abs"):
    setattr(ScalarText, f"__{_name}__", _alone(getattr(operator, _name)))
for _name in ("lt", "le", "gt", "ge"):
    setattr(ScalarText, f"__{_name}__", _ordering(getattr(operator, _name)))
