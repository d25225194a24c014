"""What keeps the models of a run back: said while it lasts, and when it is over."""

from dataclasses import dataclass, field

from data_designer.models.admission.request_admission import Hold

_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 60.0
"""Seconds until more is said of the same alias: at first, doubled each time, at most; after as long a calm, anew."""
_STALE = 10.0
"""Seconds for which what a replica said counts: it says something every few seconds."""


@dataclass(frozen=True, slots=True)
class Word:
    """Something to say."""

    text: str
    is_trouble: bool = False


@dataclass(frozen=True, slots=True)
class Lasting:
    """What keeps an alias back, and for how long it has."""

    hold: Hold
    seconds: float
    until: float
    """Seconds from now until requests may go again, where that is known; else 0."""


@dataclass(frozen=True, slots=True)
class _Heard:
    hold: Hold
    since: float
    at: float


@dataclass(slots=True)
class _Alias:
    heard: dict[int, _Heard] = field(default_factory=dict)
    """Replica to what keeps it back."""
    moved_at: float = float("-inf")
    """When any of them reported rows."""
    said_since: float | None = None
    """Since when the trouble lasts of which something was said."""
    not_before: float = float("-inf")
    """When more may be said."""
    pause: float = _FIRST_PAUSE

    def lasts(self, heard: _Heard, now: float) -> float:
        """Seconds; what is no trouble has an end whenever anything moves."""
        return now - (heard.since if heard.hold.is_trouble else max(heard.since, self.moved_at))


class Holds:
    """Listens to replicas. Pure: time is an argument, in seconds."""

    def __init__(self) -> None:
        self._aliases: dict[str, _Alias] = {}

    def heard(self, alias: str, replica: int, hold: Hold | None, now: float, *, moves: bool = False) -> None:
        """A replica says what keeps it back, and perhaps that it finished something all the same."""
        known = self._aliases.setdefault(alias, _Alias())
        if moves:
            known.moved_at = now
        before = known.heard.pop(replica, None)
        if hold is not None:
            since = now - hold.lasted
            if before is not None and hold.is_trouble == before.hold.is_trouble:
                since = min(since, before.since)
            known.heard[replica] = _Heard(hold, since, now)

    def lasting(self, now: float) -> dict[str, Lasting]:
        """Model alias to what keeps it back at this moment, whether that is worth a word or not."""
        found = {alias: _lasting(known, now) for alias, known in self._aliases.items()}
        return {alias: one for alias, one in found.items() if one is not None}

    def look(self, now: float) -> list[Word]:
        """What is to be said at this moment."""
        return [word for alias, known in self._aliases.items() if (word := _word(alias, known, now)) is not None]


def _word(alias: str, known: _Alias, now: float) -> Word | None:
    if not known.heard:
        return _over(alias, known, now)
    first = _lasting(known, now)
    if first is None:
        known.said_since = None  # Whoever said it is gone.
        return None
    if first.seconds < first.hold.worth_saying_after or now < known.not_before:
        return None
    known.said_since = now - first.seconds if first.hold.is_trouble else None
    known.not_before, known.pause = now + known.pause, min(2 * known.pause, _LONGEST_PAUSE)
    return Word(f"waiting for model '{alias}' for {first.seconds:.0f} s: {first.hold.text}", first.hold.is_trouble)


def _lasting(known: _Alias, now: float) -> Lasting | None:
    """What keeps most back of what its replicas say."""
    known.heard = {replica: heard for replica, heard in known.heard.items() if heard.at >= now - _STALE}
    if not known.heard:
        return None
    first = max(known.heard.values(), key=lambda heard: (heard.hold.is_trouble, known.lasts(heard, now)))
    return Lasting(first.hold, known.lasts(first, now), max(0.0, first.at + first.hold.until - now))


def _over(alias: str, known: _Alias, now: float) -> Word | None:
    if known.said_since is None:
        if now > known.not_before + _LONGEST_PAUSE:
            known.pause = _FIRST_PAUSE
        return None
    since, known.said_since = known.said_since, None
    return Word(f"model '{alias}' goes on after {now - since:.0f} s")
