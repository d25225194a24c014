"""The ways to talk to the simulated model: OpenAI's and Anthropic's, and that of a validator of rows."""

import base64
import hashlib
import sys
from array import array
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

import orjson

from data_designer.simulated_model.counts import Allowance
from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.media import check_anthropic, check_openai
from data_designer.simulated_model.pictures import picture, size_of
from data_designer.simulated_model.replies import Reply, messages_of
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.settings import SimulatedModel
from data_designer.simulated_model.tool_calls import in_anthropic_form, in_openai_form
from data_designer.simulated_model.vectors import DIMENSIONS, MOST_DIMENSIONS, vectors_of

_MAKES_IMAGES = "image"
"""What names hold of models that answer a chat with a picture."""
_MOST_PICTURES = 10
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal", "tool_calls": "tool_use"}
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


class Asked(NamedTuple):
    """What is asked of which model."""

    name: str
    body: Mapping[str, object]
    model: SimulatedModel


class Wire(Protocol):
    """A way to talk."""

    def read(self, content: bytes, headers: Mapping[str, str]) -> dict[str, object]:
        """A request in the form of a chat completion's. Raises ValueError for one that is none."""
        ...

    def reply(self, asked: "Asked", reply: Reply, usage: Usage) -> dict[str, object]:
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
        body = _object_with_messages(content)
        check_openai(messages_of(body))
        return body

    def reply(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, object]:
        """A reply's JSON."""
        message: dict[str, object] = {"role": "assistant", "content": reply.text}
        if reply.ending == "refusal":
            message |= {"content": None, "refusal": reply.text}
        elif reply.calls:
            message |= {"content": None, "tool_calls": in_openai_form(reply.calls)}
        elif _MAKES_IMAGES in asked.name.lower() and reply.text and reply.fault is None:
            image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_picture(asked)}"}}
            message |= {"content": "", "images": [image]}
        finish = reply.ending if reply.ending in ("length", "tool_calls") else "stop"
        return {
            "id": "simulated",
            "object": "chat.completion",
            "created": 0,
            "model": asked.name,
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


class EmbeddingsWire(OpenAIWire):
    """OpenAI's embeddings."""

    def read(self, content: bytes, _: Mapping[str, str]) -> dict[str, object]:
        """A request, with its texts as the prompt. Raises ValueError for one that is none."""
        body = _object(content)
        texts = _texts_of(body)
        if not texts:
            raise ValueError("input: a text or a list of texts is required")
        _dimensions_of(body)
        return {**body, "messages": [{"role": "user", "content": "\n".join(texts)}]}

    def reply(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, object]:
        """A reply's JSON; a malformed one lacks a vector."""
        vectors = vectors_of(_texts_of(asked.body), _dimensions_of(asked.body))
        if reply.fault is not None:
            vectors = vectors[1:]
        in_bytes = asked.body.get("encoding_format") == "base64"
        data: list[dict[str, object]] = [
            {"object": "embedding", "index": place, "embedding": _packed(vector) if in_bytes else vector}
            for place, vector in enumerate(vectors)
        ]
        tokens = {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt}
        return {"object": "list", "model": asked.name, "data": data, "usage": tokens}


class ImagesWire(OpenAIWire):
    """OpenAI's images."""

    def read(self, content: bytes, _: Mapping[str, str]) -> dict[str, object]:
        """A request, with its description as the prompt. Raises ValueError for one that is none."""
        body = _object(content)
        size_of(body.get("size"))
        match body.get("prompt"):
            case str(prompt):
                return {**body, "messages": [{"role": "user", "content": prompt}]}
            case _:
                raise ValueError("prompt: a text is required")

    def reply(self, asked: Asked, reply: Reply, _: Usage) -> dict[str, object]:
        """A reply's JSON; a malformed one holds what is no image, an empty one none."""
        number = asked.body.get("n")
        count = number if isinstance(number, int) and 0 < number <= _MOST_PICTURES else 1
        pictures = [_picture(asked, place) for place in range(count)] if reply.text else []
        if reply.fault is not None:
            pictures = ["bm8gcGljdHVyZQ=="] * len(pictures)
        return {"created": 0, "data": [{"b64_json": one} for one in pictures]}


class ValidationWire(OpenAIWire):
    """A validator's: rows come, verdicts go."""

    def read(self, content: bytes, _: Mapping[str, str]) -> dict[str, object]:
        """A request, with its rows as the prompt. Raises ValueError for one that is none."""
        body = _object(content)
        match body.get("data"):
            case list(rows):
                asked = {"role": "user", "content": orjson.dumps(rows).decode()}
                return {"model": "validator", **body, "messages": [asked]}
            case _:
                raise ValueError("data: a list of rows is required")

    def reply(self, asked: Asked, reply: Reply, _: Usage) -> dict[str, object]:
        """A verdict for each row, the same one whenever it is judged; a malformed reply lacks one."""
        verdicts = [_verdict(row, asked) for row in _rows_of(asked.body)]
        return {"data": verdicts if reply.fault is None else verdicts[1:]}


class AnthropicWire:
    """Anthropic's."""

    def read(self, content: bytes, headers: Mapping[str, str]) -> dict[str, object]:
        """A request in the form of a chat completion's. Raises ValueError for one that is none."""
        if not headers.get("anthropic-version"):
            raise ValueError("anthropic-version: header is required")
        body = _object_with_messages(content)
        if body.get("max_tokens") is None:
            raise ValueError("max_tokens: Field required")
        check_anthropic(messages_of(body))
        system = {"role": "system", "content": body.get("system")}
        return {**body, "messages": [system, *messages_of(body)]}

    def reply(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, object]:
        """A reply's JSON; one without text has no block of content."""
        return {
            "id": "msg_simulated",
            "type": "message",
            "role": "assistant",
            "model": asked.name,
            "content": [{"type": "text", "text": reply.text}] if reply.text else in_anthropic_form(reply.calls),
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


def _object(content: bytes) -> dict[str, object]:
    match orjson.loads(content):
        case dict() as body:
            return body
        case _:
            raise ValueError("the body must be an object")


def _object_with_messages(content: bytes) -> dict[str, object]:
    body = orjson.loads(content)
    if isinstance(body, dict):
        messages = body.get("messages")
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            return body
    raise ValueError("the body must be an object with a list of messages")


def _texts_of(body: Mapping[str, object]) -> list[str]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    return [*map(str, texts)] if isinstance(texts, list) else []


def _dimensions_of(body: Mapping[str, object]) -> int:
    match body.get("dimensions"):
        case None:
            return DIMENSIONS
        case int(given) if 0 < given <= MOST_DIMENSIONS:
            return given
        case _:
            raise ValueError(f"dimensions: a number from 1 to {MOST_DIMENSIONS} is required")


def _rows_of(body: Mapping[str, object]) -> list[object]:
    rows = body.get("data")
    return rows if isinstance(rows, list) else []


def _verdict(row: object, asked: Asked) -> object:
    seed = orjson.dumps([asked.model.seed, row], option=orjson.OPT_SORT_KEYS)
    rng = SeededRng(hashlib.blake2b(seed).digest())
    is_valid = bool(rng.below(10))
    schema: object = asked.body.get("output_schema")
    for name in ("properties", "data", "items"):
        schema = schema.get(name) if isinstance(schema, dict) else None
    if not isinstance(schema, dict):
        return {"is_valid": is_valid}
    made = Instances(schema).make(rng)
    return {**made, "is_valid": is_valid} if isinstance(made, dict) else made


def _packed(vector: Iterable[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


def _picture(asked: Asked, place: int = 0) -> str:
    size = size_of(asked.body.get("size"))
    messages = messages_of(asked.body)
    seeds = f"{place} {asked.model.seed} {asked.body.get('seed')}"
    return picture(f"{seeds} {messages[-1:]}", size, asked.model.image_bytes)


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
