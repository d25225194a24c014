"""The values that travel between rooms: outcomes, requests, replies, blocks of rows."""

import base64
import json
import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
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
class MediaFile:
    """A file that belongs to a cell, such as an image, until its batch is committed."""

    path: str
    """What the cell calls it: its place below the dataset directory once its batch is committed."""
    size: int
    """In bytes."""
    sha256: str
    at: str = ""
    """Where its content is until then, below the dataset directory; empty where that is here."""
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LargeCell:
    """Stands in a row for a large value of the seed dataset, which rests in a file: whoever needs it reads that."""

    at: str
    """The path or the URL of that file; its name ends in its size, after a hyphen."""

    @property
    def name(self) -> str:
        """The same for the same value, wherever it rests."""
        return self.at.rpartition("/")[2]

    @property
    def size(self) -> int:
        """About that of the value, in bytes."""
        return int(self.at.rpartition("-")[2])


@dataclass(frozen=True, slots=True)
class Ok:
    """A cell was computed. `values` are aligned with the step's `makes`."""

    values: tuple[object, ...]
    files: tuple[MediaFile, ...] = ()
    """Those that the values name."""


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
    """What requests cost. Two of them add up."""

    requests: int = 0
    """Requests that got a reply."""
    failed_requests: int = 0
    """Requests that got none, each attempt counted."""
    input_tokens: int = 0
    """Of prompts."""
    output_tokens: int = 0
    """Of replies."""
    reasoning_tokens: int = 0
    """Of replies, those of reasoning."""
    cached_tokens: int = 0
    """Of prompts, those that the provider had in its cache."""
    images: int = 0
    """Images that were made."""
    tool_calls: int = 0
    """Calls of tools that were made for the model."""
    tool_turns: int = 0
    """Replies that asked for tools."""

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
            self.tool_calls,
            self.tool_turns,
        )

    @property
    def kept(self) -> tuple[int, ...]:
        """Its numbers as they are written down: of those that came later, none after the last that counts."""
        numbers = self.numbers
        length = len(numbers)
        while length > _FEWEST_NUMBERS and not numbers[length - 1]:
            length -= 1
        return numbers[:length]

    @classmethod
    def of(cls, numbers: object) -> "Usage":
        """The usage that has these `numbers`, of which earlier versions kept fewer. Raises ValueError for others."""
        given = numbers if isinstance(numbers, list | tuple) else ()
        counts = [number for number in given if isinstance(number, int)]
        if not _FEWEST_NUMBERS <= len(counts) == len(given) <= len(fields(cls)):
            raise ValueError("these are no numbers of a usage")
        return cls(*counts)

    @classmethod
    def total(cls, usages: Collection["Usage"]) -> "Usage":
        """All of them together."""
        return cls(*map(sum, zip(*(usage.numbers for usage in usages), strict=True)))


_FEWEST_NUMBERS = 6
"""Of a usage as the first versions kept it."""


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
        """Tokens of input that it cannot exceed; where it shows media, an estimate of theirs is among them."""

    @property
    @abstractmethod
    def longest_reply(self) -> int | None:
        """Tokens to which it limits its reply; None where it does not, 0 where replies of its kind have none."""

    @property
    def turns(self) -> list[Message]:
        """What is asked, as messages: as it is shown to people."""
        return [_said("user", orjson.dumps(self.content, default=str).decode())]

    @property
    def fields(self) -> Mapping[str, object]:
        """Fields for this request only."""
        return {}

    @abstractmethod
    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""


@dataclass(frozen=True, slots=True)
class ChatRequest(BaseRequest):
    """One chat completion to ask for. Parameters the alias already fixes are not repeated here."""

    messages: list[Message]
    params: Mapping[str, object] = field(default_factory=dict)
    """Fields for this request only; they override the alias's own."""
    alias: str = ""
    """Which of the step's aliases is asked, where it has several; empty for the first."""

    @property
    def turns(self) -> list[Message]:
        """Its messages."""
        return self.messages

    @property
    def fields(self) -> Mapping[str, object]:
        """Fields for this request only."""
        return self.params

    @property
    def content(self) -> object:
        """Messages and fields."""
        return [self.messages, self.params]

    @property
    def most_tokens(self) -> int:
        """No text has more tokens than bytes; a schema travels beside the prompt, and tools do."""
        schemas = (orjson.dumps(value) for value in self.params.values() if isinstance(value, dict | list))
        return sum(_FRAME + _bytes_of(message) for message in self.messages) + sum(map(len, schemas))

    @property
    def longest_reply(self) -> int | None:
        """What it says itself."""
        given = self.params.get("max_tokens")
        return int(given) if isinstance(given, int | float | str) and given else None

    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""
        return replace(self, params={**params, **self.params})


def _said(role: str, text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}


