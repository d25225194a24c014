"""What the simulated model counts: its requests, how they went, and how many came within a minute."""

import math
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from data_designer.simulated_model.settings import SimulatedModel

Counted = Literal[
    "errors",
    "malformed",
    "resets",
    "rate_limited",
    "hangs",
    "outages",
    "unauthorized",
    "truncated",
    "refusals",
    "empty",
]
"""What may become of a request besides a good reply."""


class Window:
    """A sum over the last so many seconds, and the largest it ever was."""

    __slots__ = ("_entries", "_seconds", "_used", "peak")

    def __init__(self, seconds: float) -> None:
        self.peak = 0
        self._seconds = seconds
        self._entries: deque[tuple[float, int]] = deque()
        self._used = 0

    def add(self, now: float, amount: int) -> None:
        """Add to the sum."""
        self._entries.append((now, amount))
        self._used += amount
        if self._entries[0][0] <= now - self._seconds:
            self._forget(now)
        self.peak = max(self.peak, self._used)

    def used(self, now: float) -> int:
        """The sum."""
        self._forget(now)
        return self._used

    def opens_in(self, now: float, allowed: int) -> float:
        """Seconds until there is more room than now; with none left, until there is some."""
        left = self.used(now)
        enough = min(allowed, left)
        for at, amount in self._entries:
            left -= amount
            if left < enough:
                return at + self._seconds - now
        return 0.0

    def _forget(self, now: float) -> None:
        entries = self._entries
        over = now - self._seconds
        while entries and entries[0][0] <= over:
            self._used -= entries.popleft()[1]


@dataclass(slots=True)
class Counts:
    """The counts of one model name, or of all."""

    arrived: Window
    admitted: Window
    """Requests that were not refused for want of room, where that is limited."""
    tokens: Window
    """Of answered requests."""
    requests: int = 0
    ok: int = 0
    others: Counter[Counted] = field(default_factory=Counter)
    """What became of requests besides good replies."""
    in_flight: int = 0
    peak_in_flight: int = 0
    first_at: float | None = None
    last_at: float = 0.0
    area: float = 0.0
    """Integral of the requests in flight over time."""
    changed_at: float = 0.0
    lateness: float = 0.0
    """Seconds by which replies left later than their latency says: how busy the server itself was."""

    @classmethod
    def within(cls, seconds: float) -> "Counts":
        """None yet; windows are so long."""
        return cls(Window(seconds), Window(seconds), Window(seconds))

    def change(self, now: float, by: int) -> None:
        """A request came (+1) or went (-1)."""
        if self.first_at is None:
            self.first_at = self.changed_at = now
        self.area += self.in_flight * (now - self.changed_at)
        self.changed_at = self.last_at = now
        self.in_flight += by
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def to_dict(self) -> dict[str, float | None]:
        """JSON form, with the mean number in flight between the first request and the last reply."""
        span = self.last_at - (self.first_at or 0.0)
        return {
            "requests": self.requests,
            "ok": self.ok,
            **{what: self.others[what] for what in get_args(Counted)},
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "area": self.area,
            "changed_at": self.changed_at,
            "lateness": self.lateness,
            "mean_in_flight": self.area / span if span > 0 else 0.0,
            "mean_lateness": self.lateness / self.ok if self.ok else 0.0,
            "span": span,
            "peak_requests_in_window": self.arrived.peak,
            "peak_tokens_in_window": self.tokens.peak,
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """Where a request is counted: with those of its model name, and with all."""

    own: Counts
    total: Counts

    def arrive(self, now: float) -> None:
        """A request came."""
        for counts in (self.own, self.total):
            counts.requests += 1
            counts.arrived.add(now, 1)
            counts.change(now, 1)

    def leave(self, now: float) -> None:
        """A request went, answered or not."""
        self.own.change(now, -1)
        self.total.change(now, -1)

    def count(self, what: Counted) -> None:
        """This became of a request."""
        for counts in (self.own, self.total):
            counts.others[what] += 1

    def answered(self, now: float, tokens: int, lateness: float) -> None:
        """A request got a reply."""
        for counts in (self.own, self.total):
            counts.ok += 1
            counts.lateness += lateness
            counts.tokens.add(now, tokens)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of something a model still answers."""

    kind: Literal["requests", "tokens"]
    limit: int
    """In a whole window."""
    remaining: int
    opens_in: float
    """Seconds until more remains."""


def allowances(model: SimulatedModel, counts: Counts, now: float) -> Iterator[Allowance]:
    """What a model's limits leave, one for each that it has."""
    if model.requests_per_minute is not None:
        yield _allowance("requests", _share(model, model.requests_per_minute), counts.admitted, now)
    if model.tokens_per_minute is not None:
        yield _allowance("tokens", _share(model, model.tokens_per_minute), counts.tokens, now)


def _share(model: SimulatedModel, per_minute: int) -> int:
    return max(1, int(per_minute * model.rate_window / 60))


def _allowance(kind: Literal["requests", "tokens"], limit: int, window: Window, now: float) -> Allowance:
    remaining = max(0, limit - window.used(now))
    # Rounded up, so that whoever comes back then does find room.
    return Allowance(kind, limit, remaining, math.ceil(window.opens_in(now, limit) * 1000) / 1000)
