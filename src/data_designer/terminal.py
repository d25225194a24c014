"""Text of others on terminals and in logs: shown, and never obeyed."""

import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for line breaks and tabs, marks that change the direction of what follows, and halves of
characters, which no encoding can write."""


def visible(text: str) -> str:
    r"""The text, with each character that steers a terminal as its escape: ESC as `\x1b`."""
    return _STEERS.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def columns_of(stream: "TextIO | None") -> int | None:
    """How wide the terminal is to which a stream goes; None where it goes to none on which a cursor can be moved."""
    try:
        if stream is None or not stream.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
            return None
        given = os.environ.get("COLUMNS", "")
        return int(given) if given.isdecimal() and int(given) else os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):  # It is closed, or stands in for a file.
        return None


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel, which shows what it is given to display."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def writable(text: str, stream: object) -> str:
    """The text as a stream can write it: what is not in its encoding is an escape."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def as_it_is(text: str, style: str = "") -> "Text":
    """The text for rich, which finds neither markup nor emoji codes in it."""
    from rich.text import Text

    return Text(visible(text), style)


def console(**options: Any) -> "Console":
    """A console of rich on standard output, whatever encoding that has, unless `file` is given."""
    from rich.console import Console

    if sys.stdout is not None:
        options.setdefault("file", _Lenient(sys.stdout))
    return Console(**options)


class _Lenient:
    """A stream to which everything can be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what the stream can, the rest as escapes."""
        self._stream.write(writable(text, self._stream))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
