"""Writes the generated parts of the documentation: `make docs`."""

import ast
import inspect
import itertools
import re
import tomllib
from functools import cache
from pathlib import Path

import grimp

from data_designer.config import run_config
from data_designer.config.run_config import RunConfig

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "src" / "data_designer"
RUN_CONFIG = DOCS / "reference" / "run-config.md"
ROOMS = DOCS / "explanation" / "rooms.md"
LOWEST = "config"
"""What lies below this room are single modules, drawn as one."""
GROUND = "ground"


def described() -> dict[str, str]:
    """Field of RunConfig to the sentence under it in the source."""
    tree = ast.parse(inspect.getsource(run_config))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "RunConfig")
    texts: dict[str, str] = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


def run_settings() -> str:
    """The reference page of the run settings."""
    lines = [
        "# Run settings",
        "",
        "Generated from the source by `make docs`.",
        "",
        "| field | default | meaning |",
        "|---|---|---|",
    ]
    texts = described()
    for name, field in RunConfig.model_fields.items():
        default = field.get_default(call_default_factory=True)
        default = getattr(default, "value", default)
        lines.append(f"| `{name}` | `{default}` | {texts[name]} |")
    return "\n".join(lines) + "\n"


@cache
def layers() -> list[list[str]]:
    """The rooms, top down, as the import contracts in `pyproject.toml` say; the engine is its sub-rooms."""
    pyproject = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [one for one in pyproject["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    house, engine = ([layer.split(" | ") for layer in contract["layers"]] for contract in contracts)
    found: list[list[str]] = []
    for layer in house:
        rooms = [room.removeprefix("data_designer.") for room in layer]
        found.extend([[f"engine.{room}" for room in one] for one in engine] if rooms == ["engine"] else [rooms])
        if rooms == [LOWEST]:
            break
    return found


def room_of(module: str) -> str:
    """The room in which a module lies. Aliases of the engine, which only re-export, lie in the engine itself."""
    parts = module.split(".")[1:]
    rooms = [room for layer in layers() for room in layer]
    whole, part = ".".join(parts[:1]), ".".join(parts[:2])
    return part if part in rooms else whole if whole in rooms or whole == "engine" else GROUND


def imports() -> dict[str, set[str]]:
    """Room to the rooms that it imports, but for those that are reached by way of another."""
    graph = grimp.build_graph("data_designer", cache_dir=None)
    below: dict[str, set[str]] = {room: set() for layer in layers() for room in layer} | {GROUND: set()}
    for module in sorted(graph.modules - {"data_designer"}):
        room = room_of(module)
        if room in below:
            ones = {room_of(one) for one in graph.find_modules_directly_imported_by(module)}
            below[room] |= ones & below.keys() - {room}
    reached: dict[str, set[str]] = {}
    for room in reversed(below):  # Imports point down.
        reached[room] = below[room].union(*(reached[one] for one in below[room]))
    return {
        room: {one for one in ones if not any(one in reached[other] for other in ones)} for room, ones in below.items()
    }


def rooms() -> str:
    """The graph of the rooms, and what is in them."""
    names = [room for layer in layers() for room in layer]
    engine = [room for room in names if room.startswith("engine.")]
    graph = ["```mermaid", "graph TD", '  subgraph engine["engine"]']
    graph += [f'    {_id(room)}["{room.removeprefix("engine.")}"]' for room in engine]
    graph += ["  end"]
    graph += [
        f"  {_id(room)} --> {_id(one)}"
        for room, ones in imports().items()
        for one in sorted(ones, key=[*names, GROUND].index)
    ]
    table = ["| room | what it is |", "|---|---|"]
    for room in names:
        files = sorted((PACKAGE / room.replace(".", "/")).rglob("*.py"))
        said = ast.get_docstring(ast.parse(files[0].read_text(encoding="utf-8"))) or ""
        table.append(f"| `{room.replace('.', '/')}/` | {said.splitlines()[0]} |")
    return "\n".join([*graph, "```", "", *table])


def _id(room: str) -> str:
    return room.replace(".", "_")


def with_rooms(page: str) -> str:
    """The page of the rooms with its generated part."""
    return re.sub(r"(?<=<!-- rooms -->).*(?=<!-- end -->)", lambda _: f"\n\n{rooms()}\n\n", page, flags=re.DOTALL)


def pages() -> dict[Path, str]:
    """Every page that is generated, or has a part that is."""
    return {RUN_CONFIG: run_settings(), ROOMS: with_rooms(ROOMS.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
