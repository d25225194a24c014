"""The `jsonpath` filter of templates: names, indices, slices, wildcards and descent; no expressions."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from data_designer.columns.templating.costs import LimitExceededError

_Step = Callable[[object], Iterator[object]]

MAX_MATCHES: Final = 500_000
"""What a path may match over all its steps: a few of them can match a thing more often than it is there."""

_TOKEN = re.compile(
    r"""
    (?P<descent>\.\.(?=[\w*\[]))
  | \.?(?P<name>[^\W\d][\w-]*|(?<=\.)[\w-]+)
  | \.?(?P<any>\*|\[\s*\*\s*\])
  | \[\s*(?P<slice>-?\d*\s*:\s*-?\d*(?:\s*:\s*-?\d*)?)\s*\]
  | \[\s*(?P<keys>(?:-?\d+|'[^']*'|"[^"]*")(?:\s*,\s*(?:-?\d+|'[^']*'|"[^"]*"))*)\s*\]
    """,
    re.VERBOSE,
)
_KEY = re.compile(r"-?\d+|'[^']*'|\"[^\"]*\"")


def jsonpath(value: object, path: str) -> list[object]:
    """List everything in `value` that the path matches.

    Raises:
        ValueError: the path is not of the supported kind.
        LimitExceededError: it matches too much.
    """
    found, looked_at = [value], 0
    for step in _compiled(path):
        matches = (match for item in found for match in step(item))
        found = list(islice(matches, MAX_MATCHES - looked_at))
        looked_at += len(found)
        if looked_at >= MAX_MATCHES:
            raise LimitExceededError(f"jsonpath {path[:200]!r} matches more than {MAX_MATCHES:,} things on its way")
    return found


@lru_cache(maxsize=256)
def _compiled(path: str) -> tuple[_Step, ...]:
    text = path.strip()
    position = 1 if text.startswith("$") else 0
    steps: list[_Step] = []
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(
                f"jsonpath {path[:200]!r} cannot be read at {text[position : position + 200]!r}: "
                "names, indices, slices, `*` and `..` are supported"
            )
        steps.append(_step(token))
        position = token.end()
    return tuple(steps)


def _step(token: re.Match[str]) -> _Step:
    if token["descent"]:
        return _descend
    if token["any"]:
        return _children
    if token["slice"]:
        return _Slice(slice(*(int(part) if part.strip() else None for part in token["slice"].split(":"))))
    if token["name"]:
        return _Keys((token["name"],))
    keys = (key if key[0] in "'\"" else int(key) for key in _KEY.findall(token["keys"]))
    return _Keys(tuple(key[1:-1] if isinstance(key, str) else key for key in keys))


class _Keys:
    """Children by name or index; what is not there matches nothing."""

    def __init__(self, keys: tuple[str | int, ...]) -> None:
        self._keys = keys

    def __call__(self, value: object) -> Iterator[object]:
        for key in self._keys:
            match value, key:
                case dict(), _ if key in value:
                    yield value[key]
                case list(), int() if -len(value) <= key < len(value):
                    yield value[key]


class _Slice:
    """Children of a list by position, as Python slices them."""

    def __init__(self, part: slice) -> None:
        self._part = part

    def __call__(self, value: object) -> Iterator[object]:
        if isinstance(value, list):
            yield from value[self._part]


def _children(value: object) -> Iterator[object]:
    match value:
        case dict():
            yield from value.values()
        case list():
            yield from value


def _descend(value: object) -> Iterator[object]:
    """Yield the value itself and everything below it, parents first."""
    yield value
    for child in _children(value):
        yield from _descend(child)
