"""Servers of tools at a URL, as users write them with the package `mcp`, and one of theirs over standard output."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from tests.distributed.head import until
from tests.tool_server import until as heard

import data_designer.config as dd
from data_designer.config.mcp import ToolProvider
from data_designer.errors import MCPClientUnavailableError, MCPToolError
from data_designer.tools.server import ToolServer
from data_designer.tools.session import ServerSession

pytestmark = pytest.mark.usefixtures("processes")

Result = TypeVar("Result")
SERVER = str(Path(__file__).with_name("fast_server.py"))
PATHS = {"streamable_http": "/mcp", "sse": "/sse"}
KEY = "sk-tools"


def free_port() -> int:
    """A port on which nobody listens."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def listening(kind: str, port: int) -> Iterator[ToolProvider]:
    """A server, until the end of the context, at which it is killed."""
    process = subprocess.Popen([sys.executable, SERVER, kind, str(port)])
    try:
        until(lambda: answers(port), "the server listens")
        url = f"http://127.0.0.1:{port}{PATHS[kind]}"
        yield dd.MCPProvider(name="tools", endpoint=url, provider_type=kind, api_key="MY_KEY")
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def with_session(given: ToolProvider, act: Callable[[ServerSession], Awaitable[Result]], key: str = KEY) -> Result:
    """What comes of a session, which is closed."""

    async def run() -> Result:
        session = ServerSession(ToolServer(given, key))
        try:
            return await act(session)
        finally:
            await session.close()

    return asyncio.run(run())


async def used(session: ServerSession) -> None:
    """Each of its tools says what it should."""
    tools = {one.name: one for one in await session.tools(20.0)}
    assert list(tools) == ["add", "fail", "dot", "large"]
    assert await session.call(tools["add"], {"a": 1, "b": 2}, 20.0) == [{"type": "text", "text": "3"}]
    [failed] = await session.call(tools["fail"], {}, 20.0)
    assert "no" in str(failed["text"])
    assert await session.call(tools["dot"], {}, 20.0) == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    ]
    with pytest.raises(MCPToolError, match="may be read"):
        await session.call(tools["large"], {}, 20.0)
    assert await session.call(tools["add"], {"a": 3, "b": 2}, 20.0) == [{"type": "text", "text": "5"}]


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_server_at_a_url_is_used(kind: str) -> None:
    """With its key; an answer that is too large ends one call, and the next one is answered."""
    with listening(kind, free_port()) as given:
        with_session(given, used)


def test_a_server_over_standard_output_is_used() -> None:
    """The same server as a process."""
    with_session(dd.LocalStdioMCPProvider(name="tools", command=sys.executable, args=[SERVER, "stdio", "0"]), used)


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_server_at_a_url_that_comes_back_is_used_again(kind: str) -> None:
    """It is killed while nobody calls; the next call waits until it is there, and is made once."""
    port = free_port()

    async def act(session: ServerSession) -> list[dict[str, object]]:
        tool = next(one for one in await session.tools(20.0) if one.name == "add")
        first.__exit__(None, None, None)
        if kind == "sse":  # It hears of that; the other way only does when it calls.
            await heard(lambda: session._connection is None or session._connection.is_over)
        with listening(kind, port):
            return await session.call(tool, {"a": 2, "b": 2}, 20.0)

    first = listening(kind, port)
    assert with_session(first.__enter__(), act) == [{"type": "text", "text": "4"}]


def test_a_wrong_key_is_said_before_anything_is_asked() -> None:
    """The provider is named, and the key is not."""

    async def act(session: ServerSession) -> None:
        await session.tools(20.0)

    with listening("streamable_http", free_port()) as given, pytest.raises(MCPClientUnavailableError) as caught:
        with_session(given, act, "sk-wrong-key")
    assert "401 Unauthorized" in str(caught.value)
    assert "wrong-key" not in str(caught.value)


def test_nobody_at_a_url_is_said() -> None:
    """The URL is named."""
    given = dd.MCPProvider(name="tools", endpoint="http://127.0.0.1:9/mcp", provider_type="streamable_http")

    async def act(session: ServerSession) -> None:
        await session.tools(20.0)

    with pytest.raises(MCPClientUnavailableError, match=r"'tools' \(http://127.0.0.1:9/mcp\) cannot be used"):
        with_session(given, act)
