"""Runs a stage: its steps in order, row by row next to a model or block by block on a CPU."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from data_designer.columns.custom import CustomCellProgram, CustomColumnProgram
from data_designer.columns.foreign_calls import said_by
from data_designer.columns.random_streams import key
from data_designer.columns.registry import KINDS
from data_designer.columns.seeds.large_cells import has_large, loaded
from data_designer.columns.templating.seeded_random import draw_for
from data_designer.columns.templating.skip_conditions import SkipCondition
from data_designer.engine.dataset.encoding import UnstorableValueError, all_kept, kept
from data_designer.engine.dataset.journal import JournalError
from data_designer.engine.dataset.schema import Fit, declared_fits
from data_designer.engine.execution.asking import (
    FunctionAsks,
    FunctionRunner,
    PeerOutageError,
    ask_several,
    cell_of,
    is_cancelled,
)
from data_designer.engine.execution.recording import Ask, KnownResults, RowAsks
from data_designer.engine.execution.tracing import BlockTracing, CellTracing
from data_designer.engine.protocol.parcels import FAILED, REJECTED, SKIPPED
from data_designer.engine.protocol.rows import CellCount
from data_designer.errors import ModelError, Outage
from data_designer.models.exchange import drive, drive_group, run_without_model
from data_designer.plan.columns import producers
from data_designer.plan.model import LOCAL, Plan, Stage, Step
from data_designer.plan.program import CellProgram, GroupsProgram, Program, RowsProgram
from data_designer.values import Block, Drop, Made, MediaFile, Nulled, Ok, Outcome, Reason, Skip

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

_ASYNC_CALLS_AT_ONCE = 64
_NO_CALLS: Mapping[str, FunctionAsks] = MappingProxyType({})
_SHOWN = 200
"""Characters of a value that a message repeats."""


@dataclass(slots=True)
class CellCounts:
    """Finished and failed cells of inference columns since the last `take`."""

    finished: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    replayed: dict[str, int] = field(default_factory=dict)
    ahead: dict[str, int] = field(default_factory=dict)
    """Finished cells of rows that are still under way."""

    def add(self, column: str, *, failed: bool, replayed: bool) -> None:
        """Count one finished cell."""
        self.finished[column] = self.finished.get(column, 0) + 1
        self.ahead[column] = self.ahead.get(column, 0) + 1
        if failed:
            self.failed[column] = self.failed.get(column, 0) + 1
        elif replayed:
            self.replayed[column] = self.replayed.get(column, 0) + 1

    def take(self) -> tuple[CellCount, ...]:
        """What was counted; starts anew."""
        counts = tuple(
            CellCount(c, n, self.failed.get(c, 0), self.replayed.get(c, 0)) for c, n in self.finished.items()
        )
        self.finished, self.failed, self.replayed = {}, {}, {}
        return counts

    def done(self, steps: Iterable[str], results: "Sequence[RowResult]") -> None:
        """Some rows are under way no more; one that was rejected has no cells of the steps after."""
        rejected = Counter(result.rejected.column for result in results if result.rejected is not None)
        left = len(results)
        for name in steps:
            if name in self.ahead:
                self.ahead[name] -= left
            left -= rejected[name]


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a stage came to for one row."""

    values: dict[str, object]
    skipped: frozenset[str] | None = None
    rejected: Reason | None = None
    failed: tuple[Reason, ...] = ()
    """Why cells are null."""
    files: tuple[MediaFile, ...] = ()
    """That its cells name."""


