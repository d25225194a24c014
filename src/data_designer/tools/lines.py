"""Lines of a stream, each of which may only be so long."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

MOST_BYTES = 16 * 1024 * 1024
"""Bytes of one answer of a server. A model could not read more, and each replica would hold it."""
_PART = 64 * 1024
_HEAD = 256
_ID = re.compile(rb'"id"\s*:\s*(\d+)')


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line that was left out."""

    head: bytes
    size: int

    @property
    def answers(self) -> int | None:
        """Which request it answers, where its beginning says so."""
        found = _ID.search(self.head)
        return None if found is None else int(found[1])


async def lines_of(read: Callable[[int], Awaitable[bytes]], most: int = MOST_BYTES) -> AsyncIterator[bytes | LongLine]:
    """The lines that a stream comes to, without their ends.

    Args:
        read: gives some bytes, so many at most; none at the end.
        most: bytes that a line may have.
    """
    parts: list[bytes] = []
    size = 0
    while part := await read(_PART):
        *ended, rest = part.split(b"\n")
        for end in ended:
            yield _line([*parts, end], size + len(end), most)
            parts, size = [], 0
        size += len(rest)
        if rest and (size <= most or not parts):
            parts.append(rest)
    if size:
        yield _line(parts, size, most)


def _line(parts: list[bytes], size: int, most: int) -> bytes | LongLine:
    if size > most:
        return LongLine(b"".join(parts)[:_HEAD], size)
    return b"".join(parts)
