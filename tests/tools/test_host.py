"""The servers of one process: whatever loop asks, and until it is closed."""

import asyncio
from pathlib import Path

import pytest
from tests.tool_server import provider, until, wait_for_none

import data_designer.config as dd
from data_designer.errors import MCPClientUnavailableError
from data_designer.tools.host import ToolHost
from data_designer.tools.server import ToolServer

pytestmark = pytest.mark.usefixtures("processes")


def host(folder: Path) -> ToolHost:
    """It has one server."""
    return ToolHost({"tools": ToolServer(provider(folder))})


def test_one_server_outlasts_the_loops_of_those_who_ask(tmp_path: Path) -> None:
    """What lists the tools and what calls them have different loops, and share a process."""
    servers = host(tmp_path)
    configs = [dd.ToolConfig(tool_alias=alias, providers=["tools"], allow_tools=["add"]) for alias in ("one", "two")]
    sets = asyncio.run(servers.tool_sets(configs))
    assert [*sets] == ["one", "two"]
    [tool] = sets["one"].tools
    assert asyncio.run(servers.call(tool, {"a": 1, "b": 2}, 20.0)) == [{"type": "text", "text": "3"}]
    assert len((tmp_path / "servers").read_text().split()) == 1
    servers.close()
    assert wait_for_none(tmp_path) == []


def test_what_is_closed_in_the_middle_of_a_call_leaves_nothing(tmp_path: Path) -> None:
    """The call ends, the server does, and no call after that starts another."""
    servers = host(tmp_path)

    async def run() -> None:
        tools = {one.name: one for one in await servers.tools("tools", 20.0)}
        call = asyncio.create_task(servers.call(tools["hang"], {}, None))
        await until((tmp_path / "calls").exists)
        await asyncio.to_thread(servers.close)
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(MCPClientUnavailableError, match="the run is over"):
            await servers.call(tools["add"], {"a": 1, "b": 1}, 20.0)

    asyncio.run(run())
    assert wait_for_none(tmp_path) == []
    servers.close()


def test_what_was_never_used_is_closed_at_once(tmp_path: Path) -> None:
    """Nothing is started for that."""
    host(tmp_path).close()
    assert not (tmp_path / "servers").exists()
