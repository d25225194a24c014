"""Views are shown again and again beside a run, and never in its way."""

import threading

from tests.engine.observe.test_views import PLAIN

from data_designer.engine.observe.showing import shown
from data_designer.engine.protocol.snapshot import Snapshot


class Noting:
    """A view that notes what it is shown."""

    interval = 0.001

    def __init__(self, *, breaks: bool = False) -> None:
        self.seen: list[Snapshot] = []
        self.closed: list[Snapshot] = []
        self.enough = threading.Event()
        self.breaks = breaks

    def show(self, snapshot: Snapshot) -> None:
        """Note it; set `enough` at the third."""
        self.seen.append(snapshot)
        if self.breaks or len(self.seen) == 3:
            self.enough.set()
        if self.breaks:
            raise BrokenPipeError

    def close(self, snapshot: Snapshot) -> None:
        """Note it."""
        self.closed.append(snapshot)


def test_a_view_is_shown_until_the_end_and_closed_with_the_last() -> None:
    """Each has a pace of its own."""
    view, slow = Noting(), Noting()
    slow.interval = 3600.0
    with shown(lambda: PLAIN, view, slow):
        assert view.enough.wait(30)
    assert (view.closed, slow.closed) == ([PLAIN], [PLAIN])
    assert slow.seen == []


def test_a_view_that_breaks_is_no_matter_of_the_run() -> None:
    """It is shown nothing more; another is."""
    broken, view = Noting(breaks=True), Noting()
    with shown(lambda: PLAIN, broken, view):
        assert broken.enough.wait(30)
        assert view.enough.wait(30)
    assert len(broken.seen) == 1
    assert view.closed == [PLAIN]
