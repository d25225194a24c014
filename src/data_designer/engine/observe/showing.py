"""Shows how a run stands, again and again while it is under way, in a thread of its own."""

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.interrupts import uninterrupted

logger = logging.getLogger(__name__)

_LAST_SECONDS = 5.0
"""How long the last look may take, such as one that is written into a storage that does not answer."""


class View(Protocol):
    """Shows snapshots."""

    @property
    def interval(self) -> float:
        """Seconds between two looks."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Show how the run stands."""
        ...

    def close(self, snapshot: Snapshot) -> None:
        """Show how it ended, or nothing more."""
        ...


@contextmanager
def shown(snapshot: Callable[[], Snapshot], *views: View) -> Iterator[None]:
    """Show what `snapshot` gives in each of the views while something is done inside.

    A view that breaks, as where nobody reads a pipe any more, shows nothing more; the run goes on.
    """
    over = threading.Event()
    threads = [_started(lambda view=view: _show(snapshot, view, over)) for view in views]  # type: ignore[misc]
    try:
        yield
    finally:
        over.set()
        with uninterrupted():  # A panel that is left as it is would leave the terminal without its cursor.
            for thread in threads:
                thread.join(_LAST_SECONDS)


def _started(work: Callable[[], None]) -> threading.Thread:
    # A notebook knows by its context which cell a thread belongs to.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(work,), name="data-designer-progress", daemon=True
    )
    thread.start()
    return thread


def _show(snapshot: Callable[[], Snapshot], view: View, over: threading.Event) -> None:
    try:
        try:
            while not over.wait(view.interval):
                view.show(snapshot())
        finally:
            view.close(snapshot())
    except Exception:
        logger.debug("progress is shown no more", exc_info=True)
