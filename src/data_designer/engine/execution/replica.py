"""A replica: one process's share of a model alias, whatever carries its messages.

Three methods carry everything. `submit` gives rows, `collect` waits for finished ones, `grant` sets how many
requests may be in flight. Rows start as they come and share the slots among them, so the slots stay full from
what is already here.
"""

import asyncio
import math
import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from data_designer.columns.seeds.large_cells import has_large
from data_designer.engine.dataset.journal import Replay
from data_designer.engine.execution.asking import FunctionRunner, PeerOutageError, is_cancelled
from data_designer.engine.execution.conversing import asking, kept_cells
from data_designer.engine.execution.cpu_meter import CpuMeter
from data_designer.engine.execution.guests import Guests
from data_designer.engine.execution.recording import BatchResults, Dataset, Recording, RowAsks, keep_together
from data_designer.engine.execution.stage_runner import CellCounts, GroupRow, RowResult, StageRunner, results_of
from data_designer.engine.execution.tracing import cell_tracing
from data_designer.engine.protocol.conversation import CONVERSED, SaidCell
from data_designer.engine.protocol.messages import Finished, Summary
from data_designer.engine.protocol.parcels import FAILED, MEDIA, REJECTED, SKIPPED, SPENT, Parcel, Values, gather
from data_designer.engine.protocol.peers import NoPeers, PeerKey, PeerReply, PeerRequest, Peers
from data_designer.engine.protocol.rows import CellCount
from data_designer.errors import ModelError, Outage
from data_designer.models.admission.budget_lease import Amount, BudgetLease, Estimate
from data_designer.models.admission.request_admission import AdmissionLimits, RequestAdmission
from data_designer.models.admission.slot_ledger import SlotLedger
from data_designer.models.admission.slots import Slots
from data_designer.models.asking import WatchedModel
from data_designer.models.backoff import Backoff
from data_designer.models.batching import Batching, batches, request_size
from data_designer.models.model import DEFAULT_TIMEOUT, Model
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.models.retry import Asked, Caller, CallerOptions
from data_designer.models.wires import greeting, images_of, longest_reply
from data_designer.object_storage import Location
from data_designer.plan.model import Plan, Pool
from data_designer.tools.caller import ToolCaller
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
_SHORTEST_ACCOUNTED = 0.001
"""Seconds: what slots do is accounted for when it changes, but not more often, since that would cost several percent
of a cell. When something began or ended is off by so much at most, to either side."""


_SPARE_ROWS = 8
"""Rows that show media and get ready while all slots are busy; with many slots, one in so many more."""
_SAMPLED = 16
"""Rows of a block, and items of a list, that are looked at to tell how large it is."""
_THING = 64
"""Bytes of a value beside its text."""
_DEEPEST = 8


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
    said: list[tuple[SaidCell, ...] | None] = field(default_factory=list)


