"""How much of a conversation is kept beside its column."""

from enum import StrEnum


class TraceType(StrEnum):
    """Which messages the trace column of an LLM column holds."""

    NONE = "none"
    LAST_MESSAGE = "last_message"
    ALL_MESSAGES = "all_messages"
