"""A replica: rows in, requests out, replies kept before they are reported, and an end when nobody listens."""

import asyncio
import itertools
import json
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.fakes import model
from tests.fault_injection.files import FaultyFiles
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.dataset.journal import JournalError, Replay, read_replay
from data_designer.engine.execution.recording import Dataset, Recording, ReplayCache, replica_name
from data_designer.engine.execution.replica import LINGER, LeaseEndedError, Replica, linger_of, rough_bytes
from data_designer.engine.protocol.conversation import CONVERSED
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.parcels import REJECTED, SKIPPED, SPENT, Parcel, Source, Values
from data_designer.engine.protocol.rows import Replays
from data_designer.errors import ModelBadRequestError, Outage
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block, ChatResponse, Request, Response, Usage

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]

BATCH = 4
"""Records a batch."""
ANSWERED = Usage(requests=1, input_tokens=3, output_tokens=2).numbers
BOTH = (("draft", ANSWERED), ("final", ANSWERED))
"""What a row of two answered columns spends."""
USAGE = Usage(requests=1, input_tokens=3, output_tokens=2)
DRAWN = {"distribution_type": "uniform", "params": {"low": 0.1, "high": 0.9}}

Answer = Callable[[str], Awaitable[str]]


def plan(temperature: Any = None, *, keep_conversations: str = "rejected", **second: Any) -> Plan:
    """A sampler, and two text columns of one model that run without coming back."""
    made = texts([model("m", max_parallel_requests=4, temperature=temperature)], draft=("m", "draft {{ id }}"))
    made.add_column(name="final", column_type="llm-text", model_alias="m", prompt="final {{ draft }}", **second)
    return compiled(made, 100, BATCH, keep_conversations=keep_conversations)


async def echo(prompt: str) -> str:
    """Answer at once, and tell every prompt from every other."""
    return f"<{prompt}>"


async def stuck(prompt: str) -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return prompt


@dataclass
class Cancelled:
    """Never answers, and tells when it is not to."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, prompt: str) -> str:
        """Wait to be cancelled."""
        self.arrived.set()
        try:
            return await stuck(prompt)
        finally:
            self.done.set()


@dataclass
class FakeModel:
    """A model that answers as a test tells it to."""

    answer: Answer = echo
    asked: list[Request] = field(default_factory=list)
    in_flight: int = 0

    @property
    def prompts(self) -> list[str]:
        """What was asked, in order."""
        return [prompt_of(request) for request in self.asked]

    async def ask(self, request: Request) -> Response:
        """Answer."""
        self.asked.append(request)
        self.in_flight += 1
        try:
            return ChatResponse(await self.answer(prompt_of(request)), usage=USAGE)
        finally:
            self.in_flight -= 1


def prompt_of(request: Request) -> str:
    """The user's words."""
    text: str = request.messages[-1]["content"][0]["text"]
    return text


@dataclass
class Place:
    """A disk, and the replicas that come and go beside it."""

    plan: Plan = field(default_factory=plan)
    files: FaultyFiles = field(default_factory=lambda: FaultyFiles(random.Random(0)))
    epochs: int = 0

    @asynccontextmanager
    async def replica(self, asked: FakeModel, lease: float | None = None, slots: int = 4) -> AsyncIterator[Replica]:
        """Another incarnation, with slots."""
        self.epochs += 1
        dataset = Dataset(self.files, run=1)
        recording = Recording(dataset, self.plan.geometry, replica_name(0, self.epochs))
        replica = Replica(self.plan, "m", asked, recording, linger=0.0, lease=lease)
        try:
            await replica.grant(slots)
            yield replica
        finally:
            await replica.close()

    def journal(self, *batches: int) -> Replay:
        """What is on the disk."""
        return read_replay(self.files, batches)


