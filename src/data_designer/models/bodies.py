"""Reads the bodies of replies, which are as large and as odd as whoever sent them likes."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from data_designer.lenient_json import loads

if TYPE_CHECKING:
    import aiohttp

_MOST_OF_A_REFUSAL = 64 * 1024
"""Bytes of a body whose status is an error that are read: its words stand at the beginning."""


class LargeBodyError(Exception):
    """A body is larger than it may be."""


async def content_of(status: int, headers: Mapping[str, str], stream: "aiohttp.StreamReader", most: int) -> bytes:
    """The body, decompressed. Of a refusal it is the beginning.

    Args:
        status: of the reply.
        headers: of the reply.
        stream: of which nothing was read.
        most: bytes that the body of a good reply may have, before and after it is decompressed.

    Raises:
        LargeBodyError: it has more.
    """
    is_good = 200 <= status < 300
    if is_good and int(headers.get("Content-Length", 0)) > most:
        raise LargeBodyError
    limit = most if is_good else _MOST_OF_A_REFUSAL
    parts, size = [], 0
    # What is compressed is decompressed as it is read, so that nothing grows beyond the limit.
    while part := await stream.readany():
        parts.append(part)
        size += len(part)
        if size > limit:
            if is_good:
                raise LargeBodyError
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)


def decoded(content: bytes) -> object:
    """The JSON of a body: by the fast reader, and where that refuses, as leniently as clients read.

    Raises:
        ValueError: it is no JSON, or none that can be held.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return loads(_text(content))


def shown(data: object) -> str:
    """JSON as text, for messages."""
    try:
        return orjson.dumps(data).decode()
    except (TypeError, RecursionError):  # Among them is orjson's own error: of depth, and of large numbers.
        return f"({type(data).__name__} that cannot be shown)"


def _text(content: bytes) -> str:
    try:
        return content.decode(json.detect_encoding(content))
    except ValueError:
        return content.decode("utf-8", "replace")
