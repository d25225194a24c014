"""Guests: requests that a replica makes for rows which are at a replica of another alias."""

import asyncio
import math
from collections.abc import Collection
from dataclasses import dataclass

from data_designer.engine.dataset.journal import Key
from data_designer.engine.execution.recording import Keeping, Recording
from data_designer.engine.protocol.peers import PeerRequest
from data_designer.models.batching import Batching
from data_designer.models.retry import Caller
from data_designer.values import Response


@dataclass(slots=True, eq=False)
class _Guest:
    key: Key
    task: "asyncio.Task[Response] | None" = None
    was_sent: bool = False
    is_in_flight: bool = False
    is_withdrawn: bool = False

    def move(self, is_in_flight: bool) -> None:
        """It is in flight from now on, or no more."""
        self.is_in_flight = is_in_flight
        self.was_sent |= is_in_flight
        if self.is_withdrawn:
            # One that was answered is at its end by then.
            asyncio.get_running_loop().call_soon(self.end_unless_in_flight)

    def end_unless_in_flight(self) -> None:
        """Nobody wants it any more, but what was sent may be paid for."""
        if not self.is_in_flight:
            self.end()

    def end_unless_sent(self) -> None:
        """It has waited for long enough."""
        if not self.was_sent:
            self.end()

    def end(self) -> None:
        """Ask no more."""
        if self.task is not None:
            self.task.cancel()


class Guests:
    """Those of one replica.

    Args:
        caller: asks.
        recording: keeps the replies.
    """

    def __init__(self, caller: Caller | Batching, recording: Recording) -> None:
        self._caller = caller
        self._recording = recording
        self._guests: set[_Guest] = set()

    async def ask(self, asked: PeerRequest, patience: float) -> Response:
        """Get a reply, and keep it.

        Args:
            asked: what is asked.
            patience: seconds for which it may wait for a slot.

        Raises:
            CancelledError: it was sent away, though this task is not to end.
            ModelError: as `Caller.ask`.
            JournalError: the reply could not be kept.
        """
        guest = _Guest(asked.key)
        keep = Keeping(self._recording, asked.key, asked.request)
        asking = self._caller.ask(asked.request, keep, asked.column, in_flight=guest.move)
        guest.task = asyncio.create_task(asking)
        self._guests.add(guest)
        if 0 < patience < math.inf:
            asyncio.get_running_loop().call_later(patience, guest.end_unless_sent)
        try:
            return await guest.task
        finally:
            guest.end()
            self._guests.discard(guest)

    def send_away(self) -> None:
        """Whoever asks for them may have others ask."""
        for guest in self._guests:
            guest.end()

    async def withdraw(self, keys: Collection[Key]) -> None:
        """Return once none of some requests is in flight or will be: one that is goes on until it is answered or fails.

        By then others can read every reply that was given, as far as the disk allows.
        """
        withdrawn = [guest for guest in self._guests if guest.key in keys]
        for guest in withdrawn:
            guest.is_withdrawn = True
            guest.end_unless_in_flight()
        tasks = [guest.task for guest in withdrawn if guest.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await self._recording.share()
