"""Replicas of other aliases, as a replica on Ray sees them: actors, of which the driver tells it."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection

from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayError

from data_designer.engine.protocol.peers import PeerKey, PeerReply, PeerRequest

_FIRST_PATIENCE, _DOUBLINGS = 0.5, 4
"""Seconds for which a request waits for a slot of one replica before it looks whether another has one: a message costs
two milliseconds, so each time twice as long as before, so many times."""

Actors = dict[int, ActorHandle]
"""By the number of the replica."""


class RayPeers:
    """Asks them: one that has a free slot, else the one for which fewest requests of this process wait.

    One that is gone is asked no more; the driver tells of the one that takes its place.
    """

    def __init__(self) -> None:
        self._actors: dict[str, Actors] = {}
        self._outstanding: Counter[int] = Counter()
        """Number of a replica to the requests of this process that are there."""

    def add(self, alias: str, number: int, actor: ActorHandle) -> None:
        """A replica of an alias, in the place of an earlier one of its number."""
        self._actors.setdefault(alias, {})[number] = actor

    async def ask(self, alias: str, asked: PeerRequest, tries: int) -> PeerReply | None:
        """Have one ask that has slots, now or after a while."""
        actors = self._actors.setdefault(alias, {})
        for number in self._in_order(actors) if len(actors) > 1 else ():
            if (answer := await self._answer(actors, number, asked, 0.0)) is not None:
                return answer
        if not actors:
            return None
        patience = _FIRST_PATIENCE * 2.0 ** min(tries, _DOUBLINGS)
        return await self._answer(actors, self._in_order(actors)[0], asked, patience)

    async def withdraw(self, keys: Collection[PeerKey]) -> None:
        """Return once no replica that can be reached has any of these in flight."""
        actors = [actor for some in self._actors.values() for actor in some.values()]
        told = [asyncio.wrap_future(actor.withdraw.remote(keys).future()) for actor in actors]
        await asyncio.gather(*told, return_exceptions=True)

    def _in_order(self, actors: Actors) -> list[int]:
        """The least busy first; others that do not know of each other begin with another one."""
        return sorted(actors, key=lambda number: (self._outstanding[number], random.random()))

    async def _answer(self, actors: Actors, number: int, asked: PeerRequest, patience: float) -> PeerReply | None:
        actor = actors.get(number)
        if actor is None:
            return None
        self._outstanding[number] += 1
        try:
            answer: PeerReply | None = await asyncio.wrap_future(actor.answer.remote(asked, patience).future())
        except RayActorError:
            if actors.get(number) is actor:
                del actors[number]
            return None
        except RayError:
            return None  # It was on its way out.
        finally:
            self._outstanding[number] -= 1
        return answer
