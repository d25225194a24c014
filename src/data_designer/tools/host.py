"""The servers of tools of one process.

Their sessions live on an event loop in a thread of their own: so they outlast the loops of those who ask, and what
they read, which may be large, holds up no other request.
"""

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from data_designer.config.mcp import ToolConfig
from data_designer.errors import MCPClientUnavailableError
from data_designer.plan.tools import Tool, ToolSet, tool_set
from data_designer.tools.server import ToolServer
from data_designer.tools.session import ServerSession, SessionLimits

Result = TypeVar("Result")

_READY_SECONDS = 180.0
"""How long a server may take to be there: one that is fetched before it starts takes a while."""
_CLOSE_SECONDS = 10.0
"""How long servers may take to end; they end with this process in any case."""


class ToolHost:
    """Asks servers; each is connected when it is first needed. May be used from any event loop.

    Args:
        servers: name of a provider to its server.
        limits: what is done at most at each.
    """

    def __init__(self, servers: Mapping[str, ToolServer], limits: SessionLimits | None = None) -> None:
        self.servers = servers
        self._limits = limits
        self._sessions: dict[str, ServerSession] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closed = False
        self._works: set[asyncio.Task[Any]] = set()
        """What is asked, on the loop of the sessions."""

    async def tools(self, name: str, within: float, listing: float | None = None) -> list[Tool]:
        """The tools of a server. Takes and raises what `ServerSession.tools` does."""
        return await self._there(self._tools(name, within, listing))

    async def tool_sets(self, configs: Sequence[ToolConfig]) -> dict[str, ToolSet]:
        """Alias to its tools; every server is asked once, all at the same time.

        Raises:
            DuplicateToolNameError, MCPConfigurationError: a config does not fit what there is.
            MCPClientUnavailableError: a server cannot be reached.
            MCPToolError: a server describes its tools in a way that cannot be used.
        """
        bounds: dict[str, float | None] = {}
        for config in configs:
            for name in config.providers:
                given = [one for one in (bounds.get(name), config.timeout_sec) if one is not None]
                bounds[name] = min(given, default=None)
        listed = await asyncio.gather(*(self.tools(name, _READY_SECONDS, bound) for name, bound in bounds.items()))
        offered = dict(zip(bounds, listed, strict=True))
        return {config.tool_alias: tool_set(config, offered) for config in configs}

    async def call(self, tool: Tool, arguments: Mapping[str, object], seconds: float | None) -> list[dict[str, object]]:
        """Call a tool. Raises what `ServerSession.call` raises."""
        return await self._there(self._call(tool, arguments, seconds))

    def close(self) -> None:
        """End every session, and every server that is a process of this machine. Blocks for that."""
        with self._starting:
            self._is_closed = True
            loop, self._loop = self._loop, None
        if loop is None:
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._close(), loop).result(_CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        assert self._thread is not None
        self._thread.join(_CLOSE_SECONDS)

    # --- on the loop of the sessions -----------------------------------------------------------------------

    async def _tools(self, name: str, within: float, listing: float | None) -> list[Tool]:
        return await self._session(name).tools(within, listing)

    async def _call(
        self, tool: Tool, arguments: Mapping[str, object], seconds: float | None
    ) -> list[dict[str, object]]:
        return await self._session(tool.provider).call(tool, arguments, seconds)

    async def _close(self) -> None:
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        await asyncio.gather(*(session.close() for session in self._sessions.values()), return_exceptions=True)
        # What connections have begun ends by itself; ended by force it would leave processes.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=_CLOSE_SECONDS / 2)

    def _session(self, name: str) -> ServerSession:
        if name not in self._sessions:
            self._sessions[name] = ServerSession(self.servers[name], self._limits)
        return self._sessions[name]

    # --- from any other ------------------------------------------------------------------------------------

    def _there(self, work: Coroutine[Any, Any, Result]) -> Awaitable[Result]:
        with self._starting:
            if self._is_closed:
                work.close()
                raise MCPClientUnavailableError("no tool can be called any more: the run is over")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="data-designer-tools", daemon=True
                )
                self._thread.start()
            return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._tracked(work), self._loop))

    async def _tracked(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.current_task()
        assert task is not None
        self._works.add(task)
        try:
            return await work
        finally:
            self._works.discard(task)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
