"""The circuit breaker: when too many of a column's recent cells failed."""

from collections import deque

_MAX_CHUNKS = 256
"""Finished cells are remembered in chunks; beyond this many, neighbours are joined."""


class ErrorRate:
    """Watches one column's failures over its last `max(window, finished / 10)` finished cells.

    Nothing is decided before `window` cells have finished. The window is kept in chunks, so its memory does
    not grow with the number of records: it is exact while it is short and within one chunk when it is long.
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
        return max(self._window, self.total // 10)

    @property
    def tripped(self) -> bool:
        """Whether the share of failures among the last `span` cells exceeds the rate."""
        return self.total >= self._window and self._failed > self._rate * max(self._finished, self._window)

    def _forget_old(self) -> None:
        while self._finished - self._chunks[0][0] >= self.span:
            finished, failed = self._chunks.popleft()
            self._finished -= finished
            self._failed -= failed
        if len(self._chunks) > _MAX_CHUNKS:
            chunks = list(self._chunks)
            pairs = zip(chunks[::2], [*chunks[1::2], (0, 0)][: len(chunks[::2])], strict=True)
            self._chunks = deque((a + c, b + d) for (a, b), (c, d) in pairs)
