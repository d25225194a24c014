"""Single keys of a terminal, without Enter."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SEQUENCES = {
    b"[A": "up",
    b"OA": "up",
    b"[B": "down",
    b"OB": "down",
    b"[C": "right",
    b"OC": "right",
    b"[D": "left",
    b"OD": "left",
    b"[5~": "page up",
    b"[6~": "page down",
    b"[H": "home",
    b"OH": "home",
    b"[1~": "home",
    b"[F": "end",
    b"OF": "end",
    b"[4~": "end",
}
"""What follows an escape, to the key."""
_CONTROLS = {"\n": "enter", "\r": "enter", "\x7f": "backspace", "\b": "backspace", "\x1b": "escape", "\x04": "q"}
_REST = 0.05
"""Seconds within which the rest of a key's characters comes."""


def has_keys() -> bool:
    """Whether there is somebody at a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@contextmanager
def single_keys() -> Iterator[Callable[[], str]]:
    """Gives what waits for the next key and says its name: a character, or a word such as `up`.

    The terminal is as it was before when the context ends, however it does. Ctrl-C interrupts as always.
    """
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield lambda: _next_key(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _next_key(terminal: int) -> str:
    first = os.read(terminal, 1)
    if first == b"\x1b" and select.select([terminal], [], [], _REST)[0]:
        return _SEQUENCES.get(_sequence(terminal), "")
    if first and first[0] >= 0xC0:  # The first byte of a character of several.
        first += os.read(terminal, 3)
    text = first.decode("utf-8", "replace")
    return _CONTROLS.get(text, text) if text else "q"


def _sequence(terminal: int) -> bytes:
    """The rest of an escape sequence: after its first character, up to a letter or a tilde."""
    sequence = os.read(terminal, 1)
    while sequence in (b"[", b"O") or sequence[-1:].isdigit() or sequence[-1:] == b";":
        sequence += os.read(terminal, 1)
    return sequence
