"""The command that shows the records of a dataset, and what was said for their cells."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from data_designer.cli.arguments import Debug
from data_designer.cli.browser import draw, full_screen, rendered_lines
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.keys import has_keys
from data_designer.cli.saying import say
from data_designer.cli.viewing import Viewing
from data_designer.errors import DataDesignerError
from data_designer.object_storage import location
from data_designer.terminal import as_it_is, console, terminal_width

if TYPE_CHECKING:
    from data_designer.interface.record_view import DatasetView

_WIDEST = 120


def show(  # noqa: PLR0913 - one parameter an option
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Its folder, by path or URL, or its name in artifacts/.")
    ],
    record: Annotated[int | None, typer.Option("--record", "-i", min=0, help="Index of a record, from 0.")] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="Print prompts and replies of this column's cell.")
    ] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only records that were rejected.")] = False,
    search: Annotated[str | None, typer.Option("--search", metavar="TEXT", help="Begin at a record with TEXT.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one record, or cell, as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Look through the records of a dataset, and at the prompts and replies of their cells.

    On a terminal single keys lead from record to record; elsewhere one record is printed.
    """
    from data_designer.interface.opening import find
    from data_designer.interface.record_view import DatasetView

    with errors_in_one_line(debug=debug), _read_by_others():
        seen = DatasetView.at(find(location("." if "/" in dataset else "artifacts"), dataset))
        first = _first(seen, record, rejected=rejected, search=search)
        if as_json:
            _print_json(seen, first, column)
        elif column is not None:
            console(width=terminal_width(_WIDEST, 80)).print(seen.cell(first, column))
        elif has_keys():
            _browse(seen, first, only_rejected=rejected)
        else:
            _print(seen, first, dataset)


@contextmanager
def _read_by_others() -> Iterator[None]:
    """Whoever reads what is printed, such as `head`, may have read enough, which is no error to tell of."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _first(seen: "DatasetView", record: int | None, *, rejected: bool, search: str | None) -> int:
    """The record to begin with. Raises ValueError where there is none of that sort."""
    start = record or 0
    if record is not None:
        seen.records.at(record)
    if rejected and search is not None:
        raise ValueError("give --rejected or --search, not both")
    if rejected:
        found = next(seen.records.rejected(start), None)
        if found is None:
            raise ValueError(f"no record was rejected{_from(record)}")
        return found
    if search is not None:
        found = next(seen.records.holding(search, start), None)
        if found is None:
            raise ValueError(f"no record holds {search!r}{_from(record)}")
        return found
    return start


def _from(record: int | None) -> str:
    return "" if record is None else f" from record {record:,} on"


def _print(seen: "DatasetView", index: int, dataset: str) -> None:
    """One record, for whoever has no keys to press."""
    width = terminal_width(_WIDEST, 80)
    to = console(width=width)
    to.print(as_it_is(f"record {index:,} of {len(seen.records):,}", "bold"))
    for part in seen.record(index, width):
        to.print(part)
    failed = [said.column for said in seen.records.conversations(index) if said.fate == "failed"]
    for column in failed:
        say(f"prompts and replies: data-designer show {quote(dataset)} --record {index} --column {quote(column)}")


def _print_json(seen: "DatasetView", index: int, column: str | None) -> None:
    from data_designer.engine.dataset.encoding import json_text

    if column is None:
        said = [one.to_dict() for one in seen.records.conversations(index)]
        typer.echo(json_text({**seen.records.at(index).to_dict(), "conversations": said}))
    else:
        found = seen.said(index, column)
        typer.echo(json_text(seen.unsaid(index, column) if found is None else found.to_dict()))


def _browse(seen: "DatasetView", first: int, *, only_rejected: bool) -> None:
    """Show records until somebody has seen enough."""
    viewing = Viewing(seen.records, seen.columns, first, only_rejected=only_rejected)
    with full_screen() as next_key:
        while not viewing.ended:
            width, height = shutil.get_terminal_size()
            lines, page = _lines(seen, viewing, width), max(1, height - 1)
            shown = lines[viewing.top : viewing.top + page]
            draw(shown, page, viewing.status(len(lines), page, width), width)
            key = next_key()
            if viewing.looks(key):
                draw(shown, page, "looking …  Ctrl-C ends it", width)
            viewing.press(key, len(lines), page)


def _lines(seen: "DatasetView", viewing: Viewing, width: int) -> list[str]:
    """What is on the screen; what cannot be read of a record does not end the looking."""
    try:
        if viewing.column is None:
            return rendered_lines(seen.record(viewing.index, width), width)
        return rendered_lines([seen.cell(viewing.index, viewing.column)], width)
    except (DataDesignerError, OSError) as error:
        return rendered_lines([as_it_is(str(error), "red")], width)
