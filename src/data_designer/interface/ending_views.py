"""How the end of a run is shown: on a terminal, as lines of text, and in a notebook."""

import html
import io
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from data_designer.interface.ending import Ending
from data_designer.interface.outcome_table import Field, fields_of, fitted
from data_designer.terminal import as_it_is, terminal_width, visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

logger = logging.getLogger(__name__)

_WIDEST = 120
_INDENT_OF_LOGS = 4
"""What the lines of an entry of the log but the first begin with."""


def ending_width() -> int:
    """Characters of a line: those of the terminal, or 80."""
    return terminal_width(_WIDEST, 80)


def as_text(ending: Ending, width: int | None = None) -> str:
    """As lines of text; only a command may be longer than the width, which else is the terminal's."""
    from rich.console import Console

    width = width or ending_width()
    out = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with out.capture() as captured:
        for part in parts_of(ending, width):
            out.print(part, soft_wrap=True)
    lines = (line.rstrip() for line in captured.get().splitlines())
    return "\n".join(lines).strip("\n")


def say_in_log(ending: Ending) -> None:
    """As one entry of the log, for whoever runs no command."""
    level = logging.INFO if ending.stopped is None else logging.WARNING
    if logger.isEnabledFor(level):
        logger.log(level, "%s", as_text(ending, ending_width() - _INDENT_OF_LOGS))


def parts_of(ending: Ending, width: int) -> "Iterator[RenderableType]":
    """What is said, in order, for a console of that width."""
    yield as_it_is(ending.first_line, "bold")
    if ending.facts:
        yield from _wrapped(", ".join(ending.facts), width)
    fields = fitted(fields_of(ending.outcomes), width)
    if fields:
        yield ""
        yield _table(fields)
    for title, causes in (("failed", ending.causes), ("sent again", ending.retried)):
        if causes:
            yield ""
            yield as_it_is(f"{title}:")
            for cause, example in causes:
                yield from _wrapped(cause, width, 2)
                yield from _wrapped(_shortened(example, 2 * (width - 6)), width, 6, "dim")
    if ending.stopped is not None:
        yield ""
        yield from _wrapped(f"❌ stopped early: {ending.stopped}", width, style="bold red")
    for advice in ending.advice:
        yield ""
        yield from _wrapped(f"advice: {advice}", width)
    if ending.next_step is not None:
        why, command = ending.next_step
        yield ""
        yield as_it_is(f"next: {why}")
        yield as_it_is(f"  {command}", "cyan")


def _wrapped(text: str, width: int, indent: int = 0, style: str = "") -> "Iterator[RenderableType]":
    from textwrap import wrap

    for line in wrap(visible(text), max(width - indent, 20), break_on_hyphens=False):
        yield as_it_is(" " * indent + line, style)


def _shortened(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _table(fields: list[Field]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for field in fields:
        table.add_column(
            as_it_is(field.title),
            justify="left" if field.is_name else "right",
            no_wrap=field.is_name,
            overflow="ellipsis" if field.is_name else "fold",
            width=field.width,
            vertical="bottom",
        )
    rows = list(zip(*(field.cells for field in fields), strict=True))
    for row in rows:
        table.add_row(*map(as_it_is, row), end_section=row is rows[-1])
    if len(rows) > 1:
        table.add_row(*(as_it_is(field.total, "bold") for field in fields))
    return table


def as_html(ending: Ending) -> str:
    """As HTML for a notebook; what others have said in it is text."""
    first, *more = (_escaped(part) for part in (ending.first_line, ", ".join(ending.facts)) if part)
    told = [f"<p><strong>{first}</strong>{''.join(f'<br>{line}' for line in more)}</p>", _html_table(ending)]
    for title, causes in (("failed", ending.causes), ("sent again", ending.retried)):
        items = (f"<li>{_escaped(cause)}<br><small>{_escaped(example)}</small></li>" for cause, example in causes)
        told.append(f"<p>{title}:</p><ul>{''.join(items)}</ul>" if causes else "")
    if ending.stopped is not None:
        told.append(f"<p><strong>stopped early: {_escaped(ending.stopped)}</strong></p>")
    told += (f"<p>advice: {_escaped(advice)}</p>" for advice in ending.advice)
    if ending.next_step is not None:
        why, command = map(_escaped, ending.next_step)
        told.append(f"<p>next: {why}<br><code>{command}</code></p>")
    return f"<div>{''.join(told)}</div>"


def _html_table(ending: Ending) -> str:
    fields = fields_of(ending.outcomes)
    if not fields:
        return ""
    sides = [f' style="text-align: {"left" if field.is_name else "right"}"' for field in fields]

    def row(tag: str, texts: Iterable[str]) -> str:
        cells = (f"<{tag}{side}>{_escaped(text)}</{tag}>" for side, text in zip(sides, texts, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    body = [row("td", texts) for texts in zip(*(field.cells for field in fields), strict=True)]
    body += [row("th", (field.total for field in fields))] if len(body) > 1 else []
    return f"<table><thead>{row('th', (field.title for field in fields))}</thead><tbody>{''.join(body)}</tbody></table>"


def _escaped(text: str) -> str:
    return html.escape(visible(text))
