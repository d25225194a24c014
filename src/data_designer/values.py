"""The values that travel between rooms: outcomes, requests, replies, blocks of rows."""

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Record = Mapping[str, Any]
"""One row: column name to value."""

Message = dict[str, Any]
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

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """A cell was not computed because its skip condition said so. `values` are aligned with the step's `makes`."""

    values: tuple[Any, ...]


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
        )

    @classmethod
    def total(cls, usages: Collection["Usage"]) -> "Usage":
        """All of them together."""
        return cls(
            sum(usage.requests for usage in usages),
            sum(usage.failed_requests for usage in usages),
            sum(usage.input_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            sum(usage.reasoning_tokens for usage in usages),
            sum(usage.cached_tokens for usage in usages),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One chat completion to ask for. Parameters the alias already fixes are not repeated here."""

    messages: list[Message]
    params: Mapping[str, Any] = field(default_factory=dict)
    """Fields for this request only; they override the alias's own."""


REFUSED = "refusal"
"""Finish reason of a reply in which the model, or the provider's filter, declines to answer; the text may say why."""


@dataclass(frozen=True, slots=True)
class Response:
    """One reply: choice 0 of a chat completion, normalised."""

    text: str
    reasoning: str | None = None
    finish_reason: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage: Usage = Usage()
    counted: bool = field(default=True, compare=False)
    """Whether the endpoint said, believably, how many tokens it came to."""
    pause: float | None = None
    """Seconds until the endpoint has room for another request, where it says that it has none now."""


Exchange = Generator[Request, Response, Outcome]
"""A cell's logic: yields requests, is sent replies, returns what the cell came to. Never does I/O."""


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
