"""Accounts of slot time: a fold over what happens, which puts each slot-second of each alias into one account.

Replicas say what their slots did; of those that had no row to use them, what the rows were waiting for is looked up in
what the scheduler saw several times in that time. Slots that no replica had are accounted for here.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from data_designer.engine.execution.observation import Computed, Granted, Heard, Idle, Observation
from data_designer.engine.observe.slot_timeline import Seconds, SlotTimeline
from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.rows import CellCount
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, ColumnAccounts, RunAccounts
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.demand import Demand
from data_designer.errors import ModelRateLimitError
from data_designer.models.admission.slot_ledger import SlotTime
from data_designer.models.admission.slots import SlotStatistics
from data_designer.models.retry import Answers
from data_designer.plan.model import Plan, Stage

_ACCOUNTED_EVERY = 0.25
"""Seconds. What replicas report meanwhile is only kept."""
_LOOKS_KEPT = 64
"""At what idle slots wait for: those of more time than passes between two reports of a replica."""
_ANSWERS_KEPT = 4096
"""Of a column, until they are taken into its distributions, which costs less for many at once."""


@dataclass(slots=True)
class _Replica:
    """A live incarnation."""

    alias: str
    accounted: float
    """Up to when its slots are accounted for; times are seconds from the start of the run."""
    heard: float
    """When it reported last."""
    granted: int = 0
    """Slots that it has acknowledged."""
    had: float = 0.0
    """Slot-seconds that it had since `accounted`, up to `counted`."""
    counted: float = 0.0
    load: SlotStatistics | None = None
    reports: list[SlotTime] = field(default_factory=list)
    """Those that are not accounted for."""
    starved: float = 0.0
    """Slots that had no row to use them, in the time that was accounted for last."""

    def count(self, now: float) -> float:
        """The slot-seconds that it had since `accounted`, up to now."""
        self.had += self.granted * max(0.0, now - self.counted)
        self.counted = now
        return self.had


@dataclass(slots=True)
class _Alias:
    model: str
    slots: int
    sharing: tuple[int, tuple[str, ...]]
    """Requests that its server takes, and the aliases that share them."""
    seconds: dict[Account, float] = field(default_factory=dict)
    looks: deque[tuple[float, Demand]] = field(default_factory=lambda: deque(maxlen=_LOOKS_KEPT))
    """At times, what idle slots have waited for since the time before."""
    ungranted: float = 0.0
    """Slots that others had of the shared server, when that was accounted for last."""
    requests: int = 0
    failed_requests: int = 0
    refused: int = 0
    lowest_limit: int | None = None


@dataclass(slots=True)
class _Column:
    alias: str | None
    cells: int = 0
    failed: int = 0
    answers: list[tuple[float, int, int]] = field(default_factory=list)
    """That are not in the distributions yet."""
    latency: Distribution = field(default_factory=Distribution)
    input_tokens: Distribution = field(default_factory=Distribution)
    output_tokens: Distribution = field(default_factory=Distribution)

    def sort_in(self) -> None:
        """Take the answers into the distributions."""
        if self.answers:
            seconds, tokens_in, tokens_out = np.array(self.answers, dtype=np.float64).T
            self.latency.extend(seconds)
            self.input_tokens.extend(tokens_in)
            self.output_tokens.extend(tokens_out)
            self.answers.clear()


class SlotAccounts:
    """The accounts of one run. Call it with every observation.

    Args:
        plan: the plan that is run.
        clock: the time in seconds; the same clock that the driver has.
        run: the run's number.
        began: when the run began, in seconds since the epoch.
        replaced: batches that are there in part to their records generated and rejected, which an earlier run counted.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Callable[[], float],
        *,
        run: int = 0,
        began: float = 0.0,
        replaced: Mapping[int, tuple[int, int]] | None = None,
    ) -> None:
        self.plan = plan
        self._clock = clock
        self._run, self._began, self._replaced = run, began, replaced or {}
        self._start = clock()
        self._accounted = 0.0
        """Up to when slots that no replica has are accounted for."""
        self._aliases = _aliases(plan)
        self._columns: dict[str, _Column] = {}
        self._replicas: dict[int, _Replica] = {}
        self._timeline = SlotTimeline()
        self._executor = "inline"
        self._stopping = False
        self._worker_seconds: dict[str, float] = {}
        self._writing_seconds = 0.0

    @property
    def _now(self) -> float:
        return self._clock() - self._start

    def __call__(self, observation: Observation) -> None:  # noqa: C901 - one arm an observation is the plainest form
        """Take one observation in."""
        match observation:
            case Heard():
                self.hear(observation.number, observation.summary)
            case ev.RowsDone(cells=cells):
                self._count(cells)
            case Idle(demand=demand):
                self.look(demand)
            case Computed():
                self._compute(observation)
            case Receipt():
                self._commit(observation)
            case ev.ReplicaUp():
                self._lose(observation.replica)
                now = self._now
                self._replicas[observation.replica] = _Replica(observation.pool, now, now, counted=now)
            case Granted(number, slots) | ev.Regranted(number, _, slots):
                self._grant(number, slots)
            case ev.ReplicaLost():
                self._lose(observation.replica)
            case ev.Joined():
                self._executor = "ray"
            case ev.Started():
                self._close()
                self._stopping = False
            case ev.Stop():
                self._account()
                self._stopping = True
            case _:
                pass

    def read(self) -> RunAccounts:
        """The accounts as they stand; of the time since the last report of each replica, as far as that is known."""
        now = self._account()
        seconds: Seconds = {name: dict(alias.seconds) for name, alias in self._aliases.items()}
        timeline = self._timeline.copy()
        for replica in self._replicas.values():
            for account, spent in self._unreported(replica, now):
                if not spent:
                    continue
                of_alias = seconds[replica.alias]
                of_alias[account] = of_alias.get(account, 0.0) + spent
                timeline.add(replica.alias, account, replica.accounted, now, spent)
        return RunAccounts(
            self._run,
            self._began,
            now,
            self._executor,
            {name: _accounts_of(alias, seconds[name], now) for name, alias in self._aliases.items()},
            {name: _copied(column) for name, column in self._columns.items()},
            self.plan.run.non_inference_max_parallel_workers,
            dict(self._worker_seconds),
            self._writing_seconds,
            tuple(timeline.samples(now)),
        )

    @property
    def seconds(self) -> Seconds:
        """Alias to slot-seconds by account, as far as they are reported: these only grow."""
        return {name: alias.seconds for name, alias in self._aliases.items()}

    # --- what happens ------------------------------------------------------------------------------------

    def hear(self, number: int, summary: Summary) -> None:
        """Take in what a replica reports."""
        replica = self._replicas.get(number)
        if replica is None:
            return
        alias = self._aliases[replica.alias]
        if summary.slot_time is not None:
            replica.reports.append(summary.slot_time)
            replica.heard = self._now
            replica.count(replica.heard)
        if summary.load is not None:
            replica.load = summary.load
            if alias.refused and summary.load.limit < summary.load.total:
                limit = sum(one.load.limit for one in self._of(replica.alias) if one.load is not None)
                alias.lowest_limit = min(limit, alias.slots if alias.lowest_limit is None else alias.lowest_limit)
        self._ask(alias, summary)
        for answers in summary.answers:
            self._answer(replica.alias, answers)

    def _ask(self, alias: _Alias, summary: Summary) -> None:
        if summary.statistics is not None:
            usage, errors = summary.statistics.usage, summary.statistics.errors
            alias.requests += usage.requests
            alias.failed_requests += usage.failed_requests
            alias.refused += errors.get(ModelRateLimitError.__name__, 0)

    def _answer(self, alias: str, answers: Answers) -> None:
        column = self._column(answers.column, alias)
        column.answers += answers.numbers
        if len(column.answers) >= _ANSWERS_KEPT:
            column.sort_in()

    def _count(self, cells: tuple[CellCount, ...]) -> None:
        fresh = 0
        for count in cells:
            column = self._columns.get(count.column) or self._column(
                count.column, self.plan.stage_of(count.column).pool
            )
            column.cells += count.finished - count.replayed
            column.failed += count.failed
            fresh += count.finished - count.replayed
        self._timeline.count(self._now, cells=fresh)

    def _compute(self, computed: Computed) -> None:
        stage = self.plan.stages[computed.stage]
        names = list(_made_by(stage))
        for name in names:
            self._column(name, None).cells += computed.rows
        for count in computed.summary.cells:
            self._column(count.column, None).failed += count.failed
        label = ", ".join(names)
        self._worker_seconds[label] = self._worker_seconds.get(label, 0.0) + computed.summary.seconds

    def _commit(self, receipt: Receipt) -> None:
        generated, rejected = self._replaced.get(receipt.batch, (0, 0))
        self._writing_seconds += receipt.seconds
        records = receipt.generated + receipt.rejected - generated - rejected
        self._timeline.count(self._now, records=max(0, records))

    def _grant(self, number: int, slots: int) -> None:
        replica = self._replicas.get(number)
        if replica is not None and replica.granted != slots:
            replica.count(self._account())
            replica.granted = slots

    def _lose(self, number: int) -> None:
        """A replica is gone; of what it had not reported nothing is known."""
        replica = self._replicas.get(number)
        if replica is not None:
            now = self._account()
            self._book(replica.alias, Account.STARTUP, replica.accounted, now, replica.count(now))
            del self._replicas[number]

    def _close(self) -> None:
        """No replica lives any more, and none has died either."""
        now = self._account()
        for replica in self._replicas.values():
            for account, spent in self._unreported(replica, now):
                self._book(replica.alias, account, replica.accounted, now, spent)
        self._replicas.clear()

    def look(self, demand: Mapping[str, Demand]) -> None:
        """Take in what idle slots wait for at this moment."""
        for name, wanted in demand.items():
            self._aliases[name].looks.append((self._now, wanted))
        if self._now >= self._accounted + _ACCOUNTED_EVERY:
            self._account()

    def _column(self, name: str, alias: str | None) -> _Column:
        return self._columns.setdefault(name, _Column(alias))

    def _of(self, alias: str) -> list[_Replica]:
        return [replica for replica in self._replicas.values() if replica.alias == alias]

    # --- accounts ----------------------------------------------------------------------------------------

    def _book(self, alias: str, account: Account, start: float, stop: float, seconds: float) -> None:
        if seconds > 0.0:
            accounts = self._aliases[alias].seconds
            accounts[account] = accounts.get(account, 0.0) + seconds
            self._timeline.add(alias, account, start, max(start, stop), seconds)

    def _account(self) -> float:
        """Account for everything up to now that is known, and give that time."""
        now = self._now
        for replica in self._replicas.values():
            if replica.reports:
                self._account_reported(replica)
        if now > self._accounted:
            free = {name: self._free(name) for name in self._aliases}
            for name in self._aliases:
                self._account_ungranted(name, free, now)
            self._accounted = now
        return now

    def _account_reported(self, replica: _Replica) -> None:
        """Book what a replica says its slots were for; how long it had them is told by the driver's clock.

        A grant and a report are under way for a moment, so the two differ by that.
        """
        start, stop = replica.accounted, replica.heard
        total = _summed(replica.reports)
        had, replica.had = replica.had, 0.0
        part = had / total.granted if total.granted > 0.0 else 0.0
        for account, seconds in (
            (Account.ASKING, total.asking),
            (Account.STARTUP, total.moving),
            (Account.DOWN, total.down),
            (Account.HELD, total.held),
            (Account.ENGINE, total.preparing),
        ):
            self._book(replica.alias, account, start, stop, seconds * part)
        starved = total.starved * part if part else had
        replica.starved = starved / (stop - start) if stop > start else 0.0
        for account, seconds in self._waited(replica.alias, starved, start, stop):
            self._book(replica.alias, account, start, stop, seconds)
        replica.reports.clear()
        replica.accounted = stop

    def _unreported(self, replica: _Replica, now: float) -> Iterator[tuple[Account, float]]:
        """About what its slots have done since its last report: the same requests are under way, or nothing is."""
        had = replica.count(now)
        in_use = 0 if replica.load is None else min(replica.load.in_use, replica.granted)
        asking = min(had, in_use * max(0.0, now - replica.heard))
        yield Account.ASKING, asking
        yield from self._waited(replica.alias, had - asking, replica.accounted, now)

    def _free(self, name: str) -> int:
        """Slots that nobody has of those that an alias shares, or has for itself."""
        most, aliases = self._aliases[name].sharing
        return max(0, most - sum(replica.granted for replica in self._replicas.values() if replica.alias in aliases))

    def _account_ungranted(self, name: str, free: Mapping[str, int], now: float) -> None:
        alias, start = self._aliases[name], self._accounted
        lacking = alias.slots - sum(replica.granted for replica in self._of(name))
        if lacking <= 0:
            alias.ungranted = 0.0
            return
        together = sum(self._aliases[one].slots for one in alias.sharing[1])
        granted = sum(replica.granted for replica in self._replicas.values() if replica.alias in alias.sharing[1])
        # Of what the aliases lack together, so much is free: no replica has it yet.
        of_nobody = lacking * min(1.0, free[name] / max(1, together - granted))
        seconds = now - start
        self._book(name, Account.LAST if self._stopping else Account.STARTUP, start, now, of_nobody * seconds)
        alias.ungranted = lacking - of_nobody
        for account, spent in self._waited(name, alias.ungranted * seconds, start, now, first=Account.HELD):
            self._book(name, account, start, now, spent)

    def _waited(
        self, name: str, seconds: float, start: float, stop: float, first: Account = Account.ENGINE
    ) -> Iterator[tuple[Account, float]]:
        """What slots without a row waited for in some time, by what was seen of the rows in it."""
        passed = stop - start
        if seconds <= 0.0 or passed <= 0.0:
            yield Account.ENGINE, max(0.0, seconds)
            return
        alias = self._aliases[name]
        idle = seconds / passed
        others = sum(replica.starved for replica in self._of(name)) + alias.ungranted
        share = min(1.0, idle / max(idle, others))
        for demand, part in _seen(alias.looks, start, stop):
            left = idle
            rows = ((first, demand.ready), (Account.CPU, demand.cpu), (Account.UPSTREAM, demand.upstream))
            for account, there in rows:
                waiting = min(left, there * share)
                left -= waiting
                yield account, waiting * part * passed
            yield demand.rest, left * part * passed


