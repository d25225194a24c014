"""Makes a text that matches a regular expression, at best effort where it looks around."""

import re
import re._parser as parser
import string
import sys
from collections.abc import Callable
from typing import Any

from data_designer.simulated_model.seeded_rng import SeededRng

_ALPHABET = string.ascii_letters + string.digits + "-_ .,:;!?@#$%&*+=/()[]{}'\"~"
_SPREAD = 3
"""How many more repetitions than it must have a repeated part gets at most."""
_TRIES = 24

_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda c: not c.isdigit(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda c: not c.isspace(),
    "CATEGORY_WORD": lambda c: c.isalnum() or c == "_",
    "CATEGORY_NOT_WORD": lambda c: not (c.isalnum() or c == "_"),
}


def matching(pattern: str, rng: SeededRng, *, shortest: int = 0, longest: int = sys.maxsize) -> str:
    """A text in which the pattern is found.

    Args:
        pattern: the regular expression; one that Python cannot read is answered with words.
        rng: decides between what matches.
        shortest: characters it must have.
        longest: characters it may have.
    """
    try:
        parts = parser.parse(pattern)
        found = re.compile(pattern).search
    except re.error:
        return rng.words(2)
    text = ""
    for attempt in range(_TRIES):
        spread = (_SPREAD, 0, shortest, shortest)[attempt % 4]
        text = _Builder(rng, spread, full=attempt % 4 == 3).build(parts)
        if found(text) and shortest <= len(text) <= longest:
            return text
    return text


class _Builder:
    def __init__(self, rng: SeededRng, spread: int, *, full: bool) -> None:
        self._rng = rng
        self._spread = spread
        self._full = full
        self._groups: dict[int, str] = {}

    def build(self, parts: Any) -> str:
        return "".join(self._part(str(operation), argument) for operation, argument in parts)

    def _part(self, operation: str, argument: Any) -> str:
        match operation:
            case "LITERAL":
                return chr(argument)
            case "NOT_LITERAL":
                return self._rng.choice([c for c in _ALPHABET if ord(c) != argument])
            case "IN":
                return self._member(argument)
            case "ANY":
                return self._rng.choice(string.ascii_lowercase)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self._repeated(*argument)
            case "SUBPATTERN":
                text = self.build(argument[-1])
                if argument[0] is not None:
                    self._groups[argument[0]] = text
                return text
            case "BRANCH":
                return self.build(self._rng.choice(argument[1]))
            case "GROUPREF":
                return self._groups.get(argument, "")
            case _:
                # Anchors and look-arounds add no text; whether they hold is seen when the text is tried.
                return ""

    def _repeated(self, fewest: int, most: int, inner: Any) -> str:
        more = min(int(most) - fewest, self._spread)
        count = fewest + (more if self._full else self._rng.below(more + 1))
        return "".join(self.build(inner) for _ in range(count))

    def _member(self, members: Any) -> str:
        negated = str(members[0][0]) == "NEGATE"
        rules = members[1:] if negated else members
        allowed = [c for c in _ALPHABET if any(_fits(c, *rule) for rule in rules) != negated]
        if allowed:
            return self._rng.choice(allowed)
        # Characters that are not in the alphabet, such as a range of another script.
        operation, argument = self._rng.choice(rules)
        match str(operation):
            case "RANGE":
                return chr(argument[0] + self._rng.below(argument[1] - argument[0] + 1))
            case "LITERAL":
                return chr(argument)
            case _:
                return ""


def _fits(character: str, operation: object, argument: Any) -> bool:
    match str(operation):
        case "RANGE":
            return bool(argument[0] <= ord(character) <= argument[1])
        case "LITERAL":
            return bool(ord(character) == argument)
        case _:
            return _CATEGORIES.get(str(argument), str.isalnum)(character)
