"""Text of others on terminals and in logs: shown, and never obeyed."""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for line breaks and tabs, marks that change the direction of what follows, and halves of
characters, which no encoding can write."""
_NARROWEST = 40
"""Columns that are written however narrow a terminal is."""
_COMMAND = re.compile(r"data-designer [\w-]+ [^\s,;]+|--[\w-]+ \w+")
_GLUE = "\0"
"""Stands for a space at which no line ends; text that is visible has none."""


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


def is_coloured(stream: object, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal that shows colours, and nobody minds (no-color.org)."""
    return is_terminal(stream) and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def is_terminal(stream: object) -> bool:
    """Whether a stream is a terminal, and not closed."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def wrapped(text: str, width: int | None, indent: str) -> str:
    """The text in lines of some width; further lines of a line are indented by as much more than it is.

    Words longer than a line and commands stay whole, so that they can be copied.
    """
    if width is None or width <= 2 * len(indent):
        return text
    return "\n".join(_in_lines(line, width, indent) if len(line) > width else line for line in text.split("\n"))


def _in_lines(line: str, width: int, indent: str) -> str:
    import textwrap

    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), line)
    own = line[: len(line) - len(line.lstrip(" "))]
    lines = textwrap.wrap(
        whole,
        width,
        subsequent_indent=own + indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return "\n".join(lines).replace(_GLUE, " ")


def console(*, err: bool = False, **options: Any) -> "Console":
    """A console of rich on standard output or error, whatever encoding that has, unless `file` is given."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    if stream is not None:
        options.setdefault("file", _Lenient(stream))
    return Console(stderr=err, **options)


def terminal_width(most: int, default: int | None = None) -> int:
    """Columns of the terminal, but no more than `most`; where there is none, `default`, or `most`."""
    columns = shutil.get_terminal_size((default or most, 24)).columns
    return max(_NARROWEST, min(most, columns))


def cell_length(text: str) -> int:
    """Columns of a terminal that a text takes: two for each wide character, none for one that joins another."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def beginning(text: str, most: int) -> str:
    """As much of a text as fits into so many columns."""
    taken = 0
    for place, character in enumerate(text):
        taken += _cells(character)
        if taken > most:
            return text[:place]
    return text


def _cells(character: str) -> int:
    if unicodedata.combining(character) or character == "\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


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
