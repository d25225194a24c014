"""How much of a conversation is kept beside its column."""

from enum import StrEnum


class TraceType(StrEnum):
    """Which messages the trace of a column holds, as `role`, `content` and what the model thought and called."""

    NONE = "none"
    """No trace, and no column for it."""
    LAST_MESSAGE = "last_message"
    """A list with the last reply only."""
    ALL_MESSAGES = "all_messages"
    """All messages of the conversation, with those of corrections and of tools."""
