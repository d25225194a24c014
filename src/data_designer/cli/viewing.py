"""Where somebody is who looks through a dataset: what keys do, and what the last line of the screen says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

_HELP = "n next, p previous, g go to, / search, r rejected, c cell, q quit", "n p g / r c q"
_HELP_OF_CELLS = "n next, p previous, c next column, esc record, q quit", "n p c esc q"
"""In words, and for narrow screens."""


class Records(Protocol):
    """What there is to look at."""

    def __len__(self) -> int: ...

    def rejected(self, start: int, *, backwards: bool = False) -> Iterator[int]:
        """Rejected records from one on."""
        ...

    def holding(self, text: str, start: int) -> Iterator[int]:
        """Records from one on that hold a text."""
        ...

    def failed_columns(self, record: int) -> Sequence[str]:
        """Columns whose cells failed in a record."""
        ...


@dataclass(slots=True)
class Viewing:
    """One who looks through records."""

    records: Records
    columns: Sequence[str]
    """Those for whose cells a model was asked."""
    index: int = 0
    """The record that is on the screen."""
    column: str | None = None
    """The column whose conversation is on the screen instead."""
    only_rejected: bool = False
    """Whether others are passed over."""
    top: int = 0
    """The first line that is on the screen."""
    asked: Literal["", "record", "text"] = ""
    """What is being typed."""
    typed: str = ""
    sought: str = ""
    """The text that was searched for last."""
    notice: str = ""
    """What the last line says until the next key."""
    ended: bool = False

    def press(self, key: str, lines: int, page: int) -> None:
        """Take a key.

        Args:
            key: its name.
            lines: those of what is shown.
            page: how many of them are on the screen.
        """
        self.notice = ""
        try:
            self._press(key, lines, page)
        except KeyboardInterrupt:
            self.notice = "the looking was ended"

    def looks(self, key: str) -> bool:
        """Whether a key has records read until one is found, which may take a while."""
        if self.asked:
            return self.asked == "text" and key == "enter"
        return key == "r" if not self.only_rejected else key in ("n", "right", "enter", "p", "left")

    def _press(self, key: str, lines: int, page: int) -> None:
        if self.asked:
            self._type(key)
        elif key in ("down", "up", "page down", "page up", " "):
            steps = {"down": 1, "up": -1, "page up": -page}.get(key, page)
            self.top = max(0, min(self.top + steps, lines - page))
        else:
            self._act(key)

    def _act(self, key: str) -> None:
        match key:
            case "n" | "right" | "enter":
                self._step(forwards=True)
            case "p" | "left":
                self._step(forwards=False)
            case "home" | "end":
                self._go(0 if key == "home" else len(self.records) - 1)
            case "g" | "/":
                self.asked, self.typed = "record" if key == "g" else "text", ""
            case "r":
                self._filter()
            case "c":
                self._next_column()
            case "escape" if self.column is not None:
                self.column, self.top = None, 0
            case "q" | "escape":
                self.ended = True

    def _type(self, key: str) -> None:
        match key:
            case "enter":
                asked, self.asked = self.asked, ""
                self._go_to_typed() if asked == "record" else self._search()
            case "escape":
                self.asked = ""
            case "backspace":
                self.typed = self.typed[:-1]
            case _ if len(key) == 1 and (self.asked == "text" or (key.isdecimal() and key.isascii())):
                self.typed += key

    def _go_to_typed(self) -> None:
        if self.typed:
            self.only_rejected = False
            self._go(min(int(self.typed), len(self.records) - 1))

    def _go(self, index: int) -> None:
        self.index, self.top = index, 0

    def _step(self, *, forwards: bool) -> None:
        if not self.only_rejected:
            self._go((self.index + (1 if forwards else -1)) % len(self.records))
            return
        start = self.index + (1 if forwards else -1)
        beyond = not 0 <= start < len(self.records)
        found = None if beyond else next(self.records.rejected(start, backwards=not forwards), None)
        if found is None:
            self.notice = f"no {'further' if forwards else 'earlier'} rejected record"
        else:
            self._go(found)

    def _filter(self) -> None:
        if self.only_rejected:
            self.only_rejected = False
            return
        found = next(self.records.rejected(self.index), None)
        found = next(self.records.rejected(0), None) if found is None else found
        if found is None:
            self.notice = "no record was rejected"
        else:
            self.only_rejected = True
            self._go(found)

    def _search(self) -> None:
        self.sought = self.typed or self.sought
        if not self.sought:
            return
        found = next(self.records.holding(self.sought, self.index + 1), None)
        if found is None:
            self.notice = f"no record after this one holds {self.sought!r}"
        else:
            self.only_rejected = False
            self._go(found)

    def _next_column(self) -> None:
        """From the record to its cells, those that failed first, and back to it."""
        failed = set(self.records.failed_columns(self.index))
        columns = sorted(self.columns, key=lambda name: name not in failed)
        if not columns:
            self.notice = "no model is asked for any column"
            return
        place = -1 if self.column is None else columns.index(self.column)
        self.column = columns[place + 1] if place + 1 < len(columns) else None
        self.top = 0

    def status(self, lines: int, page: int, width: int) -> str:
        """The last line: which record it is, and what keys do."""
        if self.asked == "record":
            return f"go to record (0 to {len(self.records) - 1:,}): {self.typed}"
        if self.asked:
            again = f" (Enter: {self.sought!r} again)" if self.sought and not self.typed else ""
            return f"search for: {self.typed}{again}"
        where = f"{self.index:,} of {len(self.records):,}{', only rejected' if self.only_rejected else ''}"
        if self.notice:
            return f"{where}  {self.notice}"
        last = min(self.top + page, lines)
        more = f"  lines {self.top + 1}-{last} of {lines}" if lines > page else ""
        words, letters = _HELP if self.column is None else _HELP_OF_CELLS
        whole = f"{where}{more}  {words}"
        return whole if len(whole) < width else f"{where}{more}  {letters}"
