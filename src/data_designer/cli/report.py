"""The command report: a page about a dataset."""

from pathlib import Path
from typing import Annotated

import typer

from data_designer.cli.arguments import Dataset, Debug
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.saying import say
from data_designer.object_storage import Location, location


def report(
    dataset: Dataset,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Where to write it; report.html in the dataset's folder."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Show it in a browser.")] = False,
    debug: Debug = False,
) -> None:
    """Write one HTML page about a dataset: outcomes, records, time, cost, columns."""
    from data_designer.engine.dataset.store import Store
    from data_designer.interface.report import write_report

    with errors_in_one_line(debug=debug):
        place = location(dataset)
        if show and not isinstance(location(out) if out else place, Path):
            raise ValueError("a browser cannot open what is in object storage: give --out FILE on this machine")
        written = write_report(Store.at(place), out)
        say(f"the report is {written}")
        if show:
            _open(written)


def _open(written: Location) -> None:
    import webbrowser

    if isinstance(written, Path) and not webbrowser.open(written.as_uri()):
        say("no browser was found here; open the file yourself", err=True)
