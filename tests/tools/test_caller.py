"""How cells call tools: none begins while a run halts, and those under way are waited for."""

import asyncio
from collections.abc import Mapping

import pytest

from data_designer.errors import MCPToolError
from data_designer.plan.tools import Tool, ToolSet
from data_designer.tools.caller import ToolCaller
from data_designer.tools.host import ToolHost
from data_designer.tools.session import SessionLimits
from data_designer.values import ToolCall, ToolResponse, Usage

TOOLS = {"t": ToolSet("t", (Tool("add", "p", {}),), 5, timeout=7.0)}


class Host(ToolHost):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__({})
        self.calls: list[tuple[str, Mapping[str, object], float | None]] = []
        self.go_on = asyncio.Event()

    async def call(self, tool: Tool, arguments: Mapping[str, object], seconds: float | None) -> list[dict[str, object]]:
        """Answer."""
        self.calls.append((tool.name, arguments, seconds))
        await self.go_on.wait()
        return [{"type": "text", "text": "3"}]


def test_a_call_is_kept_before_it_counts_as_done() -> None:
    """It is bounded as its alias says, and counted; one turn counts once, by its first call."""

    async def run() -> None:
        host, kept = Host(), asyncio.Event()
        caller = ToolCaller(TOOLS, host)
        host.go_on.set()

        async def keep(_: ToolResponse) -> None:
            await kept.wait()

        calls = [asyncio.create_task(caller.call("t", ToolCall("add", {"a": 1}, place), keep)) for place in (0, 1)]
        settled = asyncio.create_task(caller.settled())
        for _ in range(5):
            await asyncio.sleep(0)
        assert host.calls == [("add", {"a": 1}, 7.0)] * 2
        assert not settled.done()
        kept.set()
        await settled
        found = [await call for call in calls]
        assert [one.results for one in found] == [([{"type": "text", "text": "3"}],)] * 2
        assert [one.usage for one in found] == [Usage(tool_calls=1, tool_turns=1), Usage(tool_calls=1)]

    asyncio.run(run())


def test_a_call_that_is_not_safe_takes_the_place_of_another() -> None:
    """So a process that dies makes no more calls be repeated than it may have under way."""

    async def run() -> None:
        host, kept = Host(), asyncio.Event()
        caller = ToolCaller(TOOLS, host, SessionLimits(calls_at_once=2))
        host.go_on.set()

        async def keep(_: ToolResponse) -> None:
            await kept.wait()

        calls = [asyncio.create_task(caller.call("t", ToolCall("add", {}), keep)) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(host.calls) == 2
        kept.set()
        await asyncio.gather(*calls)
        assert len(host.calls) == 3

    asyncio.run(run())


def test_no_call_begins_while_a_run_halts() -> None:
    """It begins when the run goes on."""

    async def run() -> None:
        host = Host()
        caller = ToolCaller(TOOLS, host)
        host.go_on.set()
        caller.pause()
        call = asyncio.create_task(caller.call("t", ToolCall("add", {}), _kept))
        for _ in range(5):
            await asyncio.sleep(0)
        await caller.settled()
        assert host.calls == []
        caller.resume()
        await call
        assert len(host.calls) == 1

    asyncio.run(run())


def test_a_tool_that_is_not_there_is_not_called() -> None:
    """As where a server has changed since its tools were listed."""
    with pytest.raises(MCPToolError, match="'t' has no tool 'rm'"):
        asyncio.run(ToolCaller(TOOLS, Host()).call("t", ToolCall("rm", {}), _kept))


async def _kept(_: ToolResponse) -> None:
    """Nothing is kept."""
