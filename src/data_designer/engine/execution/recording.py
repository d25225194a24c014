"""The journal as whoever computes sees it: what is known already, and where what is new is kept."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Protocol, TypeVar, TypeVarTuple

import numpy as np

from data_designer.columns.seeds.large_cells import loaded
from data_designer.engine.dataset.agreements import agreed
from data_designer.engine.dataset.column_cache import ColumnCache
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.journal import (
    JournalError,
    Key,
    Recorder,
    Replay,
    Reply,
    known_result,
    read_replay,
    segment_writer,
)
from data_designer.engine.dataset.lock import lock_name
from data_designer.engine.dataset.media import decoded, described, encoded, is_whole
from data_designer.engine.execution.tracing import CellTracing
from data_designer.engine.protocol.rows import Replays, Rows
from data_designer.errors import MCPToolError, ModelError
from data_designer.media_files import content_below
from data_designer.models.batching import Batching, spent_on
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.models.retry import Asked, Caller, Keep
from data_designer.object_storage import Location, location
from data_designer.plan.model import Geometry
from data_designer.tools.caller import ToolCaller
from data_designer.values import (
    AgreementRequest,
    AgreementResponse,
    ChatRequest,
    FileRequest,
    FileResponse,
    ImageRequest,
    ImageResponse,
    MediaFile,
    Request,
    Response,
    ToolRequest,
    ToolResponse,
    Usage,
)

Result = TypeVar("Result")
Given = TypeVarTuple("Given")
Ask = Callable[[Request], Awaitable[Response]]
Elsewhere = Callable[[Key, Request], Awaitable[Response]]

SYNC_SECONDS = 1.0
"""How long a reply may be in the machine's memory only."""
_PATIENCE = 120.0
"""How long a disk that refuses may take to recover."""
_PAUSE = 0.5
_SYNC_TRIES, _SYNC_PAUSE = 120, 1.0
"""How often, and with how many seconds between, a disk is asked to take what functions of the user came to."""
_MEDIA_THREADS = 2
"""In which images are read and written where a disk takes one at a time."""
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

    @property
    def folder(self) -> Location:
        """The folder or the URL of the files."""
        return location(str(self.files))

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
        self.dataset = dataset
        self._replays = None if dataset is None else ReplayCache(dataset, geometry)
        self._recorder = None if dataset is None else Recorder(dataset.files, geometry, dataset.writer(who))
        self._has_column_cache = dataset is not None and dataset.column_cache is not None
        self._thread = ThreadPoolExecutor(1, "data-designer-journal")
        at_once = 1 if dataset is None else dataset.files.at_once
        self._media_threads = ThreadPoolExecutor(max(_MEDIA_THREADS, at_once), "data-designer-media")
        self._media_numbers = count()
        self._agreed: dict[str, int] = {}
        """Column to the number that its cells share."""
        self._holds_media: bool | None = None
        """Whether this machine sees the dataset, so that files are kept there; None where that is not known yet."""
        self._flushing = asyncio.Lock()
        self._refused_since: float | None = None
        """When the disk first refused what is still to be written."""
        self._syncing: asyncio.Task[None] | None = None

    async def keep(self, key: Key, request: Request, response: Response) -> None:
        """Return once a reply is written, which the end of this process cannot take away.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        await self.keep_all([(key, request, response)])

    async def keep_all(self, replies: Sequence[Reply]) -> None:
        """Return once several are.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        if self._recorder is None:
            return
        # A digest of megabytes is not made on the event loop.
        write = self._recorder.write_replies
        large = any(_shows_media(request) for _, request, _ in replies)
        if await self._with_media(write, replies) if large else write(replies):
            self._sync_soon()
        else:
            await self.written()

    async def keep_images(self, key: Key, request: Request, response: ImageResponse) -> tuple[MediaFile, ...]:
        """Keep the images of a reply, and then the reply, which only names them.

        Args:
            key: the reply's.
            request: what was asked.
            response: the reply.

        Returns:
            A file for each image; none where one of them is no base64, so that the reply is as good as none.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        contents = await self._with_media(decoded, response.images)
        files = () if contents is None else tuple([await self.keep_file(key[1], content) for content in contents])
        are_named = bool(files) and all(file.at for file in files)
        await self.keep(key, request, replace(response, images=(), files=files) if are_named else response)
        return files

    async def keep_file(self, record: int, content: bytes) -> MediaFile:
        """Keep a file of a record: in the dataset, or in memory where there is none or this machine does not see it.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        file = await self._with_media(described, content)
        if self._recorder is None or not await self._has_dataset():
            return file
        write, number = partial(self._recorder.write_file, record), next(self._media_numbers)
        at = await self._until_taken(partial(self._with_media, write, number, content))
        self._sync_soon()
        return replace(file, at=at, content=None)

    async def content(self, file: MediaFile) -> bytes | None:
        """What a file holds; None where it is gone or is not what was kept.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        if file.content is not None or self.dataset is None:
            return file.content
        content = await self._read(self.dataset.files, file.at)
        return content if content is not None and await self._with_media(is_whole, content, file) else None

    async def loaded(self, values: Sequence[object]) -> list[object]:
        """Values of a row, the large ones read from where they rest.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        return await self._until_taken(partial(self._with_media, loaded, values))

    async def with_images(self, response: ImageResponse) -> ImageResponse | None:
        """A reply that only names its images, with them; None where one is gone."""
        if not response.files:
            return response
        contents = [await self.content(file) for file in response.files]
        there = [content for content in contents if content is not None]
        if len(there) < len(contents):
            return None
        return replace(response, images=await self._with_media(encoded, there))

    async def copied(self, record: int, paths: Sequence[str]) -> tuple[MediaFile, ...] | None:
        """Files that cells name which were taken from a column cache, kept here too; None where one is not there."""
        cache = None if self.dataset is None else self.dataset.column_cache
        if cache is None:
            return None
        copies = []
        for path in paths:
            content = await self._read(cache.files, path)
            if content is None:
                return None
            copies.append(replace(await self.keep_file(record, content), path=path))
        return tuple(copies)

    async def _read(self, files: Files, name: str) -> bytes | None:
        """A file; None where it is missing. Raises JournalError where the disk refuses for too long."""

        def read() -> bytes | None:
            try:
                return files.read(name)
            except FileNotFoundError:
                return None

        return await self._until_taken(partial(self._with_media, read))

    async def agreed(self, column: str, said: int) -> int:
        """The number that all cells of a column share, in whichever process and run: the one that was said first.

        Raises:
            JournalError: the disk has been refusing for too long.
        """
        known = self._agreed.get(column)
        if known is None and self.dataset is not None and await self._has_dataset():
            known = await self._until_taken(partial(self._in_thread, agreed, self.dataset.files, column, said))
        return self._agreed.setdefault(column, said if known is None else known)

    async def _has_dataset(self) -> bool:
        if self._holds_media is None:
            assert self.dataset is not None
            try:
                self._holds_media = await self._with_media(self.dataset.is_reached)
            except OSError:
                return False  # It is looked for again with the next file.
        return self._holds_media

    def note(self, fingerprint: str, record: int, values: Sequence[object]) -> None:
        """Keep what a function of the user made of a record; it is written before the next report."""
        if self._recorder is not None and self._recorder.write_result(fingerprint, record, values):
            self._sync_soon()

    def note_in_thread(self, fingerprint: str, record: int, values: Sequence[object]) -> None:
        """The same, in whatever thread."""
        if self._recorder is not None:
            self._recorder.note_result(fingerprint, record, values)

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

    async def share(self) -> None:
        """Return once others can read what is kept, as far as the disk allows."""
        if self._recorder is not None:
            for step in (self._recorder.flush, self._recorder.sync):
                with suppress(OSError):
                    await self._in_thread(step)

    async def close(self) -> None:
        """Write what is left, as far as the disk allows."""
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)
        if self._recorder is not None:
            for last in (self._recorder.flush, self._recorder.sync):
                await asyncio.gather(self._in_thread(last), return_exceptions=True)
        self._thread.shutdown(wait=False)
        self._media_threads.shutdown(wait=False)

    async def _flush(self, recorder: Recorder) -> None:
        await self._until_taken(partial(self._in_thread, recorder.flush))
        self._sync_soon()

    async def _until_taken(self, use: Callable[[], Awaitable[Result]]) -> Result:
        """What comes of using the disk, again and again while that refuses. Raises JournalError after too long."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = await use()
            except OSError as error:
                # Slots of replies that are not written are not given back, so nothing more is asked meanwhile.
                self._refused_since = self._refused_since or loop.time()
                if loop.time() > self._refused_since + _PATIENCE:
                    raise JournalError(*error.args) from error
                await asyncio.sleep(_PAUSE)
            else:
                self._refused_since = None
                return result

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

    async def _with_media(self, call: Callable[[*Given], Result], *arguments: *Given) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._media_threads, call, *arguments)


def _shows_media(request: Request) -> bool:
    if isinstance(request, ChatRequest):
        return any(isinstance(blocks := one["content"], list) and len(blocks) > 1 for one in request.messages)
    return isinstance(request, ImageRequest) and bool(request.media)


class KnownResults(Protocol):
    """What functions of the user came to before, and whether what they come to now is kept."""

    def known(self, fingerprint: str, record: int) -> list[object] | None:
        """What a function made of a record before."""
        ...

    def note(self, fingerprint: str, record: int, values: Sequence[object]) -> None:
        """Keep what a function made of a record, where that is kept."""
        ...


@dataclass(frozen=True, slots=True)
class BatchResults:
    """Those of a function that asks models next to a replica, and sees a batch together."""

    recording: Recording
    replays: Sequence[Replay]

    def known(self, fingerprint: str, record: int) -> list[object] | None:
        """What a function made of a record before."""
        return known_result(self.replays, fingerprint, record)

    def note(self, fingerprint: str, record: int, values: Sequence[object]) -> None:
        """Keep what a function made of a record."""
        self.recording.note_in_thread(fingerprint, record, values)


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


@dataclass(frozen=True, slots=True)
class Keeping:
    """Keeps the reply to a request of a cell."""

    recording: Recording
    key: Key
    request: Request

    async def __call__(self, response: Response) -> None:
        """Return once it is written. Raises JournalError where the disk refuses for too long."""
        await self.recording.keep(self.key, self.request, response)


async def keep_together(replies: Sequence[tuple[Keep, Response]]) -> None:
    """Keep what came together, by one write where it is kept by one `Recording`. Raises as that does."""
    by_recording: dict[Recording, list[Reply]] = {}
    for keep, response in replies:
        if isinstance(keep, Keeping):
            by_recording.setdefault(keep.recording, []).append((keep.key, keep.request, response))
        else:
            await keep(response)
    for recording, some in by_recording.items():
        await recording.keep_all(some)


class Counted(Protocol):
    """What is known of how the steps of a row have asked."""

    @property
    def asked(self) -> int:
        """Requests for which somebody was asked."""
        ...

    @property
    def replayed(self) -> int:
        """Requests, and results of functions, that were known."""
        ...


class RowAsks:
    """How the steps of one row ask: what was answered before is not asked again, and the caller is told of it."""

    __slots__ = (
        "_caller",
        "_draws",
        "_recording",
        "_replays",
        "_spent",
        "asked",
        "counts_known",
        "files",
        "folders",
        "record",
        "replayed",
        "said",
        "tools",
        "tracing",
    )

    def __init__(
        self,
        caller: Caller | Batching,
        record: int,
        recording: Recording,
        replays: Sequence[Replay],
        draws: ParameterSampling | None = None,
        said: dict[str, list[Asked]] | None = None,
    ) -> None:
        """Ask for a row.

        Args:
            caller: asks the model.
            record: the row's record index.
            recording: keeps what is answered.
            replays: what was answered before.
            draws: parameters of requests.
            said: column to what was asked for its cell, where anybody wants to know.
        """
        self.record = record
        """The row's record index."""
        self.tracing: CellTracing | None = None
        """What is told of its cells; None where nobody is."""
        self.said = said
        self.folders: Sequence[Location] = ()
        """Those of which cells may name files."""
        self.files: dict[str, MediaFile] = {}
        """Those that the row's cells name, by what they call them."""
        self.counts_known = True
        """Whether to account for what was answered before; otherwise that stands in a receipt."""
        self._caller = caller
        self._recording = recording
        self._replays = replays
        self._draws = draws
        self.tools: ToolCaller | None = None
        """Calls those that the model wants called; None where it may call none."""
        self._spent: dict[str, list[Usage]] = {}
        self.asked = 0
        """Requests for which somebody was asked."""
        self.replayed = 0
        """Requests, and results of functions, that were known."""

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
        if not self._replays:
            return None
        known = known_result(self._replays, fingerprint, self.record)
        self.replayed += known is not None
        return known

    async def copied(self, values: Sequence[object]) -> tuple[MediaFile, ...] | None:
        """Files that a cell names which was taken from a column cache; None where they are not to be had."""
        paths = [str(path) for value in values if isinstance(value, list) for path in value]
        return await self._recording.copied(self.record, paths)

    def note(self, fingerprint: str, values: Sequence[object]) -> None:
        """Keep what a function of the user made of the record."""
        self._recording.note(fingerprint, self.record, values)

    def recall(self, column: str, fingerprint: str) -> None:
        """Account for what was asked before for a step whose result is known."""
        for replay in self._replays if self.counts_known else ():
            for usage in replay.usages_of(fingerprint, self.record):
                self._spend(column, usage)

    def of(self, column: str, fingerprint: str) -> Ask:
        """How a step asks, given its column and that one's fingerprint."""
        ordinal = -1

        async def ask(request: Request) -> Response:
            nonlocal ordinal
            if isinstance(request, FileRequest):
                return await self._read(request)
            if isinstance(request, AgreementRequest):
                return AgreementResponse(await self._recording.agreed(column, request.said))
            ordinal += 1
            if isinstance(request, ToolRequest):
                key = fingerprint, self.record, ordinal
                return await self.call(column, request, lambda _: key)
            if self._draws:
                params = self._draws.params(fingerprint, self.record, ordinal)
                request = request.with_params(params)
            return await self.ask(column, (fingerprint, self.record, ordinal), request)

        return ask

    async def ask(self, column: str, key: Key, request: Request, elsewhere: Elsewhere | None = None) -> Response:
        """Get a reply, and account for it.

        Args:
            column: what it is accounted for under.
            key: which request it is.
            request: what is asked.
            elsewhere: asks, and keeps the reply, where that is not for this replica's caller to do.
        """
        response, told = self._known(key, request, is_own=elsewhere is None), None
        if isinstance(response, ImageResponse):
            response = await self._recording.with_images(response)
        if self.said is not None:
            told = Asked(request, response)
            self.said.setdefault(column, []).append(told)
        if response is not None and not self.counts_known:
            return response
        if response is None:
            self.asked += 1
            try:
                if elsewhere is None:
                    response = await self._asked(key, request, column, told)
                else:
                    response = await elsewhere(key, request)
            except ModelError as error:
                failure = spent_on(error)
                self._spend(column, failure)
                if told is not None:
                    told.failure = failure
                raise
        self._spend(column, response.usage)
        if told is not None:
            told.response = response
        return response

    async def _asked(self, key: Key, request: Request, column: str, told: Asked | None) -> Response:
        if not isinstance(request, ImageRequest):
            return await self._caller.ask(request, Keeping(self._recording, key, request), column, told)
        files: list[MediaFile] = []

        async def keep(response: Response) -> None:
            assert isinstance(response, ImageResponse)
            files.extend(await self._recording.keep_images(key, request, response))

        response = await self._caller.ask(request, keep, column, told)
        assert isinstance(response, ImageResponse)
        return replace(response, files=tuple(files))

    async def _read(self, request: FileRequest) -> FileResponse:
        if (made := self.files.get(request.name)) is not None:
            content = await self._recording.content(made)
            return FileResponse("it is gone" if content is None else content)
        try:
            return FileResponse(await asyncio.to_thread(content_below, self.folders, request.name))
        except OSError as error:
            return FileResponse(f"it cannot be read: {os.strerror(error.errno) if error.errno else error}")

    async def call(self, column: str, request: ToolRequest, key_of: Callable[[ToolRequest], Key]) -> ToolResponse:
        """What the calls of a turn come to, which are made at the same time; where one fails the others are ended.

        Args:
            column: what they are accounted for under.
            request: the turn.
            key_of: under what the result of one call is kept.
        """
        single = [replace(request, calls=(call,)) for call in request.calls]
        calls = [asyncio.create_task(self._call(column, key_of(one), one)) for one in single]
        try:
            answers = await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        results = tuple(result for answer in answers for result in answer.results)
        return ToolResponse(results, usage=Usage.total([answer.usage for answer in answers]))

    async def _call(self, column: str, key: Key, request: ToolRequest) -> ToolResponse:
        """What one call comes to. It is kept by itself: what was called is not called again, whatever the others do."""
        known = self._replayed(key, request)
        if isinstance(known, ToolResponse):
            response = known
        else:
            if self.tools is None:
                raise MCPToolError("no tools can be called here")
            keep = Keeping(self._recording, key, request)
            response = await self.tools.call(request.alias, request.calls[0], keep)
        self._spend(column, response.usage)
        return response

    def shared(self, column: str, with_first: "Counted") -> None:
        """A cell was asked for in a request that is accounted for with another record's."""
        self._spend(column, Usage())
        self.asked += with_first.asked
        self.replayed += with_first.replayed

    def _spend(self, column: str, usage: Usage) -> None:
        self._spent.setdefault(column, []).append(usage)

    def _known(self, key: Key, request: Request, *, is_own: bool) -> Response | None:
        response = self._replayed(key, request)
        if response is not None and is_own:
            self._caller.remember(request)
        return response

    def _replayed(self, key: Key, request: Request) -> Response | None:
        for replay in self._replays:
            response = replay.reply(key, request)
            if response is not None:
                self.replayed += 1
                return response
        return None
