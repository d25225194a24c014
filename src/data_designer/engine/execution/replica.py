"""A replica: one process's share of a model alias, whatever carries its messages.

Three methods carry everything. `submit` gives rows, `collect` waits for finished ones, `grant` sets how many
requests may be in flight. Rows start as they come and share the slots among them, so the slots stay full from
what is already here.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from data_designer.engine.execution.cpu_meter import CpuMeter
from data_designer.engine.execution.recording import Recording, RowAsks
from data_designer.engine.execution.stage_runner import CellCounts, GroupRow, RowResult, StageRunner
from data_designer.engine.protocol.messages import Finished, Summary
from data_designer.engine.protocol.parcels import FAILED, REJECTED, SKIPPED, SPENT, Parcel, Values, gather
from data_designer.errors import Outage
from data_designer.models.admission.budget_lease import Amount, BudgetLease, Estimate
from data_designer.models.admission.request_admission import AdmissionLimits, RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.backoff import Backoff
from data_designer.models.model import DEFAULT_TIMEOUT, Model
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.models.retry import Caller, CallerOptions
from data_designer.models.wires import greeting, longest_reply
from data_designer.plan.model import Plan, Pool
from data_designer.values import Block

LINGER = 0.02
"""Seconds in which further rows may join those that are about to be reported, where there are few replicas."""
_MESSAGES_A_SECOND = 250
"""Reports that one driver takes in without being kept busy by them: a report costs it about a millisecond."""
_STARTED_AT_ONCE = 16
"""Rows that start in one go. A template may take milliseconds, and a thousand of them would silence a replica."""
_SERVICE_PATIENCE = 60.0
"""Seconds that a service which is no model may ask to be left alone."""
_GROUPS_A_SLOT = 2
"""Groups of rows that are under way for each slot, so that one is there whenever a slot is."""
_LONGEST_SILENCE = 3.0
"""Seconds until `collect` answers even where nothing is finished, so that both sides know of each other."""


def linger_of(replicas: int) -> float:
    """Seconds in which rows may join a report, so that so many replicas together do not flood their driver."""
    return max(LINGER, replicas / _MESSAGES_A_SECOND)


class LeaseEndedError(Exception):
    """Nobody has collected from this replica for so long that its rows and slots count as lost."""


@dataclass(slots=True)
class _Report:
    """Finished rows of one stage, waiting to be collected."""

    rows: list[int] = field(default_factory=list)
    tickets: list[int] = field(default_factory=list)
    results: list[RowResult] = field(default_factory=list)
    spent: list[tuple[tuple[str, tuple[int, ...]], ...] | None] = field(default_factory=list)


class Replica:
    """Runs rows of one alias's stages next to its model. It is its own handle to a driver on the same event loop.

    Args:
        plan: the plan.
        alias: the model's.
        model: is asked.
        recording: what was answered before, and where answers are kept.
        linger: seconds in which rows may join a report.
        lease: seconds after which a replica that nobody collects from ends; None for never.
    """

    node = ""
    """The machine on which it lives: this one, which has no name."""

    def __init__(
        self,
        plan: Plan,
        alias: str,
        model: Model,
        recording: Recording,
        linger: float = LINGER,
        lease: float | None = None,
    ) -> None:
        pool, clock = plan.pools[alias], asyncio.get_running_loop().time
        self._runners = {s.number: StageRunner(plan, s) for s in plan.stages if s.pool == alias}
        self._counts = {number: CellCounts() for number in self._runners}
        self._something = asyncio.Event()
        self._slots = Slots(0)
        self._whole = min(pool.slots, pool.provider.max_parallel_requests or pool.slots)
        """Slots of all replicas of the alias, which share its rates."""
        self._budget = _budget_lease(plan, self._something.set)
        self._admission = RequestAdmission(self._slots, _limits(plan, pool, self._budget), clock=clock)
        self._caller = Caller(model, self._admission, _options(plan, pool), rng=random.Random(plan.seed), clock=clock)
        self._caller.told = self._something.set
        self._recording = recording
        self._draws = ParameterSampling(pool, plan.seed)
        self._linger = linger
        self._lease = lease
        self._watch: asyncio.Task[None] | None = None
        self._collected_at = 0.0
        self._drained = False
        self._left = False
        self._meter = CpuMeter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._seen: set[tuple[int, int]] = set()
        """(ticket, row) pairs that came and are not yet acknowledged, so that a repeated message is harmless."""
        self._reports: dict[int, _Report] = {}
        self._outage: str | None = None
        self._failure: BaseException | None = None
        self._last: tuple[Summary, Values] | None = None
        self._reported = 0

    def is_gone(self) -> bool:
        """It lives as long as this process."""
        return False

    async def grant(self, slots: int) -> None:
        """Allow so many requests in flight; returns once no more than that are."""
        self._drained = False
        if self._watch is None and self._lease is not None:
            self._collected_at = asyncio.get_running_loop().time()
            self._watch = asyncio.create_task(self._end_with_lease(self._lease))
        await self._resize(slots)
        if not slots:
            self._drained = True
            self._something.set()

    async def _resize(self, slots: int) -> None:
        self._admission.share(min(1.0, slots / self._whole))
        self._slots.total = slots
        await self._slots.settled()

    async def fund(self, amount: Amount) -> None:
        """Allow so much more to be spent."""
        self._admission.fund(amount)

    async def submit(self, parcel: Parcel, *values: Values) -> None:
        """Start rows. A row that came before under the same ticket is not started again.

        Raises:
            LeaseEndedError: others use this replica's slots by now.
        """
        if isinstance(self._failure, LeaseEndedError):
            raise self._failure
        runner = self._runners[parcel.stage]
        known = await self._recording.known(parcel.replays, parcel.rows)
        block = gather(parcel, values, runner.stage.needs)
        skipped = block.columns.pop(SKIPPED, None)
        names = tuple(block.columns)
        cells = zip(*block.columns.values(), strict=True) if names else (() for _ in range(len(block)))
        grouped: list[GroupRow] = []
        async with self._starting:
            for place, (index, row) in enumerate(zip(parcel.rows.tolist(), cells, strict=True)):
                if not place % _STARTED_AT_ONCE:
                    await asyncio.sleep(0)
                if (parcel.ticket, index) in self._seen:
                    continue
                self._seen.add((parcel.ticket, index))
                record = dict(zip(names, row, strict=True))
                skips = skipped[place] if skipped else None
                asks = RowAsks(self._caller, index, self._recording, known, self._draws)
                if runner.is_in_groups:
                    grouped.append(GroupRow(record, skips, asks))
                    continue
                task = asyncio.create_task(self._run(runner, record, skips, asks, parcel.ticket))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        if grouped:
            task = asyncio.create_task(self._run_groups(runner, grouped, parcel.ticket))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:
        """Wait for finished rows and report them; the last report again if it was not acknowledged.

        What the rows were answered is in the journal before they are reported. A report is empty where nothing
        finishes for some seconds.

        Raises:
            LeaseEndedError: this call came too late.
            OSError: the journal could not be written for longer than a disk may take to recover.
            Exception: a step broke in a way that is no row's fault; the run cannot go on.
        """
        self._collected_at = asyncio.get_running_loop().time()
        if self._last is not None and self._last[0].number != acknowledged:
            return self._last
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_SILENCE):
                await self._something.wait()
            await asyncio.sleep(self._linger)
        if self._failure is not None:
            raise self._failure
        self._something.clear()
        report = self._report()
        await self._recording.written()
        self._last = report
        return report

    async def leave(self) -> None:
        """Let go of what is not done; the next report is the last. Take its slots first: what is in flight is lost."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._left = True
        self._something.set()

    async def _end_with_lease(self, lease: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._collected_at + lease - loop.time()) > 0:  # noqa: ASYNC110 - each collect moves the end
            await asyncio.sleep(left)
        self._failure = LeaseEndedError(f"nobody has collected for {lease:g} s")
        self._something.set()
        for task in list(self._tasks):
            task.cancel()
        await self._resize(0)

    async def close(self) -> None:
        """Cancel whatever is running; what was answered is kept."""
        if self._watch is not None:
            self._watch.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._recording.close()

    async def _run(
        self,
        runner: StageRunner,
        record: dict[str, object],
        skips: frozenset[str] | None,
        asks: RowAsks,
        ticket: int,
    ) -> None:
        stage = runner.stage.number
        try:
            result = await runner.run_row(record, skips, asks, self._counts[stage])
        except Outage as outage:
            self._outage = str(outage)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            self._failure = error
        else:
            self._done(stage, ticket, asks, result)
        self._something.set()

    async def _run_groups(self, runner: StageRunner, rows: list[GroupRow], ticket: int) -> None:
        stage = runner.stage.number

        def done(row: GroupRow, result: RowResult) -> None:
            self._done(stage, ticket, row.asks, result)
            self._something.set()

        try:
            await runner.run_groups(rows, self._counts[stage], done, _GROUPS_A_SLOT * self._whole)
        except Outage as outage:
            self._outage = str(outage)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            self._failure = error
        self._something.set()

    def _done(self, stage: int, ticket: int, asks: RowAsks, result: RowResult) -> None:
        report = self._reports.setdefault(stage, _Report())
        report.rows.append(asks.record)
        report.tickets.append(ticket)
        report.results.append(result)
        report.spent.append(asks.spent)

    def _report(self) -> tuple[Summary, Values]:
        reports, self._reports = self._reports, {}
        values: Values = {}
        finished = []
        for stage, report in sorted(reports.items()):
            block = _block(report, self._runners[stage].stage.makes)
            values[stage] = block
            kept = np.array([result.rejected is None for result in report.results], dtype=np.bool_)
            tickets = np.array(report.tickets, dtype=np.int64)
            cells = self._counts[stage].take()
            finished.append(Finished(stage, block.rows, tickets, kept, cells, rough_bytes(block)))
            self._seen.difference_update(zip(report.tickets, report.rows, strict=True))
        self._reported += 1
        summary = Summary(
            self._reported,
            tuple(finished),
            self._caller.take_statistics(),
            self._outage,
            self._drained,
            None if self._budget is None else self._budget.report(self._slots.total),
            self._slots.statistics(),
            self._meter.take(asyncio.get_running_loop().time()),
            self._left,
            len(self._tasks),
            self._caller.hold(),
        )
        self._drained = False
        return summary, values


