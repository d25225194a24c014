"""What was said for a cell: each request, each reply, and what failed on the way.

A correction repeats what was said before it, and a restart the first messages; so a `Turn` holds only what its request
adds, and how many messages of the request before it repeats.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from data_designer.terminal import visible
from data_designer.values import Message, Usage

CONVERSED = "__conversed__"
"""Column of a block that holds the `SaidCell`s that are kept of a row (a tuple), or None."""

Fate = Literal["ok", "failed", "taken"]
"""What a cell came to: a value, nothing, or a value that another dataset had, so that nothing was asked."""


@dataclass(frozen=True, slots=True)
class SaidCell:
    """A cell's conversation on its way into a file."""

    column: str
    fate: Fate
    problem: str | None
    """Why the cell failed, where it did."""
    usage: tuple[int, ...]
    """Its requests together, as `Usage.numbers`."""
    seconds: float | None
    """Latencies of its replies; None where no reply is of this run."""
    servers: tuple[str, ...]
    """Which were asked, where the alias has several."""
    turns: bytes
    """JSON of its turns."""


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An attempt at a request that got no reply."""

    kind: str
    """The class of the error."""
    message: str
    """What it said."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered."""

    text: str
    """The text."""
    reasoning: str | None = None
    """What the model thought, as far as the endpoint gives it."""
    finish_reason: str | None = None
    """Why it ended, in the endpoint's words."""
    tool_calls: tuple[Mapping[str, object], ...] = ()
    """Tools that the model wants to be called."""


