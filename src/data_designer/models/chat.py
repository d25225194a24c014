"""The wire form of OpenAI-compatible chat completions."""

import math
from collections.abc import Mapping
from typing import Any

from data_designer.models.addresses import joined
from data_designer.values import REFUSED, Message, Request, Response, Usage

PATH = "/chat/completions"
LIMIT = "max_tokens"
"""Name of the longest reply, and the one that some endpoints have for it."""
NEWER_LIMIT = "max_completion_tokens"


class UnreadableError(ValueError):
    """What came back is JSON, but no reply."""


class ChatForm:
    """Writes requests and reads replies as OpenAI's API has them.

    Args:
        model: the provider's name of the model.
        options: parameters that are the same for every request.
        extra: further fields of the body, which count before everything else.
        limit: what the endpoint calls the longest reply.
    """

    def __init__(self, model: str, options: Mapping[str, Any], extra: Mapping[str, Any], limit: str = LIMIT) -> None:
        self._extra = {name: value for name, value in extra.items() if name != "n"}
        # No endpoint takes both names; what the user wrote counts.
        self._limit = next((name for name in (NEWER_LIMIT, LIMIT) if name in extra), limit)
        self._fixed = {"model": model, **self._named(options)}

    @staticmethod
    def url(endpoint: str) -> str:
        """Where requests go."""
        return joined(endpoint, PATH)

    @staticmethod
    def headers(api_key: str | None) -> dict[str, str]:
        """Headers that carry the key."""
        return {"authorization": f"Bearer {api_key}"} if api_key else {}

    def body(self, request: Request, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON that is posted.

        Args:
            request: what to ask.
            drawn: parameters that were drawn for it; those that it gives itself count first.
        """
        given = self._named(request.params) if request.params else {}
        messages = [turn(message) for message in request.messages]
        return {**self._fixed, **drawn, "messages": messages, **given, **self._extra}

    def _named(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {self._limit if name == LIMIT else name: v for name, v in params.items() if v is not None}

    @staticmethod
    def parse(data: Any) -> Response:
        """Read a reply. Raises UnreadableError for what is none."""
        match data:
            case {"error": said} if said:
                raise UnreadableError("the reply holds an error")
            case {"choices": [{"message": {} as message} as choice, *_]}:
                refusal = _string(message.get("refusal"))
                text = _text(message.get("content"))
                finish = _string(choice.get("finish_reason"))
                return Response(
                    text=text or refusal or "",
                    reasoning=_string(message.get("reasoning")) or _string(message.get("reasoning_content")),
                    finish_reason=REFUSED if refusal or finish == "content_filter" else finish,
                    tool_calls=_tool_calls(message.get("tool_calls")),
                    usage=_usage(data.get("usage")),
                )
            case _:
                raise UnreadableError("the reply holds no message")


def turn(message: Message) -> Message:
    """A message as it is posted: what is text alone is a string, which every server takes."""
    content = message["content"]
    if isinstance(content, str):
        return message
    if len(content) == 1 and content[0].get("type") == "text":
        return {**message, "content": content[0]["text"]}
    if all(block.get("type") == "text" for block in content):
        return {**message, "content": "\n".join(block["text"] for block in content)}
    return message


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(b.get("text", "")) for b in content if isinstance(b, dict) and b.get("type") == "text")
    return content if isinstance(content, str) else ""


def _tool_calls(calls: Any) -> tuple[dict[str, Any], ...]:
    return tuple(call for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()


def _usage(data: Any) -> Usage:
    """Tokens, under either of the two sets of names in use; what is missing or no number counts as none."""
    if not isinstance(data, dict):
        return Usage(requests=1)
    answered = data.get("completion_tokens_details") or data.get("output_tokens_details")
    asked = data.get("prompt_tokens_details") or data.get("input_tokens_details")
    reasoning = data.get("reasoning_tokens") or (answered.get("reasoning_tokens") if isinstance(answered, dict) else 0)
    return Usage(
        requests=1,
        input_tokens=count(data.get("prompt_tokens") or data.get("input_tokens")),
        output_tokens=count(data.get("completion_tokens") or data.get("output_tokens")),
        reasoning_tokens=count(reasoning),
        cached_tokens=count(asked.get("cached_tokens")) if isinstance(asked, dict) else 0,
    )


def count(value: Any) -> int:
    """A number of tokens; what is no number is none."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0