def parcel(
    rows: Sequence[int], ticket: int = 1, replays: Replays = (), skipped: Sequence[frozenset[str] | None] | None = None
) -> tuple[Parcel, Values]:
    """Rows for the text columns, and the values that travel along."""
    indices = np.array(rows, dtype=np.int64)
    columns: dict[str, list[Any]] = {"id": [f"id{row}" for row in rows]}
    if skipped is not None:
        columns[SKIPPED] = list(skipped)
    source = Source(0, np.zeros(len(rows), dtype=np.int64), np.arange(len(rows)))
    return Parcel(1, indices, ticket, (source,), replays), {0: Block(indices, columns)}


@dataclass
class Collected:
    """Everything that a replica reported, row by row."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    reported: list[tuple[int, int]] = field(default_factory=list)
    """(ticket, row), as often as it was reported."""
    last: Summary = field(default_factory=lambda: Summary(0, (), None))

    async def take(self, replica: Replica) -> None:
        """Collect once."""
        self.last, values = await replica.collect(self.last.number)
        for part in self.last.finished:
            block = values[part.stage]
            self.reported += zip(part.tickets.tolist(), part.rows.tolist(), strict=True)
            for place, row in enumerate(block.rows.tolist()):
                self.rows[row] = {name: cells[place] for name, cells in block.columns.items()}

    async def all(self, replica: Replica, number: int) -> "Collected":
        """Collect until so many reports of rows are there."""
        while len(self.reported) < number:
            await self.take(replica)
        return self


# --- rows and reports ------------------------------------------------------------------------------------------


def test_rows_run_through_all_steps_of_the_stage() -> None:
    """Each row comes back once with every column of the stage, under its ticket, and with what its replies cost."""

    async def scenario() -> None:
        asked = FakeModel()
        async with Place().replica(asked) as replica:
            await replica.submit(*parcel([3, 5], ticket=7))
            found = await Collected().all(replica, 2)
        assert sorted(found.reported) == [(7, 3), (7, 5)]
        assert found.rows[3] == {
            "draft": "<draft id3>", "final": "<final <draft id3>>", SPENT: BOTH,
        }  # fmt: skip
        assert sorted(asked.prompts) == ["draft id3", "draft id5", "final <draft id3>", "final <draft id5>"]

    asyncio.run(scenario())


def test_others_get_a_word_in_while_many_rows_start() -> None:
    """Rows whose templates take long start a few at a time, so that a replica is not taken for dead meanwhile."""

    async def scenario() -> None:
        started: list[int] = []

        async def look() -> None:
            while len(asked.asked) < 200:
                started.append(len(asked.asked))
                await asyncio.sleep(0)

        asked = FakeModel(stuck)
        async with Place().replica(asked, slots=200) as replica:
            parcels = [parcel(range(50 * ticket, 50 * ticket + 50), ticket) for ticket in range(4)]
            await asyncio.gather(look(), *(replica.submit(*one) for one in parcels))
        assert max(after - before for before, after in itertools.pairwise(started)) < 50

    asyncio.run(scenario())


def test_a_refused_row_is_reported_with_its_reason_and_what_it_cost() -> None:
    """A row that the model refuses is a value: its neighbours go on, and replies before the refusal are counted."""

    async def picky(prompt: str) -> str:
        if prompt.startswith("final") and "id1" in prompt:
            raise ModelBadRequestError("not this one")
        return await echo(prompt)

    async def scenario() -> None:
        async with Place().replica(FakeModel(picky)) as replica:
            await replica.submit(*parcel([0, 1]))
            found = await Collected().all(replica, 2)
        reason = found.rows[1][REJECTED]
        assert (reason.kind, reason.message, reason.column) == ("ModelBadRequestError", "not this one", "final")
        assert found.rows[1][SPENT] == (("draft", ANSWERED), ("final", Usage(failed_requests=1).numbers))
        assert found.rows[0].get(REJECTED) is None
        assert found.rows[0]["final"] == "<final <draft id0>>"

    asyncio.run(scenario())


def test_what_was_said_for_a_refused_row_is_reported_and_counts_as_held() -> None:
    """By default nothing is kept of its neighbours; however few rows have any, all bytes are counted."""
    long = "x" * 100_000

    async def picky(prompt: str) -> str:
        if prompt.startswith("final") and "id33" in prompt:
            raise ModelBadRequestError("not this one")
        return f"{long} id33" if "id33" in prompt else await echo(prompt)

    async def scenario() -> None:
        place = Place()
        async with place.replica(FakeModel(picky)) as replica:
            await replica.submit(*parcel(range(64)))
            found = await Collected().all(replica, 64)
            [kept] = [row for row, cells in found.rows.items() if cells.get(CONVERSED)]
            draft, final = found.rows[kept][CONVERSED]
        assert (kept, draft.fate, final.fate) == (33, "ok", "failed")
        assert len(draft.turns) > len(long)
        cells = [None] * 63 + [(draft, final)]
        assert rough_bytes(Block(np.arange(64), {CONVERSED: cells})) > 2 * len(long)

    asyncio.run(scenario())


def test_what_a_journal_answers_is_told_as_it_was_said() -> None:
    """Another incarnation that reads the replies of a first one tells the same turns, but for the times."""

    async def scenario() -> None:
        place = Place(plan(keep_conversations="all"))
        async with place.replica(FakeModel()) as replica:
            await replica.submit(*parcel([1]))
            first = await Collected().all(replica, 1)
        asked = FakeModel()
        async with place.replica(asked) as replica:
            await replica.submit(*parcel([1], replays=((0, 1),)))
            again = await Collected().all(replica, 1)
        assert asked.prompts == []
        for before, after in zip(first.rows[1][CONVERSED], again.rows[1][CONVERSED], strict=True):
            assert (before.seconds is not None, after.seconds) == (True, None)
            assert (before.column, before.fate, before.usage) == (after.column, after.fate, after.usage)
            told = [
                {name: value for name, value in one.items() if name != "seconds"} for one in json.loads(before.turns)
            ]
            assert told == json.loads(after.turns)

    asyncio.run(scenario())


def test_what_was_skipped_upstream_is_skipped_here() -> None:
    """A row whose skip condition says so asks nothing for that column, and tells whoever comes after."""

    async def scenario() -> None:
        asked = FakeModel()
        skip = dd.SkipConfig(when="{{ id == 'id1' }}", value="-")
        async with Place(plan(skip=skip)).replica(asked) as replica:
            await replica.submit(*parcel([0, 1], skipped=[frozenset({"elsewhere"}), None]))
            found = await Collected().all(replica, 2)
        assert [found.rows[row]["final"] for row in (0, 1)] == ["<final <draft id0>>", "-"]
        assert [found.rows[row][SKIPPED] for row in (0, 1)] == [{"elsewhere"}, {"final"}]
        assert sorted(asked.prompts) == ["draft id0", "draft id1", "final <draft id0>"]

    asyncio.run(scenario())


def test_a_report_is_given_again_until_it_is_acknowledged() -> None:
    """A repeated `collect` gets the same report; the one that acknowledges it gets the next."""

    async def scenario() -> None:
        async with Place().replica(FakeModel()) as replica:
            await replica.submit(*parcel([0]))
            first, values = await replica.collect(0)
            await replica.submit(*parcel([1], ticket=2))
            again, same_values = await replica.collect(0)
            assert again is first
            assert same_values is values
            second, _ = await replica.collect(first.number)
        assert (first.number, second.number) == (1, 2)
        assert [part.rows.tolist() for summary in (first, second) for part in summary.finished] == [[0], [1]]

    asyncio.run(scenario())


def test_rows_that_come_twice_are_run_once() -> None:
    """A repeated submit of a ticket starts nothing, whether its rows run or are done; another ticket does."""

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def later(prompt: str) -> str:
            await go_on.wait()
            return await echo(prompt)

        asked = FakeModel(later)
        async with Place().replica(asked) as replica:
            await replica.submit(*parcel([0, 1]))
            await replica.submit(*parcel([0, 1]))
            await replica.submit(*parcel([1, 2]))
            go_on.set()
            await asyncio.gather(*replica._tasks)
            await replica.submit(*parcel([0, 1, 2]))
            found = await Collected().all(replica, 3)
            assert sorted(found.reported) == [(1, 0), (1, 1), (1, 2)]
            assert len(asked.asked) == 6
            await replica.submit(*parcel([0], ticket=2))
            await found.all(replica, 4)
        assert found.reported[3:] == [(2, 0)]
        assert len(asked.asked) == 8

    asyncio.run(scenario())


def test_nothing_to_report_is_said_after_a_silence(in_virtual_time: InVirtualTime) -> None:
    """Where nothing finishes for seconds an empty report comes, so that both sides know of each other."""

    async def scenario() -> None:
        async with Place().replica(FakeModel(stuck)) as replica:
            await replica.submit(*parcel([0]))
            found = Collected()
            await found.take(replica)
            await found.take(replica)
        assert (found.last.number, found.last.finished, found.reported) == (2, (), [])

    in_virtual_time(scenario())


def test_an_outage_is_reported_beside_the_rows(in_virtual_time: InVirtualTime) -> None:
    """The endpoint's words reach the driver; rows that met the outage are not reported, others are."""

    async def down(prompt: str) -> str:
        if "id1" in prompt:
            raise Outage("gone since noon")
        return await echo(prompt)

    async def scenario() -> None:
        async with Place().replica(FakeModel(down)) as replica:
            await replica.submit(*parcel([0, 1]))
            found = Collected()
            while not (found.reported and found.last.outage):
                await found.take(replica)
        assert found.last.outage == "gone since noon"
        assert found.reported == [(1, 0)]

    in_virtual_time(scenario())


