"""Looks through records one at a time, with single keys."""

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_designer.cli.keys import single_keys
from data_designer.terminal import visible, writable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from data_designer.interface.display import SampleDisplay

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""To another screen without a cursor, and back, where everything is as it was."""
_CLEAR, _REVERSE, _PLAIN = "\x1b[H\x1b[2J", "\x1b[7m", "\x1b[0m"
_HELP = "n next, p previous, g go to, q quit"


@dataclass(slots=True)
class Browsing:
    """Where somebody is who looks through records: what keys do, and what the last line of the screen says."""

    count: int
    """Of the records."""
    index: int = 0
    top: int = 0
    """The first line of the record that is on the screen."""
    typed: str | None = None
    """Of the number of the record to go to; None while none is typed."""
    ended: bool = False

    def press(self, key: str, lines: int, page: int) -> None:
        """Take a key.

        Args:
            key: its name.
            lines: those of the record.
            page: how many of them are on the screen.
        """
        if self.typed is not None:
            self._type(key)
            return
        match key:
            case "n" | "right" | "enter":
                self._go(self.index + 1)
            case "p" | "left":
                self._go(self.index - 1)
            case "home":
                self._go(0)
            case "end":
                self._go(self.count - 1)
            case "down" | "up" | "page down" | "page up" | " ":
                steps = {"down": 1, "up": -1, "page up": -page}.get(key, page)
                self.top = max(0, min(self.top + steps, lines - page))
            case "g":
                self.typed = ""
            case "q" | "escape":
                self.ended = True

    def _type(self, key: str) -> None:
        typed = self.typed or ""
        match key:
            case "enter":
                number = int(typed) if typed else self.index + 1
                self._go(min(max(number, 1), self.count) - 1)
                self.typed = None
            case "escape" | "q":
                self.typed = None
            case "backspace":
                self.typed = typed[:-1]
            case _ if key.isdecimal() and key.isascii():
                self.typed = typed + key

    def _go(self, index: int) -> None:
        self.index, self.top = index % self.count, 0

    def status(self, lines: int, page: int) -> str:
        """The last line: which record it is, and what keys do."""
        if self.typed is not None:
            return f"go to record (1 to {self.count:,}): {self.typed}"
        last = min(self.top + page, lines)
        more = f"  lines {self.top + 1}-{last} of {lines}, arrows scroll" if lines > page else ""
        return f"{self.index + 1:,} of {self.count:,}  {_HELP}{more}"


def browse(count: int, lines_of: Callable[[int, int], Sequence[str]]) -> None:
    """Show records until somebody has seen enough.

    Args:
        count: how many there are.
        lines_of: gives the lines of a record, by its number from 0, for a screen of that width.
    """
    browsing = Browsing(count)
    with full_screen() as next_key:
        while not browsing.ended:
            width, height = shutil.get_terminal_size()
            lines, page = lines_of(browsing.index, width), max(1, height - 1)
            draw(lines[browsing.top : browsing.top + page], page, browsing.status(len(lines), page), width)
            browsing.press(next_key(), len(lines), page)


@contextmanager
def full_screen() -> Iterator[Callable[[], str]]:
    """A screen of its own for as long as the context lasts; gives what waits for the next key."""
    with single_keys() as next_key:
        try:
            _write(_ENTER)
            yield next_key
        finally:
            _write(_LEAVE)


def draw(shown: Sequence[str], page: int, status: str, width: int) -> None:
    """Fill the screen with some lines, and a last one that says where this is."""
    below = "\n" * (page - len(shown) + 1)
    last = visible(status)[: width - 1].ljust(width - 1)
    _write(f"{_CLEAR}{chr(10).join(shown)}{below}{_REVERSE}{last}{_PLAIN}")


def _write(text: str) -> None:
    sys.stdout.write(writable(text, sys.stdout))
    sys.stdout.flush()


def record_lines(display: "SampleDisplay", number: int, width: int) -> list[str]:
    """A record as lines for a terminal, what models have made first."""
    from data_designer.interface.display import Look

    return rendered_lines(display.parts(number, Look(display_width=width, models_first=True))[1:], width)


def rendered_lines(parts: "Sequence[RenderableType]", width: int) -> list[str]:
    """What `rich` makes of something for a terminal of that width, line by line."""
    from rich.console import Console

    out = Console(file=io.StringIO(), width=width, force_terminal=True, legacy_windows=False, _environ=os.environ)
    with out.capture() as captured:
        for part in parts:
            out.print(part)
    return captured.get().splitlines()
