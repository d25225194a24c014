"""The panel: how a run stands, in at most twenty lines at the foot of a terminal. What is printed stays above it."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TextIO, cast

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.text import Text

from data_designer.engine.observe.views import wording
from data_designer.engine.protocol.snapshot import AliasState, ColumnState, Snapshot
from data_designer.terminal import visible, writable

_MOST_LINES = 20
_MOST_REASONS = 3
_MOST_MODELS = 4
_WIDEST = 120
_WIDEST_NAME = 28
_WIDEST_BAR = 40
_LEAST_BAR = 6
_LEAST_NAME = 12
_HEADING = 2
"""Lines above those of a table."""
_PLAIN = str.maketrans({"━": "#", "─": "-", "…": "~", "→": ">", "·": "-", "▲": "!"})
"""For terminals that cannot write these."""

Line = list[tuple[str, str]]
"""Texts, each with its style."""


def panel(snapshot: Snapshot, width: int, most_lines: int = _MOST_LINES) -> list[Line]:
    """The lines, none of them wider than so many cells.

    Args:
        snapshot: what is shown.
        width: cells of a line.
        most_lines: how many there may be.
    """
    width, most_lines = min(width, _WIDEST), max(1, min(most_lines, _MOST_LINES))
    head = _head(snapshot, width)
    foot: list[Line] = [[(_cut(f"▲ {visible(one)}", width), "yellow")] for one in snapshot.reasons[:_MOST_REASONS]]
    room = most_lines - len(head) - len(foot)
    models = _models(snapshot.aliases, width, min(_MOST_MODELS + 2, room // 2))
    columns = _columns(list(wording.grouped(snapshot.columns)), width, room - len(models))
    return [*head, *columns, *models, *foot][:most_lines]


def _head(snapshot: Snapshot, width: int) -> list[Line]:
    name, state = wording.dataset_name(snapshot), "" if snapshot.state == "running" else f" {snapshot.state}"
    right = _times(snapshot, width - min(cell_len(name), _LEAST_NAME) - cell_len(state) - 2)
    name = _cut(name, max(_LEAST_NAME, width - cell_len(right) - cell_len(state) - 2))
    gap = " " * max(2, width - cell_len(name) - cell_len(state) - cell_len(right))
    done, wrote = wording.records(snapshot), wording.tokens(snapshot)
    between = " " * max(3, width - cell_len(done) - cell_len(wrote))
    return [
        [(name, "bold"), (state, "yellow"), (gap, ""), (right, "")],
        _bar(snapshot.done, width, "green"),
        [(_cut(f"{done}{between}{wrote}" if wrote else done, width), "dim")],
    ]


def _times(snapshot: Snapshot, room: int) -> str:
    """How far, since when, how much longer and for how much: in as many words as there is room for."""
    share, passed, left = wording.percent(snapshot.done), wording.clock(snapshot.elapsed), wording.time_left(snapshot)
    long = (share, ", ".join(filter(None, (f"{passed} elapsed", left))), wording.money(snapshot.usd))
    short = (share, ", ".join(filter(None, (passed, left.removeprefix("about ")))), wording.money(snapshot.usd))
    text = "   ".join(filter(None, long))
    return text if cell_len(text) <= room else "  ".join(filter(None, short))


def _columns(columns: Sequence[tuple[str, ColumnState]], width: int, most: int) -> list[Line]:
    """A line a column; where there are too many, those that are being made, and how many others there are."""
    if not columns or most <= _HEADING:
        return []
    shown, others = _chosen(columns, most - _HEADING)
    name = _width(["column", *(name for name, _ in shown)], _WIDEST_NAME if width >= 80 else 20)
    alias = _width(["model", *(column.alias or "" for _, column in shown)], 16 if width >= 80 else 10)
    counts = [f"{wording.count(column.done)}/{wording.count(column.total)}" for _, column in shown]
    count, failed = max(map(len, counts)), max(len(_failed(column)) for _, column in shown)
    bar = min(_WIDEST_BAR, width - name - alias - count - failed - 6 - (2 if failed else 0))
    lines: list[Line] = [[("", "")], [(f"{_pad('column', name)}  {_pad('model', alias)}  done", "dim")]]
    for (title, column), number in zip(shown, counts, strict=True):
        spans = [(f"{_pad(title, name)}  ", ""), (f"{_pad(visible(column.alias or ''), alias)}  ", "dim")]
        spans.append((f"{number:>{count}}  ", ""))
        if bar >= _LEAST_BAR:
            spans += _bar(column.done / column.total if column.total else 1.0, bar, "cyan")
        lines.append([*spans, (f"  {_failed(column):>{failed}}" if failed else "", "red")])
    if others:
        lines.append([(f"… {others} more", "dim")])
    return lines


def _chosen(columns: Sequence[tuple[str, ColumnState]], room: int) -> tuple[Sequence[tuple[str, ColumnState]], int]:
    """Those that are shown in so many lines, and how many are not, which takes a line too."""
    if len(columns) <= room:
        return columns, 0
    ranks = {place: _rank(column) for place, (_, column) in enumerate(columns)}
    kept = sorted(sorted(ranks, key=lambda place: (ranks[place], place))[: max(1, room - 1)])
    return [columns[place] for place in kept], len(columns) - len(kept)


def _rank(column: ColumnState) -> int:
    """What is being made comes before what is not begun, and that before what is done."""
    if column.done >= column.total:
        return 2
    return 0 if column.done else 1


def _models(aliases: Mapping[str, AliasState], width: int, most: int) -> list[Line]:
    """A line an alias; where there are too many, those that are held up and those that are busiest."""
    room = most - _HEADING
    if not aliases or room < 1:
        return []
    ranked = sorted(
        aliases, key=lambda alias: (aliases[alias].limit >= aliases[alias].slots, -aliases[alias].in_flight)
    )
    kept = ranked if len(ranked) <= room else ranked[: max(1, room - 1)]
    gap = "  " if width >= 80 else " "
    numbers = gap.join(("", "in flight", "limit", "slots", "replies", "median", "failed"))
    name = _width(["model", *kept], min(_WIDEST_NAME, width - len(numbers)))
    lines: list[Line] = [[("", "")], [(f"{_pad('model', name)}{numbers}", "dim")]]
    for alias in (alias for alias in aliases if alias in kept):
        one = aliases[alias]
        rate, latency = wording.rate(one.requests_per_second), wording.seconds(one.latency)
        lines.append(
            [
                (f"{_pad(visible(alias), name)}{gap}{one.in_flight:>9}", ""),
                (f"{gap}{one.limit:>5}", "yellow" if one.limit < one.slots else ""),
                (f"{gap}{one.slots:>5}{gap}{rate:>7}{gap}{latency:>6}", ""),
                (f"{gap}{wording.count(one.failed_requests):>6}", "red" if one.failed_requests else "dim"),
            ]
        )
    if len(kept) < len(aliases):
        lines.append([(f"… {len(aliases) - len(kept)} more", "dim")])
    return lines


def _failed(column: ColumnState) -> str:
    return f"{wording.count(column.failed)} failed" if column.failed else ""


def _bar(share: float, width: int, style: str) -> Line:
    full = int(share * width + 1e-9)
    return [("━" * full, style), ("─" * (width - full), "dim")]


def _width(texts: Iterable[str], most: int) -> int:
    return min(most, max(cell_len(visible(text)) for text in texts))


def _pad(name: str, width: int) -> str:
    return set_cell_size(wording.shortened(name, width), width)


def _cut(text: str, width: int) -> str:
    """The text, on one line, as far as it fits."""
    text = text.replace("\n", " ")
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


# --- on a terminal ---------------------------------------------------------------------------------------


class PanelView:
    """Shows the panel on a terminal, and gives it back as it was."""

    interval = 0.4
    """Seconds between two looks."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._exits = ExitStack()
        self._live: Live | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Show it in the place of the one before."""
        if self._live is None:
            console = Console(file=self._stream, highlight=False, soft_wrap=False)
            self._live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._exits.enter_context(self._live)
            self._exits.enter_context(printed_above(console))
        self._live.update(_Rendered(snapshot), refresh=True)

    def close(self, _: Snapshot) -> None:
        """Take it away."""
        self._exits.close()
        self._live = None


class _Rendered:
    """A snapshot, as wide as the terminal is when it is shown."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in panel(self._snapshot, options.max_width, console.size.height - 1):
            text = Text(no_wrap=True, overflow="crop")
            for part, style in line:
                text.append(_as_written(part, console), style)
            yield text


