"""What the slots of one process do, added up at each change: each slot-second in exactly one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotTime:
    """Slot-seconds of one process over some time. All but `granted` are parts of that."""

    granted: float = 0.0
    """Of the slots that it had."""
    asking: float = 0.0
    """In use."""
    moving: float = 0.0
    """Idle, since they were to be given back, and others were not free yet."""
    down: float = 0.0
    """Idle, while requests waited since nothing is answered."""
    held: float = 0.0
    """Idle, while requests waited for something else than a slot."""
    preparing: float = 0.0
    """Idle, while rows were there that were rendered, parsed or written down."""

    @property
    def starved(self) -> float:
        """Idle, with no row to use them."""
        used = self.asking + self.moving + self.down + self.held + self.preparing
        return max(0.0, self.granted - used)


class SlotLedger:
    """Adds up slot-seconds until they are taken. Pure: time is an argument, in seconds."""

    __slots__ = ("_asking", "_down", "_granted", "_held", "_moving", "_preparing")

    def __init__(self) -> None:
        self._granted = self._asking = self._moving = 0.0
        self._down = self._held = self._preparing = 0.0

    def pass_time(self, seconds: float, granted: int, usable: int, in_use: int) -> int:
        """Some time has passed without a change. Gives how many slots were idle in it, for `idled`.

        Args:
            seconds: the time.
            granted: slots that nobody else had.
            usable: those of them that were to be used.
            in_use: those that were.
        """
        self._granted += granted * seconds
        if in_use >= granted:
            self._asking += granted * seconds
            return 0
        self._asking += in_use * seconds
        if in_use >= usable:
            self._moving += (granted - in_use) * seconds
            return 0
        self._moving += (granted - usable) * seconds
        return usable - in_use

    def idled(self, seconds: float, idle: int, waiting: int, down: int, rows: int) -> None:
        """What the idle ones waited for in that time, as far as it was there: one slot for each request or row.

        Args:
            seconds: the time.
            idle: slots.
            waiting: requests that were not in flight.
            down: those of them that waited since the endpoint answers nothing.
            rows: those that were there and asked nothing.
        """
        if waiting > 0:
            waiting = min(idle, waiting)
            down = min(waiting, down)
            self._down += down * seconds
            self._held += (waiting - down) * seconds
            idle -= waiting
        if rows > 0:
            self._preparing += min(idle, rows) * seconds

    def take(self) -> SlotTime:
        """What was added up since the last call."""
        taken = SlotTime(self._granted, self._asking, self._moving, self._down, self._held, self._preparing)
        self._granted = self._asking = self._moving = 0.0
        self._down = self._held = self._preparing = 0.0
        return taken
