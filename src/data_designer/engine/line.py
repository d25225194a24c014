"""Opens the way from a replica to its alias's model: one HTTP session, one client, one set of slots."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from data_designer.models.caller import Caller, CallerOptions, CallerStatistics
from data_designer.models.chat import ChatClient
from data_designer.models.limits import Slots
from data_designer.plan.model import Plan, Pool
from data_designer.values import Request, Response


class ModelLine:
    """A caller and the slots it shares out."""

    def __init__(self, caller: Caller, slots: Slots) -> None:
        self._caller = caller
        self._slots = slots

    async def ask(self, request: Request) -> Response:
        """Get a reply, or raise a ModelError that no retry can mend."""
        return await self._caller.ask(request)

    def take_statistics(self) -> CallerStatistics:
        """What was asked since the last call."""
        return self._caller.take_statistics()

    async def resize(self, slots: int) -> None:
        """Allow so many requests in flight; returns once no more than that are."""
        self._slots.total = slots
        await self._slots.settled()


@asynccontextmanager
async def open_line(plan: Plan, pool: Pool, api_key: str | None) -> AsyncIterator[ModelLine]:
    """Open the way to an alias's model, with no slots yet."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        slots = Slots(0)
        options = CallerOptions(patience=plan.run.outage_patience, tuning=plan.run.request_admission)
        client = ChatClient(pool, api_key, session)
        yield ModelLine(Caller(client, slots, options, rng=random.Random(plan.seed)), slots)
