"""Draws the blocks of Mermaid in our pages as the site is built: to see them takes no network and no script.

Two forms are known, `graph TD` and `sequenceDiagram`, and of these what our pages use. A line that is not understood
fails the build. Colours are those of the page, so pictures follow its light and its dark.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

CHARACTER = 7.2
"""Width of a character of a label, in pixels."""
LETTER = 6.2
"""Width of a character of what is written on arrows, which is smaller."""
BOX = 30
"""Height of a box."""
ROW = 68
"""From one layer of a graph to the next."""
STEP = 38
"""From one message of a sequence to the next."""
GAP = 26
"""Between boxes side by side, and around words on an arrow."""


@dataclass
class Graph:
    """Boxes by name, with what is written in them; the group of those that have one; arrows."""

    labels: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    arrows: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Dialogue:
    """Actors by name, with what is written over them; messages: from, to, text, whether it is an answer."""

    actors: dict[str, str] = field(default_factory=dict)
    messages: list[tuple[str, str, str, bool]] = field(default_factory=list)


def drawn(text: str) -> str:
    """A block of Mermaid as SVG.

    Raises:
        ValueError: It has a line that is not understood.
    """
    form, *lines = (line.strip() for line in text.splitlines() if line.strip())
    match form:
        case "graph TD":
            return _graph(_read_graph(lines))
        case "sequenceDiagram":
            return _sequence(_read_sequence(lines))
    raise ValueError(f"unknown form of Mermaid: {form}")


def _read_graph(lines: Sequence[str]) -> Graph:
    graph = Graph()
    group = None
    for line in lines:
        if found := re.fullmatch(r'subgraph \w+\["(.+)"\]', line):
            group = found[1]
        elif line == "end":
            group = None
        elif found := re.fullmatch(r'(\w+)\["(.+)"\]', line):
            graph.labels[found[1]] = found[2]
            if group is not None:
                graph.groups[found[1]] = group
        elif found := re.fullmatch(r"(\w+) --> (\w+)", line):
            graph.arrows.append((found[1], found[2]))
            for name in found.groups():
                graph.labels.setdefault(name, name)
        else:
            raise ValueError(f"not understood in a graph: {line}")
    return graph


def _read_sequence(lines: Sequence[str]) -> Dialogue:
    sequence = Dialogue()
    for line in lines:
        if found := re.fullmatch(r"participant (\w+) as (.+)", line):
            sequence.actors[found[1]] = found[2]
        elif found := re.fullmatch(r"(\w+)(--?)>>(\w+): (.+)", line):
            sequence.messages.append((found[1], found[3], found[4], found[2] == "--"))
        else:
            raise ValueError(f"not understood in a sequence: {line}")
    return sequence


def _layers(graph: Graph) -> tuple[list[list[str]], list[list[str]]]:
    """Boxes from top to bottom, and each arrow as the points that it passes, one a layer, which are in these too."""
    depth = dict.fromkeys(graph.labels, 0)
    for _ in depth:  # The longest way from above; as many rounds as there can be layers.
        for above, below in graph.arrows:
            depth[below] = max(depth[below], depth[above] + 1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, layer in depth.items():
        layers[layer].append(name)
    ways = []
    for above, below in graph.arrows:
        between = [f"{above} {below} {layer}" for layer in range(depth[above] + 1, depth[below])]
        for layer, point in enumerate(between, depth[above] + 1):
            layers[layer].append(point)
        ways.append([above, *between, below])
    return layers, ways


def _sorted(layers: list[list[str]], ways: list[list[str]]) -> None:
    """Order each layer by where the neighbours of its boxes are, downwards and upwards, which undoes most crossings."""
    pairs = [pair for way in ways for pair in pairwise(way)]
    above = {name: [a for a, b in pairs if b == name] for layer in layers for name in layer}
    below = {name: [b for a, b in pairs if a == name] for layer in layers for name in layer}
    for towards, order in [(above, layers), (below, layers[::-1])] * 4:
        for before, layer in pairwise(order):
            places = {name: place for place, name in enumerate(before)}
            mean = {
                name: sum(places[one] for one in ones) / len(ones) if (ones := towards[name]) else len(before)
                for name in layer
            }
            layer.sort(key=mean.__getitem__)


def _graph(graph: Graph) -> str:
    layers, ways = _layers(graph)
    _sorted(layers, ways)
    words = {
        name: f"{graph.groups[name]}/{label}" if name in graph.groups else label for name, label in graph.labels.items()
    }
    widths = {name: len(words[name]) * CHARACTER + GAP if name in words else 0.0 for layer in layers for name in layer}
    whole = max(sum(widths[name] + GAP for name in layer) for layer in layers)
    at: dict[str, tuple[float, float]] = {}
    for row, layer in enumerate(layers):
        x = (whole - sum(widths[name] + GAP for name in layer)) / 2
        for name in layer:
            at[name] = (x + (widths[name] + GAP) / 2, row * ROW + BOX / 2 + 2)
            x += widths[name] + GAP
    parts = [_way([at[name] for name in way]) for way in ways]
    for name, text in words.items():
        x, y = at[name]
        parts.append(_box(x, y, widths[name], text, "box grouped" if name in graph.groups else "box"))
    said = ", ".join(f"{words[above]} to {words[below]}" for above, below in graph.arrows)
    return _picture(whole, len(layers) * ROW - ROW + BOX + 4, f"Graph: {said}", parts)


def _way(points: Sequence[tuple[float, float]]) -> str:
    """An arrow from the lower edge of the first box to the upper edge of the last, bent towards each point between."""
    (x, y), *rest = points
    y += BOX / 2
    path = [f"M{x:.0f} {y:.0f}"]
    for place, (to_x, middle) in enumerate(rest, 1):
        to_y = middle - BOX / 2 - 2 if place == len(rest) else middle
        half = (y + to_y) / 2
        path.append(f"C{x:.0f} {half:.0f} {to_x:.0f} {half:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return f'<path class="arrow" d="{" ".join(path)}" marker-end="url(#head)"/>'


def _box(x: float, y: float, width: float, text: str, kind: str) -> str:
    place = f'x="{x - width / 2:.0f}" y="{y - BOX / 2:.0f}" width="{width:.0f}" height="{BOX}"'
    return f'<rect class="{kind}" {place} rx="5"/><text x="{x:.0f}" y="{y + 4:.0f}">{escape(text)}</text>'


def _sequence(sequence: Dialogue) -> str:
    names = list(sequence.actors)
    places = {name: place for place, name in enumerate(names)}
    xs = [len(sequence.actors[names[0]]) * CHARACTER / 2 + GAP]
    for place, name in enumerate(names[1:], 1):
        x = xs[-1] + (len(sequence.actors[name]) + len(sequence.actors[names[place - 1]])) * CHARACTER / 2 + 2 * GAP
        for one, other, text, _ in sequence.messages:
            left, right = sorted((places[one], places[other]))
            if left < right == place or left == right == place - 1:
                x = max(x, xs[left] + len(text) * LETTER + GAP)
        xs.append(x)
    height = BOX + (len(sequence.messages) + 1) * STEP
    parts = [f'<path class="life" d="M{x:.0f} {BOX}V{height:.0f}"/>' for x in xs]
    for name, x in zip(names, xs, strict=True):
        text = sequence.actors[name]
        parts.append(_box(x, BOX / 2 + 1, len(text) * CHARACTER + GAP, text, "box"))
    for row, (one, other, text, answer) in enumerate(sequence.messages, 1):
        parts.extend(_message(xs[places[one]], xs[places[other]], BOX + row * STEP, text, answer=answer))
    width = xs[-1] + len(sequence.actors[names[-1]]) * CHARACTER / 2 + GAP
    said = "; ".join(
        f"{sequence.actors[one]} to {sequence.actors[other]}: {text}" for one, other, text, _ in sequence.messages
    )
    return _picture(width, height, f"Sequence: {said}", parts)


def _message(x: float, to: float, y: float, text: str, *, answer: bool) -> Iterator[str]:
    kind = "arrow answer" if answer else "arrow"
    if x == to:
        yield f'<path class="{kind}" d="M{x:.0f} {y - 10:.0f}h16v14h-14" marker-end="url(#head)"/>'
        yield f'<text class="said beside" x="{x + 22:.0f}" y="{y + 1:.0f}">{escape(text)}</text>'
    else:
        end = to - 2 if to > x else to + 2
        yield f'<path class="{kind}" d="M{x:.0f} {y:.0f}H{end:.0f}" marker-end="url(#head)"/>'
        yield f'<text class="said" x="{(x + to) / 2:.0f}" y="{y - 6:.0f}">{escape(text)}</text>'


def _picture(width: float, height: float, said: str, parts: Sequence[str]) -> str:
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    return (
        f'<div class="diagram"><svg viewBox="0 0 {width:.0f} {height:.0f}" style="--width: {width:.0f}px" role="img"'
        f' aria-label="{escape(said)}"><defs>{head}<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(parts)}</svg></div>"
    )


class Mermaid(SphinxDirective):
    """A block of Mermaid in a page."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The picture in the block's place."""
        try:
            picture = drawn("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from error
        return [nodes.raw("", picture, format="html")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Have blocks of Mermaid drawn."""
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
