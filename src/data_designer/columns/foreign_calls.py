"""What comes out of code of the user: anything, also what ends a process elsewhere, such as `sys.exit` or Ctrl-C."""

import inspect
from collections.abc import Callable
from pathlib import Path

_OF_RAY = "ray_terminate_msg"
"""Attribute of the SystemExit that Ray raises in whatever a process of its does when SIGTERM ends that process."""


def is_end_of_process(error: BaseException) -> bool:
    """Whether an error says that this process is being ended, and is not the doing of the code that it came out of.

    Signals come to the main thread, in which this engine runs no code of the user, except in processes of Ray.
    """
    return isinstance(error, SystemExit) and hasattr(error, _OF_RAY)


def said_by(error: BaseException) -> str:
    """What an error says of itself, which may fail as the code did that it came out of."""
    try:
        return str(error)
    except BaseException as worse:
        if is_end_of_process(worse):
            raise
        return f"(its text cannot be had: {type(worse).__name__})"


def line_in(function: Callable[..., object], error: BaseException) -> str:
    """The line of the function's file in which it raised an error, to be added to what is said; else nothing."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    found, trace = 0, error.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            found = trace.tb_lineno
        trace = trace.tb_next
    return f" ({Path(code.co_filename).name}, line {found})" if found and code is not None else ""
