"""Where events of a run arrive, and the work that they come of."""

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Generic

from data_designer.engine.protocol.parcels import Ref
from data_designer.engine.scheduling import events as ev


@dataclass(slots=True)
class Inbox(Generic[Ref]):
    """Events that the scheduler has not been told of, in order, and the tasks that will post further ones."""

    failure: BaseException | None = None
    """What broke first outside a row."""
    _events: asyncio.Queue[tuple[ev.Event, Ref | None]] = field(default_factory=asyncio.Queue)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def post(self, event: ev.Event, values: Ref | None = None) -> None:
        """Put an event in, with what holds the values that it reports, where it reports any."""
        self._events.put_nowait((event, values))

    async def next(self) -> tuple[ev.Event, Ref | None]:
        """Take the next one out, as soon as there is one."""
        return await self._events.get()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin some work. Whatever breaks in it stops the run, and is raised once what is complete is committed."""
        task: asyncio.Task[None] = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never comes to await its work.
        task.add_done_callback(lambda _: work.close())
        return task

    async def close(self) -> None:
        """Cancel what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the one place where the unexpected becomes a stop
            self.failure = self.failure or error
            self.post(ev.Stop(f"{type(error).__name__}: {error}"))
