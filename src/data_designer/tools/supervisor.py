"""Runs the command of a tool server, and ends it with all that it has started when whoever wanted it is gone.

A program of its own, which needs nothing but the interpreter: `python -I -S supervisor.py LIFELINE COMMAND ...`.
LIFELINE is the reading end of a pipe whose other end only the owner holds: it closes when the owner ends, however it
ends. The command gets standard input, output and error as they are, and the environment.
"""

import os
import select
import signal
import sys
import time

COERCES = "PYTHONCOERCECLOCALE"
"""Keeps this interpreter from adding a locale to the environment; the command does not see it."""
_GRACE = 0.5
"""Seconds that a command has to end by itself, once its standard input is closed, and then once it is told to."""
_NOT_FOUND = 127


def main() -> None:
    """Run it to its end, or to that of the owner."""
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    os.environ.pop(COERCES, None)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    child = os.fork()
    if not child:
        _become(command, lifeline, ended, wake)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # They end for the owner when the command ends, and for the command when the owner does.
        os.dup2(nothing, stream)
    status = _wait(child, lifeline, ended)
    _kill_group(child, signal.SIGKILL)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF if status is not None else 1)


def _become(command: list[str], *others: int) -> None:
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in others:
        os.close(one)
    try:
        os.execvp(command[0], command)  # noqa: S606 - it is what the user wants to run
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(_NOT_FOUND)


def _wait(child: int, lifeline: int, ended: int) -> int | None:
    """The status of the command when it has ended; None where it was ended."""
    while True:
        readable, _, _ = select.select([lifeline, ended], [], [])
        if (status := _status(child)) is not None:
            return status
        if lifeline in readable:
            break
        os.read(ended, 512)
    for number in (None, signal.SIGTERM):
        if number is not None:
            _kill_group(child, number)
        until = time.monotonic() + _GRACE
        while (left := until - time.monotonic()) > 0:
            if (status := _status(child)) is not None:
                return status
            select.select([], [], [], min(left, 0.02))
    return None


def _status(child: int) -> int | None:
    number, status = os.waitpid(child, os.WNOHANG)
    return status if number else None


def _kill_group(child: int, number: int) -> None:
    try:
        os.killpg(child, number)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    main()
