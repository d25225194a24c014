"""Spreads what is sent over time, so that no minute holds more than it may."""

_MINUTE = 60.0
_BURST_SECONDS = 1.0


class Pace:
    """A bucket that fills steadily: at most so many units (requests or tokens) in any minute.

    What the bucket holds when it is full may go at once, so that much less than the limit flows in a minute. It
    starts empty: whoever takes the place of another process does not know what that one has sent. An amount larger
    than the bucket goes when the bucket is full, and leaves it in debt. Pure: time is an argument, in seconds.

    Args:
        per_minute: units a minute, over all processes.
    """

    def __init__(self, per_minute: float) -> None:
        self._per_minute = per_minute
        self._capacity = self._a_second = 0.0
        self._level = 0.0
        self._at: float | None = None

    def share(self, part: float, now: float) -> None:
        """From now on this process has a part, from 0 to 1, of the whole."""
        self._fill(now)
        mine = self._per_minute * part
        self._capacity = min(mine, max(1.0, mine / _MINUTE * _BURST_SECONDS))
        self._a_second = max(mine - self._capacity, mine / 2) / _MINUTE
        self._level = min(self._level, self._capacity)

    def wait(self, now: float, amount: float) -> float:
        """Seconds until so many units may go; infinite while the share is nothing."""
        self._fill(now)
        lacking = min(max(amount, 1.0), max(self._capacity, 1.0)) - self._level
        if lacking <= 1e-9:
            return 0.0
        return lacking / self._a_second if self._a_second else float("inf")

    def take(self, amount: float) -> None:
        """So many units go; a negative amount gives back what was taken too much."""
        self._level = min(self._level - amount, max(self._capacity, 1.0))

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._level = min(self._level + (now - self._at) * self._a_second, max(self._capacity, 1.0))
        self._at = now
