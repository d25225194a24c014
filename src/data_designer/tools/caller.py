"""How the cells of a plan call tools in this process."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from data_designer.config.run_config import RunConfig
from data_designer.errors import MCPToolError
from data_designer.plan.tools import ToolSet
from data_designer.tools.host import ToolHost
from data_designer.tools.session import SessionLimits
from data_designer.values import ToolCall, ToolResponse, Usage


def limits_of(run: RunConfig) -> SessionLimits:
    """What a run does at most at each server."""
    return SessionLimits(run.max_parallel_tool_calls, run.outage_patience)


Keep = Callable[[ToolResponse], Awaitable[None]]
"""Makes what a call came to safe."""


class ToolCaller:
    """Makes calls.

    Args:
        tools: alias to what may be called.
        host: reaches the servers.
        limits: what is done at most at each provider.
    """

    def __init__(self, tools: Mapping[str, ToolSet], host: ToolHost, limits: SessionLimits | None = None) -> None:
        self._tools = tools
        self._host = host
        at_once = (limits or SessionLimits()).calls_at_once
        self._room: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))
        """Of each provider. A call has it until what it came to is safe, since till then it may have to be repeated."""
        self._under_way = 0
        self._may_begin = asyncio.Event()
        self._may_begin.set()
        self._settled = asyncio.Event()
        self._settled.set()

    async def call(self, alias: str, call: ToolCall, keep: Keep) -> ToolResponse:
        """Make one call.

        Args:
            alias: that of the tools.
            call: it.
            keep: is given what it came to, and awaited, before the call counts as done.

        Raises:
            MCPToolError: it failed, or may not be made.
            Outage: its server cannot be reached any more.
        """
        tools = self._tools[alias]
        tool = tools.tool(call.tool)
        if tool is None:
            raise MCPToolError(f"the tool config '{alias}' has no tool '{call.tool}'")
        async with self._room[tool.provider]:
            await self._may_begin.wait()
            self._under_way += 1
            self._settled.clear()
            try:
                result = await self._host.call(tool, call.arguments, tools.timeout)
                response = ToolResponse((result,), usage=Usage(tool_calls=1, tool_turns=int(not call.place)))
                await keep(response)
                return response
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._settled.set()

    def pause(self) -> None:
        """Begin no further call; those under way go on."""
        self._may_begin.clear()

    def resume(self) -> None:
        """Begin calls again."""
        self._may_begin.set()

    async def settled(self) -> None:
        """Return once no call is under way."""
        await self._settled.wait()

    def close(self) -> None:
        """End what it has connected."""
        self._host.close()