class Asks(Protocol):
    """How the steps of one row ask."""

    @property
    def tracing(self) -> CellTracing | None:
        """What is told of its cells; None where nobody is."""
        ...

    @property
    def record(self) -> int:
        """The row's record index."""
        ...

    @property
    def asked(self) -> int:
        """Requests for which somebody was asked."""
        ...

    @property
    def replayed(self) -> int:
        """Requests, and results of functions, that were known."""
        ...

    @property
    def files(self) -> dict[str, MediaFile]:
        """Those that the row's cells name, by what they call them."""
        ...

    def result(self, fingerprint: str) -> list[object] | None:
        """What a step came to before, as a whole."""
        ...

    async def copied(self, values: Sequence[object]) -> tuple[MediaFile, ...] | None:
        """Files that a cell names which was taken from a column cache; None where they are not to be had."""
        ...

    def of(self, column: str, fingerprint: str) -> Ask:
        """How a step asks, given its column and that one's fingerprint."""
        ...

    def shared(self, column: str, with_first: "Asks") -> None:
        """A cell was asked for in a request that is accounted for with another record's."""
        ...


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A row of those that are asked for in groups."""

    record: dict[str, object]
    skipped: frozenset[str] | None
    asks: Asks


@dataclass(frozen=True, slots=True)
class _Built:
    step: Step
    program: Program
    skip_condition: SkipCondition | None
    inference: bool
    fingerprint: str
    users: bool
    """Whether it calls a function of the user, which may not give the same twice."""
    asking: bool
    """Whether that function asks models."""
    fits: tuple[Fit | None, ...]
    """For each column that it makes, what fits the declared type; None where nothing is declared."""
    has_files: bool = False
    """Whether its values name files."""
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
        return Ok(tuple(values), outcome.files)

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
        self._functions: FunctionRunner | None = None
        self._steps = [
            _Built(
                step,
                program := KINDS[step.kind].build(step, plan, seed_table),
                _skip_condition(step, named),
                step.pool != LOCAL,
                plan.fingerprints.get(step.name, ""),
                bool(KINDS[step.kind].functions(step.configs[0])),
                step.pool != LOCAL and isinstance(program, CustomCellProgram | CustomColumnProgram),
                declared_fits(step, plan),
                KINDS[step.kind].has_files,
                key(plan.seed, step.name),
            )
            for step in stage.steps
        ]

    @property
    def calls_users(self) -> bool:
        """Whether it calls functions of the user."""
        return any(built.users for built in self._steps)

    @property
    def shows_media(self) -> bool:
        """Whether a model is shown media, so that a row may take megabytes while it is computed."""
        return any(KINDS[step.kind].media(step.configs[0]) for step in self.stage.steps)

    @property
    def asks_by_functions(self) -> bool:
        """Whether a function of the user asks models."""
        return any(built.asking for built in self._steps)

    def let_ask(self, functions: FunctionRunner) -> None:
        """Have functions ask models through this; before the first row."""
        self._functions = functions

    @property
    def is_in_groups(self) -> bool:
        """Whether cells of several rows are asked for in one request."""
        return hasattr(self._steps[0].program, "exchange_of")

    # --- next to a model ---------------------------------------------------------------------------------

    async def run_row(
        self,
        record: dict[str, object],
        skipped: frozenset[str] | None,
        asks: Asks,
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
        files: tuple[MediaFile, ...] = ()
        for place, built in enumerate(self._steps):
            is_begun = begun is not None and not place
            step, asked, replayed = built.step, 0 if is_begun else asks.asked, 0 if is_begun else asks.replayed
            draw_for(built.stream, asks.record)
            outcome: Outcome | Nulled
            if begun is not None and not place:
                outcome = begun
            else:
                outcome = await self._decided(built, record, skipped, asks)
            if built.inference:
                is_replayed = asks.replayed > replayed and asks.asked == asked
                counts.add(step.name, failed=isinstance(outcome, Drop | Nulled), replayed=is_replayed)
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
                case Ok(made, made_files):
                    files += made_files
                    asks.files.update((file.path, file) for file in made_files)
            for name, value in zip(step.makes, made, strict=True):
                values[name] = record[name] = value
        return RowResult(values, skipped, failed=failed, files=files)

    @staticmethod
    async def _known(built: _Built, asks: Asks) -> Outcome | None:
        """What the cell came to before, with its files, where that can still be used."""
        known = built.known(asks.result(built.fingerprint))
        if not (built.has_files and isinstance(known, Ok)):
            return known
        files = await asks.copied(known.values)
        return None if files is None else replace(known, files=files)

    async def _decided(
        self, built: _Built, record: dict[str, object], skipped: frozenset[str] | None, asks: Asks
    ) -> Outcome:
        """What a cell comes to, computed where that is not skipped and not known."""
        if built.skip_condition is not None and built.skip_condition.decide(record, skipped or ()):
            return Skip(built.skip_condition.values)
        if (known := await self._known(built, asks)) is not None:
            self._recall(built, asks)
            return known
        return await self._computing(built, record, asks)

    def _computing(self, built: _Built, record: dict[str, object], asks: Asks) -> Awaitable[Outcome]:
        computing = self._outcome(built, record, asks)
        return computing if asks.tracing is None else asks.tracing.of(built.step.name, asks.record, computing)

    async def _outcome(self, built: _Built, record: dict[str, object], asks: Asks) -> Outcome:
        """What a cell comes to; whatever breaks on the way ends it and no other."""
        try:
            if built.asking and self._functions is None:
                return Drop(Reason("NotAsked", "its function asks models itself, so it is not called where none is"))
            if built.asking:
                return await self._called(built, record, cast(RowAsks, asks))
            exchange = _cell(built.program).exchange(record, asks.record)
            return built.admitted(await drive(exchange, self._ask(built, asks)))
        except (Outage, PeerOutageError, JournalError):
            raise
        except BaseException as error:
            if not ends_a_cell(error):
                raise
            return built.unexpected(error, asks.record)

    def _ask(self, built: _Built, asks: Asks) -> Ask:
        if not built.step.asks or self._functions is None:
            return asks.of(built.step.name, built.fingerprint)
        return ask_several(self._functions, cast(RowAsks, asks), built.step, built.fingerprint)

    async def _called(self, built: _Built, record: Mapping[str, object], asks: RowAsks) -> Outcome:
        assert self._functions is not None
        given = {name: record[name] for name in built.step.needs}
        program, calls = cast(CustomCellProgram, built.program), self._calls(built, asks)
        outcome = built.admitted(await cell_of(program, given, calls, asks.record, self._functions))
        if isinstance(outcome, Ok):
            asks.note(built.fingerprint, outcome.values)
        return outcome

    def _recall(self, built: _Built, asks: Asks) -> None:
        if built.asking:
            self._calls(built, cast(RowAsks, asks)).recall()

    def _calls(self, built: _Built, asks: RowAsks) -> FunctionAsks:
        assert self._functions is not None
        return FunctionAsks(self._functions, asks, built.step, built.fingerprint)

    async def run_batch(self, block: Block, asks: RowAsks, results: KnownResults) -> Block:
        """Run the steps for all rows of a batch, of which a function sees them together and asks models.

        Raises:
            Outage: a model is down that this replica asks.
            PeerOutageError: another one is.
            JournalError: a reply could not be kept.
        """
        functions = self._functions
        assert functions is not None
        calls = {built.step.name: self._calls(built, asks) for built in self._steps if built.asking}
        try:
            return await functions.in_thread(lambda: self.run_block(block, results, calls))
        finally:
            for call in calls.values():
                call.close()

    def count(self, results: Sequence[RowResult], counts: CellCounts) -> None:
        """Count the cells of rows that were run together."""
        for built in self._steps:
            if built.inference:
                for result in results:
                    reasons = (*((result.rejected,) if result.rejected else ()), *result.failed)
                    is_failed = any(reason.column == built.step.name for reason in reasons)
                    counts.add(built.step.name, failed=is_failed, replayed=False)

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
            driving = drive_group(exchange, first.of(column, built.fingerprint))
            records = [row.asks.record for row in group]
            outcomes = await (driving if first.tracing is None else first.tracing.of_group(column, records, driving))
        except (Outage, PeerOutageError, JournalError):
            raise
        except BaseException as error:
            if not ends_a_cell(error):
                raise
            return [built.unexpected(error, row.asks.record) for row in group]
        for row in group[1:]:
            row.asks.shared(column, first)
        return [_admitted(built, outcome) for outcome in outcomes]

    # --- on a CPU ----------------------------------------------------------------------------------------

    def run_block(
        self,
        block: Block,
        results: KnownResults | None = None,
        calls: Mapping[str, FunctionAsks] = _NO_CALLS,
        tracing: BlockTracing | None = None,
    ) -> Block:
        """Run the steps for all rows of a block; blocks, except for functions that are `async def`.

        What a function of the user made of a row before is taken from `results` where it is known there. `calls` says
        how the functions of steps ask models.

        Returns a block of the same rows with the columns the stage makes, `SKIPPED` where any cell was skipped,
        `FAILED` where any is null instead of failing its row, and `REJECTED` where any row was.
        """
        work = _Work(block, results, calls, nulls=self._nulls)
        for built in self._steps:
            if tracing is not None:
                tracing.begin()
            work.run(built)
            if tracing is not None:
                tracing.end(built.step, work.failures(built.step), len(block))
        return work.result(self.stage.makes)


def results_of(block: Block, makes: Sequence[str]) -> list[RowResult]:
    """What a stage came to for each row of what it made of a block."""
    size = len(block)
    nothing: list[None] = [None] * size
    cells = zip(*(block.columns[name] for name in makes), strict=True) if makes else (() for _ in range(size))
    beside = (block.columns.get(name) or nothing for name in (SKIPPED, REJECTED, FAILED))
    return [
        RowResult(dict(zip(makes, values, strict=True)), skipped, rejected, failed or ())
        for values, skipped, rejected, failed in zip(cells, *beside, strict=True)
    ]


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

    def __init__(
        self, block: Block, results: KnownResults | None, calls: Mapping[str, FunctionAsks], *, nulls: bool
    ) -> None:
        self.nulls = nulls
        self.calls = calls
        self.rows = block.rows
        self.results = results
        # The block's own lists: what the stage makes goes into lists of its own.
        self.columns = {name: values for name, values in block.columns.items() if name != SKIPPED}
        self.skipped: list[frozenset[str] | None] = list(block.columns.get(SKIPPED) or [None] * len(block))
        self.rejected: list[Reason | None] = [None] * len(block)
        self.failed: list[tuple[Reason, ...] | None] = [None] * len(block)

    def run(self, built: _Built) -> None:
        """Run one step for the rows that are left, on large values too, which are in memory as long as it takes."""
        large = {name: values for name in built.step.needs if has_large(values := self.columns.get(name, []))}
        self.columns.update({name: loaded(values) for name, values in large.items()})
        try:
            self._run(built)
        finally:
            self.columns.update(large)

    def _run(self, built: _Built) -> None:
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

    def _unknown(self, built: _Built, results: KnownResults, todo: list[int]) -> list[int]:
        """Take what is known; gives the rows that are left, all of them where a function sees them together."""
        known = {place: built.known(results.known(built.fingerprint, int(self.rows[place]))) for place in todo}
        unknown = [place for place in todo if known[place] is None]
        if unknown and built.step.scope == "batch":
            return todo
        for place, outcome in known.items():
            if outcome is not None:
                self._settle(built, place, outcome)
        if todo and not unknown and built.step.name in self.calls:
            self.calls[built.step.name].recall()
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
        except (Outage, PeerOutageError, JournalError):
            raise
        except ModelError as error:
            for place in todo:
                self._settle(built, place, Drop(Reason(type(error).__name__, str(error))))
            return
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
            block = Block(self.rows, {name: self.columns[name] for name in step.needs})
        else:
            taken = {name: [self.columns[name][place] for place in todo] for name in step.needs}
            block = Block(self.rows[np.array(todo, dtype=np.int64)], taken)
        calls = self.calls.get(step.name)
        if calls is None:
            return program.run(block)
        try:
            return cast(CustomColumnProgram, program).run(block, calls.models)
        finally:
            if calls.outage is not None:
                raise calls.outage

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
                    if isinstance(error, asyncio.CancelledError) and is_cancelled():
                        raise
                    outcome = program.failed(error, index)
                else:
                    outcome = program.finish(record, result, index)
            self._settle(built, place, built.admitted(outcome))

        async with asyncio.TaskGroup() as group:
            for place in todo:
                group.create_task(one(place))

    def failures(self, step: Step) -> list[Reason]:
        """Why rows failed in a step."""
        names = {step.name, *step.makes}
        found = [reason for reason in self.rejected if reason is not None and reason.column in names]
        return found + [one for some in self.failed for one in some or () if one.column in names]

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


def _skip_condition(step: Step, named: dict[str, str]) -> SkipCondition | None:
    guarded = step.skip is not None or (step.propagate_skip and bool(step.required))
    if not guarded:
        return None
    skip_condition = SkipCondition(step, named)
    skip_condition.values = tuple(map(kept, skip_condition.values))
    return skip_condition
