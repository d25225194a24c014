"""Follows the run of a dataset that another process makes, by what that one writes beside it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.lock import LEASE, is_held
from data_designer.engine.dataset.run_snapshot import read_snapshot
from data_designer.engine.dataset.store import Store
from data_designer.engine.observe.showing import View
from data_designer.engine.observe.views import wording
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.errors import ArtifactStorageError
from data_designer.object_storage import Location

_SILENT = 3 * LEASE
"""Seconds without a word after which a run of another machine, which cannot be seen from here, counts as gone."""
_HERE, _IN_OBJECTS = 1.0, 5.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a run at one moment."""

    snapshot: Snapshot | None
    """What it said last; None where no run has said anything."""
    is_running: bool


class Watch:
    """Looks at a dataset again and again.

    Args:
        place: where it is.
        clock: seconds on a steady clock.

    Raises:
        ArtifactStorageError: there is no dataset.
    """

    def __init__(self, place: Location, clock: Callable[[], float] = time.monotonic) -> None:
        store = Store.at(place)
        if not store.has_files():
            raise ArtifactStorageError(f"there is no dataset at {place}")
        self.store = store
        self._files: Files = store.files
        self._clock = clock
        self._said: Snapshot | None = None
        self._said_at = clock()
        """When that was first seen."""

    @property
    def interval(self) -> float:
        """Seconds between two looks."""
        return _HERE if self._files.at_once == 1 else _IN_OBJECTS

    def look(self) -> Look:
        """How the run stands now. Raises OSError."""
        said, now = read_snapshot(self._files), self._clock()
        if said is not None and said != self._said:
            self._said, self._said_at = said, now
        quiet, held = now - self._said_at, is_held(self._files)
        is_running = quiet < _SILENT if held is None else held
        snapshot = self._said
        if snapshot is not None and is_running and snapshot.state not in ("ended", "stopped"):
            left = snapshot.seconds_left
            snapshot = replace(
                snapshot,
                elapsed=snapshot.elapsed + quiet,
                seconds_left=None if left is None else max(0.0, left - quiet),
            )
        return Look(snapshot, is_running)


def follow(watch: Watch, view: View, wait: Callable[[float], None] = time.sleep) -> Look:
    """Show how a run stands until it is over; gives the last look."""
    look = watch.look()
    try:
        while look.is_running:
            if look.snapshot is not None:
                view.show(look.snapshot)
            wait(max(watch.interval, view.interval))
            look = _looked(watch, look)
    finally:
        if look.snapshot is not None:
            view.close(look.snapshot)
    return look


def _looked(watch: Watch, before: Look) -> Look:
    try:
        return watch.look()
    except OSError:  # A storage that does not answer for a while.
        return before


def said_of(look: Look, place: Location) -> list[str]:
    """What there is to say of a run that is over, or of which nothing is under way."""
    snapshot, resume = look.snapshot, f"to go on: data-designer resume {place}"
    if snapshot is None:
        return [f"no run of {place} has said how it stands"]
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(snapshot.at))
    times = f"{wording.clock(snapshot.elapsed)}, {when}"
    if snapshot.state == "ended":
        return [f"ended: {wording.records(snapshot)} ({times})"]
    if snapshot.state == "stopped":
        return [f"stopped at {wording.percent(snapshot.done)}: {wording.records(snapshot)} ({times})", resume]
    return [f"killed at {wording.percent(snapshot.done)}: {wording.records(snapshot)} ({times})", resume]
