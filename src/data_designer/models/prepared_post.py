"""A POST that is prepared once and sent with many bodies.

`ClientSession.post` makes a request, a payload, a task that writes it and a response anew for each body, which is half
of what an exchange costs. Here aiohttp's connections and parser do the same without: one head, one write, one read.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import hdrs
from yarl import URL

from data_designer.models.bodies import content_of

_NO_LIMIT: Final = aiohttp.ClientTimeout()
"""Whoever sends limits the time of all of it."""


class PreparedPost:
    """Posts to one address. Make it on the event loop that sends it.

    Args:
        url: the address.
        headers: sent each time.
        session: the connections.
        proxy: URL of a proxy to go through; None for none.

    Raises:
        aiohttp.InvalidURL: it is no address, or none of HTTP.
        aiohttp.NonHttpUrlClientError: it is one of another protocol.
        ValueError: a header cannot be sent.
    """

    def __init__(self, url: str, headers: Mapping[str, str], session: aiohttp.ClientSession, proxy: str | None) -> None:
        try:
            target, way = URL(url), None if proxy is None else URL(proxy)
        except ValueError:
            raise aiohttp.InvalidURL(url) from None
        if session.connector is None:
            raise aiohttp.ClientConnectionError("the connections are closed")
        if target.scheme not in session.connector.allowed_protocol_schema_set:
            raise aiohttp.NonHttpUrlClientError(url)
        self._connector = session.connector
        loop = asyncio.get_running_loop()
        self._request = aiohttp.ClientRequest(
            hdrs.METH_POST, target, headers=headers, loop=loop, session=session, proxy=way
        )
        self._head: bytes | None = None

    async def send(self, body: bytes, most: int) -> tuple[int, Mapping[str, str], bytes]:
        """Send a body; gives status, headers and body of the reply.

        Args:
            body: what is posted.
            most: bytes that the body of a good reply may have.

        Raises:
            aiohttp.ClientError: there was no whole reply.
            LargeBodyError: the reply has more.
        """
        connection = await self._connector.connect(self._request, [], _NO_LIMIT)
        try:
            protocol = connection.protocol
            assert protocol is not None
            protocol.set_response_params(read_until_eof=True)
            # Only now: connecting adds to the request what a proxy wants.
            self._head = self._head or _head(self._request)
            assert protocol.transport is not None
            protocol.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            message, stream = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, stream = await protocol.read()
            content = await content_of(message.code, message.headers, stream, most)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return message.code, message.headers, content


def _head(request: aiohttp.ClientRequest) -> bytes:
    """All that comes before the length of the body. Raises ValueError for a header that would be several."""
    is_relayed = request.proxy is not None and not request.is_ssl()
    target = str(request.url.with_user(None)) if is_relayed else request.url.raw_path_qs
    lines = [f"{name}: {value}" for name, value in request.headers.items() if name != hdrs.CONTENT_LENGTH]
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise ValueError("a header has a line break")
    return "\r\n".join([f"{request.method} {target} HTTP/1.1", *lines, "Content-Length: "]).encode()
