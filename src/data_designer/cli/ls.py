"""The command that lists datasets."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_designer.cli.arguments import Debug
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.saying import say
from data_designer.object_storage import location
from data_designer.terminal import as_it_is, console, terminal_width

if TYPE_CHECKING:
    from rich.table import Table

    from data_designer.interface.listing import Listed

_WIDEST = 120
_NARROW = 76
_STYLES = {"complete": "green", "running": "cyan", "stopped": "yellow", "failed": "red", "damaged": "red"}


def ls(
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="The folder of datasets: a path, or a URL as s3://bucket/folder.")
    ] = "artifacts",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
    debug: Debug = False,
) -> None:
    """List the datasets of a folder: how far each is, what it cost, and when it was written."""
    from data_designer.interface.listing import datasets_in

    with errors_in_one_line(debug=debug):
        place = location(folder)
        if isinstance(place, Path) and not place.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
        found = datasets_in(place)
        if as_json:
            typer.echo(json.dumps([one.to_dict() for one in found], indent=2))
        elif not found:
            say(f"there is no dataset in {folder}")
        else:
            width = terminal_width(_WIDEST, 80)
            console(width=width).print(table_of(found, datetime.now().astimezone(), is_narrow=width < _NARROW))
            for one in found:
                if one.problem:
                    say(f"❌ {one.problem}", err=True)


def table_of(found: "Sequence[Listed]", now: datetime, *, is_narrow: bool = False) -> "Table":
    """Datasets as a table; where the terminal is narrow, with rounded numbers and without the hours of earlier days."""
    from rich import box
    from rich.table import Table

    from data_designer.interface import figures

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("dataset", overflow="fold", ratio=1)
    table.add_column("state", no_wrap=True)
    for title in ("records", "rejected", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("written", no_wrap=True)
    count = figures.compact if is_narrow else figures.count
    for one in found:
        known = one.state != "damaged"
        table.add_row(
            as_it_is(one.name),
            as_it_is(one.state, _STYLES[one.state]),
            f"{count(one.made)}/{count(one.requested)}" if known else "",
            count(one.rejected) if known else "",
            "" if one.usd is None else figures.usd(one.usd),
            "" if one.written_at is None else _moment(one.written_at, now, is_narrow=is_narrow),
        )
    return table


def _moment(written_at: float, now: datetime, *, is_narrow: bool) -> str:
    at = datetime.fromtimestamp(written_at, now.tzinfo)
    if not is_narrow:
        return f"{at:%Y-%m-%d %H:%M}"
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at:%b %d}" if at.year == now.year else f"{at:%Y-%m}"