def _budget_lease(plan: Plan, short: Callable[[], None]) -> BudgetLease | None:
    """What may be spent here; None where spending is not limited. `short` is called when that is not enough."""
    if plan.run.budget is None or not plan.run.budget.limits_spending:
        return None
    lease = BudgetLease()
    lease.short = short
    return lease


def _limits(plan: Plan, pool: Pool, budget_lease: BudgetLease | None) -> AdmissionLimits:
    params = pool.params
    return AdmissionLimits(
        plan.run.request_admission,
        params.requests_per_minute,
        params.tokens_per_minute,
        Estimate(pool.price, longest_reply(pool)),
        budget_lease,
    )


def _options(plan: Plan, pool: Pool) -> CallerOptions:
    if pool.tries is not None:
        return CallerOptions(
            patience=_SERVICE_PATIENCE,
            first_patience=_SERVICE_PATIENCE,
            timeout=pool.tries.timeout,
            greets=False,
            retries=pool.tries.retries,
            backoff=Backoff(factor=pool.tries.backoff),
        )
    return CallerOptions(
        patience=plan.run.outage_patience,
        stops_for_account=not plan.run.disable_early_shutdown,
        timeout=float(pool.params.timeout or DEFAULT_TIMEOUT),
        greets=pool.is_greeted,
        greeting=greeting(pool),
    )


def _block(report: _Report, makes: tuple[str, ...]) -> Block:
    columns: dict[str, list[object]] = {name: [result.values.get(name) for result in report.results] for name in makes}
    skipped: list[object] = [result.skipped for result in report.results]
    if any(skipped):
        columns[SKIPPED] = skipped
    rejected: list[object] = [result.rejected for result in report.results]
    if any(rejected):
        columns[REJECTED] = rejected
    failed: list[object] = [result.failed or None for result in report.results]
    if any(failed):
        columns[FAILED] = failed
    columns[SPENT] = [*report.spent]
    return Block(np.array(report.rows, dtype=np.int64), columns)


def rough_bytes(block: Block) -> int:
    """About how much memory a block takes: text by its length, from a sample of the rows."""
    size = len(block)
    if not size:
        return 0
    step = max(1, size // 16)
    sampled = range(0, size, step)
    total = sum(
        64
        + (len(cell) if isinstance(cell := cells[place], str | bytes) else 256 if isinstance(cell, dict | list) else 0)
        for cells in block.columns.values()
        for place in sampled
    )
    return total * size // len(sampled)
