"""What the command line prints."""

import sys
from typing import TYPE_CHECKING

import typer

from data_designer.terminal import visible, width_of, wrapped, writable

if TYPE_CHECKING:
    from data_designer.interface import DatasetCreationResults


def say(text: str, *, err: bool = False) -> None:
    """Print a line, on any terminal: what others have said in it is shown and does nothing."""
    typer.echo(writable(visible(text), sys.stderr if err else sys.stdout), err=err)


def say_error(text: str) -> None:
    """Print what is wrong, in lines that fit the terminal."""
    say(wrapped(f"❌ {visible(text)}", width_of(sys.stderr), "   "), err=True)


def said_of(error: Exception) -> str:
    """What an error says, with a line for each fault where it has several."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    faults = [": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in error.errors()]
    if len(faults) == 1:
        return faults[0]
    return "\n".join([f"{len(faults)} things are wrong with {error.title}:", *(f"  - {one}" for one in faults)])


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
