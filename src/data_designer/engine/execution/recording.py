"""The journal as whoever computes sees it: what is known already, and where what is new is kept."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, TypeVarTuple

import numpy as np

from data_designer.engine.dataset.column_cache import ColumnCache
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.journal import (
    JournalError,
    Key,
    Recorder,
    Replay,
    known_result,
    read_replay,
    segment_writer,
)
from data_designer.engine.dataset.lock import lock_name
from data_designer.engine.protocol.rows import Replays, Rows
from data_designer.errors import ModelError
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.models.retry import Caller
from data_designer.plan.model import Geometry
from data_designer.values import Request, Response, Usage

Result = TypeVar("Result")
Given = TypeVarTuple("Given")
Ask = Callable[[Request], Awaitable[Response]]

SYNC_SECONDS = 1.0
"""How long a reply may be in the machine's memory only."""
_PATIENCE = 120.0
"""How long a disk that refuses may take to recover."""
_PAUSE = 0.5
_SYNC_TRIES, _SYNC_PAUSE = 120, 1.0
"""How often, and with how many seconds between, a disk is asked to take what functions of the user came to."""
_BATCHES_KEPT = 64
_COLUMN_CACHE = -1
"""Stands as the number of losses for what a column cache has."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Where a run keeps what it makes."""

    files: Files
    run: int
    """The run's number."""
    column_cache: ColumnCache | None = None
    """Where columns are taken from that would come out the same."""

    def is_reached(self) -> bool:
        """Whether these are the files that the run has locked; a node may have others there. Raises OSError."""
        return self.files.exists(lock_name(self.run))

    def writer(self, who: str) -> str:
        """Name of a process's segments of the journal."""
        return segment_writer(self.run, who)


def replica_name(number: int, epoch: int) -> str:
    """Name of an incarnation of a replica in its run; later ones sort after earlier ones."""
    return f"r{number:03d}-{epoch:03d}"


@dataclass(slots=True)
class ReplayCache:
    """What is known of batches: read once for each time that work of a batch was lost, and once from a column cache."""

    dataset: Dataset
    geometry: Geometry
    _tables: "OrderedDict[tuple[int, int], Replay]" = field(default_factory=OrderedDict)

    def known(self, wanted: Replays, rows: Rows) -> list[Replay]:
        """What the journal knows of some batches, and a column cache of the batches of some rows.

        Raises:
            OSError: a file cannot be read.
            ArtifactStorageError: a column cache's file is damaged.
        """
        keys: list[tuple[int, int]] = []
        if self.dataset.column_cache is not None:
            keys += [(batch, _COLUMN_CACHE) for batch in np.unique(self.geometry.batches_of(rows)).tolist()]
        # The column cache comes first: what is made of its values is taken from it too.
        keys += wanted
        for key in keys:
            if key not in self._tables:
                self._tables[key] = self._read(*key)
            self._tables.move_to_end(key)
        found = [self._tables[key] for key in keys]
        while len(self._tables) > _BATCHES_KEPT:
            self._tables.popitem(last=False)
        return found

    def _read(self, batch: int, lost: int) -> Replay:
        column_cache = self.dataset.column_cache
        if lost == _COLUMN_CACHE and column_cache is not None:
            return column_cache.values(self.geometry.records(batch))
        return read_replay(self.dataset.files, [batch])


