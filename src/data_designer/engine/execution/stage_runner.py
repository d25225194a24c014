"""Runs a stage: its steps in order, row by row next to a model or block by block on a CPU."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from data_designer.columns.custom import CustomCellProgram
from data_designer.columns.foreign_calls import said_by
from data_designer.columns.random_streams import key
from data_designer.columns.registry import KINDS
from data_designer.columns.templating.seeded_random import draw_for
from data_designer.columns.templating.skip_conditions import SkipCondition
from data_designer.engine.dataset.encoding import UnstorableValueError, all_kept, kept
from data_designer.engine.dataset.journal import JournalError
from data_designer.engine.dataset.schema import Fit, declared_fits
from data_designer.engine.execution.recording import Results, RowAsks
from data_designer.engine.protocol.parcels import FAILED, REJECTED, SKIPPED
from data_designer.engine.protocol.rows import CellCount
from data_designer.errors import Outage
from data_designer.models.exchange import drive, drive_group, run_without_model
from data_designer.plan.columns import producers
from data_designer.plan.model import LOCAL, Plan, Stage, Step
from data_designer.plan.program import CellProgram, GroupsProgram, Program, RowsProgram
from data_designer.values import Block, Drop, Made, Nulled, Ok, Outcome, Reason, Skip

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

_ASYNC_CALLS_AT_ONCE = 64
_SHOWN = 200
"""Characters of a value that a message repeats."""


@dataclass(slots=True)
class CellCounts:
    """Finished and failed cells of inference columns since the last `take`."""

    finished: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)

    def add(self, column: str, *, failed: bool) -> None:
        """Count one finished cell."""
        self.finished[column] = self.finished.get(column, 0) + 1
        if failed:
            self.failed[column] = self.failed.get(column, 0) + 1

    def take(self) -> tuple[CellCount, ...]:
        """What was counted; starts anew."""
        counts = tuple(CellCount(c, n, self.failed.get(c, 0)) for c, n in self.finished.items())
        self.finished, self.failed = {}, {}
        return counts


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a stage came to for one row."""

    values: dict[str, object]
    skipped: frozenset[str] | None = None
    rejected: Reason | None = None
    failed: tuple[Reason, ...] = ()
    """Why cells are null."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A row of those that are asked for in groups."""

    record: dict[str, object]
    skipped: frozenset[str] | None
    asks: RowAsks


@dataclass(frozen=True, slots=True)
class _Built:
    step: Step
    program: Program
    skip_condition: SkipCondition | None
    inference: bool
    fingerprint: str
    users: bool
    """Whether it calls a function of the user, which may not give the same twice."""
    fits: tuple[Fit | None, ...]
    """For each column that it makes, what fits the declared type; None where nothing is declared."""
    stream: int = 0
    """What `random` draws from in its templates."""
    told: set[str] = field(default_factory=set)
    """Kinds of errors that nobody foresaw, of which the log has one."""

    def unexpected(self, error: BaseException, record: int) -> Drop:
        """What a cell comes to in which something broke that nobody foresaw."""
        column, kind, what = self.step.name, type(error).__name__, said_by(error)
        if kind not in self.told:
            self.told.add(kind)
            told = "column=%s record=%d is rejected (later ones of this kind are not told): %s: %s"
            logger.warning(told, column, record, kind, what, exc_info=error)
        return Drop(Reason(kind, f"the cell could not be computed: {kind}: {what}", column))

    def admitted(self, outcome: Outcome) -> Outcome:
        """What came out as cells hold it; a `Drop` where they cannot, since what is stored has to be what was seen."""
        if not isinstance(outcome, Ok):
            return outcome
        values = []
        for name, value, fits in zip(self.step.makes, outcome.values, self.fits, strict=True):
            try:
                cell = kept(value)
            except Exception as error:  # noqa: BLE001 - looking at what a function gives may run its code
                return _unstorable(f"the value of `{name}` cannot be stored: {error}")
            if fits is not None and not fits.cell(cell):
                return _unstorable(f"the value of `{name}` does not fit the column's declared type: {_shown(cell)}")
            values.append(cell)
        return Ok(tuple(values))

    def admits(self, columns: Sequence[Sequence[object]]) -> bool:
        """Whether `admitted` gives all cells of the columns that it makes as they are; if in doubt, no."""
        return all(
            all_kept(values) and (fits is None or fits.column(values))
            for values, fits in zip(columns, self.fits, strict=True)
        )

    def known(self, values: list[object] | None) -> Outcome | None:
        """What the cell came to before, where that can still be used."""
        return None if values is None or len(values) != len(self.step.makes) else Ok(tuple(values))


