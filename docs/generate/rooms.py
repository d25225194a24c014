"""The rooms of the house: their graph, and what is in them."""

import ast
import tomllib
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "data_designer"
LOWEST = "config"
"""What lies below this room are single modules, drawn as one."""
GROUND = "ground"


@cache
def layers() -> list[list[str]]:
    """The rooms, top down, as the import contracts in `pyproject.toml` say; the engine is its sub-rooms."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
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
    below: dict[str, set[str]] = {room: set() for layer in [*layers(), [GROUND]] for room in layer}
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
