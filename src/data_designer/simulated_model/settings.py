"""How the simulated model behaves, and how its settings are read from text."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

_JITTER_KINDS = ("uniform", "lognormal")
_GUIDED = ("", "guided_json", "structured_outputs", "nvext")


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """How the simulated model behaves. Any field may be overridden in a model's name: `sim?latency=0.05`.

    What counts requests or time ("after so many") counts those of one model name since the server started or was
    reset, so models that share a server do not disturb each other.
    """

    seed: int = 0
    """Same seed, same replies to the same requests."""
    latency: float = 0.0
    """Mean seconds to a reply."""
    jitter: float = 0.0
    """Spread of the latency: a share for `uniform` (0.5 is plus or minus half), sigma for `lognormal`."""
    jitter_kind: str = "uniform"
    """`uniform` or `lognormal`."""
    error_rate: float = 0.0
    """Share of requests answered with HTTP 500."""
    malformed_rate: float = 0.0
    """Share of replies that do not have the form that was asked for."""
    reset_rate: float = 0.0
    """Share of requests whose connection is closed without an answer."""
    reject_above: int | None = None
    """Answer 429 when more requests than this are in flight."""
    retry_after: float = 1.0
    """Seconds that such a 429 asks to wait."""
    output_tokens: int = 40
    """About how long replies in prose are."""
    hang_rate: float = 0.0
    """Share of requests that are never answered."""
    outage_after: float | None = None
    """Seconds after the first request when every connection with a request begins to be closed without an answer."""
    outage_seconds: float = 60.0
    """How long that lasts."""
    revoked_after: int | None = None
    """Answered requests after which every request gets HTTP 401."""
    slow_after: int | None = None
    """Requests after which the latency is `slow_factor` times as long."""
    slow_factor: float = 10.0
    """How many times as long the latency is then."""
    truncated_rate: float = 0.0
    """Share of replies that end in the middle, with finish_reason `length`."""
    refusal_rate: float = 0.0
    """Share of requests that the model declines to fulfil."""
    empty_rate: float = 0.0
    """Share of replies without content."""
    requests_per_minute: int | None = None
    """Answer 429 when a window of `rate_window` seconds has taken in this many a minute."""
    tokens_per_minute: int | None = None
    """The same for the tokens of answered requests, prompts included; those in flight are not foreseen."""
    rate_window: float = 60.0
    """Seconds of the sliding window; what it allows is in proportion."""
    cached_share: float = 0.0
    """Share of the prompt's tokens reported as read from a cache."""
    reasoning_tokens: int = 0
    """Tokens reported as thought before each reply; part of the completion's."""
    tool_turns: int = 1
    """Replies of a conversation that call tools, where the request offers some."""
    tool_calls: int = 1
    """Calls of each of them."""
    image_bytes: int = 0
    """Bytes by which pictures are larger than they need be."""
    native: int = 1
    """Whether a `response_format` with a schema is honoured (1) or ignored (0)."""
    guided: str = ""
    """Other member of a request whose schema is honoured: `guided_json`, `structured_outputs` or `nvext`."""

    def __post_init__(self) -> None:
        if self.jitter_kind not in _JITTER_KINDS:
            raise ValueError(f"jitter_kind is uniform or lognormal, not '{self.jitter_kind}'")
        if self.guided not in _GUIDED:
            raise ValueError(f"guided is guided_json, structured_outputs, nvext or nothing, not '{self.guided}'")
        if not self.rate_window > 0:
            raise ValueError(f"rate_window is a positive number of seconds, not {self.rate_window:g}")

    @property
    def has_limits(self) -> bool:
        """Whether it answers only so much a minute."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

    @property
    def may_leave_waiting(self) -> bool:
        """Whether a request may get no answer, or lose its connection before."""
        return self.hang_rate > 0 or self.outage_after is not None

    def is_out(self, age: float) -> bool:
        """Whether it is down, so many seconds after its first request."""
        return self.outage_after is not None and 0 <= age - self.outage_after < self.outage_seconds

    def named(self, name: str) -> "SimulatedModel":
        """How the model of this name behaves.

        Raises:
            ValueError: a setting cannot be read or makes no sense.
        """
        changes: dict[str, Any] = {}
        for key, value in parse_qsl(name.partition("?")[2]):
            if key in READERS:
                read = READERS[key]
                try:
                    changes[key] = read(value)
                except ValueError:
                    raise ValueError(f"model '{name}': {key} is no {read.__name__.replace('_', ' ')}") from None
        return replace(self, **changes)


def int_or_none(text: str) -> int | None:
    """A whole number, or nothing for `none`."""
    return None if text.lower() == "none" else int(text)


def float_or_none(text: str) -> float | None:
    """A number, or nothing for `none`."""
    return None if text.lower() == "none" else float(text)


_READER_OF: dict[object, Callable[[str], float | str | None]] = {
    int: int,
    float: float,
    str: str,
    int | None: int_or_none,
    float | None: float_or_none,
}
READERS = {name: _READER_OF[hint] for name, hint in get_type_hints(SimulatedModel).items()}
"""Setting to what reads it from text; raises ValueError for text that is none."""
