"""What was paid for is noted before it counts, and read back as it was, or not at all."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.odd_values import KEPT

from data_designer.engine.dataset.encoding import is_same, kept
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.journal import (
    Recorder,
    forget_batch,
    journaled_batches,
    read_replay,
    run_of,
    segment_writer,
)
from data_designer.engine.dataset.layout import JOURNAL, journal_folder
from data_designer.engine.execution.recording import Dataset, Recording, replica_name
from data_designer.plan.model import Geometry
from data_designer.values import ChatRequest, ChatResponse, Request, Usage

GEOMETRY = Geometry(100, 10)
NOTHING = np.empty(0, dtype=np.int64)


def request(text: str = "Say it", **params: Any) -> Request:
    """Something to ask."""
    return ChatRequest([{"role": "user", "content": [{"type": "text", "text": text}]}], params)


def recorder(path: Path, writer: str = "000001-r000-001", geometry: Geometry = GEOMETRY) -> Recorder:
    """Writes the segments of one process."""
    return Recorder(LocalFiles(path), geometry, writer)


def noted(path: Path, said: dict[int, str], writer: str = "000001-r000-001") -> Path:
    """Write what was said of some records of batch 0; gives the segment."""
    one = recorder(path, writer)
    for record, text in said.items():
        assert one.write_reply(("f", record, 0), request(), ChatResponse(text))
    return path / journal_folder(0) / f"{writer}.log"


def said(path: Path, records: range = range(10), batch: int = 0) -> dict[int, str]:
    """What the journal of a batch knows of some records."""
    replay = read_replay(LocalFiles(path), [batch])
    known = {record: replay.reply(("f", record, 0), request()) for record in records}
    return {record: response.text for record, response in known.items() if response is not None}


class Refusing(LocalFiles):
    """A disk that refuses some appends, after a part of what it was given."""

    def __init__(self, root: Path, refuses: Callable[[int, int], int | None]) -> None:
        """`refuses` is given the number of an append, from 1, and its size; it says what part of it is written."""
        super().__init__(root)
        self.refuses = refuses
        self.appends = 0
        self.refused = threading.Event()

    def append(self, name: str, content: bytes) -> None:
        """Add to a file, or a part, and fail."""
        self._add(super().append, name, content)

    def append_now(self, name: str, content: bytes) -> None:
        """As `append`."""
        self._add(super().append_now, name, content)

    def _add(self, append: Callable[[str, bytes], None], name: str, content: bytes) -> None:
        self.appends += 1
        part = self.refuses(self.appends, len(content))
        append(name, content[:part])
        if part is not None:
            self.refused.set()
            raise OSError(28, "No space left on device")


# --- what comes back -------------------------------------------------------------------------------------


def test_a_reply_comes_back_with_all_that_it_was(tmp_path: Path) -> None:
    """Text, reasoning, finish reason, tool calls and tokens are read as they were; requests that failed are not."""
    calls = ({"id": "1", "function": {"name": "f", "arguments": '{"a": [1, null]}'}}, {"id": "2"})
    given_back = ChatResponse("Tea\n\0 \u2028 🫖 \x85", "Because\r\n", "tool_calls", calls, usage=Usage(1, 0, 12, 5, 3))
    one = recorder(tmp_path)
    assert one.write_reply(("f", 7, 2), request(), given_back)
    assert one.write_reply(("f", 8, 0), request(), ChatResponse(""))
    assert not one.waiting
    replay = read_replay(LocalFiles(tmp_path), [0])
    assert (len(replay), replay.damaged) == (2, 0)
    assert replay.reply(("f", 7, 2), request()) == given_back
    assert replay.reply(("f", 8, 0), request()) == ChatResponse("")


@given(text=st.text(), reasoning=st.none() | st.text(), tokens=st.integers(0, 1 << 60))
def test_whatever_a_model_says_comes_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, reasoning: str | None, tokens: int
) -> None:
    """Any text that JSON can hold survives, whatever line breaks and control characters are in it."""
    path = tmp_path_factory.mktemp("journal")
    response = ChatResponse(text, reasoning, usage=Usage(1, output_tokens=tokens))
    assert recorder(path).write_reply(("f", 0, 0), request(), response)
    assert read_replay(LocalFiles(path), [0]).reply(("f", 0, 0), request()) == response


def test_results_of_functions_come_back(tmp_path: Path) -> None:
    """What a function made of a record is there again under its fingerprint and record, and no other."""
    one = recorder(tmp_path)
    values = ["a", 1, 2.5, True, None, {"k": [1, {"deep": "é"}]}]
    one.note_result("f", 3, values)
    one.note_result("f", 4, [None])
    assert one.waiting
    one.flush()
    assert not one.waiting
    replay = read_replay(LocalFiles(tmp_path), [0])
    assert replay.result("f", 3) == values
    assert replay.result("f", 4) == [None]
    assert replay.result("f", 5) is None
    assert replay.result("g", 3) is None
    assert replay.reply(("f", 3, 0), request()) is None


@pytest.mark.parametrize(
    "other",
    [
        request("Say something else"),
        request(temperature=0.5),
        ChatRequest([*request().messages, {"role": "assistant", "content": []}]),
        ChatRequest([]),
    ],
)
def test_another_request_is_not_answered(tmp_path: Path, other: Request) -> None:
    """A reply answers the request that it was given to: same messages, same parameters."""
    noted(tmp_path, {1: "one"})
    replay = read_replay(LocalFiles(tmp_path), [0])
    assert replay.reply(("f", 1, 0), request()) is not None
    assert replay.reply(("f", 1, 0), other) is None


def test_a_line_is_what_it_always_was(tmp_path: Path) -> None:
    """Journals of earlier versions answer the same requests."""
    one = recorder(tmp_path)
    spent = Usage(1, 2, 3, 4, 5, 6)
    said = ChatResponse("tea", "why", "stop", ({"id": "c"},), usage=spent, counted=False, pause=3.0)
    one.write_reply(("f", 7, 2), request("hi", top_p=0.5, stop=["x"]), said)
    [segment] = tmp_path.rglob("*.log")
    line = b'["f",7,2,"e9c44ba70f337987",["tea","why","stop",[{"id":"c"}],[1,2,3,4,5,6]]]'
    assert segment.read_bytes() == b"d0b2a4ee %b\n" % line


@pytest.mark.parametrize("key", [("g", 1, 0), ("f", 2, 0), ("f", 1, 1)])
def test_another_column_record_or_turn_is_not_answered(tmp_path: Path, key: tuple[str, int, int]) -> None:
    """The same request elsewhere is another one: models are asked for each record by itself."""
    noted(tmp_path, {1: "one"})
    assert read_replay(LocalFiles(tmp_path), [0]).reply(key, request()) is None


def test_later_segments_count(tmp_path: Path) -> None:
    """Of what two processes or runs noted of the same thing, the later counts; so does the later line of a segment."""
    noted(tmp_path, {1: "tenth run"}, segment_writer(10, replica_name(0, 1)))
    noted(tmp_path, {1: "ninth run", 2: "ninth run"}, segment_writer(9, replica_name(5, 7)))
    noted(tmp_path, {2: "second incarnation"}, segment_writer(9, replica_name(5, 8)))
    assert said(tmp_path) == {1: "tenth run", 2: "second incarnation"}
    noted(tmp_path, {1: "again"}, segment_writer(10, replica_name(0, 1)))
    assert said(tmp_path) == {1: "again", 2: "second incarnation"}


@pytest.mark.parametrize("name", KEPT)
def test_whatever_a_cell_holds_comes_back(tmp_path: Path, name: str) -> None:
    """Moments, decimals, bytes, NaN and integers of any size too, exactly: nothing is made, and so paid, again."""
    one = recorder(tmp_path)
    cell = kept(KEPT[name][0])
    values = [cell, [cell], {"k": cell, "$k": cell}, {"$date": cell}, {"$dict": {"$bytes": cell}}]
    one.note_result("f", 0, values)
    one.flush()
    replay = read_replay(LocalFiles(tmp_path), [0])
    assert is_same(replay.result("f", 0), values)
    assert replay.damaged == 0


def test_a_moment_keeps_its_zone(tmp_path: Path) -> None:
    """By its name, where it has one."""
    moments = [
        datetime(2024, 7, 1, tzinfo=zone) for zone in (UTC, ZoneInfo("Europe/Rome"), timezone(timedelta(hours=2)))
    ]
    one = recorder(tmp_path)
    one.note_result("f", 0, moments)
    one.flush()
    found = read_replay(LocalFiles(tmp_path), [0]).result("f", 0)
    assert found == moments
    assert [str(moment.tzinfo) for moment in found or ()] == [str(moment.tzinfo) for moment in moments]


# --- where it is -----------------------------------------------------------------------------------------


def test_each_batch_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """What is noted of records of several batches is found batch by batch, and nowhere else."""
    one = recorder(tmp_path)
    for record in (5, 10, 19, 99):
        one.write_reply(("f", record, 0), request(), ChatResponse(str(record)))
    one.flush()
    assert journaled_batches(LocalFiles(tmp_path)) == [0, 1, 9]
    assert said(tmp_path, range(100), 1) == {10: "10", 19: "19"}
    assert said(tmp_path, range(100), 5) == {}
    assert len(read_replay(LocalFiles(tmp_path), [0, 1, 5, 9])) == 4


def test_records_that_were_added_have_the_folders_of_their_batches(tmp_path: Path) -> None:
    """Where records were added in batches of another size, a record's folder is that of its batch."""
    geometry = Geometry(10, 4).extended(15, 2).extended(30, 10)
    one = recorder(tmp_path, geometry=geometry)
    for record in range(30):
        one.write_reply(("f", record, 0), request(), ChatResponse(str(record)))
    one.flush()
    assert journaled_batches(LocalFiles(tmp_path)) == list(geometry.batches())
    for batch in geometry.batches():
        assert sorted(said(tmp_path, range(30), batch)) == list(geometry.records(batch))


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    """The segments of the batch go with their folder, and no other batch's."""
    files = LocalFiles(tmp_path)
    for run in (1, 2):
        noted(tmp_path, {run: str(run)}, segment_writer(run, "t000000001"))
    one = recorder(tmp_path)
    one.write_reply(("f", 11, 0), request(), ChatResponse("other"))
    one.flush()
    assert journaled_batches(files) == [0, 1]
    forget_batch(files, 0)
    assert journaled_batches(files) == [1]
    assert files.list(JOURNAL) == ["batch_00001"]
    forget_batch(files, 7)


