"""Spreads what is sent over time, so that no minute holds more than it may."""

from collections import deque
from dataclasses import dataclass

_MINUTE = 60.0
_BURST_SECONDS = 1.0
_MOMENT = 1e-6
"""Seconds by which a wait is longer than it must be, so that no rounding makes it end too early."""


@dataclass(slots=True, eq=False)
class Sent:
    """So much went at a time."""

    at: float
    amount: float


class TokenBucket:
    """A bucket that fills steadily: at most so many units (requests or tokens) in any minute.

    What the bucket holds when it is full may go at once, so that much less than the limit flows in a minute. It
    starts empty: whoever takes the place of another process does not know what that one has sent. An amount larger
    than the bucket goes when the bucket is full and the last minute has room for all of it, and leaves a debt; one
    that is larger than a whole minute's has a minute for itself. Pure: time is an argument, in seconds.

    Args:
        per_minute: units a minute, over all processes.
    """

    def __init__(self, per_minute: float) -> None:
        self._per_minute = per_minute
        self._mine = self._capacity = self._a_second = 0.0
        self._level = 0.0
        self._minute: deque[Sent] = deque()
        """What went in the last one."""
        self._held = 0.0
        """The sum of it."""
        self._at: float | None = None

    def share(self, part: float, now: float) -> None:
        """From now on this process has a part, from 0 to 1, of the whole."""
        self._fill(now)
        self._mine = mine = self._per_minute * part
        self._capacity = min(mine, max(1.0, mine / _MINUTE * _BURST_SECONDS))
        self._a_second = max(mine - self._capacity, mine / 2) / _MINUTE
        self._level = min(self._level, max(self._capacity, 1.0) if part else 0.0)

    def wait(self, now: float, amount: float) -> float:
        """Seconds until so many units may go; infinite while the share is nothing."""
        self._fill(now)
        lacking = min(max(amount, 1.0), max(self._capacity, 1.0)) - self._level
        if lacking <= 1e-9:
            return self._crowded(now, amount)
        return max(lacking / self._a_second, self._crowded(now, amount)) if self._a_second else float("inf")

    def take(self, amount: float) -> Sent:
        """So many units go, at the time of the last `wait`."""
        sent = Sent(self._at or 0.0, amount)
        self._minute.append(sent)
        self._held += amount
        self._level -= amount
        return sent

    def correct(self, sent: Sent, amount: float) -> None:
        """It was so many that went, and not as many as were taken.

        A whole minute's at most: whatever an endpoint says that it was, nothing waits for longer than that takes.
        """
        amount = min(amount, max(sent.amount, self._mine))
        more = amount - sent.amount
        if self._minute and sent.at >= self._minute[0].at:
            self._held += more
        sent.amount = amount
        self._level = min(self._level - more, max(self._capacity, 1.0))

    def _crowded(self, now: float, amount: float) -> float:
        """Seconds until the last minute has room for so much; the bucket alone sees to it that it has for little."""
        over = self._held + amount - max(self._mine, amount)
        if over <= 1e-6:
            return 0.0
        for sent in self._minute:
            over -= sent.amount
            if over <= 1e-6:
                return max(0.0, sent.at + _MINUTE - now) + _MOMENT
        return 0.0

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._level = min(self._level + (now - self._at) * self._a_second, max(self._capacity, 1.0))
        self._at = now
        while self._minute and self._minute[0].at <= now - _MINUTE:
            self._held -= self._minute.popleft().amount
        if not self._minute:
            self._held = 0.0
