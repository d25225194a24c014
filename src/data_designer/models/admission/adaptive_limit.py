"""How many requests an endpoint wants in flight, learnt from its refusals."""

from data_designer.config.run_config import RequestAdmissionTuningConfig

_SHORTEST_CALM = 10
"""Once the endpoint's ceiling is known, pauses that pass before a try to rise above it, so that such tries cost a
tenth of the time at most; doubled after each that fails."""
_LONGEST_CALM = 60.0
"""Seconds until the next such try, at most."""


class AdaptiveLimit:
    """Additive increase, multiplicative decrease: follows how many requests an endpoint accepts at once.

    A burst of refusals lowers the limit once: refusals of requests that were sent before the last decrease belong
    to the same burst. Where the limit had been rising, or there was none, what was in flight and not refused is what
    the endpoint takes, so that becomes the limit; where a level that had been fine is refused, or nothing at all is
    accepted, the limit is multiplied. Pure: time is an argument, in seconds.
    """

    def __init__(self, tuning: RequestAdmissionTuningConfig | None = None) -> None:
        self._tuning = tuning or RequestAdmissionTuningConfig()
        self.limit: int | None = None
        """None while nothing was refused, or everything is accepted again."""
        self.not_before = 0.0
        """No request may be sent before this time."""
        self._decreased_at = float("-inf")
        self._streak = 0
        self._in_flight = self._refused = 0
        """When the burst began, and those of them that were refused since."""
        self._least = self._most = 1
        """What the burst may leave of the limit: where nothing is accepted, and at most."""
        self._ceiling: int | None = None
        """The lowest limit that is known to be refused."""
        self._calm = 0.0
        self._calm_until = 0.0
        """No try to rise to the ceiling before this time."""
        self.ramping = self._tuning.startup_ramp_seconds > 0
        """Whether the limit still grows from one to the granted share at the start of a run."""
        self._began: float | None = None

    def allowed(self, now: float, total: int) -> int | None:
        """How many of `total` slots may be in use; None for all of them."""
        if self.ramping:
            self._began = now if self._began is None else self._began
            risen = (now - self._began) / self._tuning.startup_ramp_seconds
            if risen < 1:
                return 1 + int((total - 1) * risen)
            self.ramping = False
        return self.limit

    def rises_in(self, now: float) -> float | None:
        """Seconds until it may rise again, if enough is accepted; None where refusals have not brought it down."""
        if self.limit is None:
            return None
        higher = self.limit + self._tuning.additive_increase_step
        calm = self._calm_until if self._ceiling is not None and higher >= self._ceiling else 0.0
        return max(0.0, self.not_before - now, calm - now)

    def rest(self, until: float) -> None:
        """The endpoint has no room before a time, and refuses nothing yet."""
        self.not_before = max(self.not_before, until)

    def refused(self, now: float, sent_at: float, in_flight: int, retry_after: float | None) -> None:
        """A request was answered with 429.

        Args:
            now: the time.
            sent_at: when it was sent.
            in_flight: requests that are, this one included.
            retry_after: seconds that the endpoint asked to be left alone.
        """
        pause = retry_after or self._tuning.cooldown_seconds
        self.not_before = max(self.not_before, now + pause)
        self._streak = 0
        self.ramping = False
        if sent_at >= self._decreased_at:
            self._begin_burst(now, in_flight, pause)
        self._refused += 1
        accepted = self._in_flight - self._refused
        self.limit = max(1, min(self._most, accepted) if accepted > 0 else self._least)
        self._ceiling = self.limit + 1

    def _begin_burst(self, now: float, in_flight: int, pause: float) -> None:
        at_most = in_flight if self.limit is None else min(self.limit, in_flight)
        rising = self.limit is None or (self._ceiling is not None and self.limit >= self._ceiling)
        self._least = int(at_most * self._tuning.multiplicative_decrease_factor)
        self._most = at_most if rising else self._least
        self._in_flight, self._refused = in_flight, 0
        self._decreased_at = now
        self._calm = min(max(_SHORTEST_CALM * pause, 2 * self._calm), max(_LONGEST_CALM, pause))
        self._calm_until = now + self._calm

    def accepted(self, total: int, now: float) -> None:
        """A request was answered outside a cooldown."""
        if self.limit is None:
            return
        self._streak += 1
        if self._streak < self._tuning.successes_until_increase:
            return
        if self._ceiling is not None and self.limit >= self._ceiling:
            # What was refused once is accepted now.
            self._ceiling, self._calm = None, 0.0
        higher = self.limit + self._tuning.additive_increase_step
        if self._ceiling is not None and higher >= self._ceiling and now < self._calm_until:
            return
        self._streak = 0
        self.limit = higher
        if self.limit >= total:
            self.limit = self._ceiling = None
