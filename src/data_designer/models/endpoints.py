"""Which of several endpoints the next request goes to."""

from dataclasses import dataclass

_FAILURES = 3
"""Failures in a row after which an endpoint is left out."""
_FIRST_REST = 5.0
_LONGEST_REST = 60.0
"""Seconds until an endpoint that was left out is probed: the first time, doubled each time, at most."""


@dataclass(slots=True, eq=False)
class _Endpoint:
    outstanding: int = 0
    failures: int = 0
    """In a row."""
    not_before: float = 0.0
    """When it may be asked again."""
    rest: float = 0.0
    """How long it was left out the last time; 0 while it is well."""
    probing: bool = False
    """Whether one request is on its way to see if it is well again."""


class Endpoints:
    """Chooses the endpoint with the fewest requests outstanding, among those that are well.

    One that fails several times in a row is left out for a while; then a single request probes it. Where none is
    well, the one that is due first is asked: whether to wait is not decided here. Pure: time is an argument, in
    seconds.
    """

    def __init__(self, number: int) -> None:
        self._all = [_Endpoint() for _ in range(number)]

    def __repr__(self) -> str:
        return f"Endpoints({self._all})"

    def choose(self, now: float) -> int:
        """The endpoint that gets the next request, which counts as outstanding until it is told how it went."""
        due = [one for one in self._all if one.not_before <= now and not one.probing]
        if due:
            chosen = min(due, key=lambda one: (one.rest == 0.0, one.outstanding))
        else:
            chosen = min(self._all, key=lambda one: (one.not_before, one.outstanding))
        chosen.probing = chosen.rest > 0.0
        chosen.outstanding += 1
        return self._all.index(chosen)

    def answered(self, number: int) -> None:
        """An endpoint did what it is there for, or refused a request for the request's own fault."""
        one = self._settled(number)
        if one.rest:
            one.not_before = 0.0
        one.failures, one.rest = 0, 0.0

    def failed(self, number: int, now: float) -> None:
        """An endpoint could not be reached, or did not do its part."""
        one = self._settled(number)
        if one.rest and now < one.not_before:
            # It was sent before the endpoint was left out, and says nothing new.
            return
        one.failures += 1
        if one.failures >= _FAILURES or one.rest:
            one.rest = min(max(_FIRST_REST, 2 * one.rest), _LONGEST_REST)
            one.not_before = now + one.rest

    def asked_to_wait(self, number: int, until: float) -> None:
        """An endpoint answered that it has no room before a time."""
        self.answered(number)
        one = self._all[number]
        one.not_before = max(one.not_before, until)

    def opens_in(self, now: float) -> float:
        """Seconds until one of them may be asked; 0 where one may be asked now."""
        return max(0.0, min(one.not_before for one in self._all) - now)

    def given_up(self, number: int) -> None:
        """A request was withdrawn before anything was known of it."""
        self._settled(number)

    def _settled(self, number: int) -> _Endpoint:
        one = self._all[number]
        one.outstanding -= 1
        one.probing = False
        return one