@pytest.mark.parametrize(("name", "run"), [("000012-r000-001.log", 12), ("notes.txt", 0), ("-", 0), ("x-1", 0)])
def test_a_segment_says_which_run_wrote_it(name: str, run: int) -> None:
    """A name that does not say counts as older than every run."""
    assert run_of(name) == run


def test_an_empty_folder_and_what_is_no_batch_are_no_journal(tmp_path: Path) -> None:
    """Only batches with segments are journaled."""
    (tmp_path / journal_folder(3)).mkdir(parents=True)
    (tmp_path / JOURNAL / "notes.txt").write_bytes(b"")
    assert journaled_batches(LocalFiles(tmp_path)) == []
    assert len(read_replay(LocalFiles(tmp_path), [3, 4])) == 0


# --- damage ----------------------------------------------------------------------------------------------


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    """Wherever a crash cuts a segment, every line before the cut is read, and nothing that was not written."""
    segment = noted(tmp_path, {record: f"reply {record}" for record in range(4)})
    content = segment.read_bytes()
    lines = content.splitlines(keepends=True)
    for length in range(len(content)):
        segment.write_bytes(content[:length])
        # A line whose line break alone is missing is whole.
        whole = sum(len(b"".join(lines[: number + 1])) - 1 <= length for number in range(4))
        assert said(tmp_path) == {record: f"reply {record}" for record in range(whole)}


