"""The body of a response, of which no line may be too long; its end in the middle is told."""

from collections.abc import AsyncIterator

import httpx

from data_designer.tools.streams import Ended


class BoundedStream(httpx.AsyncByteStream):
    """Passes a body on.

    An answer of a server is one line, of JSON or of an event. A body that breaks off, or grows too large, ends the
    connection: what waits for an answer would wait for ever.
    """

    def __init__(self, stream: httpx.AsyncByteStream, most: int, ended: Ended) -> None:
        self._stream = stream
        self._most = most
        self._ended = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for part in self._stream:
                start = part.rfind(b"\n")
                size = size + len(part) if start < 0 else len(part) - start - 1
                if size > self._most:
                    self._ended(f"its answer has more than the {self._most} bytes that may be read")
                    return
                yield part
        except httpx.HTTPError as error:
            self._ended(f"the connection broke off: {type(error).__name__}: {error}")
            raise

    async def aclose(self) -> None:
        """Let it go."""
        await self._stream.aclose()