_FRAME = 64
"""Tokens around each message that a chat template may add."""


def _bytes_of(message: Message) -> int:
    content = message["content"]
    if isinstance(content, str):
        return len(content.encode())
    blocks = content if isinstance(content, list) else []
    calls = len(orjson.dumps(message["tool_calls"])) if "tool_calls" in message else 0
    return calls + sum(_tokens_of(block) for block in blocks if isinstance(block, dict))


_MEDIUM = 2_000
"""Tokens of an image, which models shrink to what they look at, and of what is only known by its address."""
_BYTES_A_TOKEN = 100
"""Of a recording or a film in base64: what a second takes at a low quality, by the tokens of a second."""


def _tokens_of(block: Mapping[str, object]) -> int:
    if "source" not in block:
        return len(str(block.get("text", "")).encode())
    match block:
        case {"type": "audio" | "video", "source": {"data": str(data)}}:
            return _MEDIUM + len(data) // _BYTES_A_TOKEN
        case _:
            return _MEDIUM


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(BaseRequest):
    """Texts of which vectors are asked for, in one request."""

    texts: list[str]
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def turns(self) -> list[Message]:
        """Its texts, as one message."""
        return [{"role": "user", "content": [{"type": "text", "text": text} for text in self.texts]}]

    @property
    def fields(self) -> Mapping[str, object]:
        """Fields for this request only."""
        return self.params

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
    def turns(self) -> list[Message]:
        """Its media and prompt, as one message."""
        return [{"role": "user", "content": [*self.media, {"type": "text", "text": self.prompt}]}]

    @property
    def fields(self) -> Mapping[str, object]:
        """Fields for this request only."""
        return self.params

    @property
    def content(self) -> object:
        """Its kind, prompt, media and fields."""
        return ["image", self.prompt, self.media, self.params]

    @property
    def most_tokens(self) -> int:
        """Those of the prompt and the media."""
        return _FRAME + len(self.prompt.encode()) + sum(map(_tokens_of, self.media))

    @property
    def longest_reply(self) -> int | None:
        """What it says itself."""
        return None

    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields; those that it has itself count first."""
        return replace(self, params={**params, **self.params})


@dataclass(frozen=True, slots=True)
class UnmodelledRequest(BaseRequest):
    """One that asks no model: it has no tokens, and parameters of models do not concern it."""

    @property
    def most_tokens(self) -> int:
        """None are counted."""
        return 0

    @property
    def longest_reply(self) -> int | None:
        """None are counted."""
        return 0

    def with_params(self, _: Mapping[str, object]) -> Self:
        """The same."""
        return self


@dataclass(frozen=True, slots=True)
class FileRequest(UnmodelledRequest):
    """A file that a cell names, below the folder of the dataset or of its seed.

    Whoever carries the exchange on reads it: it takes no slot, costs nothing and is not kept in the journal.
    """

    name: str

    @property
    def content(self) -> object:
        """Its kind and name."""
        return ["file", self.name]


@dataclass(frozen=True, slots=True)
class AgreementRequest(UnmodelledRequest):
    """A number that all cells of a column share, such as the length of its vectors: the first to say one decides.

    Whoever carries the exchange on knows what was said first, in whichever process and run of the dataset. It takes no
    slot, costs nothing and is not kept in the journal.
    """

    said: int

    @property
    def content(self) -> object:
        """Its kind and number."""
        return ["agreement", self.said]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool."""

    tool: str
    arguments: Mapping[str, object]
    """JSON data."""
    place: int = 0
    """Which one of its turn it is."""


@dataclass(frozen=True, slots=True)
class ToolRequest(UnmodelledRequest):
    """The calls of one turn, which are made at the same time. No model is asked, so it takes no slot of one."""

    alias: str
    """That of the tools."""
    calls: tuple[ToolCall, ...]

    @property
    def content(self) -> object:
        """Its kind, alias and calls."""
        return ["tool", self.alias, [[call.tool, json.dumps(call.arguments), call.place] for call in self.calls]]


@dataclass(frozen=True, slots=True)
class HttpRequest(UnmodelledRequest):
    """JSON that is posted to a service which is no model."""

    body: Mapping[str, object]

    @property
    def content(self) -> object:
        """Its kind and body."""
        return ["http", self.body]


Request: TypeAlias = (
    ChatRequest | EmbeddingRequest | ImageRequest | FileRequest | AgreementRequest | ToolRequest | HttpRequest
)
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
    server: str | None = field(default=None, compare=False)
    """Which one answered, where the provider has several."""

    @property
    @abstractmethod
    def content(self) -> list[object]:
        """What it says, as the journal keeps it: JSON data that `response_of` reads."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Characters that whoever asked has to read."""

    @property
    def words(self) -> str:
        """What it says, as it is shown to people."""
        return ""

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
    def words(self) -> str:
        """Its text."""
        return self.text

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


