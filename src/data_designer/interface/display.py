"""Shows one record of a dataset, in a terminal, a notebook, or a file."""

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_designer.errors import DatasetSampleDisplayError
from data_designer.interface.cell_text import NONE, OF_MODELS, USUAL, Limits, is_there, plain, text_of
from data_designer.plan.kinds import Group
from data_designer.terminal import as_it_is, console, in_notebook, terminal_width, visible

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, RenderableType
    from rich.table import Table

WIDTH = 110
"""Characters of a line, unless the terminal has fewer."""
_LONGEST_NAME = 24
"""Characters of a line of a column's name on a narrow terminal; the rest of it is on further lines."""

Processed = Mapping[str, Sequence[Mapping[str, object]]]
"""Processor to the rows that it made."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column is shown."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    """Of the columns of code, which are shown as such."""
    models: frozenset[str] = frozenset()
    """Columns that ask a model, which are shown before others of their group."""
    read: Callable[[str], bytes] | None = None
    """Reads a file that a column of images names; None where they hold the images themselves, in base64."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a record is shown: the options of `display_sample_record`."""

    syntax_highlighting_theme: str = "dracula"
    """Theme of code, of those that Pygments has."""
    background_color: str | None = None
    """Background of code; that of the theme, when not given."""
    processors_to_display: Sequence[str] | None = None
    """Processors whose rows are shown too; all, when not given."""
    hide_seed_columns: bool = False
    """Leave out columns of the seed."""
    include_traces: bool = True
    """Show traces of conversations."""
    save_path: "str | Path | None" = None
    """File that ends in `.html` or `.svg`; nothing is printed then."""
    theme: str = "dark"
    """Of what is saved: `dark` or `light`."""
    display_width: int = WIDTH
    """Characters of a line; as many as a narrower terminal has, where it is not given."""
    whole: bool = False
    """Show every value to its end."""
    models_first: bool = False
    """Show what models have made before everything else."""


