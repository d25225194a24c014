"""How the cells of a plan call tools in this process."""

from collections.abc import Mapping

from data_designer.config.run_config import RunConfig
from data_designer.errors import MCPToolError
from data_designer.plan.tools import ToolSet
from data_designer.tools.host import ToolHost
from data_designer.tools.session import SessionLimits
from data_designer.values import ToolCall, ToolResponse, Usage


def limits_of(run: RunConfig) -> SessionLimits:
    """What a run does at most at each server."""
    return SessionLimits(run.max_parallel_tool_calls, run.outage_patience)


class ToolCaller:
    """Makes calls.

    Args:
        tools: alias to what may be called.
        host: reaches the servers.
    """

    def __init__(self, tools: Mapping[str, ToolSet], host: ToolHost) -> None:
        self._tools = tools
        self._host = host

    async def call(self, alias: str, call: ToolCall) -> ToolResponse:
        """Make one call.

        Raises:
            MCPToolError: it failed, or may not be made.
            Outage: its server cannot be reached any more.
        """
        tools = self._tools[alias]
        tool = tools.tool(call.tool)
        if tool is None:
            raise MCPToolError(f"the tool config '{alias}' has no tool '{call.tool}'")
        result = await self._host.call(tool, call.arguments, tools.timeout)
        return ToolResponse((result,), usage=Usage(tool_calls=1, tool_turns=int(not call.place)))

    def close(self) -> None:
        """End what it has connected."""
        self._host.close()
