"""Replicas of other aliases, as a replica on Ray sees them: actors, of which the driver tells it."""

import asyncio
import itertools

from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayError

from data_designer.engine.protocol.asked import AGAIN_SECONDS, Answer, Asked


class RayPeers:
    """Asks them in turn. One that is gone is asked no more; the driver tells of the one that takes its place."""

    def __init__(self) -> None:
        self._actors: dict[str, dict[int, ActorHandle]] = {}
        self._turns = itertools.count()

    def add(self, alias: str, number: int, actor: ActorHandle) -> None:
        """A replica of an alias, in the place of an earlier one of its number."""
        self._actors.setdefault(alias, {})[number] = actor

    async def ask(self, alias: str, asked: Asked) -> Answer:
        """Have one ask that has slots, once there is one."""
        while True:
            known = list(self._actors.get(alias, {}).items())
            first = next(self._turns) % max(1, len(known))
            for number, actor in known[first:] + known[:first]:
                if (answer := await self._answer(alias, number, actor, asked)) is not None:
                    return answer
            await asyncio.sleep(AGAIN_SECONDS)

    async def _answer(self, alias: str, number: int, actor: ActorHandle, asked: Asked) -> Answer | None:
        try:
            answer: Answer | None = await asyncio.wrap_future(actor.answer.remote(asked).future())
        except RayActorError:
            if self._actors[alias].get(number) is actor:
                del self._actors[alias][number]
            return None
        except RayError:
            return None  # It was on its way out.
        return answer