def _as_written(text: str, console: Console) -> str:
    return text if console.encoding.startswith("utf") else text.translate(_PLAIN)


@contextmanager
def printed_above(console: Console) -> Iterator[None]:
    """What is printed or logged inside to the terminal of a console comes above what that shows."""
    ways = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    moved = {name: _Above(console, stream) for name, stream in ways.items() if _is_terminal(stream)}
    handlers = [(handler, name) for handler in _handlers() for name in moved if handler.stream is ways[name]]
    for name, above in moved.items():
        setattr(sys, name, above)
    for handler, name in handlers:
        handler.setStream(cast(TextIO, moved[name]))
    try:
        yield
    finally:
        for handler, name in handlers:
            if isinstance(handler.stream, _Above):
                handler.setStream(ways[name])
        for name, above in moved.items():
            if getattr(sys, name) is above:
                setattr(sys, name, ways[name])
            above.end()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, OSError, ValueError):
        return False


def _handlers() -> "list[logging.StreamHandler[TextIO]]":
    loggers = [logging.getLogger(), *(one for one in logging.root.manager.loggerDict.values())]
    handlers = dict.fromkeys(handler for one in loggers if isinstance(one, logging.Logger) for handler in one.handlers)
    return [one for one in handlers if isinstance(one, logging.StreamHandler)]


class _Above:
    """A stream whose lines are printed by a console; once that is over, the stream itself again.

    A line comes when it is whole; of one that is written over again and again, what it was last.
    """

    def __init__(self, console: Console, stream: TextIO) -> None:
        self._console: Console | None = console
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """Write text."""
        console = self._console
        if console is None:
            return self._stream.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            shown = writable(line.rstrip("\r").rpartition("\r")[2], self._stream)
            console.print(Text.from_ansi(shown), soft_wrap=True)
        return len(text)

    def end(self) -> None:
        """From now on it is the stream itself."""
        begun, self._begun, self._console = self._begun, "", None
        self._stream.write(begun)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
