"""Replicas that leave: what becomes of what their rows have had others ask or call."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.fakes import model
from tests.fault_injection.files import FaultyFiles, FaultyObjects
from tests.plans import compiled

import data_designer.config as dd
from data_designer.engine.execution.in_process import LocalPeers
from data_designer.engine.execution.recording import Dataset, Recording, replica_name
from data_designer.engine.execution.replica import Replica
from data_designer.engine.protocol.parcels import Parcel, Source
from data_designer.errors import ModelInternalServerError
from data_designer.plan.model import Plan
from data_designer.plan.tools import Tool, ToolSet
from data_designer.tools.caller import ToolCaller
from data_designer.tools.host import ToolHost
from data_designer.values import Block, ChatResponse, Request, Response, ToolCall, ToolResponse, Usage

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]
ROWS, TURNS = 2, 4
ALL = ROWS * TURNS // 2
"""Requests for each alias."""
A_WHILE = 100.0
"""Seconds of virtual time, after which whoever waits for nothing but itself is done."""


def talks(*columns: tuple[str, str]) -> Plan:
    """Columns of conversations between two aliases, the first of which speaks first."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a"), model("b")])
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    for first, second in columns or [("a", "b")]:
        builder.add_column(
            name=f"talk_{first}",
            column_type="llm-conversation",
            roles=[
                {"name": "asker", "model_alias": first, "prompt": f"{first} asks {{{{ id }}}} {{{{ last }}}}"},
                {"name": "teller", "model_alias": second, "prompt": f"{second} tells {{{{ id }}}} {{{{ last }}}}"},
            ],
            max_turns=TURNS,
        )
    return compiled(builder, ROWS)


@dataclass
class HeldModel:
    """A model that answers nothing of what begins in some way before the test lets it."""

    held: str = ""
    asked: list[str] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, request: Request) -> Response:
        """Answer, sooner or later."""
        prompt: str = request.messages[-1]["content"][0]["text"]
        self.asked.append(prompt)
        if self.held and prompt.startswith(self.held):
            await self.go_on.wait()
        return ChatResponse(f"<{len(prompt)}>", usage=Usage(requests=1, input_tokens=1, output_tokens=1))


@dataclass
class FailingModel:
    """A model that is down."""

    asked: int = 0

    async def ask(self, _: Request) -> Response:
        """Refuse."""
        self.asked += 1
        raise ModelInternalServerError("down")


@dataclass
class House:
    """A disk, and replicas of both aliases beside it that know each other."""

    plan: Plan = field(default_factory=talks)
    disk: FaultyFiles | FaultyObjects = field(default_factory=lambda: FaultyFiles(random.Random(0)))
    peers: LocalPeers = field(default_factory=LocalPeers)
    started: int = 0

    @asynccontextmanager
    async def replica(
        self, alias: str, asked: HeldModel | FailingModel, slots: int = 4, tools: ToolCaller | None = None
    ) -> AsyncIterator[Replica]:
        """A further one, with slots."""
        self.started += 1
        dataset, who = Dataset(self.disk.files(), run=1), replica_name(self.started, 1)
        recording = Recording(dataset, self.plan.geometry, who)
        replica = Replica(self.plan, alias, asked, recording, linger=0.0, peers=self.peers, tools=tools)
        self.peers.add(alias, replica)
        try:
            await replica.grant(slots)
            yield replica
        finally:
            await replica.close()

    async def submit(self, replica: Replica, alias: str, ticket: int = 1, lost: int = 0) -> None:
        """Give it all rows, which were lost so often before."""
        [stage] = [one for one in self.plan.stages if one.pool == alias]
        rows = np.arange(ROWS)
        source = Source(0, np.zeros(ROWS, dtype=np.int64), rows)
        parcel = Parcel(stage.number, rows, ticket, (source,), ((0, lost),) if lost else ())
        await replica.submit(parcel, {0: Block(rows, {"id": [f"id{row}" for row in rows]})})


async def dismissed(replica: Replica) -> None:
    """Take its slots, and let it leave."""
    await replica.grant(0)
    await replica.leave()
    summary, _ = await replica.collect(0)
    assert summary.last


async def finished(replica: Replica, column: str) -> list[int]:
    """The rows that are reported, once they all are."""
    found: list[int] = []
    last = 0
    while len(found) < ROWS:
        summary, values = await replica.collect(last)
        last = summary.number
        found += [row for block in values.values() if column in block.columns for row in block.rows.tolist()]
    return sorted(found)


@pytest.mark.parametrize("disk", [FaultyFiles, FaultyObjects])
@pytest.mark.parametrize("is_late", [True, False])
def test_whoever_gets_the_rows_of_one_that_leaves_finds_what_others_were_asked(
    disk: type[FaultyFiles] | type[FaultyObjects], in_virtual_time: InVirtualTime, *, is_late: bool
) -> None:
    """No model is asked twice, whether the last reply has come or is under way, and wherever the journal is."""

    async def scenario() -> None:
        held = ("", "b tells id1") if is_late else ("a asks id1 <", "")
        house, (first, second) = House(disk=disk(random.Random(0))), map(HeldModel, held)
        async with (
            house.replica("b", second),
            house.replica("a", first) as leaving,
            house.replica("a", first) as next_one,
        ):
            await house.submit(leaving, "a")
            await asyncio.sleep(0.1)
            leaves = asyncio.create_task(dismissed(leaving))
            await asyncio.sleep(0.1)
            assert not leaves.done()
            first.go_on.set()
            second.go_on.set()
            await leaves
            await house.submit(next_one, "a", ticket=2, lost=1)
            assert await finished(next_one, "talk_a") == [0, 1]
        assert (len(first.asked), len(second.asked)) == (ALL, ALL)

    in_virtual_time(scenario())