class Replica:
    """Runs rows of one alias's stages next to its model. It is its own handle to a driver on the same event loop.

    Args:
        plan: the plan.
        alias: the model's.
        model: is asked.
        recording: what was answered before, and where answers are kept.
        linger: seconds in which rows may join a report.
        lease: seconds after which a replica that nobody collects from ends; None for never.
        peers: replicas of other aliases, for functions that ask several.
        tools: calls those that the model wants called; None where it may call none.
    """

    node = ""
    """The machine on which it lives: this one, which has no name."""

    def __init__(  # noqa: PLR0913 - what a replica stands between
        self,
        plan: Plan,
        alias: str,
        model: Model,
        recording: Recording,
        linger: float = LINGER,
        lease: float | None = None,
        peers: Peers | None = None,
        tools: ToolCaller | None = None,
    ) -> None:
        pool, clock = plan.pools[alias], asyncio.get_running_loop().time
        self._runners = {s.number: StageRunner(plan, s) for s in plan.stages if s.pool == alias}
        self._geometry = plan.geometry
        self._counts = {number: CellCounts() for number in self._runners}
        self._something = asyncio.Event()
        self._clock = clock
        self._slots = Slots(0)
        self._slots.changing = self._changing
        self._ledger, self._settled_at, self._granted = SlotLedger(), clock(), 0
        self._media_rows = Slots(0)
        """For rows that show media or hold large values: more than keep the slots busy would only take memory."""
        self._shows_media = {number for number, runner in self._runners.items() if runner.shows_media}
        self._whole = min(pool.slots, pool.provider.max_parallel_requests or pool.slots)
        """Slots of all replicas of the alias, which share its rates."""
        self._budget = _budget_lease(plan, self._something.set)
        self._admission = RequestAdmission(self._slots, _limits(plan, pool, self._budget), clock=clock)
        self._tracing = cell_tracing(plan)
        if self._tracing is not None:
            model = WatchedModel(model, self._tracing.clock)
        self._caller = Caller(model, self._admission, _options(plan, pool), rng=random.Random(plan.seed), clock=clock)
        self._caller.told = self._something.set
        self._caller.changing = self._changing
        self._batching = self._together(plan, pool) if batches(pool) else None
        self._recording = recording
        self._tools = tools
        self._draws = ParameterSampling(pool, plan.seed)
        self._keeps = plan.run.keep_conversations
        self._asking = {number: asking(runner.stage) for number, runner in self._runners.items()}
        self._files = _folders_of_media(plan, recording.dataset)
        self._functions = self._function_runner(plan, alias, peers or NoPeers())
        self._guests = Guests(self._batching or self._caller, recording)
        self._linger = linger
        self._lease = lease
        self._watch: asyncio.Task[None] | None = None
        self._collected_at = 0.0
        self._drained = False
        self._draining: asyncio.Task[None] | None = None
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

    def _together(self, plan: Plan, pool: Pool) -> Batching:
        size = request_size(pool, plan.run.budget)
        return Batching(self._caller, self._slots, size, pool.subject, keep_together)

    def _function_runner(self, plan: Plan, alias: str, peers: Peers) -> FunctionRunner | None:
        """What runs functions of the user that ask models; None where none does."""
        if not any(runner.asks_by_functions or runner.stage.asks for runner in self._runners.values()):
            return None
        functions = FunctionRunner(plan, alias, peers)
        for runner in self._runners.values():
            runner.let_ask(functions)
        return functions

    def is_gone(self) -> bool:
        """It lives as long as this process."""
        return False

    async def grant(self, slots: int) -> None:
        """Allow so many requests in flight; returns once no more than that are."""
        self._drained = False
        self._halt_calls(slots)
        if self._watch is None and self._lease is not None:
            self._collected_at = asyncio.get_running_loop().time()
            self._watch = asyncio.create_task(self._end_with_lease(self._lease))
        await self._resize(slots)
        if slots:
            return
        if self._tools is None:
            self._say_drained()
        else:
            self._draining = asyncio.create_task(self._drain(self._tools))

    def _halt_calls(self, slots: int) -> None:
        """Without slots no call of a tool begins either: what it comes to could not be told to any model."""
        if self._draining is not None:
            self._draining.cancel()
        if self._tools is not None and slots:
            self._tools.resume()
        elif self._tools is not None:
            self._tools.pause()

    async def _drain(self, tools: ToolCaller) -> None:
        """Calls take no slot. So those under way are waited for here, since they may do something."""
        await tools.settled()
        self._say_drained()

    def _say_drained(self) -> None:
        self._drained = True
        self._something.set()

    async def _resize(self, slots: int) -> None:
        self._settle()
        self._admission.share(min(1.0, slots / self._whole))
        self._granted = max(self._granted, slots)
        self._slots.total = slots
        self._media_rows.total = slots and slots + max(_SPARE_ROWS, slots // _SPARE_ROWS)
        await self._slots.settled()
        self._settle()
        self._granted = self._slots.total
        if not self._slots.total:
            self._guests.send_away()  # None of them is in flight.

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
        self._settle()
        runner = self._runners[parcel.stage]
        known = await self._recording.known(parcel.replays, parcel.rows)
        block = gather(parcel, values, (*runner.stage.needs, MEDIA))
        media = block.columns.pop(MEDIA, None)
        if runner.stage.scope == "batch" and not runner.is_in_groups:
            self._start_batch(runner, block, parcel.ticket, known)
            return
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
                said: dict[str, list[Asked]] | None = None if self._keeps == "none" else {}
                asks = RowAsks(self._batching or self._caller, index, self._recording, known, self._draws, said)
                asks.folders = self._files
                asks.tracing = self._tracing
                asks.tools = self._tools
                if media is not None and media[place]:
                    asks.files.update((file.path, file) for file in media[place])
                if runner.is_in_groups:
                    if has_large(row):
                        record = dict(zip(names, await self._recording.loaded(row), strict=True))
                    grouped.append(GroupRow(record, skips, asks))
                    continue
                self._spawn(self._run(runner, record, skips, asks, parcel.ticket))
        if grouped:
            self._spawn(self._run_groups(runner, grouped, parcel.ticket))

    def _start_batch(self, runner: StageRunner, block: Block, ticket: int, known: Sequence[Replay]) -> None:
        """Start rows that a function sees together."""
        rows = [(ticket, row) for row in block.rows.tolist()]
        if self._seen.issuperset(rows):
            return
        self._seen.update(rows)
        # Its requests are the batch's, whichever of its rows are left, and are accounted for with its first record.
        first = self._geometry.records(self._geometry.batch_of(rows[0][1])).start
        asks = RowAsks(self._caller, first, self._recording, known)
        asks.counts_known = (ticket, first) in self._seen
        asks.tools = self._tools
        self._spawn(self._run_batch(runner, block, asks, ticket, BatchResults(self._recording, known)))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def answer(self, asked: PeerRequest, patience: float = math.inf) -> PeerReply | None:
        """Ask for a function that runs next to another alias; None where this replica does not.

        Args:
            asked: what is asked.
            patience: seconds for which the request may wait here for a slot, which others may have meanwhile.
        """
        if not self._slots.total or self._left or self._failure is not None:
            return None
        if not patience and self.share_in_use() >= 1.0:
            return None
        try:
            return PeerReply(await self._guests.ask(asked, patience))
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return None  # The guest was sent away.
        except ModelError as error:
            if isinstance(error, Outage):
                self._outage = str(error)
                self._something.set()
            return PeerReply(error=error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            self._failure = error
            self._something.set()
            return None
        finally:
            self._something.set()  # What was asked and for how long is to be told, though no row is finished here.

    async def withdraw(self, keys: Collection[PeerKey]) -> None:
        """Return once none of some requests of others is in flight here, or will be, and every reply can be read."""
        await self._guests.withdraw(keys)

    def share_in_use(self) -> float:
        """How busy it is: requests in flight and waiting, for each slot."""
        load = self._slots.statistics()
        return (load.in_use + load.waiting) / max(1, load.total)

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
        """Let go of what is not done; the next report is the last. Take its slots first: what is in flight is lost.

        What its rows have had others ask or call is waited for, so that whoever gets these rows finds what came of it.
        """
        if self._functions is not None:
            await self._functions.peers.settle()
        if self._tools is not None:
            self._tools.pause()
            await self._tools.settled()
        await self._cancel()
        await self._recording.share()
        self._left = True
        self._something.set()

    async def _cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self._guests.send_away()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._batching is not None:
            await self._batching.close()

    async def _end_with_lease(self, lease: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._collected_at + lease - loop.time()) > 0:  # noqa: ASYNC110 - each collect moves the end
            await asyncio.sleep(left)
        self._failure = LeaseEndedError(f"nobody has collected for {lease:g} s")
        self._something.set()
        for task in list(self._tasks):
            task.cancel()
        self._guests.send_away()
        await self._resize(0)

    async def close(self) -> None:
        """Cancel whatever is running; what was answered is kept."""
        for waiting in (self._watch, self._draining):
            if waiting is not None:
                waiting.cancel()
        self._left = True
        await self._cancel()
        if self._functions is not None:
            self._functions.close()
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
            result = await self._result(runner, record, skips, asks)
        except Outage as outage:
            self._outage = str(outage)
        except PeerOutageError:
            return  # The replica that met it says so.
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            self._failure = error
        else:
            self._done(stage, ticket, asks, result)
        self._something.set()

    async def _run_groups(self, runner: StageRunner, rows: list[GroupRow], ticket: int) -> None:
        stage = runner.stage.number

        def done(row: GroupRow, result: RowResult) -> None:
            assert isinstance(row.asks, RowAsks)
            self._done(stage, ticket, row.asks, result)
            self._something.set()

        try:
            await runner.run_groups(rows, self._counts[stage], done, _GROUPS_A_SLOT * self._whole)
        except Outage as outage:
            self._outage = str(outage)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            self._failure = error
        self._something.set()

    async def _run_batch(
        self, runner: StageRunner, block: Block, asks: RowAsks, ticket: int, results: BatchResults
    ) -> None:
        stage = runner.stage.number
        try:
            made = await runner.run_batch(block, asks, results)
        except Outage as outage:
            self._outage = str(outage)
        except PeerOutageError:
            return  # The replica that met it says so.
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            self._failure = error
        else:
            report, rows, size = self._reports.setdefault(stage, _Report()), made.rows.tolist(), len(made)
            done = results_of(made, runner.stage.makes)
            runner.count(done, self._counts[stage])
            report.rows += rows
            report.tickets += [ticket] * size
            report.results += done
            with_first = rows.index(asks.record) if asks.record in rows else 0
            report.said += [None] * size
            report.spent += [asks.spent if place == with_first else None for place in range(size)]
        self._something.set()

    def _done(self, stage: int, ticket: int, asks: RowAsks, result: RowResult) -> None:
        report = self._reports.setdefault(stage, _Report())
        report.rows.append(asks.record)
        report.tickets.append(ticket)
        report.results.append(result)
        report.spent.append(asks.spent)
        report.said.append(kept_cells(self._keeps, self._asking[stage], asks.said or {}, result))

    # --- accounts ----------------------------------------------------------------------------------------

    def _changing(self) -> None:
        """Something is about to change: account for the time before, unless that is very short."""
        if self._clock() - self._settled_at >= _SHORTEST_ACCOUNTED:
            self._settle()

    def _settle(self) -> None:
        """Account for the time since the last call, in which everything was as it is now."""
        now = self._clock()
        seconds = now - self._settled_at
        if seconds <= 0.0:
            return
        self._settled_at = now
        slots, caller = self._slots, self._caller
        in_use, asking = slots.in_use, caller.asking
        idle = self._ledger.pass_time(seconds, self._granted, slots.total, in_use)
        if idle:
            self._ledger.idled(seconds, idle, asking - in_use, caller.down(now), len(self._tasks) - asking)

    async def _result(
        self, runner: StageRunner, record: dict[str, object], skips: frozenset[str] | None, asks: RowAsks
    ) -> RowResult:
        number, is_large = runner.stage.number, has_large(record.values())
        if number not in self._shows_media and not is_large:
            return await runner.run_row(record, skips, asks, self._counts[number])
        await self._media_rows.acquire()
        try:
            if is_large:
                record = dict(zip(record, await self._recording.loaded([*record.values()]), strict=True))
            return await runner.run_row(record, skips, asks, self._counts[number])
        finally:
            self._media_rows.release()

    def _report(self) -> tuple[Summary, Values]:
        reports, self._reports = self._reports, {}
        values: Values = {}
        finished = []
        for stage, report in sorted(reports.items()):
            made = self._runners[stage].stage
            block = _block(report, made.makes)
            values[stage] = block
            kept = np.array([result.rejected is None for result in report.results], dtype=np.bool_)
            tickets = np.array(report.tickets, dtype=np.int64)
            cells = self._counts[stage].take()
            self._counts[stage].done((step.name for step in made.steps), report.results)
            finished.append(Finished(stage, block.rows, tickets, kept, cells, rough_bytes(block)))
            self._seen.difference_update(zip(report.tickets, report.rows, strict=True))
        self._reported += 1
        self._settle()
        latency = self._caller.median_latency()
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
            self._ledger.take(),
            self._caller.take_answers(),
            self._ahead(),
            latency,
            self._admission.rises_in(),
            traces=() if self._tracing is None else self._tracing.take(),
        )
        self._drained = False
        return summary, values

    def _ahead(self) -> tuple[CellCount, ...]:
        cells = (item for counts in self._counts.values() for item in counts.ahead.items())
        return tuple(CellCount(column, number, 0) for column, number in cells if number > 0)


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
        Estimate(pool.price, longest_reply(pool), images_of(pool)),
        budget_lease,
    )


