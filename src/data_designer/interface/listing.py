"""The datasets of a folder: how far each is, what it cost, and when it was written; without reading their data."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from data_designer.engine.dataset.ahead import ahead
from data_designer.engine.dataset.files import files_at
from data_designer.engine.dataset.layout import METADATA
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.run_snapshot import read_snapshot
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.engine.protocol.spending import Spending, summed
from data_designer.errors import ArtifactStorageError
from data_designer.object_storage import Location

_SILENCE = 60.0
"""Seconds after which a run of another machine that says nothing more is taken for gone."""


class State(StrEnum):
    """How far a dataset is."""

    COMPLETE = "complete"
    RUNNING = "running"
    STOPPED = "stopped"
    """Records are left to make, and nobody makes them."""
    FAILED = "failed"
    """The same, and there is no record."""
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Listed:
    """One dataset of a folder."""

    name: str
    path: str
    state: State
    requested: int = 0
    """Records that were asked for."""
    made: int = 0
    rejected: int = 0
    usd: float | None = None
    """None where a model that was asked has no price, or that is not known."""
    written_at: float | None = None
    """When it was last written, in seconds since the epoch, as far as that is known."""
    problem: str = ""
    """What is damaged."""

    def to_dict(self) -> dict[str, object]:
        """As JSON data."""
        return asdict(self)


def datasets_in(folder: Location, clock: Callable[[], float] = time.time) -> list[Listed]:
    """The datasets of a folder, or the one that it is itself; those that were written last come first.

    Raises:
        OSError: the folder cannot be read.
    """
    if files_at(folder).exists(METADATA):
        return [_listed(folder, clock())]
    names = files_at(folder).list("")
    found = ahead(files_at(folder).at_once, lambda name: _listed_if_any(folder / name, clock()), names)
    listed = [one for one in found if one is not None]
    return sorted(listed, key=lambda one: (-(one.written_at or 0.0), one.name))


def names_in(folder: Location) -> list[str]:
    """Names of the datasets in a folder."""
    files = files_at(folder)
    names = files.list("")
    there = ahead(files.at_once, lambda name: files.exists(f"{name}/{METADATA}"), names)
    return [name for name, is_dataset in zip(names, there, strict=True) if is_dataset]


def _listed_if_any(path: Location, now: float) -> Listed | None:
    return _listed(path, now) if files_at(path).exists(METADATA) else None


@dataclass(frozen=True, slots=True)
class _Counts:
    """How far a dataset is, by whatever tells it."""

    made: int
    rejected: int
    usd: float | None
    is_complete: bool
    written_at: float | None = None


def _listed(path: Location, now: float) -> Listed:
    store = Store.at(path)
    try:
        metadata = store.read_metadata()
        snapshot = _snapshot(store)
        runs = _is_held(store, snapshot, now)
        counts = (_said(snapshot) if runs else _at_the_end(metadata)) or _added_up(store, metadata)
    except ArtifactStorageError as error:
        return Listed(path.name, str(path), State.DAMAGED, written_at=_modified(path), problem=str(error))
    return Listed(
        path.name,
        str(path),
        state_of(counts, runs=runs),
        metadata.requested_num_records,
        counts.made,
        counts.rejected,
        counts.usd,
        counts.written_at or metadata.written_at or _modified(path),
    )


def state_of(counts: _Counts, *, runs: bool) -> State:
    """How far a dataset is that a run makes, or none."""
    if runs:
        return State.RUNNING
    if counts.made and counts.is_complete:
        return State.COMPLETE
    return State.STOPPED if counts.made or not (counts.is_complete or counts.rejected) else State.FAILED


def _is_held(store: Store, snapshot: Snapshot | None, now: float) -> bool:
    held = store.is_held()
    # Of a process of another machine nothing is known but what it says.
    return held if held is not None else snapshot is None or now - snapshot.at < _SILENCE


def _snapshot(store: Store) -> Snapshot | None:
    with suppress(OSError):
        return read_snapshot(store.files)
    return None


def _said(snapshot: Snapshot | None) -> _Counts | None:
    if snapshot is None:
        return None
    return _Counts(snapshot.generated, snapshot.rejected, snapshot.usd, is_complete=False, written_at=snapshot.at)


def _at_the_end(metadata: Metadata) -> _Counts | None:
    """What was written when the latest run ended; None where it did not, or an earlier version has written it."""
    if not metadata.ended or metadata.rejected_num_records is None:
        return None
    complete = metadata.num_completed_batches == metadata.total_num_batches
    return _Counts(metadata.actual_num_records or 0, metadata.rejected_num_records, metadata.usd, complete)


def _added_up(store: Store, metadata: Metadata) -> _Counts:
    """What the receipts come to. Raises ArtifactStorageError where one is damaged."""
    made = rejected = complete = 0
    spent: dict[str, Spending] = {}
    for receipt in store.receipts():
        made, rejected, complete = made + receipt.generated, rejected + receipt.rejected, complete + receipt.complete
        spent = summed((spent, receipt.spent))
    usd = sum(one.usd for one in spent.values())
    return _Counts(made, rejected, usd or None, is_complete=complete == metadata.geometry.num_batches)


def _modified(path: Location) -> float | None:
    """When the metadata were written, by the file system."""
    if isinstance(path, Path):
        with suppress(OSError):
            return (path / METADATA).stat().st_mtime
    return None