class StageRunner:
    """A stage whose programs are built. Made once in a process for each stage that runs there."""

    def __init__(self, plan: Plan, stage: Stage, seed_table: "pa.Table | None" = None) -> None:
        named = producers(plan.config.columns)
        self.stage = stage
        self._nulls = plan.run.on_row_failure == "null"
        self._steps = [
            _Built(
                step,
                KINDS[step.kind].build(step, plan, seed_table),
                _skip_condition(step, named),
                step.pool != LOCAL,
                plan.fingerprints.get(step.name, ""),
                bool(KINDS[step.kind].functions(step.configs[0])),
                declared_fits(step),
                key(plan.seed, step.name),
            )
            for step in stage.steps
        ]

    @property
    def calls_users(self) -> bool:
        """Whether it calls functions of the user."""
        return any(built.users for built in self._steps)

    @property
    def is_in_groups(self) -> bool:
        """Whether cells of several rows are asked for in one request."""
        return hasattr(self._steps[0].program, "exchange_of")

    # --- next to a model ---------------------------------------------------------------------------------

    async def run_row(
        self,
        record: dict[str, object],
        skipped: frozenset[str] | None,
        asks: RowAsks,
        counts: CellCounts,
        begun: Outcome | Nulled | None = None,
    ) -> RowResult:
        """Run the steps for one record, asking a model where they ask. `record` is written to.

        Args:
            record: what is known of it.
            skipped: columns that were skipped.
            asks: how it asks.
            counts: where its cells are counted.
            begun: what the first step has come to, where that is known.
        """
        values: dict[str, object] = {}
        failed: tuple[Reason, ...] = ()
        for place, built in enumerate(self._steps):
            step = built.step
            draw_for(built.stream, asks.record)
            outcome: Outcome | Nulled
            if begun is not None and not place:
                outcome = begun
            else:
                outcome = await self._decided(built, record, skipped, asks)
            if built.inference:
                counts.add(step.name, failed=isinstance(outcome, Drop | Nulled))
            match outcome:
                case Drop(reason) if self._nulls:
                    failed = (*failed, replace(reason, column=step.name))
                    skipped = (skipped or frozenset()) | {step.name}
                    made: tuple[object, ...] = (None,) * len(step.makes)
                case Drop(reason):
                    return RowResult(values, skipped, replace(reason, column=step.name))
                case Skip(made):
                    skipped = (skipped or frozenset()) | {step.name}
                case Nulled(made, reason):
                    failed = (*failed, replace(reason, column=step.name))
                case Ok(made):
                    pass
            for name, value in zip(step.makes, made, strict=True):
                values[name] = record[name] = value
        return RowResult(values, skipped, failed=failed)

    async def _decided(
        self, built: _Built, record: dict[str, object], skipped: frozenset[str] | None, asks: RowAsks
    ) -> Outcome:
        """What a cell comes to, computed where that is not skipped and not known."""
        if built.skip_condition is not None and built.skip_condition.decide(record, skipped or ()):
            return Skip(built.skip_condition.values)
        known = built.known(asks.result(built.fingerprint))
        return await self._outcome(built, record, asks) if known is None else known

    async def _outcome(self, built: _Built, record: dict[str, object], asks: RowAsks) -> Outcome:
        """What a cell comes to; whatever breaks on the way ends it and no other."""
        try:
            exchange = _cell(built.program).exchange(record, asks.record)
            return built.admitted(await drive(exchange, asks.of(built.step.name, built.fingerprint)))
        except (Outage, JournalError):
            raise
        except BaseException as error:
            if not ends_a_cell(error):
                raise
            return built.unexpected(error, asks.record)

    async def run_groups(
        self,
        rows: Sequence[GroupRow],
        counts: CellCounts,
        done: Callable[[GroupRow, RowResult], None],
        at_once: int,
    ) -> None:
        """Run the steps for all live rows of a batch, where the first asks for those of several rows in one request.

        Args:
            rows: the rows. Which of them are asked for together does not depend on when and where that is done.
            counts: where cells are counted.
            done: is told what a row came to, of all rows of a group at once.
            at_once: groups that are under way at the same time.
        """
        built = self._steps[0]
        size, todo = cast(GroupsProgram, built.program).group_size, []
        for row in sorted(rows, key=lambda one: one.asks.record):
            draw_for(built.stream, row.asks.record)
            if built.skip_condition is not None and built.skip_condition.decide(row.record, row.skipped or ()):
                done(row, await self.run_row(row.record, row.skipped, row.asks, counts))
            else:
                todo.append(row)
        groups = iter([todo[start : start + size] for start in range(0, len(todo), size)])

        async def work(waiting: Iterator[list[GroupRow]]) -> None:
            for group in waiting:
                made = await self._group(built, group)
                results = [
                    await self.run_row(row.record, row.skipped, row.asks, counts, begun)
                    for row, begun in zip(group, made, strict=True)
                ]
                for row, result in zip(group, results, strict=True):
                    done(row, result)

        tasks = [asyncio.create_task(work(groups)) for _ in range(max(1, at_once))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _group(self, built: _Built, group: Sequence[GroupRow]) -> Sequence[Outcome | Nulled]:
        """What the first cells of some rows come to; whatever breaks on the way ends these and no others."""
        known = [built.known(row.asks.result(built.fingerprint)) for row in group]
        found = [outcome for outcome in known if outcome is not None]
        if len(found) == len(group):
            return found
        column, first = built.step.name, group[0].asks
        try:
            exchange = cast(GroupsProgram, built.program).exchange_of([row.record for row in group])
            outcomes = await drive_group(exchange, first.of(column, built.fingerprint))
        except (Outage, JournalError):
            raise
        except BaseException as error:
            if not ends_a_cell(error):
                raise
            return [built.unexpected(error, row.asks.record) for row in group]
        for row in group[1:]:
            row.asks.shared(column)
        return [_admitted(built, outcome) for outcome in outcomes]

    # --- on a CPU ----------------------------------------------------------------------------------------

    def run_block(self, block: Block, results: Results | None = None) -> Block:
        """Run the steps for all rows of a block; blocks, except for functions that are `async def`.

        What a function of the user made of a row before is taken from `results` where it is known there.

        Returns a block of the same rows with the columns the stage makes, `SKIPPED` where any cell was skipped,
        `FAILED` where any is null instead of failing its row, and `REJECTED` where any row was.
        """
        work = _Work(block, results, nulls=self._nulls)
        for built in self._steps:
            work.run(built)
        return work.result(self.stage.makes)


def _admitted(built: _Built, outcome: Outcome | Nulled) -> Outcome | Nulled:
    """The same as cells hold it."""
    if not isinstance(outcome, Nulled):
        return built.admitted(outcome)
    stands_for = built.admitted(Ok(outcome.values))
    return Nulled(stands_for.values, outcome.reason) if isinstance(stands_for, Ok) else stands_for


def ends_a_cell(error: BaseException) -> bool:
    """Whether what was raised while a cell was computed is that cell's matter, and nobody's who wants to stop."""
    # A panic of a library in Rust is no Exception.
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _unstorable(why: str) -> Drop:
    return Drop(Reason(UnstorableValueError.__name__, why))


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _cell(program: Program) -> CellProgram:
    """The program of a step with scope `cell`; those of RowsProgram shape never stand next to a model."""
    return cast(CellProgram, program)


class _Work:
    """A block on its way through a CPU stage."""

    def __init__(self, block: Block, results: Results | None, *, nulls: bool) -> None:
        self.nulls = nulls
        self.rows = block.rows
        self.results = results
        # The block's own lists: what the stage makes goes into lists of its own.
        self.columns = {name: values for name, values in block.columns.items() if name != SKIPPED}
        self.skipped: list[frozenset[str] | None] = list(block.columns.get(SKIPPED) or [None] * len(block))
        self.rejected: list[Reason | None] = [None] * len(block)
        self.failed: list[tuple[Reason, ...] | None] = [None] * len(block)

    def run(self, built: _Built) -> None:
        """Run one step for the rows that are left."""
        step = built.step
        for name in step.makes:
            self.columns[name] = [None] * len(self.rows)
        todo = [place for place, reason in enumerate(self.rejected) if reason is None]
        if built.skip_condition is not None and not built.skip_condition.skips_none(self.skipped):
            todo = self._unskipped(built, built.skip_condition, todo)
        if built.users and self.results is not None:
            todo = self._unknown(built, self.results, todo)
        if not todo:
            return
        self._compute(built, todo)
        if built.users and self.results is not None:
            for place in todo:
                if self.rejected[place] is None:
                    values = [self.columns[name][place] for name in step.makes]
                    self.results.note(built.fingerprint, int(self.rows[place]), values)

    def _unknown(self, built: _Built, results: Results, todo: list[int]) -> list[int]:
        """Take what is known; gives the rows that are left, all of them where a function sees them together."""
        known = {place: built.known(results.known(built.fingerprint, int(self.rows[place]))) for place in todo}
        unknown = [place for place in todo if known[place] is None]
        if unknown and built.step.scope == "batch":
            return todo
        for place, outcome in known.items():
            if outcome is not None:
                self._settle(built, place, outcome)
        return unknown

    def _compute(self, built: _Built, todo: list[int]) -> None:
        if hasattr(built.program, "run"):
            self._run_rows(built, cast(RowsProgram, built.program), todo)
        else:
            self._run_cells(built, _cell(built.program), todo)

    def _unskipped(self, built: _Built, skip_condition: SkipCondition, todo: list[int]) -> list[int]:
        """Skip the rows that the skip condition says to skip; gives the others."""
        others = []
        decisions = skip_condition.decisions(self.columns, self.skipped, todo)
        for place in todo:
            draw_for(built.stream, int(self.rows[place]))
            if next(decisions):
                self._write(built.step, place, skip_condition.values)
                self._skip(built.step, place)
            else:
                others.append(place)
        return others

    def _write(self, step: Step, place: int, values: tuple[object, ...]) -> None:
        for name, value in zip(step.makes, values, strict=True):
            self.columns[name][place] = value

    def _settle(self, built: _Built, place: int, outcome: Outcome) -> None:
        step = built.step
        match outcome:
            case Drop(reason):
                self._fail(step, place, replace(reason, column=reason.column or step.name))
            case Ok(values) | Skip(values):
                self._write(step, place, values)

    def _skip(self, step: Step, place: int) -> None:
        self.skipped[place] = (self.skipped[place] or frozenset()) | {step.name}

    def _fail(self, step: Step, place: int, reason: Reason) -> None:
        """A cell came to nothing: its row is rejected, or the cell is null where that is wanted and it has a name."""
        if self.nulls and not step.joint:
            self._write(step, place, (None,) * len(step.makes))
            self._skip(step, place)
            self.failed[place] = (*(self.failed[place] or ()), reason)
        else:
            self.rejected[place] = reason

    def _run_rows(self, built: _Built, program: RowsProgram, todo: list[int]) -> None:
        """Run a step for some rows together; where that breaks, for halves of them, until it is known for which."""
        step = built.step
        try:
            made = self._made(step, program, todo)
        except BaseException as error:
            if not ends_a_cell(error):
                raise
            if len(todo) == 1 or step.scope == "batch":
                failed = built.unexpected(error, int(self.rows[todo[0]]))
                for place in todo:
                    self._settle(built, place, failed)
            else:
                middle = len(todo) // 2
                self._run_rows(built, program, todo[:middle])
                self._run_rows(built, program, todo[middle:])
            return
        self._take(built, made, todo)

    def _made(self, step: Step, program: RowsProgram, todo: list[int]) -> Made:
        if len(todo) == len(self.rows):
            return program.run(Block(self.rows, {name: self.columns[name] for name in step.needs}))
        taken = {name: [self.columns[name][place] for place in todo] for name in step.needs}
        return program.run(Block(self.rows[np.array(todo, dtype=np.int64)], taken))

    def _take(self, built: _Built, made: Made, todo: list[int]) -> None:
        step = built.step
        columns = [made.columns[name] for name in step.makes]
        # What is made together is made here, and of kinds that cells hold.
        if step.joint or (not made.drops and built.admits(columns)):
            for name, column in zip(step.makes, columns, strict=True):
                self._put(name, column, todo)
        else:
            cells = zip(*columns, strict=True)
            for source, (place, values) in enumerate(zip(todo, cells, strict=True)):
                if source not in made.drops:
                    self._settle(built, place, built.admitted(Ok(values)))
        for source, reason in made.drops.items():
            self._fail(step, todo[source], replace(reason, column=reason.column or step.name))

    def _put(self, name: str, values: Sequence[object], todo: list[int]) -> None:
        """Set a column in the rows of `todo`."""
        if len(todo) == len(self.rows) == len(values):
            self.columns[name] = [*values]
        else:
            mine = self.columns[name]
            for place, value in zip(todo, values, strict=True):
                mine[place] = value

    def _run_cells(self, built: _Built, program: CellProgram, todo: list[int]) -> None:
        if isinstance(program, CustomCellProgram) and program.is_async:
            asyncio.run(self._run_async(built, program, todo))
            return
        needs = built.step.needs
        for place in todo:
            record = {name: self.columns[name][place] for name in needs}
            index = int(self.rows[place])
            try:
                outcome = built.admitted(run_without_model(program.exchange(record, index)))
            except BaseException as error:
                if not ends_a_cell(error):
                    raise
                outcome = built.unexpected(error, index)
            self._settle(built, place, outcome)

    async def _run_async(self, built: _Built, program: CustomCellProgram, todo: list[int]) -> None:
        at_once = asyncio.Semaphore(_ASYNC_CALLS_AT_ONCE)

        async def one(place: int) -> None:
            index = int(self.rows[place])
            record = {name: self.columns[name][place] for name in built.step.needs}
            async with at_once:
                try:
                    result = await program.call(record)
                except BaseException as error:
                    if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                        raise
                    outcome = program.failed(error, index)
                else:
                    outcome = program.finish(record, result, index)
            self._settle(built, place, built.admitted(outcome))

        async with asyncio.TaskGroup() as group:
            for place in todo:
                group.create_task(one(place))

    def result(self, makes: tuple[str, ...]) -> Block:
        """What the stage made."""
        columns: dict[str, list[object]] = {name: self.columns[name] for name in makes}
        if any(self.skipped):
            columns[SKIPPED] = list(self.skipped)
        if any(reason is not None for reason in self.rejected):
            columns[REJECTED] = list(self.rejected)
        if any(self.failed):
            columns[FAILED] = list(self.failed)
        return Block(self.rows, columns)


def _is_cancelled() -> bool:
    """Whether this task is to end; without that a CancelledError is what a function raised of itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _skip_condition(step: Step, named: dict[str, str]) -> SkipCondition | None:
    guarded = step.skip is not None or (step.propagate_skip and bool(step.required))
    if not guarded:
        return None
    skip_condition = SkipCondition(step, named)
    skip_condition.values = tuple(map(kept, skip_condition.values))
    return skip_condition