class SampleDisplay:
    """Shows records one after another."""

    def __init__(self, frame: "pd.DataFrame", layout: Layout, processed: Processed | None = None) -> None:
        self._frame = frame
        self._layout = layout
        self._processed = processed or {}
        self._next = 0

    def show(self, index: int | None = None, **options: Any) -> int:
        """Show a record; without an index, the next one, beginning anew after the last. Gives the index.

        Raises:
            DatasetSampleDisplayError: there is no such record, or the path is no `.html` or `.svg`.
        """
        look = Look(**options)
        path = None if look.save_path is None else Path(look.save_path)
        if path is not None and path.suffix not in (".html", ".svg"):
            raise DatasetSampleDisplayError(f"a record is saved as .html or .svg, not as {path.name!r}")
        number = self._choose(index)
        kept: dict[str, Any] = {} if path is None else {"record": True, "file": io.StringIO()}
        if path is None and look.display_width == WIDTH:
            look = replace(look, display_width=terminal_width(WIDTH))
        to = console(width=look.display_width, **kept)
        for part in self.parts(number, look):
            to.print(part)
        if path is None and in_notebook():
            _show_pictures(self._pictures(number))
        if path is not None:
            _save(to, path, look.theme)
        return number

    def _choose(self, index: int | None) -> int:
        size = len(self._frame)
        if not size:
            raise DatasetSampleDisplayError("there is no record to show")
        if index is None:
            number, self._next = self._next % size, self._next + 1
            return number
        if not 0 <= index < size:
            raise DatasetSampleDisplayError(f"there is no record {index}; records are 0 to {size - 1}")
        return index

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._frame)

    def parts(self, number: int, look: Look) -> "list[RenderableType]":
        """What is shown of a record, in order."""
        record = {str(name): self._frame.iloc[number, place] for place, name in enumerate(self._frame)}
        groups = self._grouped(record)
        seeds = {} if look.hide_seed_columns else groups["seed"]
        made, drawn = self._by_maker(groups["generated"])
        judged = [*self._members("Validation", groups["verdict"], look)]
        judged += self._members("LLM-as-a-Judge", groups["judge"], look)
        traces = self._traces(groups["trace"], look) if look.include_traces else []
        code = self._code(groups["code"], look)
        media = {name: self._in_words(value) for name, value in groups["media"].items()}
        images = self._values("Images", media, look)
        if look.models_first:
            first = [*self._values("Generated by models", made, look), *images, *code, *judged]
            last = [*self._values("Generated Columns", drawn, look), *self._values("Seed Columns", seeds, look)]
            shown = [*first, *last, *traces]
        else:
            tables = [
                *self._values("Seed Columns", seeds, look),
                *self._values("Generated Columns", made | drawn, look),
                *images,
            ]
            shown = [*tables, *traces, *code, *judged]
        return [as_it_is(f"[index: {number}]"), *shown, *self._outputs(number, look)]

    def _by_maker(self, columns: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
        """Those that a model has made, and the others."""
        made = {name: value for name, value in columns.items() if name in self._layout.models}
        return made, {name: value for name, value in columns.items() if name not in made}

    def _values(self, title: str, columns: Mapping[str, object], look: Look) -> "Iterator[RenderableType]":
        if columns:
            texts = {name: text_of(value, self._limits(name, look)) for name, value in columns.items()}
            yield _table(title, texts, look.display_width)

    def _members(self, title: str, columns: Mapping[str, object], look: Look) -> "Iterator[RenderableType]":
        limits = NONE if look.whole else OF_MODELS
        for name, value in columns.items():
            texts = {str(key): text_of(one, limits) for key, one in _members(value).items()}
            yield _table(f"{title}: {name}", texts, look.display_width)

    def _traces(self, columns: Mapping[str, object], look: Look) -> "Iterator[RenderableType]":
        from rich.panel import Panel

        for name, value in columns.items():
            text = text_of(value, NONE if look.whole else OF_MODELS)
            yield Panel(as_it_is(text), title=as_it_is(f"Trace: {name}"))

    def _code(self, columns: Mapping[str, object], look: Look) -> "Iterator[RenderableType]":
        from rich.panel import Panel
        from rich.syntax import Syntax

        style: dict[str, Any] = {"theme": look.syntax_highlighting_theme, "background_color": look.background_color}
        for name, value in columns.items():
            language = self._layout.languages[name].partition(":")[0]
            text = visible(text_of(value, NONE if look.whole else OF_MODELS)) if is_there(value) else ""
            code = Syntax(text, language or "text", word_wrap=True, **style)
            yield Panel(code, title=as_it_is(name))

    def _outputs(self, number: int, look: Look) -> "Iterator[RenderableType]":
        for name, rows in self._processed.items():
            wanted = look.processors_to_display is None or name in look.processors_to_display
            if wanted and number < len(rows):
                yield from self._members("Processor Outputs", {name: rows[number]}, look)

    def _limits(self, column: str, look: Look) -> Limits:
        if look.whole:
            return NONE
        return OF_MODELS if column in self._layout.models else USUAL

    def _in_words(self, value: object) -> object:
        """Images by the names of their files; where they have none, by how large they are."""
        images = _listed(value)
        if self._layout.read is None:
            images = [f"an image of {3 * len(image) // 4:,} bytes" for image in images]
        return "\n".join(images) or value

    def _pictures(self, number: int) -> Iterator[bytes]:
        """The images of a record, as far as they can be read."""
        for place, name in enumerate(map(str, self._frame)):
            if self._layout.groups.get(name) == "media":
                for image in _listed(self._frame.iloc[number, place]):
                    with suppress(OSError, ValueError):
                        yield (
                            base64.b64decode(image, validate=True)
                            if self._layout.read is None
                            else self._layout.read(image)
                        )

    def _grouped(self, record: Mapping[str, object]) -> dict[str, dict[str, object]]:
        groups: dict[str, dict[str, object]] = {
            name: {} for name in ("seed", "generated", "media", "trace", "code", "verdict", "judge")
        }
        for name, value in record.items():
            group = self._layout.groups.get(name, "trace" if name.endswith("__trace") else "generated")
            groups["code" if name in self._layout.languages else group][name] = value
        return groups


def _listed(value: object) -> list[str]:
    """The images of a cell."""
    found = plain(value)
    return [str(image) for image in found] if isinstance(found, list) else []


def _show_pictures(pictures: Iterable[bytes]) -> None:
    from IPython.display import Image, display

    for picture in pictures:
        display(Image(data=picture))


def _members(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {"": value}


def _table(title: str, rows: Mapping[str, str], width: int) -> "Table":
    from rich.table import Table

    table = Table(title=as_it_is(title, "table.title"), show_lines=True, expand=True)
    table.add_column("name", max_width=max(_LONGEST_NAME, 3 * width // 10), overflow="fold")
    table.add_column("value", ratio=1, overflow="fold")
    for name, text in rows.items():
        table.add_row(as_it_is(name), as_it_is(text))
    return table


def _save(console: "Console", path: Path, theme: str) -> None:
    if path.suffix == ".svg":
        console.save_svg(str(path), title="record")
        return
    page = console.export_html(inline_styles=True)
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    dark = '<style id="data-designer-styles">body { background: #1e1e1e; color: #ddd; }</style>'
    head = viewport + (dark if theme == "dark" else "")
    path.write_text(page.replace("<head>", f"<head>{head}", 1), encoding="utf-8")
