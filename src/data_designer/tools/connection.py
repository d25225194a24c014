"""One connection with a server of tools, from its greeting to its end."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from data_designer.config.mcp import LocalStdioMCPProvider
from data_designer.errors import MCPClientUnavailableError, MCPToolError
from data_designer.tools.server import ToolServer

if TYPE_CHECKING:
    from mcp import ClientSession

Result = TypeVar("Result")

_CLOSED: Final = (-32000, "Connection closed")
"""Code and words of the error by which a session says that it has ended."""
_UNKNOWN_SESSION: Final = 32600
"""Code of the error of a server that knows the session no more, as after a restart."""
_MOST_PAGES: Final = 1000
_TELL_SECONDS: Final = 1.0
"""How long a server may take to hear that nobody waits for a call any more."""


class NotMadeError(Exception):
    """A call has not reached the server, which is gone."""


class LostError(Exception):
    """The server has gone while it had a call, which may have been made."""


class Connection:
    """A session, in a task of its own: what it opens has to be closed where it was opened.

    Use `opened` to get one.
    """

    def __init__(self, server: ToolServer) -> None:
        self._server = server
        self._session: ClientSession | None = None
        self._closing = asyncio.Event()
        self._calls: set[asyncio.Task[Any]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self.why = "it was closed"
        """Why it is over."""
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live())

    @property
    def is_over(self) -> bool:
        """Whether it takes no more calls."""
        return self._closing.is_set()

    @classmethod
    async def opened(cls, server: ToolServer) -> "Connection":
        """Connect and greet. Raises MCPClientUnavailableError where that cannot be done."""
        made = cls(server)
        try:
            await asyncio.shield(made._ready)
        except asyncio.CancelledError:
            await made.close()
            raise
        return made

    async def close(self) -> None:
        """End it, and a server that is a process of its own."""
        self._closing.set()
        await asyncio.wait({self._task})

    def _end(self, why: str) -> None:
        if not self._closing.is_set():
            self.why = self._server.without_secrets(why)
            self._closing.set()

    async def _live(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                self._session = await self._greeted(stack)
                self._ready.set_result(None)
                await self._closing.wait()
        except BaseException as error:
            if not self._closing.is_set():
                self.why = self._server.without_secrets(_said_by(error))
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        finally:
            self._closing.set()
            for call in [*self._calls]:
                call.cancel()
            if not self._ready.done():
                self._ready.set_exception(self._unavailable())
                self._ready.exception()  # Whoever wanted it may have gone.

    async def _greeted(self, stack: AsyncExitStack) -> "ClientSession":
        from mcp import ClientSession
        from mcp.types import Implementation

        from data_designer.config.version import get_library_version

        provider = self._server.provider
        if isinstance(provider, LocalStdioMCPProvider):
            from data_designer.tools.stdio import stdio

            streams = await stack.enter_async_context(stdio(provider, self._end))
        else:
            from data_designer.tools.http import over_http

            streams = await stack.enter_async_context(over_http(self._server, self._end))
        who = Implementation(name="data-designer", version=get_library_version())
        session = ClientSession(*streams, message_handler=self._heard, client_info=who)
        await stack.enter_async_context(session)
        greeting = asyncio.create_task(session.initialize())
        ending = asyncio.create_task(self._closing.wait())
        try:
            # A server that ends instead of answering would be waited for.
            await asyncio.wait({greeting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not greeting.done():
                raise MCPClientUnavailableError(self.why)
            greeting.result()
        finally:
            greeting.cancel()
            ending.cancel()
        return session

    async def _heard(self, message: object) -> None:
        """What a session hears and nobody waits for. An answer that cannot be read would be waited for in vain."""
        # A RuntimeError is an answer to what nobody waits for any more.
        if isinstance(message, Exception) and not isinstance(message, RuntimeError):
            self._end(f"what it says cannot be read: {_said_by(message)}")

    def _unavailable(self) -> MCPClientUnavailableError:
        provider = self._server.provider
        where = provider.command if isinstance(provider, LocalStdioMCPProvider) else provider.endpoint
        return MCPClientUnavailableError(f"the tool provider '{provider.name}' ({where}) cannot be used: {self.why}")

    # --- asking ------------------------------------------------------------------------------------------

    async def tools(self) -> list[dict[str, object]]:
        """Every tool, as the server describes it.

        Raises:
            NotMadeError, LostError: the server has gone.
            MCPToolError: it refuses.
        """
        assert self._session is not None
        found: list[dict[str, object]] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._answer(partial(self._session.list_tools, cursor))
            found += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
            cursor = page.nextCursor
            if not cursor:
                break
        return found

    async def call(self, tool: str, arguments: Mapping[str, object]) -> list[object]:
        """Call a tool; gives the items of its result, whether or not that is marked as an error.

        Raises:
            NotMadeError, LostError: the server has gone.
            MCPToolError: it refuses the call.
        """
        from mcp import types

        assert self._session is not None
        params = types.CallToolRequestParams(name=tool, arguments=dict(arguments))
        asked = types.ClientRequest(types.CallToolRequest(params=params))
        number: list[int] = []

        async def send(session: "ClientSession") -> types.CallToolResult:
            number.append(session._request_id)  # noqa: SLF001 - nothing else tells which call is taken back
            # The session's own way to call a tool looks at results once more, and lists the tools for that.
            return await session.send_request(asked, types.CallToolResult)

        try:
            result = await self._answer(partial(send, self._session))
        except asyncio.CancelledError:
            if number:
                self._take_back(number[0])
            raise
        items: list[object] = [
            item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in result.content
        ]
        return items or ([] if result.structuredContent is None else [result.structuredContent])

    async def _answer(self, ask: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """What is answered. It is asked in a task of its own, which the end of the connection cancels."""
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp import McpError

        if self.is_over:
            raise NotMadeError(self.why)
        call = asyncio.create_task(ask())
        self._calls.add(call)
        try:
            return await call
        except (ClosedResourceError, BrokenResourceError) as error:
            self._end("it has closed the connection")
            raise NotMadeError(self.why) from error
        except McpError as error:
            if error.error.code == _UNKNOWN_SESSION and error.error.message == "Session terminated":
                self._end("it knows the session no more")
                raise NotMadeError(self.why) from error
            if (error.error.code, error.error.message) == _CLOSED:
                self._end("it has closed the connection")
                raise LostError(self.why) from error
            raise MCPToolError(self._server.without_secrets(error.error.message)) from error
        except asyncio.CancelledError:
            # The end of the connection has cancelled the call, or somebody has cancelled whoever waits for it.
            if _is_cancelled() or not call.cancelled():
                raise
            raise LostError(self.why) from None
        finally:
            self._calls.discard(call)

    def _take_back(self, number: int) -> None:
        """Tell the server that nobody waits for a call any more, so that it does not go on with it."""
        if not self.is_over:
            telling = asyncio.create_task(self._tell(number))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def _tell(self, number: int) -> None:
        from mcp import types

        assert self._session is not None
        params = types.CancelledNotificationParams(requestId=number, reason="nobody waits for it any more")
        told = types.ClientNotification(types.CancelledNotification(params=params))
        with suppress(Exception):  # It is a courtesy.
            async with asyncio.timeout(_TELL_SECONDS):
                await self._session.send_notification(told)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _said_by(error: BaseException) -> str:
    """What went wrong, without the groups in which it travels."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return str(error) if isinstance(error, MCPClientUnavailableError) else f"{type(error).__name__}: {error}"
