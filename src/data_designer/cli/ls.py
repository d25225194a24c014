"""The command that lists datasets."""

import json
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
            console(width=terminal_width(_WIDEST, 80)).print(_table(found))
            for one in found:
                if one.problem:
                    say(f"❌ {one.problem}", err=True)


def _table(found: "list[Listed]") -> "Table":
    from rich import box
    from rich.table import Table

    from data_designer.interface import figures

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("dataset", overflow="fold", ratio=1)
    table.add_column("state", no_wrap=True)
    for title in ("records", "rejected", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("written", no_wrap=True)
    for one in found:
        known = one.state != "damaged"
        table.add_row(
            as_it_is(one.name),
            as_it_is(one.state, _STYLES[one.state]),
            f"{figures.count(one.made)}/{figures.count(one.requested)}" if known else "",
            figures.count(one.rejected) if known else "",
            "" if one.usd is None else figures.usd(one.usd),
            "" if one.written_at is None else f"{datetime.fromtimestamp(one.written_at).astimezone():%Y-%m-%d %H:%M}",
        )
    return table
