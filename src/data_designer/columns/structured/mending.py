"""Mends the JSON that models commonly break, within a bound of work."""

from typing import Final, SupportsIndex

from data_designer.lenient_json import holds_huge_numbers, whole_characters

_LOOKS_A_CHARACTER: Final = 12
"""Looks at the text for each of its characters; an honest answer takes 2 to 5."""
_FEWEST_LOOKS: Final = 20_000
_MOST_LOOKS: Final = 300_000
"""Takes some 0.1 s."""
_LOOKS_OF_A_PART: Final = 32
"""As many as taking a part of the text counts for."""
_LONGEST: Final = 100_000
"""Characters of a text that is mended."""


class UnmendableError(ValueError):
    """It cannot be mended, or not with so much work."""


def mended(text: str) -> object:
    """Read what was meant to be JSON; an empty text where there is none.

    Raises:
        UnmendableError: that would take too long, or change a number.
    """
    if len(text) > _LONGEST:
        raise UnmendableError(f"it is broken, and longer than {_LONGEST:,} characters")
    if holds_huge_numbers(text):
        raise UnmendableError("it is broken, and a number in it is too large")
    import json_repair

    looks = min(_FEWEST_LOOKS + _LOOKS_A_CHARACTER * len(text), _MOST_LOOKS)
    try:
        return json_repair.loads(_Watched.of(whole_characters(text), [looks]), skip_json_loads=True)
    except _TiredError:
        raise UnmendableError("it is broken in too many places") from None
    except (ValueError, RecursionError) as error:
        raise UnmendableError(str(error)) from error


class _TiredError(Exception):
    """The text was looked at too often."""


class _Watched(str):
    """A text that lets itself be looked at so often only: what mends it looks ahead from many places, over and over.

    Its beginnings and ends, of which that makes other texts, are watched with it.
    """

    __slots__ = ("_looks",)
    _looks: list[int]
    """How many are left, for all that is made of one text."""

    @classmethod
    def of(cls, text: str, looks: list[int]) -> "_Watched":
        """Watch a text."""
        watched = cls(text)
        watched._looks = looks
        return watched

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self._looks[0] -= _LOOKS_OF_A_PART if isinstance(key, slice) else 1
        if self._looks[0] < 0:
            raise _TiredError
        found = super().__getitem__(key)
        if isinstance(key, slice) and (key.start is None or key.stop is None):
            return _Watched.of(found, self._looks)
        return found

    def __add__(self, other: str) -> str:
        return _Watched.of(super().__add__(other), self._looks)
