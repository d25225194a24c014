"""The values that travel between rooms: outcomes, requests, replies, blocks of rows."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import orjson

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Record = Mapping[str, object]
"""One row: column name to value."""

Message = dict[str, object]
"""One chat message in OpenAI form; `content` is always a list of typed blocks."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row was rejected: said once, stored with the row, counted in the summary."""

    kind: str
    """The error class the user would know it by, such as `ModelBadRequestError`."""
    message: str
    column: str = ""
    """Filled in by the runner; the column whose cell failed."""
    last_reply: str | None = None
    """The model's last reply, when the failure was about its content."""


@dataclass(frozen=True, slots=True)
class Ok:
    """A cell was computed. `values` are aligned with the step's `makes`."""

    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """A cell was not computed because its skip condition said so. `values` are aligned with the step's `makes`."""

    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """A cell failed for good, and its row with it."""

    reason: Reason


Outcome = Ok | Skip | Drop


@dataclass(frozen=True, slots=True)
class Usage:
    """What requests cost. Adds up."""

    requests: int = 0
    """Requests that got a reply."""
    failed_requests: int = 0
    """Requests that got none, each attempt counted."""
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Of those out."""
    cached_tokens: int = 0
    """Of those in."""
    images: int = 0
    """That were made."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage.total((self, other))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its fields, in order."""
        return (
            self.requests,
            self.failed_requests,
            self.input_tokens,
            self.output_tokens,
            self.reasoning_tokens,
            self.cached_tokens,
            self.images,
        )

    @classmethod
    def of(cls, numbers: object) -> "Usage":
        """The usage that has these `numbers`, of which earlier versions kept six. Raises ValueError for others."""
        match numbers:
            case [int(), int(), int(), int(), int(), int()] | [int(), int(), int(), int(), int(), int(), int()]:
                return cls(*numbers)
            case _:
                raise ValueError("these are no numbers of a usage")

    @classmethod
    def total(cls, usages: Collection["Usage"]) -> "Usage":
        """All of them together."""
        return cls(*map(sum, zip(*(usage.numbers for usage in usages), strict=True)))


class BaseRequest(ABC):
    """What admission, retries, the journal, the budget and the accounts know of a request, of whatever kind."""

    __slots__ = ()

    @property
    @abstractmethod
    def content(self) -> object:
        """All that tells it from another request, as JSON data."""

    @property
    @abstractmethod
    def most_tokens(self) -> int:
        """Tokens of input that it cannot exceed."""

    @property
    @abstractmethod
    def longest_reply(self) -> int | None:
        """Tokens to which it limits its reply; None where it does not, 0 where replies of its kind have none."""

    @abstractmethod
    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""


@dataclass(frozen=True, slots=True)
class ChatRequest(BaseRequest):
    """One chat completion to ask for. Parameters the alias already fixes are not repeated here."""

    messages: list[Message]
    params: Mapping[str, object] = field(default_factory=dict)
    """Fields for this request only; they override the alias's own."""

    @property
    def content(self) -> object:
        """Messages and fields."""
        return [self.messages, self.params]

    @property
    def most_tokens(self) -> int:
        """No text has more tokens than bytes; a schema travels beside the prompt."""
        schemas = (orjson.dumps(value) for value in self.params.values() if isinstance(value, dict))
        return sum(_FRAME + _bytes_of(message) for message in self.messages) + sum(map(len, schemas))

    @property
    def longest_reply(self) -> int | None:
        """What it says itself."""
        given = self.params.get("max_tokens")
        return int(given) if isinstance(given, int | float | str) and given else None

    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""
        return replace(self, params={**params, **self.params})


_FRAME = 64
"""Tokens around each message that a chat template may add."""


def _bytes_of(message: Message) -> int:
    content = message["content"]
    if isinstance(content, str):
        return len(content.encode())
    blocks = content if isinstance(content, list) else []
    return sum(len(str(block.get("text", "")).encode()) for block in blocks if isinstance(block, dict))


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(BaseRequest):
    """Texts of which vectors are asked for, in one request."""

    texts: list[str]
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def content(self) -> object:
        """Its kind, texts and fields."""
        return ["embedding", self.texts, self.params]

    @property
    def most_tokens(self) -> int:
        """No text has more tokens than bytes."""
        return sum(_FRAME + len(text.encode()) for text in self.texts)

    @property
    def longest_reply(self) -> int | None:
        """Vectors cost no tokens."""
        return 0

    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""
        return replace(self, params={**params, **self.params})


@dataclass(frozen=True, slots=True)
class ImageRequest(BaseRequest):
    """A description of which images are asked for."""

    prompt: str
    media: list[dict[str, object]] = field(default_factory=list)
    """Blocks of what it goes by, as messages hold them; a route that takes none is not sent them."""
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def content(self) -> object:
        """Its kind, prompt, media and fields."""
        return ["image", self.prompt, self.media, self.params]

    @property
    def most_tokens(self) -> int:
        """Those of the prompt; what media come to, no one knows before."""
        return _FRAME + len(self.prompt.encode())

    @property
    def longest_reply(self) -> int | None:
        """What it says itself."""
        return None

    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""
        return replace(self, params={**params, **self.params})


@dataclass(frozen=True, slots=True)
class HttpRequest(BaseRequest):
    """JSON that is posted to a service which is no model."""

    body: Mapping[str, object]

    @property
    def content(self) -> object:
        """Its kind and body."""
        return ["http", self.body]

    @property
    def most_tokens(self) -> int:
        """None are counted."""
        return 0

    @property
    def longest_reply(self) -> int | None:
        """None are counted."""
        return 0

    def with_params(self, _: Mapping[str, object]) -> Self:
        """The same: parameters are those of models."""
        return self


