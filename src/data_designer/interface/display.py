"""Shows one record of a dataset, in a terminal, a notebook, or a file."""

import base64
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_designer.errors import DatasetSampleDisplayError
from data_designer.plan.kinds import Group
from data_designer.terminal import as_it_is, console, visible

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, RenderableType
    from rich.table import Table

_LONGEST_LIST = 8
_DEEPEST = 100
"""Levels of a value that are shown."""
_LONGEST_NUMBER = 10_000
"""Bits of a number that is written in digits: Python refuses to do so with many more."""
_MEDIUM = re.compile(r"(data:[^,\s]{1,100},)?[A-Za-z0-9+/]{400}")
"""How text begins that is an image or another medium in base64, of which there may be megabytes."""
_SHOWN_OF_MEDIUM = 60

Processed = Mapping[str, Sequence[Mapping[str, object]]]
"""Processor to the rows that it made."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column is shown."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    """Of the columns of code, which are shown as such."""
    read: Callable[[str], bytes] | None = None
    """Reads a file that a column of images names; None where they hold the images themselves, in base64."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a record is shown."""

    syntax_highlighting_theme: str = "dracula"
    background_color: str | None = None
    processors_to_display: Sequence[str] | None = None
    hide_seed_columns: bool = False
    include_traces: bool = True
    save_path: "str | Path | None" = None
    """`.html` or `.svg`; nothing is printed then."""
    theme: str = "dark"
    display_width: int = 110


class SampleDisplay:
    """Shows records one after another."""

    def __init__(self, frame: "pd.DataFrame", layout: Layout, processed: Processed | None = None) -> None:
        self._frame = frame
        self._layout = layout
        self._processed = processed or {}
        self._next = 0

    def show(self, index: int | None = None, **options: Any) -> None:
        """Show a record; without an index, the next one, beginning anew after the last.

        Raises:
            DatasetSampleDisplayError: there is no such record, or the path is no `.html` or `.svg`.
        """
        look = Look(**options)
        path = None if look.save_path is None else Path(look.save_path)
        if path is not None and path.suffix not in (".html", ".svg"):
            raise DatasetSampleDisplayError(f"a record is saved as .html or .svg, not as {path.name!r}")
        number = self._choose(index)
        kept = {} if path is None else {"record": True, "file": io.StringIO()}
        to = console(width=look.display_width, **kept)
        for part in self._parts(number, look):
            to.print(part)
        if path is None and _in_notebook():
            _show_pictures(self._pictures(number))
        if path is not None:
            _save(to, path, look.theme)

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

    def _parts(self, number: int, look: Look) -> list["RenderableType"]:
        from rich.panel import Panel
        from rich.syntax import Syntax

        record = {str(name): self._frame.iloc[number, place] for place, name in enumerate(self._frame)}
        groups = self._grouped(record)
        parts: list[RenderableType] = [as_it_is(f"[index: {number}]")]
        if groups["seed"] and not look.hide_seed_columns:
            parts.append(_table("Seed Columns", groups["seed"]))
        if groups["generated"]:
            parts.append(_table("Generated Columns", groups["generated"]))
        if groups["media"]:
            parts.append(_table("Images", {name: self._in_words(value) for name, value in groups["media"].items()}))
        if look.include_traces:
            traces = groups["trace"].items()
            parts.extend(Panel(as_it_is(_text(value)), title=as_it_is(f"Trace: {name}")) for name, value in traces)
        for name, value in groups["code"].items():
            language = self._layout.languages[name].partition(":")[0]
            text = visible(_text(value)) if _is_there(value) else ""
            code = Syntax(text, language or "text", theme=look.syntax_highlighting_theme, word_wrap=True)
            parts.append(Panel(code, title=as_it_is(name)))
        parts.extend(_table(f"Validation: {name}", _members(value)) for name, value in groups["verdict"].items())
        for name, value in groups["judge"].items():
            parts.append(_table(f"LLM-as-a-Judge: {name}", _members(value)))
        for name, rows in self._processed.items():
            wanted = look.processors_to_display is None or name in look.processors_to_display
            if wanted and number < len(rows):
                parts.append(_table(f"Processor Outputs: {name}", _members(rows[number])))
        return parts

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


def _is_there(value: object) -> bool:
    return not (value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value))  # noqa: PLR0124 - NaN


def _listed(value: object) -> list[str]:
    """The images of a cell."""
    plain = _plain(value)
    return [str(image) for image in plain] if isinstance(plain, list) else []


def _in_notebook() -> bool:
    """Whether this is a notebook, which shows pictures."""
    found = sys.modules.get("IPython")
    shell = None if found is None else found.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _show_pictures(pictures: Iterable[bytes]) -> None:
    from IPython.display import Image, display  # type: ignore[import-not-found]  # where there is a notebook, it is

    for picture in pictures:
        display(Image(data=picture))


def _members(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {"": value}


def _text(value: object) -> str:
    """A value as it is shown. Where it cannot be, its type is: a record is never hidden by one of its values."""
    try:
        return _written(_plain(value))
    except Exception:  # noqa: BLE001 - the value may be anything, and do anything when it is looked at
        return f"<{type(value).__name__} that cannot be shown>"


def _written(value: object) -> str:
    if isinstance(value, list) and len(value) > _LONGEST_LIST and all(isinstance(v, int | float) for v in value):
        return f"[{', '.join(map(str, value[:_LONGEST_LIST]))}, ... {len(value)} numbers]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _plain(value: object, depth: int = 0) -> object:
    """A value as JSON data, as far as it is any."""
    if depth > _DEEPEST:
        return "…"
    if callable(listed := getattr(value, "tolist", None)):
        value = listed()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, str) and _MEDIUM.match(value):
        return f"{value[:_SHOWN_OF_MEDIUM]}... ({len(value):,} characters)"
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return hex(value)
    return value if _is_there(value) else None


def _table(title: str, rows: Mapping[str, object] | Mapping[object, object]) -> "Table":
    from rich.table import Table

    table = Table("name", "value", title=as_it_is(title, "table.title"), show_lines=True, expand=True)
    for name, value in rows.items():
        table.add_row(as_it_is(str(name)), as_it_is(_text(value)))
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
