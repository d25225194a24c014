"""The wire form of OpenAI-compatible chat completions."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from data_designer.models.addresses import joined
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, error_of
from data_designer.values import REFUSED, Message, Request, Response, Usage

PATH = "/chat/completions"
LIMIT = "max_tokens"
"""Name of the longest reply, and the one that some endpoints have for it."""
NEWER_LIMIT = "max_completion_tokens"
_BROKEN_OFF = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "network_error", "insufficient_system_resource"}
)
"""Finish reasons of replies that the server gave up: of those that pass errors on, vLLM, SGLang, Zhipu, DeepSeek."""
_MOST_TOKENS = 2**31
"""Tokens that no reply comes to; the sum of a billion replies is still a number of 64 bits."""


class OpenAIWire:
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
        if (error := error_of(data)) is not None:
            raise ErrorInReplyError(error)
        match data:
            case {"choices": [{"message": {} as message} as choice, *_]}:
                finish = finish_of(choice.get("finish_reason"), choice.get("error"))
                refusal = _string(message.get("refusal"))
                text, usage = _text(message.get("content")) or refusal or "", _usage(data.get("usage"))
                return Response(
                    text=text,
                    reasoning=_string(message.get("reasoning")) or _string(message.get("reasoning_content")),
                    finish_reason=REFUSED if refusal or finish == "content_filter" else finish,
                    tool_calls=_tool_calls(message.get("tool_calls")),
                    usage=usage,
                    counted=is_counted(usage, text),
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


def finish_of(reason: Any, error: Any = None) -> str | None:
    """Why a reply ended.

    Args:
        reason: what it says.
        error: what it says of an error.

    Raises:
        ErrorInReplyError: the server broke it off.
    """
    finish = reason.lower() if isinstance(reason, str) else None
    if error or finish in _BROKEN_OFF:
        raise ErrorInReplyError(error or f"the reply was broken off (finish_reason={finish})")
    return finish


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _text(content: Any) -> str:
    match content:
        case str():
            return content
        case None:
            return ""
        case list():
            return "\n".join(texts_of(content, ("text", "output_text"), "text"))
        case _:
            raise UnreadableError("the content of the reply is no text")


def texts_of(blocks: list[Any], kinds: Collection[str], field: str) -> Iterator[str]:
    """A text of each block of some kinds."""
    for block in blocks:
        if isinstance(block, dict) and block.get("type") in kinds and isinstance(text := block.get(field), str):
            yield text


def _tool_calls(calls: Any) -> tuple[dict[str, Any], ...]:
    """Calls, without what no call has: anything may be inside it."""
    return tuple(map(_tool_call, filter(_is_dict, calls))) if isinstance(calls, list) else ()


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: call[name] for name in ("id", "type") if isinstance(call.get(name), str)}
    function = call.get("function")
    if isinstance(function, dict):
        names = ("name", "arguments")
        kept["function"] = {name: function[name] for name in names if isinstance(function.get(name), str)}
    return kept


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _usage(data: Any) -> Usage:
    """Tokens, under either of the two sets of names in use; what cannot be true counts as none."""
    if not isinstance(data, dict):
        return Usage(requests=1)
    answered = data.get("completion_tokens_details") or data.get("output_tokens_details")
    asked = data.get("prompt_tokens_details") or data.get("input_tokens_details")
    reasoning = data.get("reasoning_tokens") or (answered.get("reasoning_tokens") if isinstance(answered, dict) else 0)
    given = count(data.get("prompt_tokens") or data.get("input_tokens"))
    return Usage(
        requests=1,
        input_tokens=given,
        output_tokens=count(data.get("completion_tokens") or data.get("output_tokens")),
        reasoning_tokens=count(reasoning),
        # More than was read cannot have come from a cache, and would make the reply cost less than nothing.
        cached_tokens=min(given, count(asked.get("cached_tokens"))) if isinstance(asked, dict) else 0,
    )


def count(value: Any) -> int:
    """A number of tokens; what cannot be one is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= _MOST_TOKENS else 0


def is_counted(usage: Usage, text: str) -> bool:
    """Whether a reply said what it came to: there is none without a token in, and no text without one out."""
    return usage.input_tokens > 0 and (usage.output_tokens > 0 or not text)
