"""How commands end: what the user can mend is one line, and the exit code tells the rest."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click
import typer

from data_designer.cli.saying import said_of, say, say_error
from data_designer.distributed.replaced import replaced
from data_designer.errors import DataDesignerError, DataDesignerGenerationError
from data_designer.interrupts import LEFT, sigterm_interrupts

logger = logging.getLogger(__name__)


@contextmanager
def errors_in_one_line(*, debug: bool) -> Iterator[None]:
    """Whatever the user can mend is one line and exit code 1; a traceback only on request.

    So is Ctrl-C or SIGTERM; a second one, while what is under way is waited for, is 130.
    """
    try:
        with sigterm_interrupts(), _warnings_in_log(), _end_out_of_log():
            yield
    except (click.exceptions.ClickException, typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt as interrupt:
        say("interrupted", err=True)
        _leave(130 if str(interrupt) == LEFT else 1)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the exit code tells
        if debug:
            # What went wrong first is shown once, and not once more for whatever passed it on.
            cause = error.__cause__
            traceback.print_exception(cause if cause is not None and cause.__traceback__ is not None else error)
        say_error(_said(error, debug=debug))
        raise typer.Exit(1) from None


@contextmanager
def _end_out_of_log() -> Iterator[None]:
    """How a run has ended is printed by the command itself, last of all."""
    logger = logging.getLogger("data_designer.interface.ending_views")
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)


@contextmanager
def _warnings_in_log() -> Iterator[None]:
    """What libraries warn of is a line of the log, without the line of code that it came from."""

    def tell(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        own = category in (UserWarning, RuntimeWarning)
        logger.warning("%s", message if own else f"{category.__name__}: {message}")

    with replaced(warnings, "showwarning", tell):
        yield


def _leave(code: int) -> NoReturn:
    """End this process as it is: what was interrupted may still be under way, and is not to change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # A service may have none.
            stream.flush()
    if "ray" in sys.modules:
        from data_designer.distributed.local_ray import kill_local

        kill_local()
    os._exit(code)


def _said(error: Exception, *, debug: bool) -> str:
    if isinstance(error, DataDesignerError | OSError | ValueError) and not _is_unforeseen(error):
        return said_of(error)
    logger.debug("the command has failed", exc_info=error)
    kind = "" if isinstance(error, DataDesignerError) else f"{type(error).__name__}: "
    return f"{kind}{error}" + ("" if debug else " (--debug shows where)")


def _is_unforeseen(error: Exception) -> bool:
    """Whether a run has failed by something that this library did not raise on purpose, and the disk did not."""
    from pydantic import ValidationError

    return isinstance(error, DataDesignerGenerationError) and not isinstance(
        error.__cause__, DataDesignerError | OSError | ValidationError | None
    )
