"""What connects a session with a server, whatever is between them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

Streams: TypeAlias = (
    "tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]"
)
"""What the server says, and what it is told."""
Ended: TypeAlias = Callable[[str], None]
"""Is told why a server says no more."""
