"""Fetches images that a reply gives the addresses of."""

import asyncio
import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_designer.errors import ModelInvalidReplyError

if TYPE_CHECKING:
    import aiohttp

_SECONDS = 60.0
_SHOWN = 80
"""Characters of an address that are shown: what follows may be a signature."""


async def fetched(links: Sequence[str], session: "aiohttp.ClientSession", most: int) -> tuple[str, ...]:
    """What is at some addresses, each in base64.

    Only what an image model gave is fetched: never what a text or a cell names.

    Args:
        links: `http` or `https` URLs.
        session: the connections. No header of the model's provider is sent along, as the host may be another's.
        most: bytes that each may have.

    Raises:
        ModelInvalidReplyError: one cannot be fetched; where it is asked for again, the image is made again.
    """
    return tuple(await asyncio.gather(*(_fetched(link, session, most) for link in links)))


async def _fetched(link: str, session: "aiohttp.ClientSession", most: int) -> str:
    import aiohttp

    shown = link.partition("?")[0][:_SHOWN]
    try:
        async with asyncio.timeout(_SECONDS), session.get(link) as reply:
            reply.raise_for_status()
            content = await reply.content.read(most + 1)
            while len(content) <= most and (more := await reply.content.read(most + 1 - len(content))):
                content += more
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        what = f"HTTP {error.status}" if isinstance(error, aiohttp.ClientResponseError) else type(error).__name__
        raise ModelInvalidReplyError(f"the image at {shown} cannot be fetched ({what})") from None
    if len(content) > most:
        raise ModelInvalidReplyError(f"the image at {shown} is larger than {most:,} bytes")
    return base64.b64encode(content).decode()
