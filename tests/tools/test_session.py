"""One server of tools: calls, and whatever goes wrong with it."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.tool_server import called, provider, until, wait_for_none

import data_designer.config as dd
from data_designer.errors import MCPClientUnavailableError, MCPToolError, Outage
from data_designer.plan.tools import Tool
from data_designer.tools.server import ToolServer
from data_designer.tools.session import ServerSession, SessionLimits

pytestmark = pytest.mark.usefixtures("processes")

Result = TypeVar("Result")


def with_session(given: dd.LocalStdioMCPProvider, act: Callable[[ServerSession], Awaitable[Result]]) -> Result:
    """What comes of a session, which is closed."""

    async def run() -> Result:
        session = ServerSession(ToolServer(given))
        try:
            return await act(session)
        finally:
            await session.close()

    return asyncio.run(run())


def call(folder: Path, tool: str, seconds: float | None = 20.0, **arguments: Any) -> str:
    """What one call to a server of its own says."""

    async def act(session: ServerSession) -> str:
        tools = {one.name: one for one in await session.tools(20.0)}
        [block] = await session.call(tools[tool], arguments, seconds)
        return str(block["text"])

    return with_session(provider(folder), act)


def test_a_tool_is_listed_and_called(tmp_path: Path) -> None:
    """The definition is in the form of chat requests; what the tool says is the text; the server ends afterwards."""

    async def act(session: ServerSession) -> tuple[list[Tool], list[dict[str, object]]]:
        tools = await session.tools(20.0)
        return tools, await session.call(tools[0], {"a": 1, "b": 2}, 20.0)

    tools, said = with_session(provider(tmp_path, "add"), act)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    function = {"name": "add", "description": "To add.", "parameters": {**schema, "required": ["a", "b"]}}
    assert tools == [Tool("add", "tools", {"type": "function", "function": function}, is_repeatable=True)]
    assert said == [{"type": "text", "text": "3"}]
    assert wait_for_none(tmp_path) == []


def test_calls_are_made_at_the_same_time(tmp_path: Path) -> None:
    """Calls that wait are all under way before the first of them is answered, over one server."""

    async def act(session: ServerSession) -> None:
        [tool] = await session.tools(20.0)
        calls = [asyncio.create_task(session.call(tool, {"seconds": 60}, None)) for _ in range(8)]
        await until(lambda: len(called(tmp_path)) == 8)
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: sum("cancelled" in one for one in called(tmp_path)) == 8)

    with_session(provider(tmp_path, "wait"), act)
    assert sorted(one["number"] for one in called(tmp_path) if "tool" in one) == sorted(
        one["cancelled"] for one in called(tmp_path) if "cancelled" in one
    )
    assert len((tmp_path / "servers").read_text().split()) == 1


def test_a_server_sees_little_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six variables where they are set, and what its provider says; nothing that we add to start it."""
    monkeypatch.setenv("A_SECRET_OF_OURS", "x")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    for name in ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"):
        monkeypatch.setenv(name, os.environ.get(name, "some"))

    async def act(session: ServerSession) -> list[dict[str, object]]:
        [tool] = await session.tools(20.0)
        return await session.call(tool, {}, 20.0)

    [said] = with_session(provider(tmp_path, "environment", env={"MINE": "yes"}), act)
    seen = json.loads(str(said["text"]))
    seen.pop("LC_CTYPE", None)  # Python of the server's own, where there is no locale.
    assert {name for name in seen if not name.startswith("__")} == {
        "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "MINE",
    }  # fmt: skip
    assert seen["MINE"] == "yes"


@pytest.mark.parametrize(
    ("tool", "seconds", "arguments", "said"),
    [
        ("hang", 0.2, {}, "the tool 'hang' of provider 'tools' failed: no answer within 0.2 s"),
        ("refuse", 20.0, {}, "the tool 'refuse' of provider 'tools' failed: no such thing"),
        ("die", 20.0, {}, "the server has gone during the call: it ended with exit code 3: started | I die"),
        ("huge", 20.0, {"size": 50_000_000}, "its answer has 50000... bytes; 16777216 may be read"),
    ],
)
def test_a_call_that_fails_says_why(
    tmp_path: Path, tool: str, seconds: float, arguments: dict[str, object], said: str
) -> None:
    """A tool that hangs, refuses, dies or answers with 50 MB fails; nobody waits for it for ever."""
    with pytest.raises(MCPToolError, match=said):
        call(tmp_path, tool, seconds, **arguments)
    assert wait_for_none(tmp_path) == []


def test_a_result_that_is_marked_as_an_error_is_content(tmp_path: Path) -> None:
    """The model reads what went wrong."""
    assert call(tmp_path, "fail") == "that went wrong"


