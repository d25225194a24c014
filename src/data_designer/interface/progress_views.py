"""Where the progress of a run is shown: on this terminal, in this notebook, in the log, and beside the dataset."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

from data_designer.config.run_config import RunConfig
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.run_snapshot import write_snapshot
from data_designer.engine.observe.progress import Progress
from data_designer.engine.observe.showing import View, shown
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.terminal import columns_of, in_notebook

Form = Literal["panel", "notebook", "lines", "json", "none"]

_FIRST = 0.3
"""Seconds after which a panel is first shown: what takes it to be shown is not needed by a run that is over by then."""
_HERE, _IN_OBJECTS = 1.0, 10.0
"""Seconds between two writings of the snapshot beside a dataset; an object storage takes money for each."""


def form_of(run: RunConfig, *, terminal: int | None, notebook: bool) -> Form:
    """How progress is shown.

    Args:
        run: what the user wants; `display_tui` counts where `progress` is left to itself.
        terminal: columns of the terminal at standard error; None where there is none.
        notebook: whether this is a cell of one.
    """
    if run.progress in ("lines", "json", "none"):
        return run.progress
    unwanted = run.progress == "auto" and "display_tui" in run.model_fields_set and not run.display_tui
    if unwanted:
        return "lines"
    if notebook:
        return "notebook"
    from data_designer.engine.observe.views import NARROWEST

    return "panel" if terminal is not None and terminal >= NARROWEST else "lines"


def view_of(run: RunConfig) -> View | None:
    """What shows a run here; None where nothing does."""
    form = form_of(run, terminal=columns_of(sys.stderr), notebook=in_notebook())
    if form == "panel":
        return _Panel(sys.stderr, run.progress_interval)
    if form == "notebook":
        from data_designer.engine.observe.views.notebook import NotebookView

        return NotebookView()
    if form == "json" and sys.stdout is not None:
        from data_designer.engine.observe.views.json_lines import JsonLinesView

        return JsonLinesView(sys.stdout, run.progress_interval)
    if form == "lines":
        from data_designer.engine.observe.views.lines import LinesView

        return LinesView(run.progress_interval)
    return None


_terminal = threading.Lock()
"""Of whoever shows a panel: a terminal has room for one."""


class _Panel:
    """The panel, which is imported when it is first shown; lines where another run of this process shows one."""

    def __init__(self, stream: TextIO, interval: float) -> None:
        self.interval = _FIRST
        self._stream = stream
        self._lines_interval = interval
        self._view: View | None = None
        self._has_terminal = False

    def show(self, snapshot: Snapshot) -> None:
        """Show it."""
        if self._view is None:
            self._has_terminal = _terminal.acquire(blocking=False)
            self._view = self._opened()
            self.interval = self._view.interval
        self._view.show(snapshot)

    def _opened(self) -> View:
        if self._has_terminal:
            from data_designer.engine.observe.views.panel import PanelView

            return PanelView(self._stream)
        from data_designer.engine.observe.views.lines import LinesView

        return LinesView(self._lines_interval)

    def close(self, snapshot: Snapshot) -> None:
        """Take it away."""
        try:
            if self._view is not None:
                self._view.close(snapshot)
        finally:
            if self._has_terminal:
                _terminal.release()


class _Published:
    """The snapshot beside the dataset."""

    def __init__(self, files: Files) -> None:
        self.interval = _HERE
        self._files = files

    def show(self, snapshot: Snapshot) -> None:
        """Write it; where that fails it is written the next time."""
        self.interval = _HERE if self._files.at_once == 1 else _IN_OBJECTS
        try:
            write_snapshot(self._files, snapshot)
        except OSError:
            return

    def close(self, snapshot: Snapshot) -> None:
        """Write how it ended."""
        self.show(snapshot)


@contextmanager
def watched(progress: Progress, run: RunConfig, files: Files | None = None) -> Iterator[None]:
    """Show how a run stands while it is under way.

    Args:
        progress: knows it; what ends by an error counts as stopped.
        run: how it is shown.
        files: the dataset's, where it is written for other processes; None for nowhere.
    """
    here = view_of(run)
    views = [*([] if here is None else [here]), *([] if files is None else [_Published(files)])]
    with shown(progress.snapshot, *views):
        try:
            yield
        except BaseException:
            progress.end(stopped=True)
            raise
