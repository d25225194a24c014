"""The two ways to talk to the simulated model: OpenAI's chat completions and Anthropic's messages."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

import orjson

from data_designer.simulated_model.counts import Allowance
from data_designer.simulated_model.replies import Reply, messages_of

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
}


class Usage(NamedTuple):
    """Tokens of one request."""

    prompt: int
    completion: int
    """Those of thought included."""
    cached: int
    """Of the prompt's."""
    reasoning: int


class Wire(Protocol):
    """A way to talk."""

    def read(self, content: bytes, headers: Mapping[str, str]) -> dict[str, object]:
        """A request in the form of a chat completion's. Raises ValueError for one that is none."""
        ...

    def reply(self, name: str, reply: Reply, usage: Usage) -> dict[str, object]:
        """A reply's JSON."""
        ...

    def refusal(self, status: int, message: str) -> dict[str, object]:
        """An error's JSON."""
        ...

    def headers(self, left: Iterable[Allowance]) -> dict[str, str]:
        """What a response's headers say of the model's limits."""
        ...


class OpenAIWire:
    """OpenAI's."""

    def read(self, content: bytes, _: Mapping[str, str]) -> dict[str, object]:
        """A request. Raises ValueError for one that is none."""
        return _object_with_messages(content)

    def reply(self, name: str, reply: Reply, usage: Usage) -> dict[str, object]:
        """A reply's JSON."""
        message: dict[str, object] = {"role": "assistant", "content": reply.text}
        if reply.ending == "refusal":
            message |= {"content": None, "refusal": reply.text}
        finish = "length" if reply.ending == "length" else "stop"
        return {
            "id": "simulated",
            "object": "chat.completion",
            "created": 0,
            "model": name,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": _usage(usage),
        }

    def refusal(self, _: int, message: str) -> dict[str, object]:
        """An error's JSON."""
        return {"error": {"message": message}}

    def headers(self, left: Iterable[Allowance]) -> dict[str, str]:
        """The `x-ratelimit-*` headers."""
        found = {}
        for one in left:
            found[f"x-ratelimit-limit-{one.kind}"] = str(one.limit)
            found[f"x-ratelimit-remaining-{one.kind}"] = str(one.remaining)
            found[f"x-ratelimit-reset-{one.kind}"] = f"{one.opens_in:g}s"
        return found


class AnthropicWire:
    """Anthropic's."""

    def read(self, content: bytes, headers: Mapping[str, str]) -> dict[str, object]:
        """A request in the form of a chat completion's. Raises ValueError for one that is none."""
        if not headers.get("anthropic-version"):
            raise ValueError("anthropic-version: header is required")
        body = _object_with_messages(content)
        if body.get("max_tokens") is None:
            raise ValueError("max_tokens: Field required")
        system = {"role": "system", "content": body.get("system")}
        return {**body, "messages": [system, *messages_of(body)]}

    def reply(self, name: str, reply: Reply, usage: Usage) -> dict[str, object]:
        """A reply's JSON; one without text has no block of content."""
        return {
            "id": "msg_simulated",
            "type": "message",
            "role": "assistant",
            "model": name,
            "content": [{"type": "text", "text": reply.text}] if reply.text else [],
            "stop_reason": _STOP_REASONS[reply.ending],
            "stop_sequence": None,
            "usage": {
                "input_tokens": usage.prompt - usage.cached,
                "output_tokens": usage.completion,
                "cache_read_input_tokens": usage.cached,
                "cache_creation_input_tokens": 0,
            },
        }

    def refusal(self, status: int, message: str) -> dict[str, object]:
        """An error's JSON."""
        return {"type": "error", "error": {"type": _ERROR_TYPES[status], "message": message}}

    def headers(self, left: Iterable[Allowance]) -> dict[str, str]:
        """The `anthropic-ratelimit-*` headers, which give a time instead of a duration."""
        found = {}
        for one in left:
            opens = datetime.now(UTC) + timedelta(seconds=one.opens_in)
            found[f"anthropic-ratelimit-{one.kind}-limit"] = str(one.limit)
            found[f"anthropic-ratelimit-{one.kind}-remaining"] = str(one.remaining)
            found[f"anthropic-ratelimit-{one.kind}-reset"] = opens.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return found


def _object_with_messages(content: bytes) -> dict[str, object]:
    body = orjson.loads(content)
    if isinstance(body, dict):
        messages = body.get("messages")
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            return body
    raise ValueError("the body must be an object with a list of messages")


def _usage(usage: Usage) -> dict[str, object]:
    found: dict[str, object] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
    if usage.cached:
        found["prompt_tokens_details"] = {"cached_tokens": usage.cached}
    if usage.reasoning:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return found
