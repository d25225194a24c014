"""Mends the JSON that models commonly break, within a bound of work."""

from typing import Any, Final, SupportsIndex

import json_repair

from data_designer.lenient_json import holds_huge_numbers, whole_characters

_MOST_LOOKS: Final = 500_000
"""Looks at the text. An honest answer takes 2 to 5 for each of its characters, and so many take some 0.1 s."""
_LOOKS_OF_A_PART: Final = 32
"""As many as taking a part of the text counts for."""
_LONGEST: Final = 200_000
"""Characters of a text that is mended."""


class UnmendableError(ValueError):
    """It cannot be mended, or not with so much work."""


def mended(text: str) -> Any:
    """Read what was meant to be JSON; an empty text where there is none.

    Raises:
        UnmendableError: that would take too long, or change a number.
    """
    if len(text) > _LONGEST:
        raise UnmendableError(f"it is broken, and longer than {_LONGEST:,} characters")
    if holds_huge_numbers(text):
        raise UnmendableError("it is broken, and a number in it is too large")
    try:
        return json_repair.loads(_Watched(whole_characters(text)), skip_json_loads=True)
    except _TiredError:
        raise UnmendableError("it is broken in too many places") from None
    except (ValueError, RecursionError) as error:
        raise UnmendableError(str(error)) from error


class _TiredError(Exception):
    """The text was looked at too often."""


class _Watched(str):
    """A text that lets itself be looked at so often only: what mends it looks ahead from many places, over and over."""

    __slots__ = ("_left",)

    def __init__(self, _: str) -> None:
        self._left = _MOST_LOOKS

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self._left -= _LOOKS_OF_A_PART if isinstance(key, slice) else 1
        if self._left < 0:
            raise _TiredError
        return super().__getitem__(key)