Request: TypeAlias = ChatRequest | EmbeddingRequest | ImageRequest | HttpRequest
"""One thing asked of somebody else; a further kind is a `BaseRequest` that joins this union."""


REFUSED = "refusal"
"""Finish reason of a reply in which the model, or the provider's filter, declines to answer; the text may say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseResponse(ABC):
    """What is known of a reply of whatever kind."""

    usage: Usage = Usage()
    counted: bool = field(default=True, compare=False)
    """Whether the endpoint said, believably, how many tokens it came to."""
    pause: float | None = None
    """Seconds until the endpoint has room for another request, where it says that it has none now."""

    @property
    @abstractmethod
    def content(self) -> list[object]:
        """What it says, as the journal keeps it: JSON data that `response_of` reads."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Characters that whoever asked has to read."""

    @property
    @abstractmethod
    def says_nothing(self) -> bool:
        """Whether it shows no sign of a model."""


@dataclass(frozen=True, slots=True)
class ChatResponse(BaseResponse):
    """Choice 0 of a chat completion, normalised."""

    text: str
    reasoning: str | None = None
    finish_reason: str | None = None
    tool_calls: tuple[dict[str, object], ...] = ()

    @property
    def content(self) -> list[object]:
        """Its own fields, in order."""
        return [self.text, self.reasoning, self.finish_reason, self.tool_calls]

    @property
    def length(self) -> int:
        """That of its text."""
        return len(self.text)

    @property
    def says_nothing(self) -> bool:
        """Whether there is neither text nor thought."""
        return not (self.text.strip() or self.reasoning)


_NUMBER_LENGTH = 20
"""Characters of a number of a vector."""


@dataclass(frozen=True, slots=True)
class EmbeddingResponse(BaseResponse):
    """A vector for each text that was asked about, in the order of the texts."""

    vectors: tuple[tuple[float, ...], ...]

    @property
    def content(self) -> list[object]:
        """Its kind and vectors."""
        return ["embedding", self.vectors]

    @property
    def length(self) -> int:
        """About that of its numbers."""
        return _NUMBER_LENGTH * sum(map(len, self.vectors))

    @property
    def says_nothing(self) -> bool:
        """Whether there is no number in it."""
        return not any(self.vectors)


@dataclass(frozen=True, slots=True)
class ImageResponse(BaseResponse):
    """Images that were made."""

    images: tuple[str, ...]
    """Each in base64, without a prefix; what they are shows in their first bytes."""
    links: tuple[str, ...] = ()
    """Addresses of further ones, which are still to be fetched."""

    @property
    def content(self) -> list[object]:
        """Its kind and images."""
        return ["image", self.images]

    @property
    def length(self) -> int:
        """That of all of them."""
        return sum(map(len, self.images))

    @property
    def says_nothing(self) -> bool:
        """Whether there is none."""
        return not (self.images or self.links)


@dataclass(frozen=True, slots=True)
class HttpResponse(BaseResponse):
    """JSON that a service answered."""

    data: object

    @property
    def content(self) -> list[object]:
        """Its kind and data."""
        return ["http", self.data]

    @property
    def length(self) -> int:
        """That of its text."""
        return len(orjson.dumps(self.data, default=str))

    @property
    def says_nothing(self) -> bool:
        """Whether it is null."""
        return self.data is None


Response: TypeAlias = ChatResponse | EmbeddingResponse | ImageResponse | HttpResponse
"""One reply; a further kind is a `BaseResponse` that joins this union, and is read by `response_of`."""


def response_of(content: Sequence[object], usage: Usage) -> Response:
    """The reply whose `content` was kept. Raises ValueError where it is that of no kind."""
    match content:
        case [str(text), str() | None as reasoning, str() | None as finish_reason, [*calls]]:
            known = tuple(call for call in calls if isinstance(call, dict))
            return ChatResponse(text, reasoning, finish_reason, known, usage=usage)
        case ["embedding", [*vectors]]:
            return EmbeddingResponse(tuple(map(_vector, vectors)), usage=usage)
        case ["image", [*images]]:
            return ImageResponse(tuple(image for image in images if isinstance(image, str)), usage=usage)
        case ["http", data]:
            return HttpResponse(data, usage=usage)
        case _:
            raise ValueError("these are no parts of a reply")


def _vector(numbers: object) -> tuple[float, ...]:
    if not isinstance(numbers, list):
        raise ValueError("this is no vector")  # noqa: TRY004 - it is what was kept that is wrong
    return tuple(float(number) for number in numbers)


Exchange = Generator[Request, Response, Outcome]
"""A cell's logic: yields requests, is sent replies, returns what the cell came to. Never does I/O."""


@dataclass(frozen=True, slots=True)
class Nulled:
    """A cell failed, and its row stays: `values`, aligned with the step's `makes`, stand for what is missing."""

    values: tuple[object, ...]
    reason: Reason


GroupExchange: TypeAlias = Generator[Request, Response, Sequence[Outcome | Nulled]]
"""The logic of the cells of several rows that are asked for together; it comes to one outcome a row, in their order.

A `ModelError` that ends a request is thrown into it.
"""


@dataclass(slots=True)
class Block:
    """Some rows, column by column. The unit in which values travel and rest.

    `rows` are record indices (int64, shape [n]); every list in `columns` has length n.
    """

    rows: "npt.NDArray[np.int64]"
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class Made:
    """What a step that works on many rows at once came to.

    `columns` hold one value a row of the block it was given, in its order, for every name in the step's
    `makes`; the values at dropped or skipped positions are ignored.
    """

    columns: dict[str, list[Any]]
    drops: dict[int, Reason] = field(default_factory=dict)
    """Position in the block (not record index) to the reason the row was rejected."""