def test_whoever_gets_the_rows_of_one_that_leaves_finds_what_it_asked_itself(in_virtual_time: InVirtualTime) -> None:
    """At once, also where the journal is put together of objects."""

    async def scenario() -> None:
        house, asked = House(talks(("a", "a")), FaultyObjects(random.Random(0))), HeldModel("a tells id1")
        async with house.replica("a", asked, slots=ROWS) as leaving, house.replica("a", asked) as next_one:
            await house.submit(leaving, "a")
            await asyncio.sleep(0.1)
            leaves = asyncio.create_task(dismissed(leaving))
            await asyncio.sleep(0.1)
            asked.go_on.set()
            await leaves
            await house.submit(next_one, "a", ticket=2, lost=1)
            await finished(next_one, "talk_a")
        assert len(asked.asked) == ROWS * TURNS

    in_virtual_time(scenario())


def test_what_only_waits_for_a_slot_is_not_sent_any_more(in_virtual_time: InVirtualTime) -> None:
    """One that leaves waits for what was sent, and asks for nothing new."""

    async def scenario() -> None:
        house, first, second = House(), HeldModel(), HeldModel("b")
        async with house.replica("b", second, slots=1), house.replica("a", first) as leaving:
            await house.submit(leaving, "a")
            await asyncio.sleep(0.1)
            leaves = asyncio.create_task(dismissed(leaving))
            await asyncio.sleep(A_WHILE)
            second.go_on.set()
            await leaves
            await asyncio.sleep(A_WHILE)
        assert len(second.asked) == 1

    in_virtual_time(scenario())


def test_one_that_leaves_looks_no_more_for_somebody_to_ask(in_virtual_time: InVirtualTime) -> None:
    """Where nobody had slots, and somebody has them later."""

    async def scenario() -> None:
        house, first, second = House(), HeldModel(), HeldModel()
        async with house.replica("b", second, slots=0) as other, house.replica("a", first) as leaving:
            await house.submit(leaving, "a")
            await asyncio.sleep(A_WHILE)
            await dismissed(leaving)
            await other.grant(4)
            await asyncio.sleep(A_WHILE)
        assert len(first.asked) == ROWS
        assert second.asked == []

    in_virtual_time(scenario())


def test_an_endpoint_that_is_down_keeps_nobody_from_leaving(in_virtual_time: InVirtualTime) -> None:
    """What waits to be tried again is let go: the run would wait for half an hour."""

    async def scenario() -> None:
        house, first, second = House(), HeldModel(), FailingModel()
        async with house.replica("b", second), house.replica("a", first) as leaving:
            await house.submit(leaving, "a")
            await asyncio.sleep(10.0)
            async with asyncio.timeout(1.0):
                await dismissed(leaving)
            asked = second.asked
            await asyncio.sleep(A_WHILE)
        assert second.asked == asked

    in_virtual_time(scenario())


def test_two_that_leave_do_not_wait_for_each_other(in_virtual_time: InVirtualTime) -> None:
    """Each has the other ask, and waits for slots there, when both give theirs back."""

    async def scenario() -> None:
        house = House(talks(("a", "b"), ("b", "a")))
        first, second = HeldModel("a tells"), HeldModel("b tells")
        async with house.replica("a", first, slots=ROWS) as one, house.replica("b", second, slots=ROWS) as other:
            await house.submit(one, "a")
            await house.submit(other, "b")
            await asyncio.sleep(0.1)
            leave = asyncio.gather(dismissed(one), dismissed(other))
            await asyncio.sleep(A_WHILE)
            assert not leave.done()
            first.go_on.set()
            second.go_on.set()
            await leave
        async with house.replica("a", first) as one, house.replica("b", second) as other:
            await house.submit(one, "a", ticket=2, lost=1)
            await house.submit(other, "b", ticket=2, lost=1)
            await asyncio.gather(finished(one, "talk_a"), finished(other, "talk_b"))
        assert (len(first.asked), len(second.asked)) == (2 * ALL, 2 * ALL)

    in_virtual_time(scenario())


class HeldHost(ToolHost):
    """Makes calls when the test lets it."""

    def __init__(self) -> None:
        super().__init__({})
        self.go_on = asyncio.Event()

    async def call(self, *_: object) -> str:
        """Come to something, sooner or later."""
        await self.go_on.wait()
        return "3"


def test_calls_of_tools_that_are_under_way_are_waited_for(in_virtual_time: InVirtualTime) -> None:
    """They may have done something by then, and are not made again for who gets the row."""

    async def scenario() -> None:
        host, kept = HeldHost(), []
        tools = ToolCaller({"t": ToolSet("t", (Tool("add", "p", {}),), 5, timeout=None)}, host)

        async def keep(response: ToolResponse) -> None:
            kept.append(response.results)

        async with House().replica("a", HeldModel(), tools=tools) as leaving:
            call = asyncio.create_task(tools.call("t", ToolCall("add", {}), keep))
            await asyncio.sleep(0.1)
            leaves = asyncio.create_task(dismissed(leaving))
            await asyncio.sleep(A_WHILE)
            assert not leaves.done()
            host.go_on.set()
            await leaves
            assert kept == [("3",)]
            await call

    in_virtual_time(scenario())
