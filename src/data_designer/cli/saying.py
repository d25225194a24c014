"""What the command line prints."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING

import typer

from data_designer.terminal import visible, writable

if TYPE_CHECKING:
    from data_designer.interface import DatasetCreationResults


@contextmanager
def people_on_stderr(progress: str) -> Iterator[None]:
    """What is printed inside is for people: it goes to standard error where standard output carries JSON lines."""
    with redirect_stdout(sys.stderr) if progress == "json" else nullcontext():
        yield


def say(text: str, *, err: bool = False) -> None:
    """Print a line, on any terminal: what others have said in it is shown and does nothing."""
    typer.echo(writable(visible(text), sys.stderr if err else sys.stdout), err=err)


def say_what_there_is(results: "DatasetCreationResults") -> None:
    """Print what a run has come to, and end with 1 where it stopped early."""
    folder = results.artifact_storage.base_dataset_path
    outcomes = results.outcomes
    nulls = f", {outcomes.null_filled} of them with nulls" if outcomes.null_filled else ""
    say(f"{outcomes.generated + outcomes.null_filled} of {outcomes.requested} records in {folder}{nulls}")
    if results.early_shutdown is not None:
        say(f"❌ stopped early: {results.early_shutdown}", err=True)
        say(f"   to go on: data-designer resume {folder}", err=True)
        raise typer.Exit(1)
