"""How many CPU jobs run at once: as few processes as keep up, since each takes a second of CPU to start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from data_designer.models.admission.slots import Slots

PATIENCE = 0.5
"""Seconds for which jobs may be waiting without a pause before one more runs beside the others."""
STALL = 10.0
"""Seconds for which one that waits may see no end of those before it, which may be functions that never end."""


@dataclass(slots=True)
class CpuSlots:
    """Jobs take cpu_slots, in order of arrival.

    One runs at a time. When every job that ends leaves others waiting, for longer than `PATIENCE`, one more may run,
    up to `most`. The time that the first job takes, which includes starting a process, does not count. Neither do the
    others wait for one that does not end: who has waited for `STALL` runs beside those that run, within `most`.
    """

    most: int
    clock: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    _slots: Slots = field(default_factory=lambda: Slots(1))
    _crowded_since: float | None = None

    @property
    def running(self) -> int:
        """How many run now."""
        return self._slots.in_use

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        bell = asyncio.get_running_loop().call_later(STALL, self._allow_one_more)
        try:
            await self._slots.acquire()
        finally:
            bell.cancel()
        try:
            yield
        finally:
            self._notice()
            self._slots.release()

    def _notice(self) -> None:
        """Allow one more where jobs have been waiting for long."""
        if not self._slots.statistics().waiting:
            self._crowded_since = None
            return
        now = self.clock()
        if self._crowded_since is None:
            self._crowded_since = now
        elif now - self._crowded_since > PATIENCE:
            self._allow_one_more()
            self._crowded_since = now

    def _allow_one_more(self) -> None:
        self._slots.total = min(self._slots.total + 1, self.most)