@dataclass(frozen=True, slots=True)
class EmbeddingResponse(BaseResponse):
    """A vector for each text that was asked about, in the order of the texts."""

    vectors: tuple[tuple[float, ...], ...]
    """Their numbers are `single`, so that they come out of journals and files as they went in."""

    @property
    def words(self) -> str:
        """How many vectors of how many numbers it has."""
        sizes = sorted({len(vector) for vector in self.vectors})
        return f"({len(self.vectors)} vectors of {', '.join(map(str, sizes))} numbers)"

    @property
    def content(self) -> list[object]:
        """Its kind and vectors, whose numbers are packed: as digits they would be five times as long."""
        return ["embedding", list(map(_packed, self.vectors))]

    @property
    def length(self) -> int:
        """One a number: it is read as fast as a character."""
        return sum(map(len, self.vectors))

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
    files: tuple[MediaFile, ...] = ()
    """Where the images are kept, where they are; they have no `path` yet."""

    @property
    def words(self) -> str:
        """How many images it has."""
        return f"({len(self.images)} images)"

    @property
    def content(self) -> list[object]:
        """Its kind and images; where all are in files, only those."""
        if self.files and all(file.at for file in self.files):
            return ["image files", [[file.at, file.size, file.sha256] for file in self.files]]
        return ["image", self.images]

    @property
    def length(self) -> int:
        """That of all of them."""
        return sum(map(len, self.images)) + sum(file.size for file in self.files if not self.images)

    @property
    def says_nothing(self) -> bool:
        """Whether there is none."""
        return not (self.images or self.links or self.files)


@dataclass(frozen=True, slots=True)
class FileResponse(BaseResponse):
    """What a file holds, or in words why that is not to be had."""

    data: bytes | str

    @property
    def content(self) -> list[object]:
        """Nothing: it can be read again."""
        return ["file"]

    @property
    def length(self) -> int:
        """That of the file."""
        return len(self.data)

    @property
    def says_nothing(self) -> bool:
        """Whether there is no file."""
        return isinstance(self.data, str)


@dataclass(frozen=True, slots=True)
class AgreementResponse(BaseResponse):
    """The number that the cells of a column share."""

    agreed: int

    @property
    def content(self) -> list[object]:
        """Nothing: it can be looked up again."""
        return ["agreement"]

    @property
    def length(self) -> int:
        """A number has none."""
        return 0

    @property
    def says_nothing(self) -> bool:
        """There is always one."""
        return False


@dataclass(frozen=True, slots=True)
class ToolResponse(BaseResponse):
    """What the calls of a turn came to, in their order."""

    results: tuple[list[dict[str, object]], ...]
    """Each as the blocks of a message's content."""

    @property
    def content(self) -> list[object]:
        """Its kind and results."""
        return ["tool", self.results]

    @property
    def length(self) -> int:
        """That of their texts."""
        return sum(len(str(block.get("text", ""))) for result in self.results for block in result)

    @property
    def says_nothing(self) -> bool:
        """A tool may well have nothing to say."""
        return False


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


Response: TypeAlias = (
    ChatResponse | EmbeddingResponse | ImageResponse | FileResponse | AgreementResponse | ToolResponse | HttpResponse
)
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
        case ["image files", [*files]]:
            return ImageResponse((), files=tuple(map(_kept_file, files)), usage=usage)
        case ["tool", [*results]]:
            return ToolResponse(tuple(result for result in results if isinstance(result, list)), usage=usage)
        case ["http", data]:
            return HttpResponse(data, usage=usage)
        case _:
            raise ValueError("these are no parts of a reply")


def _kept_file(parts: object) -> MediaFile:
    match parts:
        case [str(at), int(size), str(sha256)]:
            return MediaFile("", size, sha256, at)
        case _:
            raise ValueError("this is no file")


def single(numbers: Sequence[float]) -> tuple[float, ...]:
    """Numbers as those of 32 bits, with which models compute and which files hold.

    Raises:
        ValueError: one is none, or is not finite.
    """
    form = f"<{len(numbers)}f"
    try:
        found: tuple[float, ...] = struct.unpack(form, struct.pack(form, *numbers))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"these are no numbers of 32 bits: {error}") from None
    if not math.isfinite(sum(found)):
        raise ValueError("a number is not finite")
    return found


def _packed(numbers: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def _vector(packed: object) -> tuple[float, ...]:
    """The numbers that were packed. Raises ValueError where they were not."""
    content = base64.b64decode(packed, validate=True) if isinstance(packed, str) else b"?"
    if len(content) % struct.calcsize("<f"):
        raise ValueError("this is no vector")
    return struct.unpack(f"<{len(content) // struct.calcsize('<f')}f", content)


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