def reply_data(
    text: str, reasoning: str | None, finish_reason: str | None, tool_calls: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """A reply as JSON data; what is not there is left out."""
    data: dict[str, object] = {"text": text}
    if reasoning is not None:
        data["reasoning"] = reasoning
    if finish_reason is not None:
        data["finish_reason"] = finish_reason
    if tool_calls:
        data["tool_calls"] = list(tool_calls)
    return data


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a cell, and what became of it."""

    repeats: int
    """Messages of the request before with which this one begins; 0 for the first."""
    messages: tuple[Message, ...]
    """What it says beyond those."""
    params: Mapping[str, object] | None
    """Fields of the request; None where they are those of the request before."""
    reply: Reply | None
    """What came back; None where no attempt was answered."""
    usage: Usage
    """What it cost, failed attempts included."""
    seconds: float | None = None
    """Latency of the reply; None where it is one of an earlier run, read from the journal."""
    server: str | None = None
    """Which server was asked, where there are several."""
    failed: tuple[FailedAttempt, ...] = ()
    """The first attempts that failed, and the last; of those of earlier runs only the count in `usage` is known."""

    @property
    def begins_anew(self) -> bool:
        """Whether it asks again what was asked at first, instead of going on."""
        return not self.messages

    def to_dict(self) -> dict[str, object]:
        """As JSON data; what is not there is left out."""
        data: dict[str, object] = {"repeats": self.repeats, "messages": list(self.messages)}
        if self.params is not None:
            data["params"] = dict(self.params)
        if (reply := self.reply) is not None:
            data["reply"] = reply_data(reply.text, reply.reasoning, reply.finish_reason, reply.tool_calls)
        data["usage"] = self.usage.numbers
        if self.seconds is not None:
            data["seconds"] = self.seconds
        if self.server is not None:
            data["server"] = self.server
        if self.failed:
            data["failed"] = [{"kind": one.kind, "message": one.message} for one in self.failed]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Turn":
        """From JSON data."""
        reply = data.get("reply")
        return cls(
            repeats=data["repeats"],
            messages=tuple(data["messages"]),
            params=data.get("params"),
            reply=None if reply is None else Reply(**{**reply, "tool_calls": tuple(reply.get("tool_calls", ()))}),
            usage=Usage.of(data["usage"]),
            seconds=data.get("seconds"),
            server=data.get("server"),
            failed=tuple(FailedAttempt(**one) for one in data.get("failed", ())),
        )


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said for one cell. `print` shows all of it."""

    record: int
    """Record index."""
    column: str
    """The cell's column."""
    fate: Fate
    """`ok`, `failed`, or `taken` from another dataset."""
    problem: str | None
    """Why the cell failed, where it did."""
    alias: str
    """Alias of the model."""
    model: str
    """The provider's name of the model."""
    endpoint: str
    """Host and path; several, separated by commas, where several were asked."""
    usage: Usage
    """What it cost in requests and tokens."""
    seconds: float | None
    """Latencies of its replies; None where no reply is of the run that wrote it."""
    usd: float | None
    """What it cost; None where the model has no price."""
    turns: tuple[Turn, ...] = field(default=(), repr=False)
    """Its requests, in order."""
    params: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Parameters that the alias gives to every request."""

    @property
    def corrections(self) -> int:
        """Requests that told the model what was wrong with its reply."""
        return sum(1 for turn in self.turns[1:] if turn.messages)

    @property
    def restarts(self) -> int:
        """Requests that began the conversation anew."""
        return max(0, len(self.turns) - 1 - self.corrections)

    def requests(self) -> list[list[Message]]:
        """All messages of each request, in order."""
        asked: list[list[Message]] = []
        for turn in self.turns:
            before = asked[-1][: turn.repeats] if asked else []
            asked.append([*before, *turn.messages])
        return asked

    def to_dict(self) -> dict[str, object]:
        """As JSON data."""
        return {
            "record_index": self.record,
            "column": self.column,
            "fate": self.fate,
            "problem": self.problem,
            "model_alias": self.alias,
            "model": self.model,
            "endpoint": self.endpoint,
            **dict(zip(USAGE_FIELDS, self.usage.numbers, strict=True)),
            "seconds": self.seconds,
            "usd": self.usd,
            "params": dict(self.params),
            "turns": [turn.to_dict() for turn in self.turns],
        }

    def __str__(self) -> str:
        return visible("\n".join(f"{BEFORE.get(role, '')}{text}" for role, text in pieces(self)))

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre-wrap">{escape(str(self))}</pre>'


USAGE_FIELDS = tuple(Usage.__dataclass_fields__)
"""Names of `Usage.numbers`."""


def text_of(message: Message) -> str:
    """The text of a message; what is no text is named."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [content]
    return "\n".join(_text_of_block(block) for block in blocks)


def _text_of_block(block: object) -> str:
    if isinstance(block, Mapping):
        text = block.get("text")
        return text if isinstance(text, str) else f"<{block.get('type', 'block')}>"
    return str(block)


# --- as text ----------------------------------------------------------------------------------------------

Role = Literal["title", "fact", "turn", "part", "text", "problem"]
"""What a piece of a conversation's text is: what comes out of prompts and replies is `text`."""
BEFORE: Mapping[Role, str] = {"turn": "\n=== ", "part": "--- ", "problem": "\n=== failed: "}
"""What stands before a piece."""


def pieces(said: Conversation) -> Iterator[tuple[Role, str]]:
    """The text of a conversation, piece by piece."""
    yield "title", f"record {said.record:,}, column {said.column}: {_FATES[said.fate]}"
    if said.fate == "taken":
        yield "fact", "Nothing was asked: its value was taken from another dataset."
        return
    yield "fact", f"model: {said.model} (alias {said.alias}) at {said.endpoint}"
    if said.params:
        yield "fact", f"parameters: {_fields(said.params)}"
    yield "fact", f"cost: {_cost(said)}"
    for number, turn in enumerate(said.turns):
        yield from _turn(number, turn, len(said.turns), said.turns[number - 1] if number else None)
    if said.problem is not None:
        yield "problem", said.problem


_FATES: Mapping[Fate, str] = {"ok": "ok", "failed": "failed", "taken": "taken from another dataset"}


def _cost(said: Conversation) -> str:
    usage = said.usage
    failed = f" after {_counted(usage.failed_requests, 'failed attempt')}" if usage.failed_requests else ""
    thought = f" ({usage.reasoning_tokens:,} of them reasoning)" if usage.reasoning_tokens else ""
    parts = [
        f"{_counted(usage.requests, 'request')} answered{failed}",
        f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out{thought}",
    ]
    if said.seconds is not None:
        parts.append(f"{said.seconds:.2f} s")
    if said.usd is not None:
        parts.append(f"${said.usd:.6f}")
    return "; ".join(parts)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _turn(number: int, turn: Turn, of: int, before: Turn | None) -> Iterator[tuple[Role, str]]:
    how = "" if before is None else ": begun anew" if turn.begins_anew else ": a correction"
    yield "turn", f"request {number + 1} of {of}{how}"
    # A correction says what the model was told; that it repeats the model's own reply is known.
    for message in turn.messages[1:] if before is not None and len(turn.messages) > 1 else turn.messages:
        yield "part", str(message.get("role", "message"))
        yield "text", text_of(message)
    if turn.params:
        yield "part", f"fields of this request: {_fields(turn.params)}"
    for attempt in turn.failed:
        yield "part", f"an attempt failed: {attempt.kind}: {attempt.message}"
    unnamed = turn.usage.failed_requests - len(turn.failed)
    if unnamed > 0:
        yield "part", _counted(unnamed, "more failed attempt" if turn.failed else "failed attempt")
    if turn.reply is None:
        yield "part", "no reply"
    else:
        yield from _reply(turn, turn.reply)


def _reply(turn: Turn, reply: Reply) -> Iterator[tuple[Role, str]]:
    if reply.reasoning:
        yield "part", "reasoning"
        yield "text", reply.reasoning
    facts = [reply.finish_reason or "", f"{turn.usage.output_tokens:,} tokens"]
    facts.append("from the journal of an earlier run" if turn.seconds is None else f"{turn.seconds:.2f} s")
    facts.append(f"from {turn.server}" if turn.server else "")
    yield "part", f"reply ({', '.join(filter(None, facts))})"
    yield "text", reply.text or "(no text)"
    for call in reply.tool_calls:
        yield "part", f"it calls a tool: {call}"


def _fields(params: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())


def shared(before: Sequence[Message], messages: Sequence[Message]) -> int:
    """With how many messages of one request another begins."""
    number = 0
    for ours, theirs in zip(before, messages, strict=False):
        if ours is not theirs and ours != theirs:
            break
        number += 1
    return number
