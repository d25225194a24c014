"""Messages of conversations, as functions of the user see them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

Content = str | list[dict[str, object]]
"""Text, or typed blocks."""


@dataclass
class ChatMessage:
    """One message of a conversation."""

    role: str
    """`system`, `user`, `assistant` or `tool`."""
    content: Content = ""
    """Text, or typed blocks as OpenAI's messages hold them."""
    reasoning_content: str | None = None
    """What the model thought, as far as the endpoint gives it."""
    tool_calls: list[dict[str, object]] = field(default_factory=list)
    """Tools that the model wants to be called, in OpenAI's form."""
    tool_call_id: str | None = None
    """Of a message of a tool: which call it answers."""

    @classmethod
    def as_user(cls, content: Content) -> Self:
        """What is asked."""
        return cls("user", content)

    @classmethod
    def as_assistant(
        cls,
        content: str = "",
        reasoning_content: str | None = None,
        tool_calls: Sequence[dict[str, object]] | None = None,
    ) -> Self:
        """What the model answers."""
        return cls("assistant", content, reasoning_content, list(tool_calls or ()))

    @classmethod
    def as_system(cls, content: Content) -> Self:
        """What the model is told before it is asked."""
        return cls("system", content)

    @classmethod
    def as_tool(cls, content: Content, tool_call_id: str) -> Self:
        """What a tool came to that the model called."""
        return cls("tool", content, tool_call_id=tool_call_id)

    def to_dict(self) -> dict[str, object]:
        """The message in OpenAI's form; `content` is always a list of blocks, and what is empty is left out."""
        content = [{"type": "text", "text": self.content}] if isinstance(self.content, str) else self.content
        found: dict[str, object] = {"role": self.role, "content": content}
        further = (
            ("reasoning_content", self.reasoning_content),
            ("tool_calls", self.tool_calls),
            ("tool_call_id", self.tool_call_id),
        )
        return found | {name: value for name, value in further if value}