class Recording:
    """One replica's share of the journal. What waits for a disk happens in a thread of its own.

    Args:
        dataset: where it is kept; None where nothing is, as in a preview.
        geometry: the plan's.
        who: unique name of this process in its run.
    """

    def __init__(self, dataset: Dataset | None, geometry: Geometry, who: str) -> None:
        self._replays = None if dataset is None else ReplayCache(dataset, geometry)
        self._recorder = None if dataset is None else Recorder(dataset.files, geometry, dataset.writer(who))
        self._has_column_cache = dataset is not None and dataset.column_cache is not None
        self._thread = ThreadPoolExecutor(1, "data-designer-journal")
        self._flushing = asyncio.Lock()
        self._refused_since: float | None = None
        """When the disk first refused what is still to be written."""
        self._syncing: asyncio.Task[None] | None = None

    async def keep(self, key: Key, request: Request, response: Response) -> None:
        """Return once a reply is written, which the end of this process cannot take away.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        if self._recorder is None:
            return
        if self._recorder.write_reply(key, request, response):
            self._sync_soon()
        else:
            await self.written()

    async def known(self, wanted: Replays, rows: Rows) -> list[Replay]:
        """What is known of some rows: by a column cache, and by the journal of some batches, our own included."""
        if self._replays is None or not (wanted or self._has_column_cache):
            return []
        await self.written()
        if wanted and self._recorder is not None:
            await self._in_thread(self._recorder.sync)  # Where files are objects, only then can ours be read.
        return await self._in_thread(self._replays.known, wanted, rows)

    async def written(self) -> None:
        """Return once every reply that was given to `keep` before is written.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        if self._recorder is None:
            return
        async with self._flushing:
            if self._recorder.waiting:
                await self._flush(self._recorder)

    async def close(self) -> None:
        """Write what is left, as far as the disk allows."""
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)
        if self._recorder is not None:
            for last in (self._recorder.flush, self._recorder.sync):
                await asyncio.gather(self._in_thread(last), return_exceptions=True)
        self._thread.shutdown(wait=False)

    async def _flush(self, recorder: Recorder) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._in_thread(recorder.flush)
                break
            except OSError as error:
                # Slots of replies that are not written are not given back, so nothing more is asked meanwhile.
                self._refused_since = self._refused_since or loop.time()
                if loop.time() > self._refused_since + _PATIENCE:
                    raise JournalError(*error.args) from error
                await asyncio.sleep(_PAUSE)
        self._refused_since = None
        self._sync_soon()

    def _sync_soon(self) -> None:
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync())

    async def _sync(self) -> None:
        assert self._recorder is not None
        await asyncio.sleep(SYNC_SECONDS)
        self._syncing = None
        with suppress(OSError):  # What cannot be synced now is synced with what comes next.
            await self._in_thread(self._recorder.sync)

    async def _in_thread(self, call: Callable[[*Given], Result], *arguments: *Given) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


@dataclass(slots=True)
class Results:
    """What functions of the user came to in one CPU task: before, and now."""

    recorder: Recorder
    replays: list[Replay]

    def known(self, fingerprint: str, record: int) -> list[object] | None:
        """What a function made of a record before."""
        return known_result(self.replays, fingerprint, record)

    def note(self, fingerprint: str, record: int, values: Sequence[object]) -> None:
        """Keep what a function made of a record."""
        self.recorder.note_result(fingerprint, record, values)

    def written(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Return once everything is on the disk. Raises OSError where that refuses for too long."""
        for left in reversed(range(_SYNC_TRIES)):
            try:
                self.recorder.flush()
                self.recorder.sync()
            except OSError:
                if not left:
                    raise
                sleep(_SYNC_PAUSE)
            else:
                return


class RowAsks:
    """How the steps of one row ask: what was answered before is not asked again, and the caller is told of it."""

    __slots__ = ("_caller", "_draws", "_recording", "_replays", "_spent", "record")

    def __init__(
        self,
        caller: Caller,
        record: int,
        recording: Recording,
        replays: Sequence[Replay],
        draws: ParameterSampling | None = None,
    ) -> None:
        self.record = record
        """The row's record index."""
        self._caller = caller
        self._recording = recording
        self._replays = replays
        self._draws = draws
        self._spent: dict[str, list[Usage]] = {}

    @property
    def spent(self) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
        """Columns that asked, each with what its requests came to; None where none did."""
        if not self._spent:
            return None
        return tuple(
            (column, (Usage.total(usages) if len(usages) > 1 else usages[0]).numbers)
            for column, usages in self._spent.items()
        )

    def result(self, fingerprint: str) -> list[object] | None:
        """What a step came to before, as a whole."""
        return known_result(self._replays, fingerprint, self.record) if self._replays else None

    def of(self, column: str, fingerprint: str) -> Ask:
        """How a step asks, given its column and that one's fingerprint."""
        ordinal = -1

        async def ask(request: Request) -> Response:
            nonlocal ordinal
            ordinal += 1
            if self._draws:
                params = self._draws.params(fingerprint, self.record, ordinal)
                request = request.with_params(params)
            key = (fingerprint, self.record, ordinal)
            response = self._known(key, request)
            if response is None:
                try:
                    response = await self._caller.ask(request, partial(self._recording.keep, key, request))
                except ModelError as error:
                    self._spend(column, Usage(*error.beside) + Usage(failed_requests=error.attempts))
                    raise
            self._spend(column, response.usage)
            return response

        return ask

    def shared(self, column: str) -> None:
        """A cell was asked for in a request that is accounted for with another record's."""
        self._spend(column, Usage())

    def _spend(self, column: str, usage: Usage) -> None:
        self._spent.setdefault(column, []).append(usage)

    def _known(self, key: Key, request: Request) -> Response | None:
        for replay in self._replays:
            response = replay.reply(key, request)
            if response is not None:
                self._caller.remember(request)
                return response
        return None