def test_what_is_no_rows_fault_reaches_whoever_collects() -> None:
    """A journal that cannot be written is raised by `collect`, this time and every other."""

    async def broken(prompt: str) -> str:
        raise JournalError(prompt)

    async def scenario() -> None:
        async with Place().replica(FakeModel(broken)) as replica:
            await replica.submit(*parcel([0]))
            for _ in range(2):
                with pytest.raises(JournalError, match="draft id0"):
                    await replica.collect(0)

    asyncio.run(scenario())


def test_what_nobody_foresaw_ends_its_own_row(caplog: pytest.LogCaptureFixture) -> None:
    """An error that is no refusal of a model rejects the row that it came up in, with its kind; the others go on."""

    async def broken(prompt: str) -> str:
        if "id1" in prompt:
            raise ZeroDivisionError(prompt)
        return "fine"

    async def scenario() -> None:
        async with Place().replica(FakeModel(broken)) as replica:
            await replica.submit(*parcel([0, 1, 2]))
            found = await Collected().all(replica, 3)
        rejected = {row: values[REJECTED] for row, values in found.rows.items() if values.get(REJECTED)}
        assert rejected.keys() == {1}
        assert (rejected[1].kind, rejected[1].column) == ("ZeroDivisionError", "draft")

    asyncio.run(scenario())
    assert "record=1" in caplog.text


