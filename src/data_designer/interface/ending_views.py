"""How the end of a run is shown: on a terminal, as lines of text, and in a notebook."""

import html
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from data_designer.interface.ending import Ending
from data_designer.interface.outcome_table import GAP, Field, fields_of, fitted
from data_designer.terminal import as_it_is, beginning, cell_length, terminal_width, visible

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

Line: TypeAlias = tuple[str, str]
"""A text and its style, as rich calls it."""

_WIDEST = 120
_INDENT_OF_LOGS = 4
"""What the lines of an entry of the log but the first begin with."""


def ending_width() -> int:
    """Characters of a line: those of the terminal, or 80."""
    return terminal_width(_WIDEST, 80)


def as_text(ending: Ending, width: int | None = None) -> str:
    """As lines of text; only a command may be longer than the width, which else is the terminal's."""
    return "\n".join(line for line, _ in lines_of(ending, width or ending_width()))


def say_in_log(ending: Ending) -> None:
    """As one entry of the log, for whoever runs no command."""
    level = logging.INFO if ending.stopped is None else logging.WARNING
    if logger.isEnabledFor(level):
        logger.log(level, "%s", as_text(ending, ending_width() - _INDENT_OF_LOGS))


def print_on(console: "Console", ending: Ending) -> None:
    """On a console of rich, with colours where it has any."""
    for line, style in lines_of(ending, console.width):
        console.print(as_it_is(line, style), soft_wrap=True)


def lines_of(ending: Ending, width: int) -> Iterator[Line]:
    """What is said, each line with the style that it has where there are styles."""
    yield visible(ending.first_line), "bold"
    yield from _wrapped(", ".join(ending.facts), width)
    fields = fitted(fields_of(ending.outcomes), width)
    if fields:
        yield "", ""
        yield from _table(fields)
    for title, causes in (("failed cells", ending.causes), ("failed requests", ending.retried)):
        if causes:
            yield "", ""
            yield f"{title}:", ""
            for cause, example in causes:
                yield from _wrapped(cause, width, 2)
                yield from _wrapped(_shortened(example, 3 * (width - 8)), width, 6, "dim")
    if ending.stopped is not None:
        yield "", ""
        yield from _wrapped(f"❌ stopped early: {ending.stopped}", width, style="bold red")
    for advice in ending.advice:
        yield "", ""
        yield from _wrapped(f"advice: {advice}", width)
    if ending.next_step is not None:
        why, command = ending.next_step
        yield "", ""
        yield f"next: {why}", ""
        yield f"  {visible(command)}", "cyan"


def _wrapped(text: str, width: int, indent: int = 0, style: str = "") -> Iterator[Line]:
    """A text in lines that begin with some spaces; a word that is longer than a line is broken."""
    line = ""
    for word in visible(text).split():
        while line and cell_length(f"{line} {word}") > width - indent:
            yield f"{' ' * indent}{line}", style
            line = ""
        line = f"{line} {word}" if line else word
        while cell_length(line) > width - indent:
            part = beginning(line, width - indent)
            yield f"{' ' * indent}{part}", style
            line = line[len(part) :]
    if line:
        yield f"{' ' * indent}{line}", style


def _shortened(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _table(fields: list[Field]) -> Iterator[Line]:
    titles = [field.title.split(" ") for field in fields]
    for line in (-2, -1):
        yield _row(fields, [words[line] if len(words) >= -line else "" for words in titles]), "dim"
    yield "─" * (sum(field.width for field in fields) + GAP * (len(fields) - 1)), "dim"
    rows = list(zip(*(field.cells for field in fields), strict=True))
    for row in rows:
        yield _row(fields, row), ""
    if len(rows) > 1:
        yield "", ""
        yield _row(fields, [field.total for field in fields]), "bold"


def _row(fields: list[Field], texts: Sequence[str]) -> str:
    cells = []
    for field, text in zip(fields, map(visible, texts), strict=True):
        shown = text if cell_length(text) <= field.width else f"{beginning(text, field.width - 1)}…"
        room = " " * (field.width - cell_length(shown))
        cells.append(f"{shown}{room}" if field.is_name else f"{room}{shown}")
    return (" " * GAP).join(cells).rstrip()


def as_html(ending: Ending) -> str:
    """As HTML for a notebook; what others have said in it is text."""
    first, *more = (_escaped(part) for part in (ending.first_line, ", ".join(ending.facts)) if part)
    told = [f"<p><strong>{first}</strong>{''.join(f'<br>{line}' for line in more)}</p>", _html_table(ending)]
    for title, causes in (("failed cells", ending.causes), ("failed requests", ending.retried)):
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
