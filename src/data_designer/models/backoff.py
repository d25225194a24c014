"""How long to wait before a request is sent again."""

import random
from dataclasses import dataclass

_MOST_DOUBLINGS = 64
"""Beyond these a number may become too large to be one, and the longest wait is reached long before."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before another attempt: exponential, jittered, never less than the endpoint asked."""

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0

    def delay(self, attempt: int, rng: random.Random, retry_after: float | None = None) -> float:
        """Seconds to wait after failed attempt number `attempt`, from 1; after a lower one, half as long each."""
        full = min(self.longest, self.first * self.factor ** min(attempt - 1, _MOST_DOUBLINGS))
        return max(full * rng.uniform(0.5, 1.0), retry_after or 0.0)
