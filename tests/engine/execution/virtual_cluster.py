"""A cluster in virtual time, in one process: replicas far from their driver, and the server that all of them ask."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fault_injection.files import FaultyFiles
from tests.plans import metadata_of

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution.assembly import OpenExecutor, Run, execute
from data_designer.engine.execution.budget import budget_allocator_of
from data_designer.engine.execution.driver import RunReport
from data_designer.engine.execution.in_process import InProcessExecutor
from data_designer.engine.execution.observation import Observer
from data_designer.engine.execution.recording import Dataset, Recording, replica_name
from data_designer.engine.execution.replica import Replica, linger_of
from data_designer.engine.observe.slot_accounts import SlotAccounts
from data_designer.engine.protocol.executor import LEASE_SECONDS, ReplicaDiedError
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.scheduling.shape import replica_numbers
from data_designer.errors import ModelError, ModelInternalServerError, ModelRateLimitError
from data_designer.models.admission.budget_lease import Amount
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan
from data_designer.values import ChatResponse, Request, Response, Usage

MINUTE = 60.0
_BATCH = 20
_CPUS = 16
_WAY = 0.003
"""Seconds that a word takes from the driver to a replica, or back."""
_LATER = 0.7
"""Seconds by which each replica comes up later than the one before."""


# --- the server --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """One request, as the server sees it."""

    model: str
    by: str
    """The incarnation of a replica."""
    at: float
    tokens: int = 0
    """In and out, where it was answered."""
    error: str | None = None


@dataclass
class Server:
    """Serves several models: takes its time for each reply, and writes down whoever asks."""

    latency: float = 0.4
    """Seconds to a reply on average; one may take half as long, or half as long again."""
    error_rate: float = 0.0
    per_minute: float = float("inf")
    """Requests that it takes in a minute; it refuses what comes beyond."""
    breaks: Callable[[str], bool] = lambda _: False
    """Whether a prompt is one that it cannot bear."""
    down_after: float = float("inf")
    """When it begins to answer nothing any more."""
    up_after: float = float("inf")
    """When it answers again."""
    asked: list[Asked] = field(default_factory=list)
    in_flight: Counter[str] = field(default_factory=Counter)
    peak: Counter[str] = field(default_factory=Counter)
    """Model to the most requests to it that were in flight at a time."""
    peak_of_all: int = 0
    busy: float = 0.0
    """Seconds of all requests together that were in flight."""
    _rng: random.Random = field(default_factory=lambda: random.Random(7))

    async def answer(self, model: str, by: str, request: Request) -> Response:
        """Answer, or fail."""
        now = asyncio.get_running_loop().time()
        asked = Asked(model, by, now)
        self.asked.append(asked)
        self.in_flight[model] += 1
        self.peak[model] = max(self.peak[model], self.in_flight[model])
        self.peak_of_all = max(self.peak_of_all, self.in_flight.total())
        try:
            if sum(one.at > now - MINUTE for one in self.asked) > self.per_minute:
                raise ModelRateLimitError("too many a minute", 1.0, 429)
            await asyncio.sleep(self.latency * self._rng.uniform(0.5, 1.5))
            prompt: str = request.messages[-1]["content"][0]["text"]
            is_down = self.down_after <= now < self.up_after
            if is_down or self._rng.random() < self.error_rate or self.breaks(prompt):
                raise ModelInternalServerError("out of order")
        except ModelError as error:
            asked.error = str(error)
            raise
        finally:
            self.in_flight[model] -= 1
            self.busy += asyncio.get_running_loop().time() - now
        usage = Usage(requests=1, input_tokens=len(prompt) // 3, output_tokens=self._rng.randint(20, 60))
        asked.tokens = usage.input_tokens + usage.output_tokens
        return ChatResponse(f"reply {len(self.asked)}", usage=usage)

    def of(self, model: str) -> list[Asked]:
        """What was asked of one model, in order."""
        return [one for one in self.asked if one.model == model]


def busiest(sent: Iterable[tuple[float, int]], seconds: float = MINUTE) -> int:
    """The most that any window of so many seconds holds, of what came at a time; in order."""
    window: deque[tuple[float, int]] = deque()
    most = held = 0
    for at, amount in sent:
        window.append((at, amount))
        held += amount
        while window[0][0] <= at - seconds:
            held -= window.popleft()[1]
        most = max(most, held)
    return most


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of one replica to its model: what stands at the seam."""

    server: Server
    model: str
    by: str

    async def ask(self, request: Request) -> Response:
        """Ask the server."""
        return await self.server.answer(self.model, self.by, request)


