"""The journal: what was paid for and is not committed yet, so that nothing is paid for twice.

It holds replies of models and results of the user's functions, in one folder a batch, each process in a segment of
its own. A line is the CRC-32 of its JSON text, a space and that text; a line that does not add up, because a crash
cut it or a disk changed it, is left out, and what it held is paid for again. Images of replies are files of their own
there, which the reply names (see `engine.dataset.media`). A folder goes when its batch is committed, so that a restart
reads nothing but what concerns batches that are not.
"""

import hashlib
import logging
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from data_designer.engine.dataset.ahead import ahead
from data_designer.engine.dataset.encoding import decode_json, json_text, packed, unpacked
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import JOURNAL, batch_number, journal_folder
from data_designer.plan.model import Geometry
from data_designer.values import Request, Response, Usage, response_of

logger = logging.getLogger(__name__)

_SEGMENT = ".log"
_RESULT = -1
"""Stands as the ordinal of what a function of the user came to."""


class JournalError(OSError):
    """The journal could not be written for longer than a disk may take to recover."""


Key = tuple[str, int, int]
"""(fingerprint of the column, record index, ordinal of the request inside the cell's exchange)."""
Reply: TypeAlias = tuple[Key, Request, Response]
"""What is kept under which key, and what it answers."""


def request_digest(request: Request) -> str:
    """Tells requests apart: a reply answers no other request than its own."""
    content = orjson.dumps(request.content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(content, digest_size=8).hexdigest()


@dataclass(slots=True)
class Recorder:
    """Writes one process's segments: replies as they come, on the event loop; everything else with `flush`."""

    files: Files
    geometry: Geometry
    writer: str
    """Unique name of the process's segments; later ones sort after earlier ones."""
    _lines: dict[int, list[bytes]] = field(default_factory=dict)
    """What is not written yet, a batch."""
    _changing: threading.Lock = field(default_factory=threading.Lock)
    """Held while what is not written or not synced is changed or taken, so that nothing gets lost between."""
    _writing: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever writes: a write that follows one that fails has to know of it."""
    _unsynced: set[str] = field(default_factory=set)
    _torn: set[str] = field(default_factory=set)
    """Segments to which a write failed, so that they may end inside a line."""

    @property
    def waiting(self) -> bool:
        """Whether anything is not written yet."""
        return bool(self._lines)

    def write_reply(self, key: Key, request: Request, response: Response) -> bool:
        """Write a reply at once, without waiting for any device; says whether that is done, else `flush` does it."""
        return self.write_replies([(key, request, response)])

    def write_replies(self, replies: Sequence[Reply]) -> bool:
        """Write several replies as `write_reply` does one; those of a batch together."""
        lines: dict[int, list[bytes]] = {}
        for key, request, response in replies:
            reply = [*response.content, response.usage.kept]
            try:
                line = _entry_line(orjson.dumps([*key, request_digest(request), reply]))
            except (TypeError, ValueError) as error:
                logger.warning("record=%d its reply cannot be kept, so a restart asks again: %s", key[1], error)
            else:
                lines.setdefault(self.geometry.batch_of(key[1]), []).append(line)
        waiting = [(batch, some) for batch, some in lines.items() if not self._written_now(batch, some)]
        for batch, some in waiting:
            self._wait(batch, *some)
        return not waiting

    def write_file(self, record: int, number: int, content: bytes) -> str:
        """Write a file that belongs to a record, in whatever thread; gives its name. Raises OSError.

        Args:
            record: the record's index.
            number: no other file of this process has it.
            content: what the file holds.
        """
        name = f"{journal_folder(self.geometry.batch_of(record))}/{self.writer}.{number}.media"
        self.files.write(name, content)
        with self._changing:
            self._unsynced.add(name)
        return name

    def note_result(self, fingerprint: str, record: int, values: Sequence[object]) -> None:
        """Remember what a function of the user made of a record."""
        self._wait(self.geometry.batch_of(record), _result_line(fingerprint, record, values))

    def write_result(self, fingerprint: str, record: int, values: Sequence[object]) -> bool:
        """Write that at once; says whether that is done, else `flush` does it."""
        batch, line = self.geometry.batch_of(record), _result_line(fingerprint, record, values)
        written = self._written_now(batch, [line])
        if not written:
            self._wait(batch, line)
        return written

    def _written_now(self, batch: int, lines: Sequence[bytes]) -> bool:
        """Write lines if nothing waits before them and the disk takes them."""
        if self._lines or not self._writing.acquire(blocking=False):
            return False
        try:
            self._write(batch, lines, self.files.append_now)
        except OSError:
            return False
        finally:
            self._writing.release()
        return True

    def _wait(self, batch: int, *lines: bytes) -> None:
        with self._changing:
            self._lines.setdefault(batch, []).extend(lines)

    def flush(self) -> None:
        """Write what waits, in whatever thread. Raises OSError, and then keeps what is not written for next time."""
        with self._writing:
            with self._changing:
                lines, self._lines = self._lines, {}
            while lines:
                batch, some = next(iter(lines.items()))
                try:
                    self._write(batch, some, self.files.append)
                except OSError:
                    with self._changing:
                        for number, unwritten in lines.items():
                            self._lines[number] = unwritten + self._lines.get(number, [])
                    raise
                del lines[batch]

    def _write(self, batch: int, lines: Sequence[bytes], append: Callable[[str, bytes], None]) -> None:
        segment = f"{journal_folder(batch)}/{self.writer}{_SEGMENT}"
        # After a failure the segment may end inside a line; a line break makes sure that the next one counts.
        start = b"\n" if segment in self._torn else b""
        try:
            append(segment, start + b"".join(lines))
        except OSError:
            self._torn.add(segment)
            raise
        self._torn.discard(segment)
        with self._changing:
            self._unsynced.add(segment)

    def sync(self) -> None:
        """Make durable what was written. Segments that are gone belong to batches that are committed."""
        with self._changing:
            segments, self._unsynced = self._unsynced, set()
        try:
            if segments:
                self.files.sync(*sorted(segments))
        except OSError:
            with self._changing:
                self._unsynced |= segments
            raise


def _result_line(fingerprint: str, record: int, values: Sequence[object]) -> bytes:
    return _entry_line(json_text([fingerprint, record, _RESULT, "", packed(list(values))]).encode())


def _entry_line(text: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(text), text)


@dataclass(slots=True)
class Replay:
    """What a journal knows of some batches."""

    replies: dict[tuple[Key, str], Response] = field(default_factory=dict)
    """By key and digest of what was asked: one cell may have been asked of different inputs."""
    results: dict[tuple[str, int], list[object]] = field(default_factory=dict)
    """By fingerprint of the column and record: what functions of the user made."""
    damaged: int = 0
    """Lines that did not add up."""
    _by_cell: dict[tuple[str, int], list[Usage]] | None = None

    def __len__(self) -> int:
        return len(self.replies) + len(self.results)

    def reply(self, key: Key, request: Request) -> Response | None:
        """The reply to a request, if it was given before."""
        return self.replies.get((key, request_digest(request)))

    def usages(self) -> Iterator[tuple[str, int, Usage]]:
        """Fingerprint of the column, record and usage of every reply."""
        for ((fingerprint, record, _), _), response in self.replies.items():
            yield fingerprint, record, response.usage

    def usages_of(self, fingerprint: str, record: int) -> Sequence[Usage]:
        """Usages of the replies of a cell; call it when all has been read."""
        if self._by_cell is None:
            self._by_cell = {}
            for one, index, usage in self.usages():
                self._by_cell.setdefault((one, index), []).append(usage)
        return self._by_cell.get((fingerprint, record), ())

    def put_result(self, fingerprint: str, record: int, values: list[object]) -> None:
        """Hold what a cell came to."""
        self.results[fingerprint, record] = values

    def drop_results(self, fingerprints: Collection[str]) -> None:
        """Hold nothing of some columns."""
        self.results = {key: values for key, values in self.results.items() if key[0] not in fingerprints}

    def result(self, fingerprint: str, record: int) -> list[object] | None:
        """What a cell came to before."""
        return self.results.get((fingerprint, record))


def known_result(replays: Iterable[Replay], fingerprint: str, record: int) -> list[object] | None:
    """What a cell came to before, by the first that knows it."""
    found = (replay.result(fingerprint, record) for replay in replays)
    return next((values for values in found if values is not None), None)


def read_replay(files: Files, batches: Iterable[int]) -> Replay:
    """Read the segments of some batches; where two speak of the same thing the later one counts.

    Raises:
        OSError: a segment cannot be read.
    """
    replay = Replay()
    found = ((journal_folder(batch), name) for batch in batches for name in files.list(journal_folder(batch)))
    names = [f"{folder}/{name}" for folder, name in found if name.endswith(_SEGMENT)]
    for content in ahead(files.at_once, lambda name: _content(files, name), names):
        _read_segment(content, replay)
    if replay.damaged:
        logger.warning("journal damaged_lines=%d: what they held is asked for again", replay.damaged)
    return replay


def _content(files: Files, name: str) -> bytes:
    """A segment; nothing where its batch was committed meanwhile."""
    try:
        return files.read(name)
    except FileNotFoundError:
        return b""


def _read_segment(content: bytes, replay: Replay) -> None:
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            _read_entry(line, replay)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
            replay.damaged += 1


def _read_entry(line: bytes, replay: Replay) -> None:
    """Add what a line holds. Raises ValueError, TypeError, KeyError, AttributeError or ArithmeticError if damaged."""
    if int(line[:8], 16) != zlib.crc32(line[9:]):
        raise ValueError("the checksum is another one")
    match decode_json(line[9:].decode()):
        case [str(fingerprint), int(record), int(ordinal), str(), list(values)] if ordinal == _RESULT:
            replay.results[fingerprint, record] = [unpacked(value) for value in values]
        case [str(fingerprint), int(record), int(ordinal), str(digest), [*content, spent]]:
            replay.replies[(fingerprint, record, ordinal), digest] = response_of(content, Usage.of(spent))
        case _:
            raise ValueError("it holds neither a result nor a reply")


def journaled_batches(files: Files) -> list[int]:
    """Batches of which there are segments, in order."""
    return sorted(segments_by_batch(files))


def segments_by_batch(files: Files) -> dict[int, list[str]]:
    """Batch to the names of its segments."""
    found: dict[int, list[str]] = {}
    for name in files.walk(JOURNAL):
        batch = batch_number(name.split("/")[1])
        if batch is not None:
            found.setdefault(batch, []).append(name)
    return found


def forget_batch(files: Files, batch: int) -> None:
    """Remove a batch's segments. Raises OSError."""
    folder = journal_folder(batch)
    files.remove(*(f"{folder}/{name}" for name in files.list(folder)))
    files.remove_folder(folder)


def segment_writer(run: int, who: str) -> str:
    """Unique name of a process's segments; those of later runs sort after."""
    return f"{run:06d}-{who}"


def run_of(segment: str) -> int:
    """The run that wrote a segment; 0 where its name does not say."""
    number = segment.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isdecimal() else 0