# --- slots -----------------------------------------------------------------------------------------------------


def test_without_slots_a_replica_says_when_nothing_is_under_way(in_virtual_time: InVirtualTime) -> None:
    """`grant(0)` returns when what is in flight has ended; with those rows, or after, one report is `drained`."""

    async def scenario() -> None:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def later(prompt: str) -> str:
            arrived.set()
            await go_on.wait()
            return await echo(prompt)

        asked = FakeModel(later)
        async with Place(plan(skip=dd.SkipConfig(when="{{ id }}"))).replica(asked) as replica:
            found = Collected()
            await replica.submit(*parcel([0]))
            await arrived.wait()
            granting = asyncio.create_task(replica.grant(0))
            await found.take(replica)
            assert not granting.done()
            assert not found.last.drained
            go_on.set()
            await granting
            while not found.last.drained:
                await found.take(replica)
            assert found.reported == [(1, 0)]
            await found.take(replica)
            assert not found.last.drained

    in_virtual_time(scenario())


def test_slots_that_come_back_are_no_end() -> None:
    """A replica that was without slots for a moment does not say that it is drained."""

    async def scenario() -> None:
        async with Place().replica(FakeModel()) as replica:
            await replica.grant(0)
            await replica.grant(2)
            await replica.submit(*parcel([1]))
            found = await Collected().all(replica, 1)
            assert not found.last.drained

    asyncio.run(scenario())


