"""Progress: a fold over what happens in a run, which says at any moment how the run stands."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from data_designer.columns.registry import KINDS
from data_designer.engine.execution.observation import Heard, Observation, Standing
from data_designer.engine.observe.pace import CpuRate, Load, Made, Rate, seconds_left
from data_designer.engine.observe.reasons import Asked, Situation, reasons
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import CellCount
from data_designer.engine.protocol.snapshot import AliasState, ColumnState, Snapshot
from data_designer.engine.protocol.spending import Spending, by_alias
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.holds import Holds
from data_designer.models.admission.budget_lease import cost
from data_designer.models.admission.slots import SlotStatistics
from data_designer.plan.model import LOCAL, Geometry, Plan, Step
from data_designer.values import Usage

_CHEAP = 0.05
"""As how much of a cell that a model is asked for one counts that is drawn, read or put together on the spot."""
_FULL = 0.8
"""Share of what may be in flight."""
_NOTED = 20
"""Cells that must be done for the number of requests each takes to be judged by them."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs of a dataset have left."""

    generated: int = 0
    rejected: int = 0
    replaced: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Batches that are there in part to their records generated and rejected, which are counted already."""
    spent: Mapping[str, Spending] = field(default_factory=dict)
    """Column to what its cells cost."""


@dataclass(slots=True)
class _Asking:
    """What is known of one alias."""

    rate: Rate = field(default_factory=Rate)
    usage: Usage = field(default_factory=Usage)
    """Of this run."""
    cells: int = 0
    """Of this run, those that took no request included."""


class Progress:
    """Call it with every observation; `snapshot` says how the run stands. Both may be called in any thread.

    Args:
        plan: what is run. Give it the next one before a run that draws further records.
        dataset: where it is written.
        earlier: what is there already.
        clock: seconds on a steady clock.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        plan: Plan,
        dataset: str = "",
        earlier: Earlier | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.plan = plan
        self._dataset = dataset
        self._earlier = earlier or Earlier()
        self._clock, self._now = clock, now
        self._changing = threading.Lock()
        self._began = clock()
        self._state = "starting"
        self._generated, self._rejected = self._earlier.generated, self._earlier.rejected
        self._forget_run()
        self._failed: dict[str, int] = {}
        """Column to failed cells."""
        self._aliases: dict[str, _Asking] = {alias: _Asking() for alias in plan.pools}

    def _forget_run(self) -> None:
        """What holds for one run of the scheduler only."""
        self._started: float | None = None
        self._left_at_start = 0
        """Records that are to be made."""
        self._standing: Standing | None = None
        self._summaries: dict[int, tuple[str, float, Summary]] = {}
        """Replica to its alias, and when it said what last."""
        self._holds = Holds()
        self._cpu = CpuRate()
        self._unwritten: dict[int, str] = {}
        self._granted: dict[int, tuple[str, int]] = {}
        """Replica that is up to its alias and its slots."""
        self._stop_reason: str | None = None
        self._ended: dict[str, int] = {}
        """Column to its cells that failed and ended their rows."""

    # --- taking in ---------------------------------------------------------------------------------------

    def __call__(self, observation: Observation) -> None:
        """Take one observation in."""
        with self._changing:
            self._absorb(observation)

    def _absorb(self, observation: Observation) -> None:
        match observation:
            case Heard():
                self._hear(observation)
            case ev.RowsDone(cells=cells) | ev.TaskDone(cells=cells):
                self._count(cells)
            case Standing():
                self._standing = observation
                self._cpu.add(Made(self._clock(), observation.work.done, frozenset(observation.computing)))
            case Receipt():
                generated, rejected = self._earlier.replaced.get(observation.batch, (0, 0))
                self._generated += observation.generated - generated
                self._rejected += observation.rejected - rejected
            case ev.Started(at=at):
                self._forget_run()
                self._state, self._started = "running", self._clock()
                self._left_at_start = records_to_make(self.plan.geometry, at)
            case ev.Stop(reason=reason):
                self._stop_reason = reason
            case ev.CommitFailed(batch=batch, reason=reason):
                self._unwritten[batch] = reason
            case ev.Committed(batch=batch):
                self._unwritten.pop(batch, None)
            case _:
                self._see_replica(observation)

    def _see_replica(self, observation: Observation) -> None:
        match observation:
            case ev.ReplicaUp(replica=replica, pool=pool):
                self._granted[replica] = pool, 0
            case ev.Regranted(replica=replica, slots=slots) if replica in self._granted:
                self._granted[replica] = self._granted[replica][0], slots
            case ev.ReplicaLost(replica=replica):
                self._summaries.pop(replica, None)
                self._granted.pop(replica, None)

    def _hear(self, heard: Heard) -> None:
        now, summary, asking = self._clock(), heard.summary, self._aliases.setdefault(heard.alias, _Asking())
        self._summaries[heard.number] = heard.alias, now, summary
        self._holds.heard(heard.alias, heard.number, summary.hold, now, moves=bool(summary.finished))
        statistics = summary.statistics
        if statistics is not None:
            asking.usage += statistics.usage
            if answered := statistics.usage.requests:
                median = statistics.seconds / answered if summary.latency is None else summary.latency
                asking.rate.add(now, answered, statistics.seconds, median)
        if summary.load is not None and summary.load.in_use:
            asking.rate.begin(now)

    def _count(self, cells: tuple[CellCount, ...]) -> None:
        for cell in cells:
            alias = self.plan.stage_of(cell.column).pool
            if alias != LOCAL:
                self._aliases[alias].cells += cell.finished
            if cell.failed:
                self._failed[cell.column] = self._failed.get(cell.column, 0) + cell.failed
                if self.plan.run.on_row_failure != "null":
                    self._ended[cell.column] = self._ended.get(cell.column, 0) + cell.failed

    def end(self, *, stopped: bool) -> None:
        """The run is over: everything is made, or it was stopped before."""
        with self._changing:
            self._state = "stopped" if stopped else "ended"

    # --- saying ------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """How the run stands."""
        with self._changing:
            return self._snapshot()

    def _snapshot(self) -> Snapshot:
        now, columns = self._clock(), self._columns()
        is_over = self._state in ("ended", "stopped")
        left = self._left(columns)
        asked = {alias: self._asked(alias, left.get(alias, 0.0), now) for alias in self.plan.pools}
        usage = self._usage()
        is_known = not is_over and self._started is not None
        is_stopping = self._why_stopped is not None and not is_over
        return Snapshot(
            dataset=self._dataset,
            state="stopping" if is_stopping else self._state,
            at=self._now(),
            elapsed=now - self._began,
            target=self.plan.geometry.num_records,
            generated=self._generated,
            rejected=self._rejected,
            done=1.0 if self._state == "ended" else self._share(columns),
            seconds_left=self._seconds_left(columns, left, asked, now) if is_known and not is_stopping else None,
            usd=self._usd(usage),
            input_tokens=sum(one.input_tokens for one in usage.values()),
            output_tokens=sum(one.output_tokens for one in usage.values()),
            reasons=() if is_over else self._reasons(asked, now),
            aliases={alias: self._alias_state(alias, asked[alias], now, is_over=is_over) for alias in self.plan.pools},
            columns=dict(self._named(columns)),
        )

    @property
    def _why_stopped(self) -> str | None:
        return self._stop_reason or (None if self._standing is None else self._standing.work.stop_reason)

    def _columns(self) -> dict[str, ColumnState]:
        """Step to how its column stands, or each of its columns, but for failures."""
        target, work = self.plan.geometry.num_records, None if self._standing is None else self._standing.work
        there = target - self._left_at_start if self._started is not None else self._generated + self._rejected
        ahead = self._ahead()
        columns = {}
        for stage in self.plan.stages:
            gone, done = (0, 0) if work is None else (work.gone[stage.number], work.done[stage.number])
            for step in stage.steps:
                # Of the rows that were rejected here, this is where some came to their end.
                ended = min(gone, self._ended.get(step.name, 0))
                total = target - gone + ended
                made = min(total, there + done + ended + ahead.get(step.name, 0))
                columns[step.name] = ColumnState(step.pool or None, total, made)
        return columns

    def _named(self, steps: Mapping[str, ColumnState]) -> Iterator[tuple[str, ColumnState]]:
        """The same by column: some are made together."""
        for step in self.plan.steps:
            for config in step.configs:
                yield config.name, replace(steps[step.name], failed=self._failed.get(config.name, 0))

    def _ahead(self) -> dict[str, int]:
        ahead: dict[str, int] = {}
        for _, _, summary in self._summaries.values():
            for cell in summary.ahead:
                ahead[cell.column] = ahead.get(cell.column, 0) + cell.finished
        return ahead

    def _share(self, columns: Mapping[str, ColumnState]) -> float:
        weights = weights_of(self.plan)
        total = sum(weights[step] * column.total for step, column in columns.items())
        done = sum(weights[step] * column.done for step, column in columns.items())
        return done / total if total else 0.0

    def _left(self, columns: Mapping[str, ColumnState]) -> dict[str, float]:
        """Alias to requests that are left, by how many its cells took so far."""
        left: dict[str, float] = {}
        for column in columns.values():
            if column.alias is not None:
                left[column.alias] = left.get(column.alias, 0.0) + column.total - column.done
        for alias in left:
            asking = self._aliases[alias]
            if asking.cells >= _NOTED and asking.usage.requests:
                left[alias] *= asking.usage.requests / asking.cells
        return left

    def _asked(self, alias: str, left: float, now: float) -> Asked:
        said = [(at, summary) for known, at, summary in self._summaries.values() if known == alias]
        loads = [*(summary.load for _, summary in said if summary.load is not None), *self._silent(alias)]
        rises = [at + summary.rises_in - now for at, summary in said if summary.rises_in is not None]
        return Asked(
            left=left > 0,
            in_flight=sum(load.in_use for load in loads),
            limit=sum(load.limit for load in loads),
            granted=sum(load.total for load in loads),
            rises_in=max(0.0, *rises) if rises else None,
            hold=self._holds.lasting(now).get(alias),
        )

    def _silent(self, alias: str) -> Iterator[SlotStatistics]:
        """What replicas of an alias have in flight that have not reported, as they have been given it."""
        held = {} if self._standing is None else self._standing.held
        for replica, (known, slots) in self._granted.items():
            if known == alias and replica not in self._summaries:
                yield SlotStatistics(slots, slots, min(slots, held.get(replica, 0)), 0)

    def _alias_state(self, alias: str, asked: Asked, now: float, *, is_over: bool) -> AliasState:
        pool, asking = self.plan.pools[alias], self._aliases[alias]
        return AliasState(
            model=pool.model_name,
            slots=pool.slots,
            # While replicas give way to others, some have not said yet that they have done so.
            in_flight=0 if is_over else min(asked.in_flight, pool.slots),
            limit=min(asked.limit, pool.slots),
            requests_per_second=0.0 if is_over else asking.rate.a_second(now),
            latency=asking.rate.median(now),
            failed_requests=asking.usage.failed_requests,
        )

    def _usage(self) -> dict[str, Usage]:
        """Alias to what it was asked, by earlier runs too."""
        usage = by_alias(self._earlier.spent)
        for alias, asking in self._aliases.items():
            if asking.usage != Usage():
                usage[alias] = usage.get(alias, Usage()) + asking.usage
        return usage

    def _usd(self, usage: Mapping[str, Usage]) -> float | None:
        prices = {alias: pool.price for alias, pool in self.plan.pools.items()}
        asks_models = any(alias not in prices or self.plan.pools[alias].model is not None for alias in usage)
        if not asks_models or any(prices.get(alias) is None for alias in usage):
            return None
        before = sum(one.usd for one in self._earlier.spent.values())
        return before + sum(cost(asking.usage, prices[alias]) for alias, asking in self._aliases.items())

    def _seconds_left(
        self, columns: Mapping[str, ColumnState], left: Mapping[str, float], asked: Mapping[str, Asked], now: float
    ) -> float | None:
        if any(one.hold is not None and one.hold.hold.kind == "down" and one.left for one in asked.values()):
            return None
        rates = {alias: asking.rate for alias, asking in self._aliases.items()}
        latencies = {alias: rate.mean(now) for alias, rate in rates.items()}
        loads = [
            Load(
                left=requests,
                limit=asked[alias].limit or self.plan.pools[alias].slots,
                latency=latencies[alias],
                a_second=rates[alias].a_second(now),
                answered=rates[alias].requests(now),
                most_a_second=(self.plan.pools[alias].params.requests_per_minute or float("inf")) / 60,
                is_full=asked[alias].in_flight >= _FULL * asked[alias].limit > 0,
            )
            for alias, requests in left.items()
        ]
        return seconds_left(loads, self._cpu_seconds(columns), self._chain(columns, latencies))

    def _cpu_seconds(self, columns: Mapping[str, ColumnState]) -> Iterator[float]:
        for stage in self.plan.stages:
            rate = self._cpu.a_second(stage.number) if stage.pool == LOCAL else None
            if rate is not None:
                column = columns[stage.steps[0].name]
                yield (column.total - column.done) / rate

    def _chain(self, columns: Mapping[str, ColumnState], latencies: Mapping[str, float | None]) -> float:
        """Seconds that a row takes through what is left, one request after another."""
        until: list[float] = []
        for stage in self.plan.stages:
            unfinished = sum(columns[step.name].done < columns[step.name].total for step in stage.steps)
            own = unfinished * (latencies.get(stage.pool) or 0.0) if stage.pool != LOCAL else 0.0
            until.append(own + max((until[up] for up in stage.upstream), default=0.0))
        return max(until, default=0.0)

    def _reasons(self, asked: Mapping[str, Asked], now: float) -> tuple[str, ...]:
        if self._started is None:
            return ("asking the models for a sign of life",) if self.plan.pools else ()
        elapsed, stopping = now - self._started, self._why_stopped
        return reasons(Situation(asked, self.plan.stages, self._standing, elapsed, self._unwritten, stopping))


def records_to_make(geometry: Geometry, at: ResumePoint) -> int:
    """Records that a run is to make."""
    if not at.committed and not at.partial:
        return geometry.num_records
    left = sum(len(rows) for rows in at.partial.values())
    for span in geometry.spans:
        batches = [batch for batch in span.batches if batch not in at.committed and batch not in at.partial]
        left += len(batches) * span.buffer_size
        if batches and batches[-1] == span.batches[-1]:  # It may be short.
            left += len(span.records) - len(span.batches) * span.buffer_size
    return left


def weights_of(plan: Plan) -> dict[str, float]:
    """Step to how much each of its cells counts."""
    return {step.name: _CHEAP if _is_cheap(step) else 1.0 for step in plan.steps}


def _is_cheap(step: Step) -> bool:
    return step.cheap or step.joint or KINDS[step.kind].from_seed
