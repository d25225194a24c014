"""What the command line prints."""

import sys

import typer

from data_designer.terminal import visible, writable


def say(text: str, *, err: bool = False) -> None:
    """Print a line, on any terminal: what others have said in it is shown and does nothing."""
    typer.echo(writable(visible(text), sys.stderr if err else sys.stdout), err=err)
