"""Reads JSON that others wrote, as leniently as clients do, and never as something else than it says."""

import json
import math
import re
from typing import Final

_ESCAPES: Final = re.compile(
    r"\\(?:(u[dD][89abAB][0-9a-fA-F]{2})(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|(u[dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Any escape of a JSON string: the first half of a pair, with or without the second; the second alone; others."""
_HUGE: Final = re.compile(r"\d{4301}|\d[eE]\+?\d{3}")
"""Numbers that Python would not read, or as infinite."""


class UnholdableError(ValueError):
    """It may be JSON, but has a number or a depth that nothing here can hold."""


def loads(text: str) -> object:
    """Decode JSON text.

    NaN, infinities, control characters inside strings and a byte order mark are read. Integers are exact. Half a
    surrogate pair, in a string or a key, becomes U+FFFD.

    Raises:
        json.JSONDecodeError: it is no JSON.
        UnholdableError: a number is too large, or values are nested too deeply.
    """
    try:
        return _DECODER.decode(whole_characters(text.removeprefix("\ufeff")))
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise UnholdableError("it is nested too deeply") from None
    except ValueError:
        raise UnholdableError("a number in it is too large") from None


def holds_huge_numbers(text: str) -> bool:
    """Whether there may be a number in a text that would not be read as what it is."""
    return _HUGE.search(text) is not None


def whole_characters(text: str) -> str:
    """The text of JSON, with U+FFFD for every escape of half a surrogate pair."""
    if "\\ud" in text or "\\uD" in text:
        return _ESCAPES.sub(_whole, text)
    return text


def _whole(escape: re.Match[str]) -> str:
    first, second, alone = escape.groups()
    return r"\ufffd" if alone or (first and not second) else escape[0]


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_DECODER: Final = json.JSONDecoder(strict=False, parse_float=_finite)
