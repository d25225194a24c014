"""The wire form of Anthropic's Messages API.

Source: Anthropic's API reference, version 2023-06-01.
"""

from collections.abc import Mapping
from typing import ClassVar

from data_designer.errors import ModelUnsupportedCapabilityError
from data_designer.models.addresses import joined
from data_designer.models.anthropic_tools import called, calls_of, translated_tools, with_results
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, error_of
from data_designer.models.model import GREETING
from data_designer.models.wire import LIMIT, Common, chat_of, count, finish_of, is_counted, plain_text, texts_of
from data_designer.values import ChatResponse, Message, Request, Usage

VERSION = "2023-06-01"
MAX_TOKENS = 4096
"""Longest reply where the alias does not say: this API demands a number."""

_RENAMED = {"stop": "stop_sequences"}
_UNKNOWN = frozenset({"n", "response_format", "frequency_penalty", "presence_penalty", "seed"})
"""Parameters of the other API that this one would refuse."""
_UNSEEN = ("audio", "video")
"""Types of blocks that this API has no form for; `config.models.UNSEEN_MEDIA` says so before a run."""
_FINISHES = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls"}


class AnthropicWire:
    """Writes requests and reads replies as Anthropic's API has them.

    Args:
        common: what all requests of an alias have in common.
    """

    constrains_json: ClassVar[bool] = False
    longest_reply: ClassVar[int | None] = MAX_TOKENS
    usage_field: ClassVar[str] = "usage"
    greeting: ClassVar[Request] = GREETING

    def __init__(self, common: Common) -> None:
        self._fixed = {"model": common.model, LIMIT: MAX_TOKENS, **_translated(common.options)}
        self._extra = _translated(common.extra)

    @staticmethod
    def url(endpoint: str) -> str:
        """Where requests go."""
        return joined(endpoint, "/messages", "/v1")

    @staticmethod
    def headers(api_key: str | None) -> dict[str, str]:
        """Headers that carry the key and the version of the API."""
        return {"anthropic-version": VERSION, **({"x-api-key": api_key} if api_key else {})}

    def body(self, request: Request) -> dict[str, object]:
        """The JSON that is posted; parameters that the request gives itself count before the alias's."""
        chat = chat_of(request)
        given = _translated({name: value for name, value in chat.params.items() if value is not None})
        system = "\n\n".join(_texts(message) for message in chat.messages if message["role"] == "system")
        turns = [_turn(message) for message in with_results(chat.messages) if message["role"] != "system"]
        # Neither does it take a turn of nothing, which an empty reply is; users' turns may follow each other.
        turns = [turn for turn in turns if turn["content"]]
        about = {"system": system} if system else {}
        return {**self._fixed, **about, "messages": turns, **given, **self._extra}

    @staticmethod
    def parse(data: object) -> ChatResponse:
        """Read a reply. Raises UnreadableError for what is none."""
        if (error := error_of(data)) is not None:
            raise ErrorInReplyError(error)
        reply: Mapping[str, object] = data if isinstance(data, dict) else {}
        match reply:
            case {"error": {}}:
                raise UnreadableError("the reply holds an error without words")
            case {"content": list(blocks)}:
                stop, usage = finish_of(reply.get("stop_reason")), _usage(reply.get("usage"))
                text = "\n".join(texts_of(blocks, ("text",), "text"))
                return ChatResponse(
                    text=text,
                    reasoning="\n".join(texts_of(blocks, ("thinking",), "thinking")) or None,
                    finish_reason=None if stop is None else _FINISHES.get(stop, stop),
                    tool_calls=calls_of(blocks),
                    usage=usage,
                    counted=is_counted(usage, text),
                )
            case _:
                raise UnreadableError("the reply holds no message")


def _translated(params: Mapping[str, object]) -> dict[str, object]:
    named = {_RENAMED.get(name, name): value for name, value in params.items() if name not in _UNKNOWN}
    if isinstance(named.get("stop_sequences"), str):
        named["stop_sequences"] = [named["stop_sequences"]]
    return translated_tools(named)


def _texts(message: Message) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(texts_of(content, ("text",), "text"))


def _turn(message: Message) -> Message:
    """A turn without empty text, which this API refuses; what is text alone is a string; images are as they are here.

    Raises:
        ModelUnsupportedCapabilityError: it holds media that are no images.
    """
    content = message["content"]
    if isinstance(content, list):
        for block in content:
            if block.get("type") in _UNSEEN:
                raise ModelUnsupportedCapabilityError(f"Anthropic's API takes images and no {block['type']}")
        content = [block for block in content if block.get("type") != "text" or block.get("text")] + called(message)
    return plain_text({"role": message["role"], "content": content})


def _usage(data: object) -> Usage:
    """Tokens; what was read from a cache or written to it counts as input too, as with the other API."""
    if not isinstance(data, dict):
        return Usage(requests=1)
    cached = count(data.get("cache_read_input_tokens"))
    return Usage(
        requests=1,
        input_tokens=count(data.get("input_tokens")) + cached + count(data.get("cache_creation_input_tokens")),
        output_tokens=count(data.get("output_tokens")),
        cached_tokens=cached,
    )
