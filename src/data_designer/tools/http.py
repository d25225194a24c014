"""Servers at a URL: streamable HTTP, and the older way of server-sent events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from data_designer.tools.lines import MOST_BYTES
from data_designer.tools.server import ToolServer
from data_designer.tools.streams import Ended, Streams

if TYPE_CHECKING:
    import httpx

_SECONDS = 30.0
"""How long a server may take to be reached, and to take what it is told."""
_SILENCE = 300.0
"""How long it may say nothing while something is awaited."""


@asynccontextmanager
async def over_http(server: ToolServer, ended: Ended) -> AsyncIterator[Streams]:
    """Connect to a server at a URL.

    Args:
        server: it, with its key.
        ended: is told why, when it breaks off in the middle of an answer.

    Raises:
        Exception: it cannot be reached; groups of exceptions among them.
    """
    provider = server.provider
    assert provider.provider_type != "stdio"
    if provider.provider_type == "streamable_http":
        from mcp.client.streamable_http import streamable_http_client

        async with (
            _client(server, ended, "POST") as client,
            streamable_http_client(provider.endpoint, http_client=client) as (incoming, outgoing, _),
        ):
            yield incoming, outgoing
    else:
        from mcp.client.sse import sse_client

        def made(headers: object = None, timeout: object = None, auth: object = None) -> "httpx.AsyncClient":  # noqa: ARG001
            return _client(server, ended, "GET")

        async with sse_client(provider.endpoint, httpx_client_factory=made) as (incoming, outgoing):
            yield incoming, outgoing


def _client(server: ToolServer, ended: Ended, answers: str) -> "httpx.AsyncClient":
    """What sends requests. Responses to those of the method `answers` hold what is waited for."""
    import httpx

    from data_designer.tools.bounded_stream import BoundedStream

    async def bound(response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        if response.request.method == answers:
            response.stream = BoundedStream(response.stream, MOST_BYTES, ended)

    return httpx.AsyncClient(
        headers={"authorization": f"Bearer {server.api_key}"} if server.api_key else {},
        timeout=httpx.Timeout(_SECONDS, read=_SILENCE),
        verify=_trusted(),
        event_hooks={"response": [bound]},
    )


def _trusted() -> Any:
    """What is trusted for models is trusted for tools."""
    import os

    from data_designer.models.http_sessions import trusted

    context = trusted(os.environ)
    return True if context is None else context
