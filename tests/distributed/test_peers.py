"""Replicas of other aliases as a replica on Ray asks them, with actors that are none."""

import asyncio
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ray.exceptions import RayActorError

from data_designer.distributed.peers import RayPeers
from data_designer.engine.protocol.peers import PeerKey, PeerReply, PeerRequest
from data_designer.values import ChatRequest

REQUEST = PeerRequest(("f", 0, 0), "x", ChatRequest([]))


@dataclass
class Answer:
    """What an actor's method has given, as Ray has it."""

    given: "Future[Any]" = field(default_factory=Future)

    def future(self) -> "Future[Any]":
        """What comes of it."""
        return self.given


@dataclass
class Actor:
    """A replica that answers when the test lets it, or is gone."""

    is_gone: bool = False
    patience: list[float] = field(default_factory=list)
    withdrawn: list[Collection[PeerKey]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def answer(self) -> "_Method":
        """Ray's handle of the method."""
        return _Method(self, "answer")

    @property
    def withdraw(self) -> "_Method":
        """Ray's handle of the method."""
        return _Method(self, "withdraw")


@dataclass
class _Method:
    actor: Actor
    name: str

    def remote(self, first: Any, patience: float = 0.0) -> Answer:
        """Send a message."""
        made = Answer()
        if self.actor.is_gone:
            made.given.set_exception(RayActorError())
        elif self.name == "withdraw":
            self.actor.withdrawn.append(first)
            self.actor.answers.append(made)
        else:
            self.actor.patience.append(patience)
            made.given.set_result(PeerReply() if patience else None)
        return made


def peers(**actors: Actor) -> RayPeers:
    """Peers that know an actor of each alias."""
    found = RayPeers()
    for number, (alias, actor) in enumerate(actors.items()):
        found.add(alias, number, actor)  # type: ignore[arg-type]
    return found


def test_what_is_withdrawn_is_withdrawn_everywhere_and_waited_for() -> None:
    """Whoever is gone has nothing in flight."""

    async def scenario() -> None:
        one, other, gone = Actor(), Actor(), Actor(is_gone=True)
        withdrawing = asyncio.create_task(peers(a=one, b=other, c=gone).withdraw({REQUEST.key}))
        await asyncio.sleep(0.01)
        assert one.withdrawn == other.withdrawn == [{REQUEST.key}]
        one.answers[0].given.set_result(None)
        await asyncio.sleep(0.01)
        assert not withdrawing.done()
        other.answers[0].given.set_result(None)
        await withdrawing

    asyncio.run(scenario())


def test_a_request_waits_longer_for_a_slot_each_time() -> None:
    """A message costs something; nobody is asked where there is nobody."""

    async def scenario() -> None:
        actor = Actor()
        known = peers(a=actor)
        for tries in (*range(6), 100_000):
            assert await known.ask("a", REQUEST, tries) == PeerReply()
        assert actor.patience == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
        assert await known.ask("b", REQUEST, 0) is None
        actor.is_gone = True
        assert await known.ask("a", REQUEST, 0) is None
        actor.is_gone = False
        assert await known.ask("a", REQUEST, 0) is None

    asyncio.run(scenario())
