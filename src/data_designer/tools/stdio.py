"""Servers that are processes of this machine."""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from data_designer.config.mcp import LocalStdioMCPProvider
from data_designer.tools import supervisor
from data_designer.tools.lines import MOST_BYTES, LongLine, lines_of
from data_designer.tools.streams import Ended, Streams

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCMessage

logger = logging.getLogger(__name__)

_SUPERVISOR = str(Path(supervisor.__file__).absolute())
_LEAVE_SECONDS = 1.0
"""How long a server may take to end once its standard input is closed."""
_KILL_SECONDS = 3.0
_WORDS, _LONGEST_WORDS = 20, 500
"""Lines of standard error that are remembered, and characters of each that are shown."""
_TOO_LARGE = -32001
"""Code of the error that stands for an answer which is too large."""


@asynccontextmanager
async def stdio(provider: LocalStdioMCPProvider, ended: Ended) -> AsyncIterator[Streams]:
    """Start a server, and end it with all that it has started; so does the end of this process, however it comes.

    Args:
        provider: its command.
        ended: is told why, when it ends by itself.

    Raises:
        OSError: it cannot be started.
    """
    import anyio
    from mcp.shared.message import SessionMessage

    lifeline, held = os.pipe()
    try:
        process = await _started(provider, lifeline)
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(lifeline)
    told, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, asked = anyio.create_memory_object_stream[SessionMessage](0)
    words: deque[str] = deque(maxlen=_WORDS)
    listening = asyncio.create_task(_listen(process, words))
    tasks = [
        asyncio.create_task(_read(process, told, ended, listening, words)),
        asyncio.create_task(_write(process, asked)),
        listening,
    ]
    try:
        yield incoming, outgoing
    finally:
        await _end(process, held)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (told, incoming, outgoing, asked):
            stream.close()


async def _started(provider: LocalStdioMCPProvider, lifeline: int) -> asyncio.subprocess.Process:
    from mcp.client.stdio import get_default_environment

    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", _SUPERVISOR, str(lifeline), provider.command, *provider.args),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**get_default_environment(), **provider.env, supervisor.COERCES: "0"},
        pass_fds=(lifeline,),
        # Ctrl-C is for the run, whose last cells may still call tools.
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process, held: int) -> None:
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _LEAVE_SECONDS)
    os.close(held)
    try:
        await asyncio.wait_for(process.wait(), _KILL_SECONDS)
    except TimeoutError:
        process.kill()


async def _read(
    process: asyncio.subprocess.Process,
    told: "MemoryObjectSendStream[SessionMessage | Exception]",
    ended: Ended,
    listening: "asyncio.Task[None]",
    words: deque[str],
) -> None:
    """Pass on what a server says; then why it says no more."""
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCMessage

    assert process.stdout is not None
    async for line in lines_of(process.stdout.read):
        try:
            message = _too_large(line) if isinstance(line, LongLine) else JSONRPCMessage.model_validate_json(line)
        except ValueError:
            logger.debug("a tool server wrote a line that is no message")
            continue
        if message is not None:
            await told.send(SessionMessage(message))
    await asyncio.wait({listening}, timeout=1.0)
    code = await process.wait()
    said = f": {' | '.join(words)}" if words else ""
    ended(f"it ended with exit code {code}{said}")


def _too_large(line: LongLine) -> "JSONRPCMessage | None":
    from mcp.types import ErrorData, JSONRPCError, JSONRPCMessage

    if line.answers is None:
        return None
    error = ErrorData(code=_TOO_LARGE, message=f"its answer has {line.size} bytes; {MOST_BYTES} may be read")
    return JSONRPCMessage(JSONRPCError(jsonrpc="2.0", id=line.answers, error=error))


async def _write(process: asyncio.subprocess.Process, asked: "MemoryObjectReceiveStream[SessionMessage]") -> None:
    """Pass on what a server is told."""
    assert process.stdin is not None
    with suppress(ConnectionError):  # It has ended, as whoever reads it hears.
        async for message in asked:
            text = message.message.model_dump_json(by_alias=True, exclude_none=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _listen(process: asyncio.subprocess.Process, words: deque[str]) -> None:
    """Remember the last lines of what a server writes to standard error, which is not shown while all is well."""
    assert process.stderr is not None
    async for line in lines_of(process.stderr.read, _LONGEST_WORDS):
        text = (line.head if isinstance(line, LongLine) else line).decode("utf-8", "replace").strip()
        if text:
            words.append(text)