def test_one_that_leaves_reports_what_is_done_and_lets_go_of_the_rest() -> None:
    """Its next report is the last and says so; what the rest was answered is in the journal, for whoever gets it."""

    async def scenario() -> None:
        waits = asyncio.Event()

        async def half(prompt: str) -> str:
            if prompt == "final <draft id1>":
                waits.set()
                return await stuck(prompt)
            return await echo(prompt)

        place, asked = Place(), FakeModel(half)
        async with place.replica(asked) as replica:
            found = await Collected().all(replica, 0)
            await replica.submit(*parcel([0, 1]))
            await waits.wait()
            await replica.leave()
            await found.take(replica)
            assert found.last.last
            assert found.reported == [(1, 0)]
        assert asked.in_flight == 0
        later = FakeModel()
        async with place.replica(later) as replica:
            await replica.submit(*parcel([1], ticket=2, replays=((0, 1),)))
            found = await Collected().all(replica, 1)
            assert not found.last.last
        assert later.prompts == ["final <draft id1>"]

    asyncio.run(scenario())


# --- the journal -----------------------------------------------------------------------------------------------


class SlowFiles(FaultyFiles):
    """A disk that takes its time to append."""

    def __init__(self) -> None:
        super().__init__(random.Random(0))
        self.appending, self.go_on = threading.Event(), threading.Event()

    def append(self, name: str, content: bytes) -> None:
        """Wait for the test."""
        self.appending.set()
        assert self.go_on.wait(60.0)
        super().append(name, content)

    def append_now(self, name: str, content: bytes) -> None:
        """It cannot, until the test lets it."""
        if not self.go_on.is_set():
            raise OSError(11, "Resource temporarily unavailable")
        super().append(name, content)


