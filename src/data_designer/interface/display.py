"""Shows one record of a dataset, in a terminal, a notebook, or a file."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from data_designer.errors import DatasetSampleDisplayError
from data_designer.plan.kinds import Group
from data_designer.terminal import as_it_is, console, visible

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, RenderableType
    from rich.table import Table

_LONGEST_LIST = 8
_MOST_VECTORS = 3
"""Vectors of a list that are shown."""
_DEEPEST = 100
"""Levels of a value that are shown."""
_LONGEST_NUMBER = 10_000
"""Bits of a number that is written in digits: Python refuses to do so with many more."""


Processed = Mapping[str, Sequence[Mapping[str, object]]]
"""Processor to the rows that it made."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column is shown."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    """Of the columns of code, which are shown as such."""


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

    def _grouped(self, record: Mapping[str, object]) -> dict[str, dict[str, object]]:
        groups: dict[str, dict[str, object]] = {
            name: {} for name in ("seed", "generated", "trace", "code", "verdict", "judge")
        }
        for name, value in record.items():
            group = self._layout.groups.get(name, "trace" if name.endswith("__trace") else "generated")
            groups["code" if name in self._layout.languages else group][name] = value
        return groups


def _is_there(value: object) -> bool:
    return not (value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value))  # noqa: PLR0124 - NaN


def _members(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {"": value}


def _text(value: object) -> str:
    """A value as it is shown. Where it cannot be, its type is: a record is never hidden by one of its values."""
    try:
        return _written(_plain(value))
    except Exception:  # noqa: BLE001 - the value may be anything, and do anything when it is looked at
        return f"<{type(value).__name__} that cannot be shown>"


def _written(value: object) -> str:
    if _is_vector(value):
        return _shortened(value)
    if isinstance(value, Mapping):
        value = {key: _without_vectors(inner) for key, inner in value.items()}
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _without_vectors(value: object) -> object:
    """A member of a value, in which the numbers of vectors would hide everything else."""
    if _is_vector(value):
        return _shortened(value)
    if isinstance(value, list) and value and all(map(_is_vector, value)):
        more = len(value) - _MOST_VECTORS
        return [*map(_shortened, value[:_MOST_VECTORS]), *([f"... {more} more"] if more > 0 else [])]
    return value


def _is_vector(value: object) -> TypeGuard[list[int | float]]:
    return isinstance(value, list) and len(value) > _LONGEST_LIST and all(isinstance(v, int | float) for v in value)


def _shortened(numbers: list[int | float]) -> str:
    return f"[{', '.join(map(_digits, numbers[:_LONGEST_LIST]))}, ... {len(numbers)} numbers]"


def _digits(number: float) -> str:
    return f"{number:.6g}" if isinstance(number, float) else str(number)


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
