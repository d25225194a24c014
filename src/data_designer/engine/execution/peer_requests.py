"""What the rows of a replica have replicas of other aliases ask, to the end of which a replica that leaves waits."""

import asyncio
from itertools import count

from data_designer.engine.dataset.journal import Key
from data_designer.engine.protocol.peers import AGAIN_SECONDS, PeerReply, PeerRequest, Peers


class PeerRequests:
    """Those of one replica.

    Args:
        peers: the replicas of other aliases.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._may_begin = asyncio.Event()
        self._may_begin.set()
        self._under_way: dict[asyncio.Future[None], Key] = {}

    async def ask(self, alias: str, asked: PeerRequest) -> PeerReply:
        """Have a replica of an alias ask; waits until one has taken it to its end."""
        for tries in count():
            await self._may_begin.wait()
            answer = await self._tried(alias, asked, tries)
            if answer is not None:
                return answer
            await asyncio.sleep(AGAIN_SECONDS)
        raise AssertionError

    async def _tried(self, alias: str, asked: PeerRequest, tries: int) -> PeerReply | None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way[over] = asked.key
        try:
            return await self._peers.ask(alias, asked, tries)
        finally:
            del self._under_way[over]
            over.cancel()

    async def settle(self) -> None:
        """Begin no more, and return once no reply is on its way, and every one that came can be read by others.

        What only waits to be sent, or to be tried again, is let go. So this takes as long as an attempt at a request
        may, and two replicas that wait for each other's requests do not wait for ever.
        """
        self._may_begin.clear()
        while True:
            await self._peers.withdraw(frozenset(self._under_way.values()))
            if not self._under_way:
                return
            # A message may have overtaken another.
            await asyncio.wait(list(self._under_way), timeout=AGAIN_SECONDS)
