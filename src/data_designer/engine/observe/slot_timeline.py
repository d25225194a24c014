"""The timeline of a run as it grows: stretches of equal length, which double when there are too many of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from data_designer.engine.protocol.slot_time import MOST_SAMPLES, Account, Sample

Seconds = dict[str, dict[Account, float]]
"""Model alias to slot-seconds by account."""

_FIRST_LENGTH = 0.25
"""Seconds of a stretch at the start of a run."""


@dataclass(slots=True)
class _Stretch:
    cells: int = 0
    records: int = 0
    slots: Seconds = field(default_factory=dict)

    def add(self, alias: str, account: Account, seconds: float) -> None:
        of_alias = self.slots.setdefault(alias, {})
        of_alias[account] = of_alias.get(account, 0.0) + seconds

    def join(self, later: "_Stretch") -> None:
        self.cells += later.cells
        self.records += later.records
        for alias, accounts in later.slots.items():
            for account, seconds in accounts.items():
                self.add(alias, account, seconds)

    def copy(self) -> "_Stretch":
        return _Stretch(self.cells, self.records, {alias: dict(accounts) for alias, accounts in self.slots.items()})


class SlotTimeline:
    """What happened in each stretch. Times are seconds from the start of the run."""

    def __init__(self) -> None:
        self._length = _FIRST_LENGTH
        self._stretches: list[_Stretch] = []

    def add(self, alias: str, account: Account, start: float, stop: float, seconds: float) -> None:
        """Slot-seconds of some time, spread evenly over it."""
        self._reach(stop)
        first, last = int(max(start, 0.0) / self._length), int(stop / self._length)
        if first >= last:
            self._stretches[last].add(alias, account, seconds)
            return
        for place in range(first, last + 1):
            inside = min(stop, (place + 1) * self._length) - max(start, place * self._length)
            self._stretches[place].add(alias, account, seconds * inside / (stop - start))

    def count(self, at: float, *, cells: int = 0, records: int = 0) -> None:
        """Cells that finished, and records that were committed, at a time."""
        self._reach(at)
        stretch = self._stretches[int(at / self._length)]
        stretch.cells += cells
        stretch.records += records

    def _reach(self, at: float) -> None:
        """Have a stretch for a time."""
        while at / self._length >= MOST_SAMPLES:
            self._length *= 2
            for one, later in zip(self._stretches[::2], self._stretches[1::2], strict=False):
                one.join(later)
            self._stretches = self._stretches[::2]
        while len(self._stretches) <= at / self._length:
            self._stretches.append(_Stretch())

    def copy(self) -> "SlotTimeline":
        """One that may be added to."""
        made = SlotTimeline()
        made._length, made._stretches = self._length, [one.copy() for one in self._stretches]
        return made

    def samples(self, end: float) -> Iterator[Sample]:
        """All stretches, the last of which goes to an end."""
        for place, one in enumerate(self._stretches):
            at = place * self._length
            if at < end:
                yield Sample(at, min(self._length, end - at), one.cells, one.records, one.slots)
