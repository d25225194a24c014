"""The connections of a process to the servers of its models, and which certificates they trust."""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import aiohttp
    from openai import AsyncOpenAI

    from data_designer.plan.model import MakeClient

logger = logging.getLogger(__name__)

_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a file of certificates to trust; the first that is set counts."""
_FOLDER = "SSL_CERT_DIR"


class _Connections:
    """Those of one event loop, and how many use them."""

    def __init__(self) -> None:
        self.session: aiohttp.ClientSession | None = None
        self.clients: dict[str, AsyncOpenAI] = {}
        """Those of the user, by provider: a loop carries one run, whose providers have one each."""
        self.users = 0

    async def close(self) -> None:
        """Close what is open; what is asked for later is opened anew."""
        opened = [one for one in (self.session, *self.clients.values()) if one is not None]
        self.session, self.clients = None, {}
        async with AsyncExitStack() as closing:
            for one in opened:
                closing.push_async_callback(one.close)


_of_loops: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Connections]" = WeakKeyDictionary()


@asynccontextmanager
async def kept_open() -> AsyncIterator[_Connections]:
    """Inside, connections that this event loop opens stay open for who comes next."""
    connections = _of_loops.setdefault(asyncio.get_running_loop(), _Connections())
    connections.users += 1
    try:
        yield connections
    finally:
        connections.users -= 1
        if not connections.users:
            await connections.close()


@asynccontextmanager
async def shared_session() -> "AsyncIterator[aiohttp.ClientSession]":
    """The connections of this event loop, which the last who uses them closes."""
    async with kept_open() as connections:
        if connections.session is None:
            connections.session = open_session()
        yield connections.session


@asynccontextmanager
async def shared_client(make: "MakeClient", provider: str) -> "AsyncIterator[AsyncOpenAI]":
    """The client that a function of the user gives for a provider: one an event loop, which the last user closes.

    Raises:
        InvalidConfigError: it gives none.
    """
    async with kept_open() as connections:
        if provider not in connections.clients:
            from data_designer.models.openai_client import client_of

            connections.clients[provider] = client_of(make, provider)
        yield connections.clients[provider]


def open_session() -> "aiohttp.ClientSession":
    """Connections without a limit of their own: how many requests are in flight is decided elsewhere."""
    import aiohttp

    context = trusted(os.environ)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=True if context is None else context)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def trusted(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """What is trusted where the environment says so; None for what this machine trusts anyway."""
    name = next((name for name in _FILES if environment.get(name)), _FOLDER)
    return _context(name, environment.get(name) or "", environment.get(_FOLDER) or None)


@lru_cache(maxsize=4)
def _context(name: str, path: str, folder: str | None) -> ssl.SSLContext | None:
    if not path:
        return None
    is_folder = Path(path).is_dir()
    try:
        return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else folder)
    except OSError as error:
        logger.warning(
            "%s names '%s', which cannot be read as certificates (%s): those of this machine are trusted instead",
            name,
            path,
            error,
        )
        return None
