"""The supervisor of a run's replicas: keeps them alive, listens to them, and gives them rows, slots and funds."""

import asyncio
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol

from data_designer.engine.execution.inbox import Inbox
from data_designer.engine.execution.observation import Granted, Heard, Observation
from data_designer.engine.protocol.executor import LEASE_SECONDS, Executor, ReplicaDiedError, ReplicaHandle
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.parcels import Parcel, Ref
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.budget_allocator import BudgetAllocator
from data_designer.engine.scheduling.growth import Growth
from data_designer.engine.scheduling.holds import Holds
from data_designer.engine.scheduling.slot_allocator import Incarnation
from data_designer.models.admission.budget_lease import Amount
from data_designer.models.retry import CallerStatistics

logger = logging.getLogger(__name__)

_LEASE_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.25
_LONGEST_BETWEEN_REPORTS = 10.0
"""Seconds for which what a replica said of itself counts: it says something every few seconds."""
_NODES_SECONDS = 2.0
"""Between looks at the machines that there are."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What takes part in a run from now on."""

    replicas: Mapping[int, str]
    """Replica number to alias, of those that can be started."""
    stand_ins: frozenset[int]
    """Numbers of those that give way to them."""
    held_bytes: int
    """Bytes of values of open batches that fit there."""


class Joining(Protocol):
    """What may come to take part in a run that is under way."""

    async def arrival(self) -> Arrival | None:
        """Wait for it; None where it does not come. Raises whatever keeps it away, where the run cannot do without."""
        ...

    @property
    def awaited(self) -> str:
        """What is waited for, in words; nothing where that is there, or does not come."""
        ...

    @property
    def opening(self) -> str:
        """What is being done for it to come, in words; nothing where that is not begun, or done."""
        ...


@dataclass(slots=True)
class _Live(Generic[Ref]):
    handle: ReplicaHandle[Ref]
    epoch: int
    alias: str
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False
    submitting: int = 0
    """Parcels on their way to it."""
    empty_at: float = -math.inf
    """When it said last that it holds no row; never, since it said that it does."""
    arrived: int = 0
    """Rows that it is known to have."""


