"""The circuit breaker: when too many of a column's recent cells failed."""

import math
from collections import deque

_WINDOWS = 10
_DEVIATIONS = 2.0
_MAX_CHUNKS = 256
"""Finished cells are remembered in chunks; beyond this many, neighbours are joined."""


class ErrorRate:
    """Watches one column's failures over its last `max(10 * window, finished / 10)` finished cells.

    Nothing is decided before `window` cells have finished. The failures must exceed the rate by more than chance
    explains (two standard deviations of the binomial): ten cells say little about a rate, and without the margin a
    column that fails 30 % of its cells at random would almost surely trip a rate of 50 % within a thousand cells.
    The cells are kept in chunks, so memory does not grow with the number of records; the span is exact while it is
    short and within one chunk when it is long.
    """

    def __init__(self, rate: float, window: int) -> None:
        self._rate = rate
        self._window = window
        self._chunks: deque[tuple[int, int]] = deque()
        self._finished = self._failed = 0
        self.total = 0
        self.total_failed = 0

    def record(self, finished: int, failed: int) -> bool:
        """Add cells that finished, `failed` of them in failure; True when the rate is now too high."""
        self.total += finished
        self.total_failed += failed
        self._chunks.append((finished, failed))
        self._finished += finished
        self._failed += failed
        self._forget_old()
        return self.tripped

    @property
    def span(self) -> int:
        """How many of the last cells count."""
        return max(_WINDOWS * self._window, self.total // 10)

    @property
    def tripped(self) -> bool:
        """Whether more of the last `span` cells failed than the rate and chance together explain."""
        expected = self._rate * self._finished
        margin = _DEVIATIONS * math.sqrt(expected * (1 - self._rate))
        return self.total >= self._window and self._failed > expected + margin

    def _forget_old(self) -> None:
        while self._finished - self._chunks[0][0] >= self.span:
            finished, failed = self._chunks.popleft()
            self._finished -= finished
            self._failed -= failed
        if len(self._chunks) > _MAX_CHUNKS:
            chunks = list(self._chunks)
            pairs = zip(chunks[::2], [*chunks[1::2], (0, 0)][: len(chunks[::2])], strict=True)
            self._chunks = deque((a + c, b + d) for (a, b), (c, d) in pairs)
