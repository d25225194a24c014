"""What a wire is, and what several of them need to read replies."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from data_designer.errors import ModelUnsupportedCapabilityError
from data_designer.models.error_mapping import ErrorInReplyError
from data_designer.values import BaseRequest, ChatRequest, Message, Request, Response, Usage

LIMIT = "max_tokens"
"""The longest reply, as parameters and most endpoints call it."""
_BROKEN_OFF = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "network_error", "insufficient_system_resource"}
)
"""Finish reasons of replies that the server gave up: of those that pass errors on, vLLM, SGLang, Zhipu, DeepSeek."""
_MOST_TOKENS = 2**31
"""Tokens that no reply comes to; the sum of a billion replies is still a number of 64 bits."""


@dataclass(frozen=True, slots=True)
class Common:
    """What all requests to a pool have in common."""

    model: str
    """The provider's name of the model."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Parameters that are the same for every request."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the body, which count before everything else."""
    limit: str = LIMIT
    """What the backend calls the longest reply."""


class Wire(Protocol):
    """The form of one API: writes requests, and reads replies."""

    constrains_json: ClassVar[bool]
    """Whether replies can be constrained to a JSON schema, in one of `plan.constraints.FORMS`."""
    longest_reply: ClassVar[int | None]
    """Tokens of a reply where nobody says; None where that is as many as the model likes."""
    usage_field: ClassVar[str]
    """The member of a reply that counts its tokens."""

    greeting: ClassVar[Request]
    """What is answered, if anything is."""

    def __init__(self, common: Common) -> None: ...

    def url(self, endpoint: str) -> str:
        """Where requests go."""
        ...

    def headers(self, api_key: str | None) -> dict[str, str]:
        """Headers that carry the key, and whatever else the API demands; names in lower case."""
        ...

    def body(self, request: Request) -> dict[str, object]:
        """The JSON that is posted. Raises ModelUnsupportedCapabilityError for a request of another kind."""
        ...

    def parse(self, data: object) -> Response:
        """Read a reply. Raises UnreadableError for what is none."""
        ...


Kind = TypeVar("Kind", bound=BaseRequest)


def request_of(kind: type[Kind], request: Request) -> Kind:
    """A request that is of a kind. Raises ModelUnsupportedCapabilityError for one of another."""
    if not isinstance(request, kind):
        raise ModelUnsupportedCapabilityError(
            f"the model is asked for what it does not make ({type(request).__name__}): see generation_type of its "
            "inference parameters"
        )
    return request


def chat_of(request: Request) -> ChatRequest:
    """A request that is one to a chat model. Raises ModelUnsupportedCapabilityError for one of another kind."""
    return request_of(ChatRequest, request)


def plain_text(message: Message) -> Message:
    """A message as it is posted: what is text alone is a string, which every server takes."""
    content = message["content"]
    if not isinstance(content, list):
        return message
    if len(content) == 1 and content[0].get("type") == "text":
        return {**message, "content": content[0]["text"]}
    if all(block.get("type") == "text" for block in content):
        return {**message, "content": "\n".join(block["text"] for block in content)}
    return message


def finish_of(reason: object, error: object = None) -> str | None:
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


def texts_of(blocks: object, kinds: Collection[str], field: str) -> Iterator[str]:
    """A text of each block of some kinds."""
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, dict) and block.get("type") in kinds and isinstance(text := block.get(field), str):
            yield text


def count(value: object) -> int:
    """A number of tokens; what cannot be one is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value <= _MOST_TOKENS else 0


def is_counted(usage: Usage, text: str) -> bool:
    """Whether a reply said what it came to: there is none without a token in, and no text without one out."""
    return usage.input_tokens > 0 and (usage.output_tokens > 0 or not text)
