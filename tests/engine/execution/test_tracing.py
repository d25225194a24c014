"""Traces of tasks: what each says, and that nothing is noted where none are wanted."""

import asyncio
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
from tests.engine.execution.test_replica import FakeModel, Place, parcel
from tests.fakes import model
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.execution.recording import Recording
from data_designer.engine.execution.replica import Replica
from data_designer.engine.execution.task_worker import TaskWorker
from data_designer.engine.execution.tracing import CellTracing
from data_designer.engine.protocol.parcels import Parcel, Source
from data_designer.engine.protocol.task_trace import TaskTrace
from data_designer.errors import ModelBadRequestError
from data_designer.models.asking import ASKING, AskingCell, WatchedModel
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block, ChatRequest, ChatResponse, Drop, Ok, Outcome, Reason, Request, Response

REQUEST = ChatRequest([{"role": "user", "content": []}])


class Mute:
    """A model that says nothing."""

    async def ask(self, _: Request) -> Response:
        """Answer."""
        return ChatResponse("")


def ticking() -> Any:
    """A clock that is one later each time that somebody looks."""
    seconds = count(100.0)
    return lambda: next(seconds)


async def traced(outcome: Outcome, *, asks: bool = True) -> TaskTrace:
    """What is noted of a cell that comes to something, with a request on its way or without."""
    clock = ticking()
    tracing, watched = CellTracing(Geometry(20, 8), clock=clock), WatchedModel(Mute(), clock)

    async def cell() -> Outcome:
        if asks:
            await watched.ask(REQUEST)
            await watched.ask(REQUEST)
        return outcome

    await tracing.of("text", 17, cell())
    [trace] = tracing.take()
    assert tracing.take() == ()
    return trace


def test_a_cell_is_begun_takes_its_slot_and_is_done() -> None:
    """A record of the third batch; further requests of the cell do not move the time of its slot."""
    assert asyncio.run(traced(Ok(("a",)))) == TaskTrace("text", 2, 17, "cell", 100.0, 101.0, 102.0, "ok")


def test_a_cell_that_asks_nobody_takes_no_slot() -> None:
    """As one that is an expression."""
    assert asyncio.run(traced(Ok(("a",)), asks=False)).slot_acquired_at is None


def test_a_cell_that_failed_says_why() -> None:
    """Kind and message, of which the beginning is kept."""
    trace = asyncio.run(traced(Drop(Reason("ParserException", "no JSON " * 200, "text"))))
    assert trace.status == "error"
    assert trace.error is not None
    assert trace.error.startswith("ParserException: no JSON no JSON")
    assert len(trace.error) == 500


def test_cells_at_the_same_time_have_slots_of_their_own() -> None:
    """Which cell asks is known to the task that computes it alone, and to nobody afterwards."""

    async def scenario() -> None:
        tracing = CellTracing(Geometry(20, 8))
        seen: dict[int, AskingCell | None] = {}

        async def cell(record: int) -> Outcome:
            await asyncio.sleep(0)
            seen[record] = ASKING.get()
            return Ok(("a",))

        await asyncio.gather(*(tracing.of("text", record, cell(record)) for record in range(3)))
        assert [seen[record] for record in range(3)] == [AskingCell("text", record) for record in range(3)]
        assert ASKING.get() is None

    asyncio.run(scenario())


def test_a_cell_that_is_given_up_leaves_no_trace() -> None:
    """Its replica was told to end."""

    async def scenario() -> None:
        tracing = CellTracing(Geometry(20, 8))

        async def cell() -> Outcome:
            await asyncio.Event().wait()
            return Ok(())

        computing = asyncio.create_task(tracing.of("text", 1, cell()))
        await asyncio.sleep(0)
        computing.cancel()
        await asyncio.gather(computing, return_exceptions=True)
        assert tracing.take() == ()

    asyncio.run(scenario())


# --- replicas ------------------------------------------------------------------------------------------------


def two_columns(**run: Any) -> Plan:
    """A sampler, and two text columns of one model that run without coming back; batches of four."""
    made = texts([model("m", max_parallel_requests=4)], draft=("m", "draft {{ id }}"))
    made.add_column(name="final", column_type="llm-text", model_alias="m", prompt="final {{ draft }}")
    return compiled(made, 100, 4, **run)


