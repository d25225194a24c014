"""Reads docstrings: those of classes and functions, in sections, and those that stand below a field."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

SECTIONS = ("Args", "Attributes", "Returns", "Raises")


@dataclass(frozen=True)
class Docstring:
    """What a docstring says."""

    text: str = ""
    """What stands before its sections."""
    sections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Section to its entries, as (name, text); the name is empty where it has none."""


def docstring(of: object) -> Docstring:
    """The docstring of a class or a function; an empty one where it has none of its own."""
    own = vars(of).get("__doc__") if isinstance(of, type) else getattr(of, "__doc__", None)
    return parsed(own or "")


def parsed(text: str) -> Docstring:
    """A docstring, read in Google's form."""
    lines = inspect.cleandoc(text).splitlines()
    heads = [(number, line[:-1]) for number, line in enumerate(lines) if line[:-1] in SECTIONS and line[-1:] == ":"]
    ends = [*(number for number, _ in heads), len(lines)]
    return Docstring(
        "\n".join(lines[: ends[0]]).strip(),
        {name: _entries(name, lines[start + 1 : end]) for (start, name), end in zip(heads, ends[1:], strict=True)},
    )


def _entries(section: str, lines: list[str]) -> list[tuple[str, str]]:
    body = textwrap.dedent("\n".join(lines)).strip()
    if section == "Returns":
        return [("", flowing(body))] if body else []
    found = re.split(r"(?m)^(?=\S)", body)
    return [(name.strip(), flowing(text)) for name, _, text in (one.partition(":") for one in found if one.strip())]


def flowing(text: str) -> str:
    """A text without the ends of its lines."""
    return " ".join(text.split())


@cache
def below(cls: type) -> dict[str, str]:
    """Field, or member of an enum, of a class or of what it inherits from to what is said below it in the source."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("data_designer"):
            found |= _below(base)
    return found


def _below(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError, IndexError):  # It is made while the program runs.
        return {}
    found: dict[str, str] = {}
    for one, text in itertools.pairwise(getattr(tree, "body", [])):
        name = _name_of(one)
        if name and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[name] = inspect.cleandoc(str(text.value.value))
    return found


def _name_of(node: ast.stmt) -> str:
    target = (
        node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
    )
    return target.id if isinstance(target, ast.Name) else ""


def annotation(cls: type, name: str) -> str:
    """How the type of a field is written in the source."""
    for base in cls.__mro__:
        if name in vars(base).get("__annotations__", {}):
            tree = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
            for node in getattr(tree, "body", []):
                if isinstance(node, ast.AnnAssign) and _name_of(node) == name:
                    return ast.unparse(node.annotation).strip("'\"")
    return "object"


def returned(of: Callable[..., object]) -> str:
    """How the type of what a function gives is written in the source; nothing where that is None."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(of))).body[0]
    annotated = getattr(tree, "returns", None)
    text = "" if annotated is None else ast.unparse(annotated).strip("'\"")
    return "" if text == "None" else text