def _folders_of_media(plan: Plan, dataset: Dataset | None) -> tuple[Location, ...]:
    """Where files are that cells may name: what the dataset has made, and what lies beside its seed."""
    made = () if dataset is None else (dataset.folder,)
    seed = None if plan.config.seed_config is None else plan.config.seed_config.source.folder
    return made if seed is None else (*made, seed)


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
    if any(report.said):
        columns[CONVERSED] = [*report.said]
    files: list[object] = [result.files or None for result in report.results]
    if any(files):
        columns[MEDIA] = files
    columns[SPENT] = [*report.spent]
    return Block(np.array(report.rows, dtype=np.int64), columns)


def rough_bytes(block: Block) -> int:
    """About how much memory a block takes: text by its length, wherever it is, from a sample of the rows.

    Files that travel in it count as a whole; others rest on the disk.
    """
    size = len(block)
    if not size:
        return 0
    step = max(1, size // _SAMPLED)
    sampled = range(0, size, step)
    total = sum(_rough_size(cells[place]) for cells in block.columns.values() for place in sampled)
    # Most rows may have none, and the others large ones, so none is left out.
    said: list[tuple[SaidCell, ...] | None] = block.columns.get(CONVERSED) or []
    spoken = sum(len(cell.turns) for cells in said if cells for cell in cells)
    return total * size // len(sampled) + spoken + _bytes_of_files(block)


def _bytes_of_files(block: Block) -> int:
    files = (file for some in block.columns.get(MEDIA) or () for file in some or ())
    return sum(len(file.content) for file in files if file.content is not None)


def _rough_size(value: object, depth: int = 0) -> int:
    """That of a value; of a long list the first items stand for all."""
    if isinstance(value, str | bytes):
        return _THING + len(value)
    if not isinstance(value, dict | list) or not value or depth == _DEEPEST:
        return _THING
    items = value.values() if isinstance(value, dict) else value
    looked_at = min(len(value), _SAMPLED)
    return _THING + sum(_rough_size(item, depth + 1) for item in islice(items, looked_at)) * len(value) // looked_at
