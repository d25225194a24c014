"""Turns in which a model calls tools: its calls are made and answered until it says something.

One turn is a reply that calls tools, and a message with the result of each call. Whoever asks a model for a cell can
use it; nothing is said of how calls are made.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Final

from data_designer.errors import MCPToolError
from data_designer.lenient_json import loads
from data_designer.plan.tools import ToolSet
from data_designer.values import (
    ChatRequest,
    ChatResponse,
    Message,
    Request,
    Response,
    ToolCall,
    ToolRequest,
    ToolResponse,
)

REFUSALS: Final = 3
"""Turns of a cell that are refused after the last allowed one; a model that goes on calling has no answer."""

REFUSED_CALL: Final = (
    "This tool was not called: the limit of tool calls for this answer is reached. "
    "Do not call any tool again. Answer with what you know."
)
"""What a model is told instead of a result."""

NO_MORE_CALLS: Final = "The reply calls a tool, and none is called any more. Answer as asked, in words."
"""What a model is told that goes on calling after that."""

_SHOWN: Final = 200
"""Characters of what a model wrote that a message repeats."""


class ToolTurns:
    """The turns of one cell, over all of its attempts.

    Args:
        tools: what may be called; None for nothing.
    """

    def __init__(self, tools: ToolSet | None) -> None:
        self._tools = tools if tools is not None and tools.tools else None
        self._turns = 0

    @property
    def are_over(self) -> bool:
        """Whether calls are not even refused any more."""
        return self._tools is None or self._turns >= self._tools.most_turns + REFUSALS

    def ask(
        self, messages: list[Message], params: Mapping[str, object]
    ) -> Generator[Request, Response, tuple[list[Message], ChatResponse]]:
        """Ask a model, and answer its calls, until its reply calls no tool or no more is said to its calls.

        Args:
            messages: the conversation.
            params: fields of the request; `tool_choice` counts until the first turn.

        Returns:
            The conversation up to the last result of a tool, the very list that was given where there is none, and the
            reply to it.

        Raises:
            MCPToolError: the model calls what it may not, or cannot be understood.
        """
        while True:
            response = yield ChatRequest(messages, self._with_tools(params))
            assert isinstance(response, ChatResponse)
            if not response.tool_calls or self.are_over:
                return messages, response
            messages = [*messages, *(yield from self._turn(response))]

    def _with_tools(self, params: Mapping[str, object]) -> Mapping[str, object]:
        if self._tools is None:
            return params
        given = {**params, "tools": self._tools.definitions}
        if self._turns:
            given.pop("tool_choice", None)
        return given

    def _turn(self, response: ChatResponse) -> Generator[Request, Response, list[Message]]:
        assert self._tools is not None
        self._turns += 1
        calls = [_with_id(call, self._turns, place) for place, call in enumerate(response.tool_calls)]
        if self._turns > self._tools.most_turns:
            results: Sequence[list[dict[str, object]]] = [[_text(REFUSED_CALL)] for _ in calls]
        else:
            made = tuple(self._call(call, place) for place, call in enumerate(calls))
            answer = yield ToolRequest(self._tools.alias, made)
            assert isinstance(answer, ToolResponse)
            results = answer.results
        told = (
            {"role": "tool", "content": result, "tool_call_id": call["id"]}
            for call, result in zip(calls, results, strict=True)
        )
        return [_said(response, calls), *told]

    def _call(self, call: Mapping[str, object], place: int) -> ToolCall:
        assert self._tools is not None
        function = call["function"]
        assert isinstance(function, dict)
        name = str(function.get("name", ""))
        if self._tools.tool(name) is None:
            allowed = ", ".join(f"'{one}'" for one in self._tools.names)
            raise MCPToolError(f"the model calls a tool {name[:_SHOWN]!r}, which it may not; it may call {allowed}")
        return ToolCall(name, _arguments(name, function.get("arguments")), place)


def _with_id(call: Mapping[str, object], turn: int, place: int) -> dict[str, object]:
    """A call as the next request repeats it; one that has no name of its own gets one."""
    function = call.get("function")
    given = call.get("id")
    return {
        "id": given if isinstance(given, str) and given else f"call_{turn}_{place}",
        "type": "function",
        "function": dict(function) if isinstance(function, dict) else {},
    }


def _arguments(name: str, written: object) -> Mapping[str, object]:
    """The arguments of a call. Raises MCPToolError where they are no JSON; JSON that is no object stands for none."""
    if written is None or written == "":
        return {}
    try:
        read = loads(str(written))
    except (ValueError, RecursionError) as error:
        shown = str(written)[:_SHOWN]
        raise MCPToolError(f"the model calls the tool '{name}' with arguments that are no JSON: {shown!r}") from error
    return read if isinstance(read, dict) else {}


def _said(response: ChatResponse, calls: Sequence[Mapping[str, object]]) -> Message:
    """The reply as the next request, and the trace, repeat it."""
    thought = (response.reasoning or "").strip()
    message: Message = {"role": "assistant", "content": [_text(response.text.strip())]}
    return message | ({"reasoning_content": thought} if thought else {}) | {"tool_calls": [*calls]}


def _text(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}