async def reported(plan: Plan, asked: FakeModel, rows: list[int]) -> list[TaskTrace]:
    """Traces that come with the report of some rows."""
    traces: list[TaskTrace] = []
    async with Place(plan).replica(asked) as replica:
        await replica.submit(*parcel(rows))
        acknowledged = done = 0
        while done < len(rows):
            summary, _ = await replica.collect(acknowledged)
            acknowledged, done = summary.number, done + sum(len(part.rows) for part in summary.finished)
            traces += summary.traces
    return traces


def test_a_replica_reports_a_trace_a_cell() -> None:
    """Of each column of each row, in the order of time."""
    traces = asyncio.run(reported(two_columns(async_trace=True), FakeModel(), [3, 5]))
    cells = [(trace.column, trace.row_group, trace.row_index, trace.status) for trace in traces]
    assert sorted(cells) == [("draft", 0, 3, "ok"), ("draft", 1, 5, "ok"), ("final", 0, 3, "ok"), ("final", 1, 5, "ok")]
    for trace in traces:
        assert trace.slot_acquired_at is not None
        assert trace.dispatched_at <= trace.slot_acquired_at <= trace.completed_at


def test_a_replica_reports_what_was_refused() -> None:
    """The cell failed, and the one after it was never begun."""

    async def refuse(prompt: str) -> str:
        raise ModelBadRequestError(f"no: {prompt}")

    [trace] = asyncio.run(reported(two_columns(async_trace=True), FakeModel(refuse), [3]))
    assert (trace.column, trace.status, trace.error) == ("draft", "error", "ModelBadRequestError: no: draft id3")


def test_nothing_is_traced_unless_that_is_wanted() -> None:
    """No trace travels, and no row is told of a tracing."""

    async def scenario() -> None:
        plan = two_columns()
        assert await reported(plan, FakeModel(), [3]) == []
        replica = Replica(plan, "m", FakeModel(), Recording(None, plan.geometry, "r"))
        assert replica._tracing is None
        await replica.close()

    asyncio.run(scenario())


@pytest.fixture
def _no_opentelemetry() -> Iterator[None]:
    """A process in which nothing has imported OpenTelemetry."""
    found = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "opentelemetry"}
    yield
    sys.modules.update(found)


@pytest.mark.usefixtures("_no_opentelemetry")
def test_a_run_does_not_import_opentelemetry() -> None:
    """Where nobody has, there can be no tracer provider."""
    asyncio.run(reported(two_columns(), FakeModel(), [3]))
    assert "opentelemetry" not in sys.modules


# --- CPU tasks -----------------------------------------------------------------------------------------------


@dd.custom_column_generator(required_columns=["id"])
def even(row: dict[str, Any]) -> dict[str, Any]:
    """Fails for odd numbers."""
    if row["id"] % 2:
        raise ValueError("it is odd")
    return {**row, "even": row["id"]}


def functions(**run: Any) -> Plan:
    """A column of a function, in batches of four."""
    made = dd.DataDesignerConfigBuilder()
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="even", column_type="custom", generator_function=even)
    return compiled(made, 12, 4, **run)


def done(ids: list[int], **run: Any) -> list[TaskTrace]:
    """Traces of a CPU task for the records of the second batch."""
    plan, rows = functions(**run), np.arange(4, 4 + len(ids), dtype=np.int64)
    stage = plan.stage_of("even")
    [upstream] = stage.upstream or (0,)
    places = np.zeros(len(ids), dtype=np.int64)
    task = Parcel(stage.number, rows, 1, (Source(upstream, places, np.arange(len(ids))),))
    summary, _ = TaskWorker(plan, None).run_task(task, [{upstream: Block(rows, {"id": [*ids]})}])
    return list(summary.traces)


def test_a_cpu_task_reports_a_trace_a_column() -> None:
    """Of all its rows together; which of them failed is told with the first reason."""
    [trace] = [trace for trace in done([0, 1, 2, 3], async_trace=True) if trace.column == "even"]
    assert (trace.row_group, trace.row_index, trace.task_type, trace.status) == (1, None, "batch", "ok")
    assert trace.error is not None
    assert trace.error.startswith("2 of 4 rows: ")
    assert trace.slot_acquired_at is not None
    assert trace.dispatched_at <= trace.slot_acquired_at <= trace.completed_at


def test_a_cpu_task_of_which_nothing_comes_is_an_error() -> None:
    """All of its rows failed."""
    [trace] = [trace for trace in done([1, 3], async_trace=True) if trace.column == "even"]
    assert trace.status == "error"


def test_a_cpu_task_is_not_traced_unless_that_is_wanted() -> None:
    """Nothing travels."""
    assert done([0, 1]) == []
