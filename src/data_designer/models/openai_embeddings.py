"""The wire form of OpenAI-compatible embeddings."""

import base64
import struct
from collections.abc import Mapping, Sequence
from itertools import count as counting
from typing import ClassVar

from data_designer.models.addresses import joined
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, error_of
from data_designer.models.openai_wire import bearer, usage_of
from data_designer.models.wire import Common, request_of
from data_designer.values import EmbeddingRequest, EmbeddingResponse, Request, single

PATH = "/embeddings"
_NUMBERS = frozenset({float, int})


class OpenAIEmbeddingsWire:
    """Writes requests and reads replies as OpenAI's API has them.

    Args:
        common: what all requests of an alias have in common.
    """

    constrains_json: ClassVar[bool] = False
    longest_reply: ClassVar[int | None] = 0
    usage_field: ClassVar[str] = "usage"
    greeting: ClassVar[Request] = EmbeddingRequest(["Hello!"])

    def __init__(self, common: Common) -> None:
        self._fixed = {"model": common.model, **{k: v for k, v in common.options.items() if v is not None}}
        self._extra = dict(common.extra)

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
        asked = request_of(EmbeddingRequest, request)
        return {**self._fixed, "input": asked.texts, **asked.params, **self._extra}

    @staticmethod
    def parse(data: object) -> EmbeddingResponse:
        """Read a reply. Raises UnreadableError for what is none."""
        if (error := error_of(data)) is not None:
            raise ErrorInReplyError(error)
        reply: Mapping[str, object] = data if isinstance(data, dict) else {}
        items = reply.get("data")
        if not isinstance(items, list) or not items:
            raise UnreadableError("the reply holds no embeddings")
        usage = usage_of(reply.get("usage"))
        return EmbeddingResponse(_in_order(items), usage=usage, counted=usage.input_tokens > 0)


def _in_order(items: Sequence[object]) -> tuple[tuple[float, ...], ...]:
    """Vectors by the index that the reply gives each, where it gives all of them one; else as they come."""
    vectors = [_vector(item) for item in items]
    places = [item.get("index") if isinstance(item, dict) else None for item in items]
    if all(isinstance(place, int) for place in places) and len(set(places)) == len(places):
        order = sorted(zip(places, counting(), strict=False), key=lambda pair: (pair[0] or 0, pair[1]))
        return tuple(vectors[place] for _, place in order)
    return tuple(vectors)


def _vector(item: object) -> tuple[float, ...]:
    try:
        match item:
            case {"embedding": [*numbers]} if numbers and _NUMBERS.issuperset(map(type, numbers)):
                return single(numbers)
            case {"embedding": str(text)}:
                content = base64.b64decode(text, validate=True)
                return single(struct.unpack(f"<{len(content) // 4}f", content))
    except (ValueError, struct.error) as error:
        raise UnreadableError(f"an embedding of the reply cannot be read ({error})") from None
    raise UnreadableError("an embedding of the reply is no list of numbers")
