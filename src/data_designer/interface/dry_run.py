"""Renders what would be asked for some records, and asks nobody.

All that runs on a CPU runs: samplers, seeds, expressions, validators, functions of the user. In the place of what a
model would write stands a value that fits the column, so that the prompts after it can be rendered too.
"""

import asyncio
import json
import os
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from data_designer.columns.image import FOLDER
from data_designer.columns.registry import KINDS
from data_designer.columns.seeds.large_cells import loaded
from data_designer.config.models import EmbeddingInferenceParams
from data_designer.engine.execution.conversing import asking
from data_designer.engine.execution.recording import Ask
from data_designer.engine.execution.stage_runner import CellCounts, GroupRow, RowResult, StageRunner
from data_designer.engine.protocol.conversation import text_of
from data_designer.engine.protocol.parcels import FAILED, REJECTED, SKIPPED
from data_designer.errors import ModelAPIConnectionError
from data_designer.interface import run as running
from data_designer.interface.compile import PreparedPlan
from data_designer.interface.stand_ins import stand_in_image, stand_ins
from data_designer.media_files import content_below
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.models.wires import fields_shown
from data_designer.plan.model import LOCAL, Plan, Pool, Stage
from data_designer.plan.tools import ToolSet
from data_designer.terminal import visible
from data_designer.values import (
    Block,
    ChatRequest,
    ChatResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    FileRequest,
    FileResponse,
    HttpRequest,
    ImageRequest,
    ImageResponse,
    MediaFile,
    Message,
    Reason,
    Request,
    Response,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from data_designer.object_storage import Location

FEW = 3
"""Records of a dry run, unless told otherwise."""
_CHARACTERS_A_TOKEN = 4
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class RenderedCell:
    """What would be asked for one cell."""

    column: str
    """Its column."""
    alias: str
    """Alias of the model that would be asked."""
    model: str
    """Name of that model."""
    fields: Mapping[str, object]
    """Fields of the request beside its messages, without secrets."""
    messages: Sequence[Message]
    """What it would be asked, in OpenAI's form."""
    instead: str = ""
    """Why nothing would be asked; empty where something is."""


@dataclass(frozen=True, slots=True)
class RenderedRecord:
    """What would be asked for one record."""

    record: int
    """Record index."""
    values: Mapping[str, object]
    """Columns that no model makes."""
    cells: Sequence[RenderedCell]
    """What would be asked for it, a cell after another."""
    rejected: str | None = None
    """Why the record would be left out, as far as that is known without a model."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """The prompts of some records. `print` shows them."""

    records: Sequence[RenderedRecord]
    """The records."""
    notes: Sequence[str] = ()
    """What there is to say of all of them."""

    @property
    def tokens(self) -> int:
        """About how long the prompts of a record are, by four characters a token."""
        texts = (text_of(one) for record in self.records for cell in record.cells for one in cell.messages)
        return round(sum(map(len, texts)) / _CHARACTERS_A_TOKEN / max(1, len(self.records)))

    def __str__(self) -> str:
        return visible("\n".join(_lines(self)))

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre-wrap">{escape(str(self))}</pre>'


def _lines(dry: DryRun) -> Iterator[str]:
    for one in dry.records:
        yield f"##### record {one.record:,}"
        yield from (f"{name}: {_short(value)}" for name, value in one.values.items())
        for cell in one.cells:
            yield ""
            yield from _cell_lines(cell)
        if one.rejected is not None:
            yield f"=== the record would be left out: {one.rejected}"
        yield ""
    yield from dry.notes


def _cell_lines(cell: RenderedCell) -> Iterator[str]:
    if cell.instead:
        yield f"=== {cell.column}: {cell.instead}"
        return
    fields = ", ".join(f"{name}={_short(value)}" for name, value in cell.fields.items())
    yield f"=== {cell.column}: {cell.model} (alias {cell.alias}){f', {fields}' if fields else ''}"
    for message in cell.messages:
        yield f"--- {message['role']}"
        yield text_of(message)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    left = len(text) - _LONGEST_SHOWN
    return text if left <= 0 else f"{text[:_LONGEST_SHOWN]}… (+{left:,} characters)"


# --- rendering -----------------------------------------------------------------------------------------------


def dry_run(prepared: PreparedPlan) -> DryRun:
    """Render the prompts of all records of a plan, which has few. Nothing is sent anywhere.

    Raises:
        Exception: what a function of the user raises that ends a run.
    """
    run = prepared.plan.run.model_copy(
        update={"max_conversation_restarts": 1, "max_conversation_correction_steps": 0}
    )  # The second reply is another stand-in, where the first does not fit.
    # Nobody calls tools, so their servers need not be asked for any.
    tools = {one.tool_alias: ToolSet(one.tool_alias, (), 0) for one in prepared.plan.config.tool_configs or ()}
    work = _DryRun(replace(prepared.plan, run=run, tools=tools), prepared.seed_table)
    running.on_own_loop(lambda _: work.make())
    return work.result()


@dataclass(slots=True)
class _Row:
    """A record on its way."""

    values: dict[str, object] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    rejected: Reason | None = None
    nulled: dict[str, Reason] = field(default_factory=dict)
    asked: dict[str, Request] = field(default_factory=dict)


class _DryRun:
    def __init__(self, plan: Plan, seed_table: "pa.Table | None") -> None:
        self._plan = plan
        self._seed_table = seed_table
        self._folder = None if plan.config.seed_config is None else plan.config.seed_config.source.folder
        self._rows = {index: _Row() for index in range(plan.geometry.num_records)}

    async def make(self) -> None:
        for stage in self._plan.stages:
            runner = StageRunner(self._plan, stage, self._seed_table)
            alive = [index for index, row in self._rows.items() if row.rejected is None]
            if stage.pool == LOCAL and alive:
                # A function that is `async def` gets a loop of its own.
                await asyncio.to_thread(self._run_block, runner, alive)
            elif alive:
                draws = ParameterSampling(self._plan.pools[stage.pool], self._plan.seed)
                if runner.is_in_groups:
                    await self._run_groups(runner, alive, draws)
                    continue
                for index in alive:
                    await self._run_row(runner, index, draws)

    def _run_block(self, runner: StageRunner, alive: Sequence[int]) -> None:
        rows = [self._rows[index] for index in alive]
        columns: dict[str, list[object]] = {name: [row.values.get(name) for row in rows] for name in runner.stage.needs}
        columns[SKIPPED] = [row.skipped or None for row in rows]
        made = runner.run_block(Block(np.array(alive, dtype=np.int64), columns))
        for place, row in enumerate(rows):
            row.values.update({name: made.columns[name][place] for name in runner.stage.makes})
            row.skipped = _at(made, SKIPPED, place) or row.skipped
            row.rejected = _at(made, REJECTED, place)
            row.nulled.update({reason.column: reason for reason in _at(made, FAILED, place) or ()})

    async def _run_groups(self, runner: StageRunner, alive: Sequence[int], draws: ParameterSampling) -> None:
        def done(one: GroupRow, result: RowResult) -> None:
            self._take(one.asks.record, result)

        rows = [self._group_row(runner, index, draws) for index in alive]
        await runner.run_groups(rows, CellCounts(), done, at_once=1)

    def _group_row(self, runner: StageRunner, index: int, draws: ParameterSampling) -> GroupRow:
        row = self._rows[index]
        needs = runner.stage.needs
        record = dict(zip(needs, loaded([row.values.get(name) for name in needs]), strict=True))
        pool = self._plan.pools[runner.stage.pool]
        return GroupRow(record, row.skipped or None, _Nobody(index, row.asked, draws, self._folder, pool))

    async def _run_row(self, runner: StageRunner, index: int, draws: ParameterSampling) -> None:
        row = self._group_row(runner, index, draws)
        self._take(index, await runner.run_row(row.record, row.skipped, row.asks, CellCounts()))

    def _take(self, index: int, result: RowResult) -> None:
        row = self._rows[index]
        row.values.update(result.values)
        row.skipped = result.skipped or row.skipped
        row.rejected = result.rejected
        row.nulled.update({reason.column: reason for reason in result.failed})

    def result(self) -> DryRun:
        """What came of it."""
        plan = self._plan
        stages = [stage for stage in plan.stages if stage.pool != LOCAL]
        steps = [step for stage in stages for step in stage.steps if step.name in asking(stage)]
        of_models = {name for step in steps for name in step.makes}
        records = []
        for index, row in self._rows.items():
            others = [name for name in row.values if name not in of_models]
            values = dict(zip(others, loaded([row.values[name] for name in others]), strict=True))
            cells = [cell for stage in stages for cell in self._cells(stage, row)]
            rejected = None if row.rejected is None else f"column '{row.rejected.column}': {row.rejected.message}"
            records.append(RenderedRecord(index, values, cells, rejected))
        dry = DryRun(records)
        length = f"A record's prompts have about {dry.tokens:,} tokens, by {_CHARACTERS_A_TOKEN} characters a token."
        return replace(dry, notes=[*_notes(plan, records), length])

    def _cells(self, stage: Stage, row: _Row) -> Iterator[RenderedCell]:
        pool = self._plan.pools[stage.pool]
        for column in asking(stage):
            request = row.asked.get(column)
            if request is not None:
                yield RenderedCell(column, pool.alias, pool.model_name, _fields(pool, request), request.turns)
            elif (why := _why_not(column, row)) is not None:
                yield RenderedCell(column, pool.alias, pool.model_name, {}, (), why)


def _at(block: Block, name: str, place: int) -> Any:
    cells = block.columns.get(name)
    return None if cells is None else cells[place]


def _fields(pool: Pool, request: Request) -> dict[str, object]:
    return {**fields_shown(pool), **request.fields}


def _why_not(column: str, row: _Row) -> str | None:
    """Why nobody would be asked for a cell; None where that is said of the record."""
    reason = row.nulled.get(column) or row.rejected
    if reason is not None and reason.column == column:
        return f"nothing can be asked: {reason.message}"
    if column in row.skipped:
        return "skipped, by its condition or since what it needs is"
    return None


def _notes(plan: Plan, records: Sequence[RenderedRecord]) -> Iterator[str]:
    whole = [step.name for step in plan.steps if step.scope == "batch" and not step.joint]
    yield (
        "Nobody was asked and nothing was written. Samplers, seeds, expressions and functions ran; a value such as "
        "<name> stands for what a model would write in column 'name', in JSON one that fits the schema."
    )
    services = [step.name for step in plan.steps if step.pool != LOCAL and plan.pools[step.pool].model is None]
    if services:
        yield f"{', '.join(services)}: judged by a service, which was not asked either, so nothing is known of it."
    if whole:
        yield f"{', '.join(whole)}: made of whole batches, here of these {len(records)} records only."
    searching = sorted({pool.alias for pool in plan.pools.values() if _is_probed(plan, pool)})
    if searching:
        yield (
            f"{', '.join(searching)}: whether the endpoint constrains replies to a schema is found out by asking it; "
            "where it does, the prompt asks for JSON without a code fence."
        )


def _is_probed(plan: Plan, pool: Pool) -> bool:
    in_json = any(step.pool == pool.alias and KINDS[step.kind].in_json for step in plan.steps)
    return in_json and pool.chat.structured_output != "prompt"


# --- what stands for replies ---------------------------------------------------------------------------------


class _Nobody:
    """Answers with what stands for a model's reply, and keeps what was asked first."""

    asked = replayed = 0
    tracing = None

    def __init__(
        self, record: int, asked: dict[str, Request], draws: ParameterSampling, folder: "Location | None", pool: Pool
    ) -> None:
        self._folder = folder
        """Beside the seed, where files are that cells may name."""
        given = pool.params.dimensions if isinstance(pool.params, EmbeddingInferenceParams) else None
        self._dimensions = given or 1
        self.record = record
        self._asked = asked
        self._draws = draws

        self.files: dict[str, MediaFile] = {}

    def result(self, fingerprint: str) -> None:
        """Nothing is known."""

    async def copied(self, values: Sequence[object]) -> None:
        """No file is there."""

    def shared(self, column: str, with_first: object) -> None:
        """Nothing is accounted for."""

    def _read(self, name: str) -> bytes | str:
        """A file beside the seed; for an image that a model would have made, what stands for it."""
        try:
            found = content_below(() if self._folder is None else (self._folder,), name)
        except OSError as error:
            return f"it cannot be read: {os.strerror(error.errno) if error.errno else error}"
        return b64decode(stand_in_image()) if isinstance(found, str) and name.startswith(f"{FOLDER}/") else found

    def of(self, column: str, fingerprint: str) -> Ask:
        """How a step asks."""
        replies: Iterator[str] = iter(())

        async def ask(request: Request) -> Response:
            nonlocal replies
            if isinstance(request, HttpRequest):
                raise ModelAPIConnectionError("nobody is asked")
            if isinstance(request, FileRequest):
                return FileResponse(await asyncio.to_thread(self._read, request.name))
            if column not in self._asked:
                self._asked[column] = request.with_params(self._draws.params(fingerprint, self.record, 0))
                replies = stand_ins(column, text_of(request.turns[-1])) if isinstance(request, ChatRequest) else replies
            match request:
                case ImageRequest():
                    return ImageResponse((stand_in_image(),))
                case EmbeddingRequest(texts=texts):
                    return EmbeddingResponse(((0.0,) * self._dimensions,) * len(texts))
                case _:
                    return ChatResponse(next(replies, ""))

        return ask
