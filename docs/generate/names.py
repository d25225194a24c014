"""The public names: what users import, and where the reference tells of it."""

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docs.generate.markdown import slug

REFERENCE = Path(__file__).parents[1] / "reference"
ENTRY = re.compile(r"<!-- entry ([\w.]+) -->")
ERRORS = "data_designer.errors"
ERRORS_PAGE = "errors.md"

PREVIEWS = "data_designer.config.preview_results"
"""From where users import what is defined elsewhere."""
MODULES = (
    "data_designer.config",
    "data_designer.interface",
    "data_designer.plugins",
    "data_designer.logging",
    "data_designer.config.base",
    "data_designer.engine.models.facade",
    "data_designer.engine.models.utils",
    "data_designer.engine.models.usage",
    "data_designer.engine.column_generators.generators.base",
    "data_designer.engine.testing.utils",
    PREVIEWS,
    "data_designer.config.config_builder",
    "data_designer.config.dataset_metadata",
    "data_designer.config.info",
    "data_designer.config.models",
    "data_designer.config.seed_source",
    "data_designer.config.analysis.column_profilers",
    "data_designer.config.analysis.column_statistics",
    "data_designer.config.analysis.dataset_profiler",
    "data_designer.interface.results",
    "data_designer.interface.outcomes",
    "data_designer.interface.ending",
    "data_designer.interface.display",
    "data_designer.interface.dry_run",
    "data_designer.engine.protocol.conversation",
    "data_designer.values",
    ERRORS,
)
"""Where entries are looked up, in this order."""
LISTED = ("data_designer.config", "data_designer.interface", "data_designer.plugins")
"""Modules that say themselves which of their names are public."""
DEFINED = (
    "data_designer.config.base",
    "data_designer.config.analysis.column_profilers",
    "data_designer.config.analysis.column_statistics",
    "data_designer.config.analysis.dataset_profiler",
    "data_designer.logging",
)
"""Modules of which every class and function that is defined there is public."""


def public() -> dict[str, object]:
    """Every name that users import: those of the declaration API, of the door, of plugins, and all errors."""
    found: dict[str, object] = {}
    for name in LISTED:
        module = importlib.import_module(name)
        listed: list[str] = getattr(module, "__all__", None) or dir(module)
        found |= {one: getattr(module, one) for one in listed}
    for name in (*DEFINED, ERRORS):
        found |= _defined(name)
    return found


def errors() -> dict[str, object]:
    """Every class of error."""
    return _defined(ERRORS)


def _defined(module: str) -> dict[str, object]:
    there = vars(importlib.import_module(module)).items()
    return {name: one for name, one in there if name[0] != "_" and getattr(one, "__module__", "") == module}


def found(name: str) -> tuple[object, str]:
    """What a name of an entry means, and the module from which users import it.

    Raises:
        LookupError: no public module has it.
    """
    having = {module: one for module in MODULES if (one := getattr(importlib.import_module(module), name, None))}
    for module, one in having.items():
        if module in LISTED or module in (PREVIEWS, getattr(one, "__module__", module)):
            return one, module
    raise LookupError(f"no public module has {name!r}")


@cache
def homes() -> dict[str, str]:
    """Name to the page and anchor of its entry."""
    places = {
        name: f"{page.name}#{slug(name)}"
        for page in sorted(REFERENCE.glob("*.md"))
        for name in ENTRY.findall(page.read_text(encoding="utf-8"))
    }
    return places | {name: f"{ERRORS_PAGE}#{slug(name)}" for name in errors()}


def index() -> str:
    """Every name that has an entry, by its first letter."""
    letters: dict[str, list[str]] = {}
    for name in sorted(homes(), key=str.lower):
        letters.setdefault(name[0].upper(), []).append(name)
    return "\n\n".join(
        f"## {letter}\n\n" + "\n".join(_line(name) for name in names) for letter, names in letters.items()
    )


def _line(name: str) -> str:
    return f"- [`{name}`]({homes()[name]}) in `{found(name)[1]}`"


def linked(text: str, page: str, own: str = "") -> str:
    """A text whose names, where they are code or errors, lead to their entries, each once."""
    done = {own}

    def link(name: re.Match[str]) -> str:
        called = name[0].strip("`")
        place = homes().get(called)
        if place is None or called in done:
            return name[0]
        done.add(called)
        return f"[`{called}`]({place.removeprefix(page)})"

    return re.sub(r"(?<![\[`])`\w+`(?![\]`])|(?<![\w.`[])[A-Z]\w+Error(?![\w`])", link, text)


def mentioned(names: Iterator[str] | list[str], page: str) -> list[str]:
    """Links to the entries of those names that have one."""
    return [f"[`{name}`]({homes()[name].removeprefix(page)})" for name in names if name in homes()]
