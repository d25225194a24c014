"""Progress: how a run stands, from what happens in it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.fakes import model
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.execution.observation import Heard, Standing
from data_designer.engine.observe.progress import Earlier, Progress, records_to_make
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import CellCount
from data_designer.engine.protocol.snapshot import ColumnState
from data_designer.engine.protocol.spending import Spending
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.liveness import Computing
from data_designer.engine.scheduling.work import Work
from data_designer.models.admission.slots import SlotStatistics
from data_designer.models.retry import CallerStatistics
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Usage

RECORDS = 100
NOTHING = np.empty(0, dtype=np.int64)
PRICE = dd.Price(input=1.0, output=2.0)


def plan(price: dd.Price | None = PRICE) -> Plan:
    """An id; a draft by one model; a verdict on it by another."""
    models = [model("writer", max_parallel_requests=4, price=price), model("judge", max_parallel_requests=2)]
    made = texts(models, draft=("writer", "about {{ id }}"), verdict=("judge", "judge {{ draft }}"))
    return compiled(made, RECORDS, 50)


class Run:
    """A run as its observers see it, at times of the test's choosing."""

    def __init__(self, plan: Plan, earlier: Earlier | None = None) -> None:
        self.now = 100.0
        self.progress = Progress(plan, "d", earlier, clock=lambda: self.now, now=lambda: 1e9)

    def start(self, at: ResumePoint | None = None) -> None:
        """The scheduler begins."""
        self.progress(ev.Started(at or ResumePoint()))

    def stand(self, *done: int, gone: tuple[int, ...] = (0, 0, 0), **more: Any) -> None:
        """So many rows are done at each stage."""
        self.progress(Standing(Work(done, gone), **more))

    def hear(self, alias: str, *, requests: int = 0, latency: float = 1.0, **more: Any) -> None:
        """A replica reports: all slots of its alias in use, so many answered."""
        slots = {"writer": 4, "judge": 2}[alias]
        load = SlotStatistics(slots, slots, slots, 0)
        statistics = CallerStatistics(Usage(requests, 0, 1000 * requests, 500 * requests), latency * requests)
        number = list(self.progress.plan.pools).index(alias)
        summary = Summary(1, (), statistics, **{"load": load, "latency": latency, **more})
        self.progress(Heard(number, alias, summary))


def started(**more: Any) -> Run:
    """A run that has begun."""
    run = Run(plan(**more))
    run.start()
    return run


def test_cells_of_all_columns_make_up_what_is_done() -> None:
    """Before any batch is written; what is drawn on the spot counts little beside what a model is asked for."""
    run = started()
    run.stand(100, 60, 20)
    snapshot = run.progress.snapshot()
    assert (snapshot.generated, snapshot.target) == (0, RECORDS)
    assert {name: column.done for name, column in snapshot.columns.items()} == {"id": 100, "draft": 60, "verdict": 20}
    assert 0.40 < snapshot.done < 0.43
    assert [column.alias for column in snapshot.columns.values()] == [None, "writer", "judge"]


def test_cells_of_rows_that_are_still_under_way_count() -> None:
    """Where a replica makes several columns of a row before it reports the row."""
    run = started()
    run.stand(100, 10, 0)
    run.hear("writer", ahead=(CellCount("draft", 5, 0),))
    assert run.progress.snapshot().columns["draft"].done == 15
    run.progress(ev.ReplicaLost(0, 1))
    assert run.progress.snapshot().columns["draft"].done == 10


def failing(run: Run, **failed: int) -> None:
    """A replica reports cells that failed."""
    cells = tuple(CellCount(column, number, number) for column, number in failed.items())
    run.progress(ev.RowsDone(0, 1, 1, NOTHING, NOTHING, NOTHING.astype(bool), 0, cells))


def test_rejected_rows_leave_less_to_do() -> None:
    """Nothing of them is asked further on; where they failed their cell is done."""
    run = started()
    failing(run, draft=30)
    run.stand(100, 70, 10, gone=(0, 30, 30))
    failing(run, verdict=5)
    run.stand(100, 70, 65, gone=(0, 30, 35))
    snapshot = run.progress.snapshot()
    assert snapshot.columns["draft"] == ColumnState("writer", 100, 100, 30)
    assert snapshot.columns["verdict"] == ColumnState("judge", 70, 70, 5)
    assert snapshot.done == 1.0


def test_cells_that_are_null_instead_are_done() -> None:
    """Their rows go on."""
    run = Run(replace(plan(), run=dd.RunConfig(on_row_failure="null")))
    run.start()
    failing(run, draft=30)
    run.stand(100, 100, 50)
    assert run.progress.snapshot().columns["draft"] == ColumnState("writer", 100, 100, 30)
    assert run.progress.snapshot().columns["verdict"] == ColumnState("judge", 100, 50, 0)


def test_a_resume_counts_what_is_there() -> None:
    """Records, cells and costs of earlier runs; a batch that is completed is counted once."""
    spent = {"draft": Spending("writer", Usage(75, 0, 10, 20), 75, 75, usd=0.5)}
    run = Run(plan(), Earlier(75, 5, {1: (30, 0)}, spent))
    run.start(ResumePoint(frozenset({0}), {1: np.arange(80, 100)}))
    run.stand(0, 0, 0)
    before = run.progress.snapshot()
    assert (before.generated, before.rejected, before.columns["draft"].done) == (75, 5, 80)
    assert (before.done, before.input_tokens, before.usd) == (pytest.approx(0.8), 10, 0.5)
    run.stand(20, 20, 20)
    run.progress(Receipt(1, requested=50, generated=50, rejected=0, files=()))
    after = run.progress.snapshot()
    assert (after.generated, after.rejected, after.done) == (95, 5, 1.0)