# --- the cluster -------------------------------------------------------------------------------------------------


class FarReplica(Replica):
    """A replica to which every word takes some time, and perhaps none gets through any more."""

    lost = False

    async def grant(self, slots: int) -> None:
        """Set its slots."""
        await self._travel()
        await super().grant(slots)
        await self._travel()

    async def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        await self._travel()
        await super().fund(amount)
        await self._travel()

    async def submit(self, parcel: Parcel, *values: Values) -> None:
        """Give it rows."""
        await self._travel()
        await super().submit(parcel, *values)
        await self._travel()

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:
        """Wait for finished rows."""
        await self._travel()
        report = await super().collect(acknowledged)
        await self._travel()
        return report

    def lose(self) -> None:
        """From now on nobody reaches it; it goes on."""
        self.lost = True

    async def _travel(self) -> None:
        await asyncio.sleep(_WAY)
        if self.lost:
            raise ReplicaDiedError("no route to host", silent=False)


class Cluster(InProcessExecutor):
    """An executor whose replicas come up one after the other, and of which some get lost."""

    def __init__(self, run: Run, server: Server, lost_after: float | None) -> None:
        super().__init__(run)
        self._server = server
        self._lost_after = lost_after
        self._up = 0

    async def start_replica(self, number: int, alias: str, epoch: int) -> FarReplica:
        """Start one; the very first gets lost, if any does."""
        await asyncio.sleep(_LATER * (number + 1))
        plan, name = self._run.plan, replica_name(number, epoch)
        way = _Way(self._server, plan.pools[alias].model.model, name)
        recording = Recording(self._run.dataset, plan.geometry, name)
        far = FarReplica(plan, alias, way, recording, linger_of(number + 1), LEASE_SECONDS)
        self._exits.push_async_callback(far.close)
        if self._lost_after is not None and not self._up:
            asyncio.get_running_loop().call_later(self._lost_after, far.lose)
        self._up += 1
        return far

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[OpenExecutor[Values]]:
        """Open it, and close it at the end."""
        async with self:
            yield OpenExecutor(self, replica_numbers(self._run.plan, _CPUS), held_bytes=1 << 62)


@dataclass
class Site:
    """A dataset, and the cluster that makes it."""

    server: Server = field(default_factory=Server)
    replicas: int | None = None
    """Of each alias; None for as many as the product would start."""
    lost_after: float | None = None
    """Seconds after which the first replica cannot be reached any more."""
    store: Store = field(default_factory=lambda: Store(Path("d"), FaultyFiles(random.Random(0))))
    accounts: SlotAccounts | None = None
    """Of the latest run."""
    observers: Callable[[Plan], Sequence[Observer]] = lambda _: ()
    """Who is shown what happens, given the plan."""

    @property
    def generated(self) -> int:
        """Records that there are."""
        return sum(receipt.generated for receipt in self.store.receipts())

    async def make(
        self, declared: dd.DataDesignerConfigBuilder, records: int, *providers: dd.ModelProvider, **run: Any
    ) -> RunReport:
        """Make a dataset, or go on with it."""
        given = dd.RunConfig(buffer_size=_BATCH, replicas_per_model=self.replicas, **run)
        known = {provider.name: provider for provider in providers}
        plan = compile_plan(declared.build(), known, given, Geometry(records, _BATCH), seed=1, kinds=KINDS)
        lock = self.store.take()
        resume_point = self.store.resume_point(plan.geometry)
        budget_allocator = budget_allocator_of(plan, self.store, resume_point)
        dataset, drivers = Dataset(self.store.files, lock.number), []
        self.accounts = SlotAccounts(plan, asyncio.get_running_loop().time)
        observers = [self.accounts, *self.observers(plan)]
        run = Run(plan, dataset, self.store.publish, {}, None, observers, budget_allocator, resume_point)
        report = await execute(run, Cluster(run, self.server, self.lost_after).opened(), drivers.append)
        drivers[0].scheduler.check_invariants()
        self.store.write_metadata(metadata_of(lock.number))
        lock.release()
        return report