@dataclass(slots=True)
class Supervisor(Generic[Ref]):
    """Knows the replicas of a run by their numbers. What becomes of them it posts as events."""

    executor: Executor[Ref]
    inbox: Inbox[Ref]
    show: Callable[[Observation], None]
    """Shows observers what a replica reports."""
    clock: Callable[[], float]
    growth: Growth
    holds: Holds
    budget_allocator: BudgetAllocator | None
    halted: bool = False
    """Whether no further request is to be sent."""
    starting: dict[int, str] = field(default_factory=dict)
    """Replica number to alias, of those that have not come up."""
    lacks: str = ""
    """What keeps work from being placed."""
    statistics: dict[str, CallerStatistics] = field(default_factory=dict)
    """Model alias to what was asked of it, and which attempts failed."""
    _live: dict[int, _Live[Ref]] = field(default_factory=dict)
    _stand_ins: frozenset[int] = frozenset()
    """Numbers of those that are not to come up again once they have left."""

    @property
    def aliases(self) -> dict[int, str]:
        """Replica number to alias, of all that live or start."""
        return {number: live.alias for number, live in self._live.items()} | self.starting

    @property
    def arrived(self) -> dict[int, int]:
        """Replica number to how many rows it is known to have."""
        return {number: live.arrived for number, live in self._live.items()}

    def empty(self, now: float) -> list[int]:
        """Those that have just said that they hold no row."""
        return [n for n, live in self._live.items() if now - live.empty_at < _LONGEST_BETWEEN_REPORTS]

    def lives(self, number: int, epoch: int) -> bool:
        """Whether an incarnation is up."""
        return self._of(number, epoch) is not None

    def _of(self, number: int, epoch: int) -> _Live[Ref] | None:
        live = self._live.get(number)
        return None if live is None or live.epoch != epoch else live

    # --- keeping them alive ------------------------------------------------------------------------------

    async def serve(self, number: int, alias: str) -> None:
        """Keep one replica alive and its reports flowing."""
        epoch = 0
        while True:
            epoch += 1
            try:
                self.starting[number] = alias
                handle = await self.executor.start_replica(number, alias, epoch)
                del self.starting[number]
                live = self._live[number] = _Live(handle, epoch, alias)
                self.inbox.post(ev.ReplicaUp(number, epoch, alias))
                await self._collect(number, live)
                self._bury(number, epoch, silent=True)
                if number in self._stand_ins:
                    return
            except ReplicaDiedError as death:
                self._bury(number, epoch, silent=death.silent)
            except Exception:
                # Nobody hears of it any more, so that nobody need wait until it says that its slots are empty.
                if number in self._live:
                    self._live[number].drained.set()
                raise

    def _bury(self, number: int, epoch: int, *, silent: bool) -> None:
        """Take a replica's rows back; its slots too, once it is sure to use them no more."""
        live = self._of(number, epoch)
        if live is None:
            return  # It was buried before, or never came up.
        del self._live[number]
        live.drained.set()
        if self.budget_allocator is not None:
            self.budget_allocator.lose((number, epoch))
        self.inbox.post(ev.ReplicaLost(number, epoch, silent))
        if not silent:
            self.inbox.spawn(self._outlast(number, live))

    async def _outlast(self, number: int, live: _Live[Ref]) -> None:
        """Wait until a replica is seen to be gone, or until the lease ends it, since nobody collects from it."""
        left = LEASE_SECONDS + _LEASE_GRACE_SECONDS
        while left > 0 and not live.handle.is_gone():
            await asyncio.sleep(_LOOK_SECONDS)
            left -= _LOOK_SECONDS
        self.inbox.post(ev.ReplicaSilent(number, live.epoch))

    async def watch_nodes(self) -> None:
        """Say which replicas live where they cannot stay, and start more where there is room and need."""
        while True:
            nodes = await self.executor.nodes()
            if nodes is not None:
                self.lacks = nodes.lacks
                for number, live in self._live.items():
                    if live.handle.node in nodes.leaving and not live.leaving:
                        live.leaving = True
                        logger.info("replica=%d leaves node=%s, which is drained", number, live.handle.node)
                        self.inbox.post(ev.ReplicaLeaving(number, live.epoch))
                for number, alias in self.growth.look(nodes.all_cpus).items():
                    logger.info("replica=%d alias=%s is added: cpus=%d", number, alias, nodes.all_cpus)
                    self.inbox.spawn(self.serve(number, alias))
            await asyncio.sleep(_NODES_SECONDS)

    async def welcome(self, joining: Joining) -> None:
        """Let take part what joins the run."""
        arrival = await joining.arrival()
        if arrival is None or self.halted:
            return
        self.growth.join(arrival.replicas)
        self._stand_ins = arrival.stand_ins
        aliases = Counter(arrival.replicas.values())
        self.inbox.post(ev.Joined(dict(aliases), arrival.stand_ins, arrival.held_bytes))
        for number, alias in arrival.replicas.items():
            self.inbox.spawn(self.serve(number, alias))

    # --- listening to them -------------------------------------------------------------------------------

    async def _collect(self, number: int, live: _Live[Ref]) -> None:
        """Take its reports in, to the last."""
        acknowledged, is_last = 0, False
        while not is_last:
            summary, ref = await live.handle.collect(acknowledged)
            acknowledged, is_last = summary.number, summary.last
            self._hear(number, live, summary)
            for part in summary.finished:
                done = ev.RowsDone(
                    number, live.epoch, part.stage, part.rows, part.tickets, part.kept, part.bytes, part.cells
                )
                self.inbox.post(done, ref)
            if summary.drained and self.halted:
                live.drained.set()
            if self.budget_allocator is not None and summary.budget_lease is not None:
                self._fund(self.budget_allocator.settle((number, live.epoch), summary.budget_lease))
            if summary.outage is not None:
                self.inbox.post(ev.Stop(f"model '{live.alias}': {summary.outage}"))

    def _hear(self, number: int, live: _Live[Ref], summary: Summary) -> None:
        """Take in what a replica says of itself."""
        now = self.clock()
        live.empty_at = now if summary.held == 0 and not live.submitting else -math.inf
        if summary.held is not None:
            live.arrived = summary.held
        self.show(Heard(number, live.alias, summary))
        hold = None if summary.last or self.halted else summary.hold
        # A row of several requests moves before it is finished, and so does what is asked for rows elsewhere.
        answered = summary.statistics is not None and summary.statistics.usage.requests > 0
        self.holds.heard(live.alias, number, hold, now, moves=bool(summary.finished) or answered)
        if summary.statistics is not None:
            known = self.statistics.get(live.alias)
            self.statistics[live.alias] = summary.statistics if known is None else known + summary.statistics
        if summary.cpu is not None:
            self.growth.hear(live.alias, summary.cpu)

    # --- giving to them ----------------------------------------------------------------------------------

    async def submit(self, number: int, epoch: int, parcel: Parcel, refs: Sequence[Ref]) -> None:
        """Give a replica rows. Raises ValuesGoneError where what they are made from is gone."""
        live = self._of(number, epoch)
        if live is None:
            return
        live.submitting += 1
        try:
            await live.handle.submit(parcel, *refs)
            live.arrived += len(parcel)
        except ReplicaDiedError as death:
            # Its collect loop may not have noticed yet; the rows must not wait for it.
            self._bury(number, epoch, silent=death.silent)
        finally:
            live.submitting -= 1

    async def regrant(self, command: ev.Regrant) -> None:
        """Set a replica's slots."""
        live = self._of(command.replica, command.epoch)
        if live is None or self.halted:
            return
        with suppress(ReplicaDiedError):
            await live.handle.grant(command.slots)
            self.show(Granted(command.replica, command.slots))
            self.inbox.post(ev.Regranted(command.replica, command.epoch, command.slots))

    async def dismiss(self, command: ev.Dismiss) -> None:
        """Let a replica leave."""
        live = self._of(command.replica, command.epoch)
        if live is not None:
            with suppress(ReplicaDiedError):
                await live.handle.leave()

    def _fund(self, grants: Sequence[tuple[Incarnation, Amount]]) -> None:
        """Share out of the budget, and end the run where nothing is left of it."""
        assert self.budget_allocator is not None
        for incarnation, amount in grants:
            live = self._of(*incarnation)
            if live is not None:
                self.inbox.spawn(_funded(live.handle, amount))
        if self.budget_allocator.exhausted and not self.halted:
            spent = f"the budget is used up: {self.budget_allocator}"
            self.inbox.post(ev.Stop(f"{spent}; give a larger RunConfig.budget (--set budget=…) to go on"))

    async def silence(self) -> None:
        """Let no replica start another request, whatever rows it holds, and wait for those that are under way."""
        await asyncio.gather(*itertools.starmap(self._silence, list(self._live.items())), return_exceptions=True)

    async def _silence(self, number: int, live: _Live[Ref]) -> None:
        with suppress(ReplicaDiedError):
            await live.handle.grant(0)
            self.show(Granted(number, 0))
            await live.drained.wait()


async def _funded(handle: ReplicaHandle[Ref], amount: Amount) -> None:
    with suppress(ReplicaDiedError):
        await handle.fund(amount)