def test_a_reply_is_in_the_journal_before_its_row_is_reported() -> None:
    """`collect` does not return while the disk is busy; when it does, every reply can be read, batch by batch."""

    async def scenario() -> None:
        files, asked = SlowFiles(), FakeModel()
        place = Place(files=files)
        async with place.replica(asked) as replica:
            await replica.submit(*parcel([1, BATCH + 1]))
            collecting = asyncio.create_task(Collected().all(replica, 2))
            assert await asyncio.to_thread(files.appending.wait, 60.0)
            assert not collecting.done()
            assert len(place.journal(0, 1)) == 0
            files.go_on.set()
            found = await collecting
            assert len(place.journal(0)) == len(place.journal(1)) == 2
            for request in asked.asked:
                row = found.rows[1 if "id1" in prompt_of(request) else BATCH + 1]
                column = prompt_of(request).split()[0]
                record = 1 if "id1" in prompt_of(request) else BATCH + 1
                reply = place.journal(record // BATCH).reply((place.plan.fingerprints[column], record, 0), request)
                assert reply == ChatResponse(row[column], usage=USAGE)

    asyncio.run(scenario())


def test_a_reply_to_a_row_that_is_never_finished_is_kept_when_the_replica_closes() -> None:
    """A first column's reply is in the journal although the second column was not answered."""

    async def scenario() -> None:
        held = Cancelled()

        async def half(prompt: str) -> str:
            return await (held.answer if prompt.startswith("final") else echo)(prompt)

        place = Place()
        async with place.replica(FakeModel(half)) as replica:
            await replica.submit(*parcel([0]))
            await held.arrived.wait()
        assert held.done.is_set()
        assert [key[:2] for key, _ in place.journal(0).replies] == [(place.plan.fingerprints["draft"], 0)]

    asyncio.run(scenario())


@pytest.mark.parametrize("temperature", [None, DRAWN])
def test_rows_with_replays_are_answered_by_the_journal(temperature: Any) -> None:
    """A later incarnation asks nothing for rows of a batch that it may replay, and counts what they cost before."""

    async def scenario() -> None:
        place = Place(plan(temperature))
        async with place.replica(FakeModel()) as replica:
            await replica.submit(*parcel([0, 1, BATCH]))
            before = await Collected().all(replica, 3)
        asked = FakeModel()
        async with place.replica(asked) as replica:
            await replica.submit(*parcel([0, 1, 2, BATCH], replays=((0, 1),)))
            after = await Collected().all(replica, 4)
        assert after.rows[0] == before.rows[0]
        assert after.rows[1] == before.rows[1]
        assert after.rows[1][SPENT] == BOTH
        # One was never asked, the other is of a batch of which nothing was lost.
        assert {prompt.rpartition("id")[2].rstrip(">") for prompt in asked.prompts} == {"2", str(BATCH)}
        assert len(asked.prompts) == 4

    asyncio.run(scenario())


def test_a_reply_answers_its_own_request_only() -> None:
    """Where a prompt says something else now the model is asked, and its reply is what counts from then on."""

    async def scenario() -> None:
        place = Place()
        async with place.replica(FakeModel()) as replica:
            await replica.submit(*parcel([0]))
            await Collected().all(replica, 1)
        asked = FakeModel()
        async with place.replica(asked) as replica:
            rows, values = parcel([0], replays=((0, 1),))
            values[0].columns["id"][0] = "other"
            await replica.submit(rows, values)
            found = await Collected().all(replica, 1)
        assert asked.prompts == ["draft other", "final <draft other>"]
        asked = FakeModel()
        async with place.replica(asked) as replica:
            await replica.submit(rows, values)
            again = await Collected().all(replica, 1)
        assert asked.prompts == []
        assert again.rows == found.rows

    asyncio.run(scenario())


def test_a_replica_remembers_its_own_replies() -> None:
    """Rows that come back to the replica that ran them, because what was made of them was lost, are not asked again."""

    async def scenario() -> None:
        asked = FakeModel()
        async with Place().replica(asked) as replica:
            await replica.submit(*parcel([0]))
            found = await Collected().all(replica, 1)
            first = dict(found.rows)
            for lost in (1, 2):
                await replica.submit(*parcel([0], ticket=1 + lost, replays=((0, lost),)))
                await found.all(replica, 1 + lost)
                assert found.rows == first
        assert len(asked.asked) == 2

    asyncio.run(scenario())


def test_a_reply_that_has_just_come_is_not_asked_for_again() -> None:
    """A row that comes again while it still runs is answered with what was said to it a moment ago."""

    async def scenario() -> None:
        held = Cancelled()

        async def half(prompt: str) -> str:
            return await (held.answer if prompt.startswith("final") else echo)(prompt)

        asked = FakeModel(half)
        async with Place().replica(asked) as replica:
            await replica.submit(*parcel([0]))
            await held.arrived.wait()
            held.arrived.clear()
            await replica.submit(*parcel([0], ticket=2, replays=((0, 1),)))
            await held.arrived.wait()
        assert asked.prompts == ["draft id0", "final <draft id0>", "final <draft id0>"]

    asyncio.run(scenario())


class RefusingFiles(FaultyFiles):
    """A disk that refuses to append so many times, after a part of what it was to write."""

    def __init__(self, refusals: int) -> None:
        super().__init__(random.Random(3))
        self.refusals = refusals

    def append(self, name: str, content: bytes) -> None:
        """Refuse, or write."""
        self.refusals -= 1
        if self.refusals >= 0:
            super().append(name, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        super().append(name, content)


def test_a_disk_that_recovers_costs_time_only(in_virtual_time: InVirtualTime) -> None:
    """While the disk refuses, rows are not reported; once it recovers they are, and every reply can be read."""

    async def scenario() -> None:
        place, asked = Place(files=RefusingFiles(5)), FakeModel()
        async with place.replica(asked) as replica:
            await replica.submit(*parcel([0, 1]))
            await Collected().all(replica, 2)
            known = place.journal(0)
            assert len(known) == len(asked.asked) == 4

    in_virtual_time(scenario())


def test_a_disk_that_never_recovers_ends_the_replica(in_virtual_time: InVirtualTime) -> None:
    """After two minutes without space `collect` raises what the disk says."""

    async def scenario() -> None:
        async with Place(files=RefusingFiles(1 << 30)).replica(FakeModel()) as replica:
            await replica.submit(*parcel([0]))
            with pytest.raises(OSError, match="No space left"):
                await Collected().all(replica, 1)

    in_virtual_time(scenario())


def test_what_is_known_of_many_batches_is_found_again() -> None:
    """Rows of many small batches in one message, then rows of the first of them: known both times."""
    files = FaultyFiles(random.Random(0))
    cache = ReplayCache(Dataset(files, run=1), Geometry(100, 1))
    rows = np.arange(100, dtype=np.int64)
    assert len(cache.known(tuple((row, 1) for row in range(100)), rows)) == 100
    assert len(cache.known(((0, 1),), rows[:1])) == 1


# --- the lease -------------------------------------------------------------------------------------------------


def test_a_replica_from_which_nobody_collects_ends_by_itself(in_virtual_time: InVirtualTime) -> None:
    """Once the lease is over what runs is cancelled, and whoever comes later is told, each time."""

    async def scenario() -> None:
        held = Cancelled()
        asked = FakeModel(held.answer)
        async with Place().replica(asked, lease=0.05) as replica:
            await replica.submit(*parcel([0]))
            await held.done.wait()
            assert asked.in_flight == 0
            for _ in range(2):
                with pytest.raises(LeaseEndedError, match="nobody has collected"):
                    await replica.collect(0)
            assert replica._slots.total == 0

    in_virtual_time(scenario())


def test_collecting_renews_the_lease(in_virtual_time: InVirtualTime) -> None:
    """A replica that is collected from often enough outlives many leases; the one after the last ends it."""

    async def scenario() -> None:
        held = Cancelled()
        async with Place().replica(FakeModel(held.answer), lease=10.0) as replica:
            await replica.submit(*parcel([0]))
            found = Collected()
            for _ in range(20):
                await found.take(replica)
            assert not held.done.is_set()
            await held.done.wait()
            with pytest.raises(LeaseEndedError):
                await found.take(replica)

    in_virtual_time(scenario())


def test_after_its_lease_a_replica_starts_nothing(in_virtual_time: InVirtualTime) -> None:
    """Rows that reach a replica whose slots others have by now ask for nothing."""

    async def scenario() -> None:
        held = Cancelled()
        asked = FakeModel(held.answer)
        async with Place().replica(asked, lease=0.05) as replica:
            await replica.submit(*parcel([0]))
            await held.done.wait()
            held.arrived.clear()
            try:
                await replica.submit(*parcel([1], ticket=2))
            except LeaseEndedError:
                return
            for _ in range(10):
                await asyncio.sleep(0)
            assert not held.arrived.is_set()

    in_virtual_time(scenario())


def test_many_replicas_together_do_not_flood_their_driver() -> None:
    """A few report as soon as they can; of many, each waits so long that all of them come to the same."""
    assert linger_of(1) == linger_of(5) == LINGER
    assert [round(replicas / linger_of(replicas)) for replicas in (10, 100, 1000)] == [250] * 3
