"""The pages that have generated parts: each part stands between two marks, in the hand-written text around it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from docs.generate import names
from docs.generate.commands import commands
from docs.generate.entries import entry, meanings, settings
from docs.generate.errors import errors
from docs.generate.rooms import rooms

from data_designer.engine.dataset.metadata import Metadata
from data_designer.simulated_model.settings import SimulatedModel

DOCS = Path(__file__).parents[1]
PART = re.compile(r"(<!-- ((?:entry )?[\w.]+) -->).*?(<!-- end -->)", re.DOTALL)
CODE = re.compile(r"```.*?```", re.DOTALL)
PARTS: dict[str, Callable[[], str]] = {
    "rooms": rooms,
    "commands": commands,
    "errors": errors,
    "names": names.index,
    "metadata": lambda: meanings(Metadata, "files.md"),
    "simulated": lambda: settings(SimulatedModel, "simulated-model.md"),
}


def pages() -> dict[Path, str]:
    """Every page with a generated part, and what it has to hold."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
    return {path: PART.sub(partial(_filled, path.name), text) for path, text in texts.items() if PART.search(text)}


def _filled(page: str, part: re.Match[str]) -> str:
    kind, _, name = part[2].partition(" ")
    made = entry(name, page, _level(part.string[: part.start()]) + 1) if name else PARTS[kind]()
    return f"{part[1]}\n\n{made}\n\n{part[3]}"


def _level(before: str) -> int:
    """How deep the heading is below which the rest of a page stands."""
    written = CODE.sub("", PART.sub("", before))
    return len(re.findall(r"(?m)^(#+) ", written)[-1])