@pytest.mark.parametrize(
    ("geometry", "at", "left"),
    [
        (Geometry(95, 10), ResumePoint(), 95),
        (Geometry(95, 10), ResumePoint(frozenset(range(8))), 15),
        (Geometry(95, 10), ResumePoint(frozenset(range(8)), {8: np.arange(3)}), 8),
        (Geometry(95, 10), ResumePoint(frozenset(range(9)), {9: np.arange(5)}), 5),
        (Geometry(40, 7, ((15, 10),)), ResumePoint(frozenset({0, 1})), 25),
    ],
    ids=["all", "a short last batch", "a batch in part", "the last in part", "added in batches of another size"],
)
def test_what_a_run_is_to_make_is_counted_by_batches(geometry: Geometry, at: ResumePoint, left: int) -> None:
    """Each by its size."""
    assert records_to_make(geometry, at) == left


def test_records_that_are_drawn_in_place_of_rejected_ones_are_a_larger_target() -> None:
    """The share done is of all of them."""
    run = started()
    run.stand(100, 100, 100)
    run.progress.plan = replace(run.progress.plan, geometry=Geometry(RECORDS, 50).extended(110, 50))
    run.start(ResumePoint(frozenset({0, 1})))
    run.stand(0, 0, 0)
    snapshot = run.progress.snapshot()
    assert (snapshot.target, snapshot.columns["draft"].done) == (110, 100)
    assert snapshot.done == pytest.approx(100 / 110)


def test_the_slowest_model_says_how_long_it_takes() -> None:
    """Its slots answer so many a second, whatever the others do; nothing is known before it has answered."""
    run = started()
    run.stand(100, 20, 0)
    run.hear("writer", requests=20, latency=1.0)
    assert run.progress.snapshot().seconds_left is None
    run.hear("judge", requests=5, latency=2.0)
    assert run.progress.snapshot().seconds_left == pytest.approx(100 / (2 / 2.0))


def test_what_is_measured_counts_where_slots_would_give_more() -> None:
    """As where this machine is too slow to keep them busy."""
    run = started()
    for _ in range(20):
        run.now += 1.0
        for alias in ("writer", "judge"):
            run.hear(alias, requests=1, latency=0.01, load=SlotStatistics(4, 4, 0, 0))
    run.stand(100, 40, 40)
    assert run.progress.snapshot().seconds_left == pytest.approx(60, rel=0.1)


def test_cpu_work_that_is_never_idle_says_how_long_it_takes() -> None:
    """By the rows that it makes a second."""
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    run = Run(compiled(made, 100, 10))
    run.start()
    for second in range(6):
        run.now += 1.0
        run.progress(Standing(Work((10 * second,), (0,)), computing={0: Computing(10, 1.0)}))
    assert run.progress.snapshot().seconds_left == pytest.approx(5.0)


def test_costs_are_by_price_and_unknown_without_one() -> None:
    """So far, in USD."""
    run = started()
    run.hear("writer", requests=10)
    assert run.progress.snapshot().usd == pytest.approx((10_000 * 1.0 + 5_000 * 2.0) / 1e6)
    run.hear("judge", requests=1)
    assert run.progress.snapshot().usd is None


def test_models_are_shown_as_they_are_asked() -> None:
    """Slots that were granted before any reply; then rate and median of the last seconds."""
    run = started()
    run.progress(ev.ReplicaUp(0, 1, "writer"))
    run.progress(ev.Regranted(0, 1, 4))
    run.stand(100, 0, 0, held={0: 12})
    silent = run.progress.snapshot().aliases["writer"]
    assert (silent.in_flight, silent.limit, silent.slots, silent.latency) == (4, 4, 4, None)
    for _ in range(10):
        run.now += 1.0
        run.hear("writer", requests=2, latency=1.5)
    busy = run.progress.snapshot().aliases["writer"]
    assert (busy.in_flight, busy.latency) == (4, 1.5)
    assert busy.requests_per_second == pytest.approx(2.0, rel=0.2)


def test_the_state_is_that_of_the_run() -> None:
    """It starts, runs, is stopped with the reason, and is over; what is over holds nothing up."""
    run = Run(plan())
    assert run.progress.snapshot().state == "starting"
    assert run.progress.snapshot().reasons == ("asking the models for a sign of life",)
    run.start()
    assert run.progress.snapshot().state == "running"
    run.progress(ev.Stop("interrupted"))
    stopping = run.progress.snapshot()
    assert (stopping.state, stopping.reasons[0]) == ("stopping", "stopping: interrupted")
    run.progress.end(stopped=True)
    stopped = run.progress.snapshot()
    assert (stopped.state, stopped.reasons, stopped.seconds_left) == ("stopped", (), None)


def test_a_column_that_trips_stops_the_run() -> None:
    """The scheduler says so at the next tick."""
    run = started()
    run.progress(Standing(Work((0, 0, 0), (0, 0, 0), stop_reason="column 'draft': too many failed")))
    assert run.progress.snapshot().state == "stopping"


def test_what_cannot_be_written_is_said_until_it_is() -> None:
    """With the reason."""
    run = started()
    run.stand(0, 0, 0)
    run.progress(ev.CommitFailed(3, "no space left"))
    assert run.progress.snapshot().reasons == ("disk: batch 3 could not be written and is tried again: no space left",)
    run.progress(ev.Committed(3))
    assert run.progress.snapshot().reasons == ()