def test_a_call_that_is_given_up_is_taken_back(tmp_path: Path) -> None:
    """The server hears that nobody waits for it any more, by the number of that call, and goes on serving."""

    async def act(session: ServerSession) -> list[dict[str, object]]:
        tools = {one.name: one for one in await session.tools(20.0)}
        with pytest.raises(MCPToolError, match="no answer"):
            await session.call(tools["hang"], {}, 0.1)
        await until(lambda: any("cancelled" in one for one in called(tmp_path)))
        return await session.call(tools["add"], {"a": 1, "b": 1}, 20.0)

    assert with_session(provider(tmp_path), act)[0]["text"] == "2"
    hung, taken_back, _ = called(tmp_path)
    assert taken_back == {"cancelled": hung["number"]}


def test_a_server_that_died_is_started_again(tmp_path: Path) -> None:
    """A call during which it dies fails once; the next one is answered by a new process."""

    async def act(session: ServerSession) -> list[dict[str, object]]:
        tools = {one.name: one for one in await session.tools(20.0)}
        with pytest.raises(MCPToolError):
            await session.call(tools["die"], {}, 20.0)
        return await session.call(tools["add"], {"a": 1, "b": 1}, 20.0)

    assert with_session(provider(tmp_path), act)[0]["text"] == "2"
    assert len((tmp_path / "servers").read_text().split()) == 2
    assert [one["tool"] for one in called(tmp_path)] == ["die", "add"]


def test_a_call_that_may_be_repeated_outlives_its_server(tmp_path: Path) -> None:
    """A tool that says that it only reads is called again where its server died under it; others are not."""
    assert call(tmp_path, "die_once") == "alive"
    assert [one["tool"] for one in called(tmp_path)] == ["die_once", "die_once"]


def test_a_call_that_kills_its_server_again_and_again_fails(tmp_path: Path) -> None:
    """Such a call is given up; it takes no others with it for ever."""

    async def act(session: ServerSession) -> None:
        tool = next(one for one in await session.tools(20.0) if one.name == "die")
        await session.call(Tool(tool.name, tool.provider, tool.definition, is_repeatable=True), {}, 20.0)

    with pytest.raises(MCPToolError, match="has gone during the call"):
        with_session(provider(tmp_path), act)
    assert len(called(tmp_path)) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dd.LocalStdioMCPProvider(name="p", command="no-such-command"), "exit code 127: no-such-command: No such file"),
        (dd.LocalStdioMCPProvider(name="p", command="false"), "'p' (false) cannot be used: it ended with exit code 1"),
        (dd.LocalStdioMCPProvider(name="p", command="echo", args=["hello"]), "it ended with exit code 0"),
        (dd.LocalStdioMCPProvider(name="p", command="sleep", args=["60"]), "not listed its tools within 0.5 s"),
    ],
)
def test_a_server_that_cannot_be_used_is_named(given: dd.LocalStdioMCPProvider, said: str) -> None:
    """A command that is not there, that ends, that is no server, or that says nothing: it is found at once."""

    async def act(session: ServerSession) -> list[Tool]:
        return await session.tools(0.5 if given.command == "sleep" else 20.0)

    with pytest.raises(MCPClientUnavailableError) as caught:
        with_session(given, act)
    assert said in str(caught.value)


def test_what_a_server_says_as_it_dies_holds_no_secret(tmp_path: Path) -> None:
    """Values of its environment are cut out of what is repeated."""

    async def act(session: ServerSession) -> None:
        [tool] = await session.tools(20.0)
        await session.call(tool, {}, 20.0)

    with pytest.raises(MCPToolError, match=r"I die of \*\*\*") as caught:
        with_session(provider(tmp_path, "die", env={"KEY": "sk-very-secret"}), act)
    assert "secret" not in str(caught.value)


def test_what_a_server_has_started_ends_with_it(tmp_path: Path) -> None:
    """A process of the server's is not left when the session is closed, though it never reads."""
    assert int(call(tmp_path, "child"))
    assert wait_for_none(tmp_path) == []


def test_a_server_that_is_gone_for_good_is_an_outage(tmp_path: Path) -> None:
    """It is tried again for as long as the run is patient, then no row is blamed for it."""

    async def run() -> None:
        session = ServerSession(ToolServer(provider(tmp_path)), SessionLimits(patience=0.3))
        try:
            tools = {one.name: one for one in await session.tools(20.0)}
            with pytest.raises(MCPToolError):
                await session.call(tools["leave"], {}, 20.0)
            await session.call(tools["add"], {"a": 1, "b": 1}, 20.0)
        finally:
            await session.close()

    with pytest.raises(Outage, match="'tools' .* cannot be used: it ended with exit code 1: I am not here"):
        asyncio.run(run())


def test_only_so_many_calls_are_under_way(tmp_path: Path) -> None:
    """Others wait for their turn, and their time does not begin before it."""

    async def run() -> None:
        session = ServerSession(ToolServer(provider(tmp_path, "wait")), SessionLimits(calls_at_once=2))
        try:
            [tool] = await session.tools(20.0)
            calls = [asyncio.create_task(session.call(tool, {"seconds": 0.3}, 20.0)) for _ in range(4)]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            assert len(called(tmp_path)) <= 3
            await asyncio.gather(*calls)
        finally:
            await session.close()

    asyncio.run(run())
    assert len(called(tmp_path)) == 4
