"""Images that a reply gives addresses of: fetched whole, without the provider's key, or named with why not."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from data_designer.errors import ModelInvalidReplyError
from data_designer.models.downloads import fetched

CONTENT = bytes(range(256)) * 300
pytestmark = pytest.mark.usefixtures("sockets")


async def _there(request: web.Request) -> web.Response:
    assert "authorization" not in request.headers
    return web.Response(body=CONTENT)


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/a.png", _there)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _fetch(path: str, most: int = 1 << 20) -> tuple[str, ...]:
    async with _served() as address, aiohttp.ClientSession() as session:
        return await fetched([f"{address}{path}"] * 2, session, most)


def _run(path: str, most: int = 1 << 20) -> tuple[str, ...]:
    return asyncio.run(_fetch(path, most))


def test_each_is_fetched() -> None:
    """As base64, in order."""
    assert _run("/a.png") == (base64.b64encode(CONTENT).decode(),) * 2


def test_what_is_missing_is_named_without_its_signature() -> None:
    """The address is, with the status."""
    with pytest.raises(ModelInvalidReplyError, match=r"/b\.png cannot be fetched \(HTTP 404\)") as raised:
        _run("/b.png?sig=secret")
    assert "secret" not in str(raised.value)


def test_what_is_too_large_is_not_read_to_its_end() -> None:
    """The provider's max_reply_bytes holds for it too."""
    with pytest.raises(ModelInvalidReplyError, match="larger than 1,000 bytes"):
        _run("/a.png", 1000)


def test_what_is_no_address_is_named() -> None:
    """A reply may hold anything."""

    async def fetch() -> None:
        async with aiohttp.ClientSession() as session:
            await fetched(["http://[broken"], session, 1000)

    with pytest.raises(ModelInvalidReplyError, match="cannot be fetched"):
        asyncio.run(fetch())
