"""One server of tools as this process uses it: connected when it is first needed, and again when it has gone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from data_designer.errors import MCPClientUnavailableError, MCPToolError, Outage
from data_designer.plan.tools import Tool
from data_designer.terminal import visible
from data_designer.tools.connection import Connection, LostError, NotMadeError
from data_designer.tools.results import content_of
from data_designer.tools.server import ToolServer

logger = logging.getLogger(__name__)

_FIRST_PATIENCE: Final = 60.0
"""Seconds for which a server is tried again that has never been reached."""
_PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_MOST_TRIES: Final = 3
"""How often a call is made, at a server that goes each time, where it has not been made or may be repeated."""
_LONG: Final = 60.0
"""Seconds after which it is said that a call is waited for, where nothing bounds it."""
_SHOWN: Final = 1000
_NO_ARGUMENTS: Final = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What a session does at most."""

    calls_at_once: int = 64
    """Calls that it has under way."""
    patience: float = 1800.0
    """Seconds for which a server that has gone is tried again, before the run stops, resumably."""


class ServerSession:
    """What is asked of one server, on one event loop.

    Args:
        server: it.
        limits: what is done at most.
        sleep: waits between tries.
    """

    def __init__(
        self,
        server: ToolServer,
        limits: SessionLimits | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._limits = limits or SessionLimits()
        self._sleep = sleep
        self._patience = min(_FIRST_PATIENCE, self._limits.patience)
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._room = asyncio.Semaphore(self._limits.calls_at_once)
        self._told: set[str] = set()

    async def tools(self, within: float, listing: float | None = None) -> list[Tool]:
        """Its tools.

        Args:
            within: seconds until they must be there, the server's start included.
            listing: seconds that it may take to list them once it is there; None for any.

        Raises:
            MCPClientUnavailableError: it cannot be reached, or not in time.
            MCPToolError: it describes a tool without a name, or refuses.
        """
        name = self._server.name
        _import_client()
        try:
            async with asyncio.timeout(within):
                connection = await self._connected(patience=0.0)
                async with asyncio.timeout(listing):
                    described = await connection.tools()
        except TimeoutError:
            seconds = within if listing is None else min(within, listing)
            raise MCPClientUnavailableError(
                f"the tool provider '{name}' has not listed its tools within {seconds:g} s"
            ) from None
        except (NotMadeError, LostError) as error:
            raise MCPClientUnavailableError(f"the tool provider '{name}' cannot be used: {error}") from error
        return [_tool(one, name) for one in described]

    async def call(self, tool: Tool, arguments: Mapping[str, object], seconds: float | None) -> list[dict[str, object]]:
        """Call a tool; gives the content of a message.

        Args:
            tool: it.
            arguments: as the model wrote them.
            seconds: in which it must answer, once it is called; None for any.

        Raises:
            MCPToolError: it failed, was refused, or took too long; or the server has gone meanwhile and the tool does
                not say that it may be called again.
            Outage: the server has gone, and could not be reached for a while.
        """
        async with self._room:
            for tries_left in reversed(range(_MOST_TRIES)):
                connection = await self._connected(self._patience)
                try:
                    return content_of(await self._answer(connection, tool, arguments, seconds))
                except (NotMadeError, LostError) as error:
                    may_be_repeated = tool.is_repeatable or isinstance(error, NotMadeError)
                    if not (may_be_repeated and tries_left):
                        raise self._failed(tool, f"the server has gone during the call: {error}") from error
                except MCPToolError as error:
                    raise self._failed(tool, str(error)) from error
            raise AssertionError  # The last try has raised, or come to something.

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _answer(
        self, connection: Connection, tool: Tool, arguments: Mapping[str, object], seconds: float | None
    ) -> list[object]:
        telling = None
        if seconds is None:
            telling = asyncio.get_running_loop().call_later(_LONG, self._tell_of_wait, tool.name)
        try:
            async with asyncio.timeout(seconds):
                return await connection.call(tool.name, arguments)
        except TimeoutError:
            raise MCPToolError(f"no answer within {seconds:g} s") from None
        finally:
            if telling is not None:
                telling.cancel()

    def _tell_of_wait(self, tool: str) -> None:
        if tool not in self._told:
            self._told.add(tool)
            logger.warning(
                "the tool '%s' of provider '%s' has not answered for %.0f s; timeout_sec of a ToolConfig bounds calls",
                visible(tool), self._server.name, _LONG,
            )  # fmt: skip

    def _failed(self, tool: Tool, why: str) -> MCPToolError:
        return MCPToolError(f"the tool '{tool.name}' of provider '{self._server.name}' failed: {why[:_SHOWN]}")

    async def _connected(self, patience: float) -> Connection:
        """A connection that is not known to have gone.

        Raises:
            MCPClientUnavailableError: there is none to be had, and nobody wants to wait.
            Outage: there is none to be had for that long.
        """
        async with self._connecting:
            if self._connection is None or self._connection.is_over:
                before, self._connection = self._connection, None
                if before is not None:
                    logger.info("provider=%s is connected again, since %s", self._server.name, visible(before.why))
                    await before.close()
                self._connection = await self._opened(patience)
                self._patience = self._limits.patience
            return self._connection

    async def _opened(self, patience: float) -> Connection:
        loop = asyncio.get_running_loop()
        until, tries = loop.time() + patience, 0
        while True:
            try:
                return await Connection.opened(self._server)
            except MCPClientUnavailableError as error:
                if not patience:
                    raise
                if loop.time() >= until:
                    raise Outage(str(error)) from error
                if not tries:
                    logger.warning("%s; it is tried again for %.0f s", error, patience)
            await self._sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1


def _import_client() -> None:
    """Import what speaks to servers, which takes a second: it is not the server that takes it."""
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise MCPClientUnavailableError(f"tools need the package mcp, before version 2: {error}") from error


def _tool(described: Mapping[str, object], provider: str) -> Tool:
    name = described.get("name")
    if not isinstance(name, str) or not name:
        raise MCPToolError(f"the tool provider '{provider}' describes a tool that has no name")
    hints = described.get("annotations")
    hints = hints if isinstance(hints, dict) else {}
    function = {
        "name": name,
        "description": described.get("description") or "",
        "parameters": described.get("inputSchema") or _NO_ARGUMENTS,
    }
    is_repeatable = hints.get("readOnlyHint") is True or hints.get("idempotentHint") is True
    return Tool(name, provider, {"type": "function", "function": function}, is_repeatable)