@given(place=st.integers(0, 1 << 20), junk=st.binary(max_size=40))
def test_junk_in_the_middle_costs_no_line_but_those_it_touches(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: bytes
) -> None:
    """Whatever overwrites a part of a segment, the lines that it does not touch are read, and nothing else is."""
    path = tmp_path_factory.mktemp("journal")
    segment = noted(path, {record: f"reply {record}" for record in range(4)})
    content = segment.read_bytes()
    start = place % len(content)
    segment.write_bytes(content[:start] + junk + content[start + len(junk) :])
    touched = {content[:at].count(b"\n") for at in range(start, min(start + len(junk), len(content)))}
    # Where a line break is overwritten, the line after it becomes a part of the line before.
    touched |= {
        content[:at].count(b"\n") + 1 for at in range(start, start + len(junk)) if content[at : at + 1] == b"\n"
    }
    expected = {record: f"reply {record}" for record in range(4)}
    found = said(path)
    assert found.items() <= expected.items()
    assert set(found) >= set(expected) - touched


@pytest.mark.parametrize(
    "line", [b"", b" ", b"0", b"00000000", b"00000000 ", b"zzzzzzzz []", b"-0000001 []", b"\xff" * 20, b"8" * 9]
)
def test_lines_that_are_none_are_counted_and_left_out(tmp_path: Path, line: bytes) -> None:
    """A line that does not add up, however short or odd, stands for nothing and does no harm."""
    segment = noted(tmp_path, {1: "one"})
    segment.write_bytes(line + b"\n" + segment.read_bytes())
    replay = read_replay(LocalFiles(tmp_path), [0])
    assert (len(replay), replay.damaged) == (1, int(line != b""))
    assert said(tmp_path) == {1: "one"}


