"""Progress: a fold over events and summaries, shown as a bar on a terminal and as lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TextIO

from data_designer.engine.execution.observation import Heard, Observation
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.values import Usage

if TYPE_CHECKING:  # slow to import, and only for terminals
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """Counts what is done. Call it with every observation; use it as a context manager around the run."""

    target: int
    interval: float
    clock: Callable[[], float] = time.monotonic
    stream: TextIO | None = field(default_factory=lambda: sys.stderr)
    """A service may have none."""
    generated: int = 0
    rejected: int = 0
    replaced: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Batches that are there in part to their records generated and rejected, which are counted already."""
    cells: int = 0
    failed_cells: int = 0
    usage: Usage = field(default_factory=Usage)
    _started: float = 0.0
    _shown: float = 0.0
    _bar: "tuple[Bar, TaskID] | None" = None

    def __enter__(self) -> Self:
        self._started = self._shown = self.clock()
        if _is_terminal(self.stream):
            self._start_bar()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar[0].stop()
        else:
            self._line()

    def __call__(self, observation: Observation) -> None:
        """Take one observation in."""
        match observation:
            case Heard(summary=Summary(statistics=statistics)) if statistics is not None:
                self.usage += statistics.usage
            case ev.RowsDone(cells=cells):
                self.cells += sum(count.finished for count in cells)
                self.failed_cells += sum(count.failed for count in cells)
            case Receipt():
                generated, rejected = self.replaced.get(observation.batch, (0, 0))
                self.generated += observation.generated - generated
                self.rejected += observation.rejected - rejected
                self._update_bar()
            case ev.Tick():
                self._update_bar()
                if self._bar is None and self.clock() - self._shown >= self.interval:
                    self._line()
            case _:
                pass

    def _line(self) -> None:
        self._shown = self.clock()
        elapsed = max(self._shown - self._started, 1e-9)
        logger.info(
            "records=%d/%d rejected=%d cells=%d failed_cells=%d cells_per_second=%.1f tokens_in=%d tokens_out=%d "
            "elapsed=%.1fs",
            self.generated,
            self.target,
            self.rejected,
            self.cells,
            self.failed_cells,
            self.cells / elapsed,
            self.usage.input_tokens,
            self.usage.output_tokens,
            elapsed,
        )

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("records"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        bar = Bar(*columns, TimeRemainingColumn(), console=Console(file=self.stream))
        self._bar = bar, bar.add_task("records", total=self.target, note="")
        bar.start()

    def _update_bar(self) -> None:
        if self._bar is not None:
            elapsed = max(self.clock() - self._started, 1e-9)
            note = f"{self.cells} cells, {self.cells / elapsed:.0f}/s, {self.rejected} rejected"
            bar, task = self._bar
            bar.update(task, completed=self.generated + self.rejected, note=note)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, OSError, ValueError):  # It is closed, or stands in for a file.
        return False
