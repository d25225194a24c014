"""What the command line prints."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING

import typer

from data_designer.terminal import as_it_is, columns_of, console, visible, wrapped, writable

if TYPE_CHECKING:
    from data_designer.interface import DatasetCreationResults
    from data_designer.interface.ending import Ending


@contextmanager
def people_on_stderr(progress: str) -> Iterator[None]:
    """What is printed inside is for people: it goes to standard error where standard output carries JSON lines."""
    with redirect_stdout(sys.stderr) if progress == "json" else nullcontext():
        yield


def say(text: str, *, err: bool = False) -> None:
    """Print a line, on any terminal: what others have said in it is shown and does nothing."""
    typer.echo(writable(visible(text), sys.stderr if err else sys.stdout), err=err)


def say_wrapped(text: str) -> None:
    """Print text of any length: between words where a terminal's lines end, and as it is where there is none."""
    if sys.stdout is not None and sys.stdout.isatty():
        console().print(as_it_is(text))
    else:
        say(text)


def say_error(text: str) -> None:
    """Print what is wrong, in lines that fit the terminal."""
    say(wrapped(f"❌ {visible(text)}", columns_of(sys.stderr), "   "), err=True)


def said_of(error: Exception) -> str:
    """What an error says, with a line for each fault where it has several."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    faults = [": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in error.errors()]
    if len(faults) == 1:
        return faults[0]
    return "\n".join([f"{len(faults)} things are wrong with {error.title}:", *(f"  - {one}" for one in faults)])


def say_what_there_is(results: "DatasetCreationResults", dataset: str | None = None) -> None:
    """Print what a run has come to, and end with 1 where it stopped early.

    Args:
        results: what it has made.
        dataset: what the user calls the dataset; where it is, when not given.
    """
    say_end(results.ending(dataset if dataset is None else shlex.quote(dataset)))
    if results.early_shutdown is not None:
        raise typer.Exit(1)


def say_end(ending: "Ending") -> None:
    """Print how a run has ended; as an error where it was stopped."""
    from data_designer.interface.ending_views import ending_width, print_on

    print_on(console(err=ending.stopped is not None, width=ending_width()), ending)
