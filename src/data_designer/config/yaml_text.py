"""Reading YAML, of which JSON is a part, so that what is written is what is read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from data_designer.errors import InvalidConfigError

MAX_NODES: Final = 1_000_000
"""Values of a document, with every alias written out."""
MAX_DEPTH: Final = 100
"""Lists and mappings inside each other."""

_BOOL, _INT, _DATE, _TEXT = (f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "timestamp", "str"))
_PLAIN_BOOL = re.compile("true|false", re.IGNORECASE)
_PLAIN_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_ODD_BASE = re.compile(r"[-+]?0[0-9_]|.*:")
"""Octal numbers (`0123`) and those of base 60 (`12:30`)."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was read, and where in the text it stands."""

    value: object
    root: yaml.Node | None

    def line(self, path: Sequence[int | str]) -> int | None:
        """The line of what a path of keys and places in lists leads to, as far as it does."""
        node = self.root
        line = None if node is None else node.start_mark.line + 1
        for part in path:
            node, found = _step(node, part)
            if found is None:
                break
            line = found.start_mark.line + 1
        return line


def _step(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node | None, yaml.Node | None]:
    """What a key or place leads to, and where it stands; None where that is nowhere."""
    match node:
        case yaml.MappingNode(value=pairs):
            for key, value in pairs:
                if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                    return value, key
        case yaml.SequenceNode(value=items) if isinstance(part, int) and part < len(items):
            return items[part], items[part]
    return None, None


def read_yaml(text: str, where: str) -> object:
    """The value of a document, as `read_document` has it."""
    return read_document(text, where).value


def read_document(text: str, where: str) -> Document:
    """Read a document.

    What YAML 1.1 makes of a word or number in a list, or of a key, that reads as a text (`NO`, `0123`, `12:30`) is
    refused; dates stay the texts they are.

    Args:
        text: The document.
        where: What it is called in messages.

    Raises:
        InvalidConfigError: it does not parse, is too large or too deep, or is not what it looks like; the message
            names line and column.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return Document(None, None)
        _Checked(where).size(node, 0)
        loader = yaml.SafeLoader("")
        try:
            return Document(loader.construct_document(node), node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidConfigError(f"{where} does not parse{at}: {getattr(error, 'problem', error)}") from error
    except RecursionError:
        raise InvalidConfigError(f"{where} is nested too deeply; at most {MAX_DEPTH} levels are allowed") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise InvalidConfigError(f"{where} does not parse: {error}") from error


class _Checked:
    """Measures a document, and refuses what is not what it looks like."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._sizes: dict[int, int | None] = {}
        """Node to how many values it comes to; None while it is being measured."""

    def size(self, node: yaml.Node, depth: int) -> int:
        """Values that a node comes to with every alias written out."""
        if id(node) in self._sizes:
            known = self._sizes[id(node)]
            if known is None:
                raise self._refusal(node, "it contains itself")
            return known
        if depth > MAX_DEPTH:
            raise self._refusal(node, f"it is nested too deeply; at most {MAX_DEPTH} levels are allowed")
        self._sizes[id(node)] = None
        self._check(node)
        size = 1 + sum(self.size(child, depth + 1) for child in _children(node))
        if size > MAX_NODES:
            raise self._refusal(node, f"it comes to more than {MAX_NODES:,} values, as aliases repeat what they name")
        self._sizes[id(node)] = size
        return size

    def _check(self, node: yaml.Node) -> None:
        match node:
            case yaml.ScalarNode(tag=tag) if tag == _DATE:
                node.tag = _TEXT
            case yaml.ScalarNode(tag=tag, value=value) if tag == _INT and _ODD_BASE.match(value):
                raise self._mistaken(node, "a number of another base")
            case yaml.SequenceNode(value=items):
                for item in items:
                    self._check_text_like(item)
            case yaml.MappingNode(value=pairs):
                for key, _ in pairs:
                    self._check_text_like(key)
                self._check_repeated(pairs)

    def _check_text_like(self, node: yaml.Node) -> None:
        match node:
            case yaml.ScalarNode(tag=tag, value=value) if tag == _BOOL and not _PLAIN_BOOL.fullmatch(value):
                raise self._mistaken(node, "a boolean")
            case yaml.ScalarNode(tag=tag, value=value) if tag == _INT and not _PLAIN_INT.fullmatch(value):
                raise self._mistaken(node, "a number of another form")

    def _check_repeated(self, pairs: list[tuple[yaml.Node, yaml.Node]]) -> None:
        """Keys that come by `<<` may be given again: they are not in the mapping itself."""
        seen: dict[str, yaml.Node] = {}
        for key, _ in pairs:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            first = seen.setdefault(key.value, key)
            if first is not key:
                line = first.start_mark.line + 1
                raise self._refusal(key, f"the key '{key.value}' is given twice, first in line {line}")

    def _mistaken(self, node: yaml.ScalarNode, kind: str) -> InvalidConfigError:
        meant = "true or false" if kind == "a boolean" else "the number in decimal digits"
        return self._refusal(node, f'{node.value} is {kind} in YAML; write "{node.value}" in quotes, or {meant}')

    def _refusal(self, node: yaml.Node, why: str) -> InvalidConfigError:
        mark = node.start_mark
        return InvalidConfigError(f"{self._where} is refused at line {mark.line + 1}, column {mark.column + 1}: {why}")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    match node:
        case yaml.SequenceNode(value=items):
            yield from items
        case yaml.MappingNode(value=pairs):
            for pair in pairs:
                yield from pair