def _seen(looks: deque[tuple[float, Demand]], start: float, stop: float) -> Iterator[tuple[Demand, float]]:
    """What was seen in some time, and in which part of it: what is seen at a look holds from the one before."""
    begin, last = start, None
    for at, demand in looks:
        last = demand
        if at > start and begin < stop:
            end = min(at, stop)
            yield demand, (end - begin) / (stop - start)
            begin = end
    if begin < stop:
        yield last or Demand(rest=Account.STARTUP), (stop - begin) / (stop - start)


def _summed(reports: list[SlotTime]) -> SlotTime:
    if len(reports) == 1:
        return reports[0]
    return SlotTime(
        math.fsum(one.granted for one in reports),
        math.fsum(one.asking for one in reports),
        math.fsum(one.moving for one in reports),
        math.fsum(one.down for one in reports),
        math.fsum(one.held for one in reports),
        math.fsum(one.preparing for one in reports),
    )


def _aliases(plan: Plan) -> dict[str, _Alias]:
    providers: dict[str, list[str]] = {}
    for name, pool in plan.pools.items():
        providers.setdefault(pool.provider.name, []).append(name)
    found = {}
    for name, pool in plan.pools.items():
        most = pool.provider.max_parallel_requests
        sharing = (pool.slots, (name,)) if most is None else (most, tuple(providers[pool.provider.name]))
        found[name] = _Alias(pool.model_name, pool.slots, sharing)
    return found


def _made_by(stage: Stage) -> Iterator[str]:
    for step in stage.steps:
        yield from step.makes if step.joint else (step.name,)


def _accounts_of(alias: _Alias, seconds: dict[Account, float], passed: float) -> AliasAccounts:
    return AliasAccounts(
        alias.model,
        alias.slots,
        alias.slots * passed,
        seconds,
        alias.requests,
        alias.failed_requests,
        alias.refused,
        alias.lowest_limit,
    )


def _copied(column: _Column) -> ColumnAccounts:
    column.sort_in()
    nothing = Distribution()
    return ColumnAccounts(
        column.alias,
        column.cells,
        column.failed,
        column.latency + nothing,
        column.input_tokens + nothing,
        column.output_tokens + nothing,
    )
