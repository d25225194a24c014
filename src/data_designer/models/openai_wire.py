"""The wire form of OpenAI-compatible chat completions."""

from collections.abc import Mapping
from typing import ClassVar

import orjson

from data_designer.models.addresses import joined
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, error_of
from data_designer.models.model import GREETING
from data_designer.models.openai_media import with_media
from data_designer.models.wire import LIMIT, Common, chat_of, count, finish_of, is_counted, plain_text, texts_of
from data_designer.values import REFUSED, ChatResponse, Request, Usage

PATH = "/chat/completions"
NEWER_LIMIT = "max_completion_tokens"
"""What some endpoints call the longest reply."""


class OpenAIWire:
    """Writes requests and reads replies as OpenAI's API has them.

    Args:
        common: what all requests of an alias have in common.
    """

    constrains_json: ClassVar[bool] = True
    longest_reply: ClassVar[int | None] = None
    usage_field: ClassVar[str] = "usage"
    greeting: ClassVar[Request] = GREETING

    def __init__(self, common: Common) -> None:
        self._extra = {name: value for name, value in common.extra.items() if name != "n"}
        # No endpoint takes both names; what the user wrote counts.
        self._limit = next((name for name in (NEWER_LIMIT, LIMIT) if name in common.extra), common.limit)
        self._fixed = {"model": common.model, **self._named(common.options)}

    @staticmethod
    def url(endpoint: str) -> str:
        """Where requests go."""
        return joined(endpoint, PATH)

    @staticmethod
    def headers(api_key: str | None) -> dict[str, str]:
        """Headers that carry the key."""
        return bearer(api_key)

    def body(self, request: Request) -> dict[str, object]:
        """The JSON that is posted; parameters that the request gives itself count before the alias's."""
        chat = chat_of(request)
        given = self._named(chat.params) if chat.params else {}
        messages = [with_media(plain_text(message)) for message in chat.messages]
        return {**self._fixed, "messages": messages, **given, **self._extra}

    def _named(self, params: Mapping[str, object]) -> dict[str, object]:
        return {self._limit if name == LIMIT else name: v for name, v in params.items() if v is not None}

    @staticmethod
    def parse(data: object) -> ChatResponse:
        """Read a reply. Raises UnreadableError for what is none."""
        if (error := error_of(data)) is not None:
            raise ErrorInReplyError(error)
        reply: Mapping[str, object] = data if isinstance(data, dict) else {}
        match reply.get("choices"):
            case [dict() as choice, *_] if isinstance(message := choice.get("message"), dict):
                finish = finish_of(choice.get("finish_reason"), choice.get("error"))
                refusal = _string(message.get("refusal"))
                text, usage = _text(message.get("content")) or refusal or "", usage_of(reply.get("usage"))
                return ChatResponse(
                    text=text,
                    reasoning=_string(message.get("reasoning")) or _string(message.get("reasoning_content")),
                    finish_reason=REFUSED if refusal or finish == "content_filter" else finish,
                    tool_calls=_tool_calls(message.get("tool_calls")),
                    usage=usage,
                    counted=is_counted(usage, text),
                )
            case _:
                raise UnreadableError("the reply holds no message")


def bearer(api_key: str | None) -> dict[str, str]:
    """Headers that carry a key."""
    return {"authorization": f"Bearer {api_key}"} if api_key else {}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _text(content: object) -> str:
    match content:
        case str():
            return content
        case None:
            return ""
        case list():
            return "\n".join(texts_of(content, ("text", "output_text"), "text"))
        case _:
            raise UnreadableError("the content of the reply is no text")


def _tool_calls(calls: object) -> tuple[dict[str, object], ...]:
    """Calls, without what no call has: anything may be inside it."""
    return tuple(_tool_call(call) for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()


def _tool_call(call: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {name: call[name] for name in ("id", "type") if isinstance(call.get(name), str)}
    function = call.get("function")
    if isinstance(function, dict):
        names = ("name", "arguments")
        written = {name: function[name] for name in names if isinstance(function.get(name), str)}
        if isinstance(given := function.get("arguments"), dict):  # Some servers do not write them as text.
            written["arguments"] = orjson.dumps(given).decode()
        kept["function"] = written
    return kept


def usage_of(data: object) -> Usage:
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
