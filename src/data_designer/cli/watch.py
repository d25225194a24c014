"""The command that follows a run of another process."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from data_designer.cli.arguments import Debug, folder_of
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.jobs import HERE, Address, dataset_of, is_alive
from data_designer.cli.saying import say
from data_designer.object_storage import location

if TYPE_CHECKING:
    from data_designer.engine.observe.showing import View
    from data_designer.interface.watching import Watch

_JOB = "raysubmit_"
_LOOK_SECONDS = 1.0


def watch(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET|JOB",
            help="The dataset's folder or URL, the name of one in artifacts/, or the name of a job.",
            callback=folder_of,
        ),
    ],
    serve: Annotated[bool, typer.Option("--serve", help="Serve the report, too, as a page that follows it.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of that page, on this machine; 0 picks a free one.")] = 0,
    progress: Annotated[
        Literal["panel", "lines", "json"] | None, typer.Option(help="How it is shown; json: an object a line.")
    ] = None,
    address: Address = HERE,
    debug: Debug = False,
) -> None:
    """Show how a run stands that another process or machine has under way, until it is over."""
    with errors_in_one_line(debug=debug), _interruptible():
        from data_designer.interface.watching import Watch, follow, said_of

        place = location(_begun(dataset, address) if dataset.startswith(_JOB) else dataset)
        one, is_quiet = Watch(place), progress == "json"
        with _page(one, port, serve=serve):
            look = one.look()
            was_running = look.is_running
            if was_running or is_quiet:
                look = follow(one, _view(progress))
            if not was_running:
                say(f"no run is under way at {place}", err=is_quiet)
            for line in said_of(look, place):
                say(line if was_running else f"last: {line}", err=is_quiet)
            if serve:
                say("the page stays until Ctrl-C", err=is_quiet)
                threading.Event().wait()


def _begun(job: str, address: str, wait: Callable[[float], None] = time.sleep) -> str:
    """The dataset of a job, once the job has begun it or is over."""
    from data_designer.engine.dataset.store import Store

    place, is_told = dataset_of(job, address), False
    while not Store.at(location(place)).has_files() and is_alive(job, address):
        if not is_told:
            say(f"waiting for {place}: the job has not begun it, or it cannot be read from here", err=True)
        is_told = True
        wait(_LOOK_SECONDS)
    return place


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("no longer watched; a run goes on", err=True)
        raise typer.Exit(130) from None


@contextmanager
def _page(one: "Watch", port: int, *, serve: bool) -> Iterator[None]:
    if not serve:
        yield
        return
    from data_designer.interface.watch_server import Pages, serving

    with serving(Pages(one), port) as url:
        say(f"report: {url}", err=True)
        yield


def _view(progress: str | None) -> "View":
    from data_designer.engine.observe.views import NARROWEST
    from data_designer.terminal import columns_of

    if progress == "json":
        from data_designer.engine.observe.views.json_lines import JsonLinesView

        return JsonLinesView(sys.stdout, 1.0)
    width = columns_of(sys.stderr)
    if progress == "lines" or width is None or width < NARROWEST:
        from data_designer.engine.observe.views.lines import LinesView

        return LinesView(5.0, say)
    from data_designer.engine.observe.views.panel import PanelView

    return PanelView(sys.stderr)