# --- a disk that refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", range(0, 101, 4))
def test_an_append_that_fails_in_the_middle_loses_nothing(tmp_path: Path, share: int) -> None:
    """After any part of an append, the next one writes all of it again, and nothing is read that was not said.

    What comes after a refused reply waits behind it; once everything is written, replies are written as they come.
    """
    files = Refusing(tmp_path, lambda number, size: size * share // 100 if number <= 2 else None)
    one = Recorder(files, GEOMETRY, "w")
    assert not one.write_reply(("f", 1, 0), request(), ChatResponse("one"))
    assert not one.write_reply(("f", 2, 0), request(), ChatResponse("two"))
    with pytest.raises(OSError, match="No space"):
        one.flush()
    assert one.waiting
    assert not one.write_reply(("f", 3, 0), request(), ChatResponse("three"))
    one.flush()
    assert not one.waiting
    assert one.write_reply(("f", 4, 0), request(), ChatResponse("four"))
    assert said(tmp_path) == {1: "one", 2: "two", 3: "three", 4: "four"}


def test_a_reply_that_is_refused_in_the_middle_spoils_none_after_it(tmp_path: Path) -> None:
    """The next line begins on a line of its own, also in a segment of which another thread knows nothing yet."""
    files = Refusing(tmp_path, lambda number, size: size // 2 if number == 1 else None)
    one = Recorder(files, GEOMETRY, "w")
    assert not one.write_reply(("f", 1, 0), request(), ChatResponse("one"))
    one.flush()
    assert one.write_reply(("f", 2, 0), request(), ChatResponse("two"))
    assert said(tmp_path) == {1: "one", 2: "two"}
    assert read_replay(files, [0]).damaged == 1


def test_replies_of_many_batches_hold_few_files_open(tmp_path: Path) -> None:
    """Files stay open between replies, never more than some, and none once they are synced."""

    def open_files() -> int:
        return sum(str(tmp_path) in str(one.resolve()) for one in Path("/proc/self/fd").iterdir() if one.exists())

    one = recorder(tmp_path, geometry=Geometry(300, 1))
    for record in [*range(300), *range(300)]:
        assert one.write_reply(("f", record, 0), request(), ChatResponse(str(record)))
        assert record % 30 or open_files() <= 64
    assert open_files() > 0
    one.sync()
    assert open_files() == 0
    assert [len(read_replay(LocalFiles(tmp_path), [batch])) for batch in range(300)] == [1] * 300


def test_a_disk_that_refuses_in_the_middle_of_several_batches_loses_nothing(tmp_path: Path) -> None:
    """Batches that were written are not written again; the others keep what is noted, in its order."""
    files = Refusing(tmp_path, lambda number, size: size // 2 if number in (2, 3) else None)
    one = Recorder(files, GEOMETRY, "w")
    for record in (1, 11, 21):
        one.note_result("f", record, ["first"])
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            one.flush()
        one.note_result("f", 11, ["last"])
    one.flush()
    assert files.appends == 5
    replays = [read_replay(LocalFiles(tmp_path), [batch]) for batch in range(3)]
    found = [replay.result("f", 10 * batch + 1) for batch, replay in enumerate(replays)]
    assert found == [["first"], ["last"], ["first"]]
    damaged = [read_replay(files, [batch]).damaged for batch in range(3)]
    assert damaged[0] == damaged[2] == 0


def test_segments_of_committed_batches_need_not_be_durable(tmp_path: Path) -> None:
    """What was written is synced once, unless its batch was committed meanwhile; what fails is synced the next time."""

    class Syncing(LocalFiles):
        """Notes what is made durable."""

        synced: list[str]
        refuses = True

        def sync(self, *names: str) -> None:
            """Make files durable, the second time it is asked."""
            super().sync(*names)
            if self.refuses:
                self.refuses = False
                raise OSError(5, "Input/output error")
            self.synced += [name for name in names if self.exists(name)]

    files = Syncing(tmp_path)
    files.synced = []
    one = Recorder(files, GEOMETRY, "w")
    for record in (1, 11):
        assert one.write_reply(("f", record, 0), request(), ChatResponse("one"))
    forget_batch(files, 1)
    with pytest.raises(OSError, match="Input/output"):
        one.sync()
    one.sync()
    one.sync()
    assert files.synced == [f"{journal_folder(0)}/w.log"]


def test_what_is_noted_while_another_thread_writes_is_written(tmp_path: Path) -> None:
    """Notes and writes at the same time, thousands of times: everything that was noted is in the journal."""
    count, text = 5000, "x" * 10_000
    one = recorder(tmp_path, geometry=Geometry(count, count))
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            one.flush()

    writer = threading.Thread(target=write)
    writer.start()
    for record in range(count):
        one.write_reply(("f", record, 0), request(), ChatResponse(text))
    over.set()
    writer.join()
    one.flush()
    assert len(read_replay(LocalFiles(tmp_path), [0])) == count


# --- a replica's share -----------------------------------------------------------------------------------


def recording(files: LocalFiles) -> Recording:
    """The journal of one replica."""
    return Recording(Dataset(files, run=2), GEOMETRY, replica_name(0, 1))


def keep(mine: Recording, record: int, text: str) -> Coroutine[Any, Any, None]:
    """Keep what was said of a record."""
    return mine.keep(("f", record, 0), request(), ChatResponse(text))


def test_a_reply_is_on_the_disk_before_anybody_else_has_a_turn(tmp_path: Path) -> None:
    """Keeping it waits for nothing, not even for a turn of the loop, so that no request can take its slot before."""

    async def scenario() -> None:
        mine = recording(LocalFiles(tmp_path))
        await mine.written()
        assert LocalFiles(tmp_path).list("") == []
        for record in range(10):
            with pytest.raises(StopIteration):
                keep(mine, record, str(record)).send(None)
            assert len(said(tmp_path)) == record + 1
        await mine.close()

    asyncio.run(scenario())


def test_many_that_wait_are_all_told_after_the_disk_has_it(tmp_path: Path) -> None:
    """A disk that refuses the first of many: each is told when its own reply is there, and not before."""

    async def scenario() -> None:
        mine = recording(Refusing(tmp_path, lambda number, size: size // 2 if number == 1 else None))

        async def row(record: int) -> None:
            await asyncio.sleep(0)
            await keep(mine, record, str(record))
            assert said(tmp_path, range(record, record + 1)) == {record: str(record)}

        await asyncio.gather(*(row(record) for record in range(10)))
        await mine.close()

    asyncio.run(scenario())


def test_a_disk_that_refuses_for_a_while_delays_and_loses_nothing(tmp_path: Path) -> None:
    """Whoever keeps a reply goes on after the disk has recovered, with everything on it that came meanwhile."""

    async def scenario() -> None:
        files = Refusing(tmp_path, lambda number, size: size // 3 if number <= 2 else None)
        mine = recording(files)
        one = asyncio.create_task(keep(mine, 1, "one"))
        assert await asyncio.to_thread(files.refused.wait, 60)
        two = asyncio.create_task(keep(mine, 2, "two"))
        await asyncio.gather(one, two, mine.written())
        assert files.appends == 3
        assert said(tmp_path) == {1: "one", 2: "two"}
        await mine.close()

    asyncio.run(scenario())


def test_what_is_left_is_written_at_the_end(tmp_path: Path) -> None:
    """Closing writes what the disk has refused before, and does not fail where the disk still does."""

    async def scenario() -> None:
        for refusals, left in ((2, {1: "one"}), (9, {})):
            files = Refusing(tmp_path / str(refusals), lambda number, _, most=refusals: 0 if number <= most else None)
            mine = recording(files)
            waiting = asyncio.create_task(keep(mine, 1, "one"))
            assert await asyncio.to_thread(files.refused.wait, 60)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await mine.close()
            assert said(files.root) == left

    asyncio.run(scenario())


def test_a_replica_knows_its_own_replies_and_those_of_earlier_runs(tmp_path: Path) -> None:
    """What is known of a batch includes what was noted a moment ago; without a batch to look at nothing is read."""
    noted(tmp_path, {1: "earlier"})

    async def scenario() -> None:
        mine = recording(LocalFiles(tmp_path))
        await keep(mine, 2, "own")
        assert await mine.known((), NOTHING) == []
        [known] = await mine.known(((0, 1),), NOTHING)
        assert sorted(record for (_, record, _), _ in known.replies) == [1, 2]
        await mine.close()

    asyncio.run(scenario())


def test_a_preview_keeps_nothing(tmp_path: Path) -> None:
    """Without a dataset nothing is noted, known or written."""

    async def scenario() -> None:
        mine = Recording(None, GEOMETRY, "r")
        await keep(mine, 1, "one")
        await mine.written()
        assert await mine.known(((0, 1),), NOTHING) == []
        await mine.close()
        assert LocalFiles(tmp_path).list("") == []

    asyncio.run(scenario())
