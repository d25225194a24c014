"""Lines: how a run stands, in a few log lines now and then; fewer where nothing changes."""

import logging
from collections.abc import Callable, Iterable, Iterator

from data_designer.engine.observe.views import wording
from data_designer.engine.protocol.snapshot import AliasState, ColumnState, Snapshot
from data_designer.terminal import visible

logger = logging.getLogger(__name__)

_WIDTH = 61
"""Characters of a line, so that it fits into 80 with the time and the level before it."""
_NAME = 24
_MOST_PARTS = 6
_LONGEST_PAUSE = 12
"""Intervals between lines of a run that does not move: at first one, doubled each time, at most so many."""


def lines(snapshot: Snapshot) -> list[str]:
    """The lines of one look."""
    times = [wording.clock(snapshot.elapsed), wording.time_left(snapshot), wording.money(snapshot.usd)]
    written = f"{snapshot.generated}/{snapshot.target} records"
    rejected = f"{snapshot.rejected} rejected" if snapshot.rejected else ""
    facts = [wording.percent(snapshot.done), written, rejected, *times]
    unfinished = [_column(*item) for item in wording.grouped(snapshot.columns) if item[1].done < item[1].total]
    asked = ((alias, one) for alias, one in snapshot.aliases.items() if one.in_flight or 0 < one.limit < one.slots)
    models = [_model(alias, one) for alias, one in asked]
    found = [*_joined("", facts), *_joined("columns: ", _few(unfinished)), *_joined("in flight: ", _few(models))]
    found += [f"! {visible(reason)}" for reason in snapshot.reasons]
    return [line.replace("→", "->").replace("…", "~") for line in found]  # A log may be in any encoding.


def _column(name: str, column: ColumnState) -> str:
    failed = f" ({column.failed} failed)" if column.failed else ""
    return f"{wording.shortened(name, _NAME)} {column.done}/{column.total}{failed}"


def _model(alias: str, one: AliasState) -> str:
    pace = f"{wording.rate(one.requests_per_second)} {wording.seconds(one.latency)}"
    return f"{wording.shortened(visible(alias), _NAME)} {one.in_flight}/{one.limit} {pace}"


def _few(parts: list[str]) -> list[str]:
    return parts if len(parts) <= _MOST_PARTS else [*parts[:_MOST_PARTS], f"{len(parts) - _MOST_PARTS} more"]


def _joined(title: str, parts: Iterable[str]) -> Iterator[str]:
    """Parts with commas, in as many lines as that takes."""
    line = ""
    for part in filter(None, parts):
        longer = f"{line}, {part}" if line else f"{title}{part}"
        if line and len(longer) > _WIDTH:
            yield line
            longer = f"  {part}"
        line = longer
    if line:
        yield line


class LinesView:
    """Logs lines."""

    def __init__(self, interval: float, write: Callable[[str], None] | None = None) -> None:
        self.interval = interval
        self._write = write or (lambda line: logger.info("%s", line))
        self._before: object = None
        self._wait = self._pause = 0

    def show(self, snapshot: Snapshot) -> None:
        """Log how it stands, unless little has changed since that was done last."""
        state = (snapshot.state, snapshot.done, snapshot.generated, len(snapshot.reasons))
        if state == self._before and self._wait > 0:
            self._wait -= 1
            return
        self._pause = min(max(1, 2 * self._pause), _LONGEST_PAUSE) if state == self._before else 0
        self._before, self._wait = state, self._pause
        for line in lines(snapshot):
            self._write(line)

    def close(self, snapshot: Snapshot) -> None:
        """Log how it ended."""
        for line in lines(snapshot)[:1]:
            self._write(line)
