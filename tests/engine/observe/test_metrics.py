"""Metrics: what is counted of a run, and how it is told."""

import numpy as np
from tests.fakes import model
from tests.plans import compiled

import data_designer.config as dd
from data_designer.engine.execution.observation import Heard
from data_designer.engine.observe.metrics import CELLS, IN_FLIGHT, LIMIT, RECORDS, SLOTS, TOKENS, Metric, Metrics
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.rows import CellCount
from data_designer.engine.scheduling import events as ev
from data_designer.models.admission.slots import SlotStatistics
from data_designer.models.retry import CallerStatistics
from data_designer.plan.model import Plan
from data_designer.values import Usage

ASKED = CallerStatistics(Usage(7, 2, 100, 50, 10, 30), errors={"ModelTimeoutError": 2})


def plan(alias: str = "a", column: str = "text") -> Plan:
    """A text column of a model."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model(alias)])
    made.add_column(name=column, column_type="llm-text", model_alias=alias, prompt="hi")
    return compiled(made, 40, 10)


def told(metrics: Metrics, metric: Metric) -> dict[tuple[str, ...], float]:
    """Labels to value of one metric."""
    return {labels: value for one, labels, value in metrics.samples() if one is metric}


def load(number: int, *statistics: int, alias: str = "a") -> Heard:
    """A replica that says what it has under way: total, limit, in use, waiting."""
    return Heard(number, alias, Summary(1, (), None, load=SlotStatistics(*statistics)))


def rows_done(finished: int, failed: int) -> ev.RowsDone:
    """Rows of the text column."""
    nothing = np.empty(0, dtype=np.int64)
    cells = (CellCount("text", finished, failed),)
    return ev.RowsDone(0, 1, 0, nothing, nothing, nothing.astype(bool), 0, cells)


def test_cells_are_counted_by_column_and_outcome() -> None:
    """Failed ones apart."""
    metrics = Metrics(plan())
    metrics(rows_done(10, 3))
    metrics(rows_done(5, 0))
    assert told(metrics, CELLS) == {("a", "text", "ok"): 12, ("a", "text", "failed"): 3}


def test_cells_that_no_model_makes_are_counted_as_local() -> None:
    """Work of this machine's CPUs has no alias."""
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.add_column(name="twice", column_type="expression", expr="2")
    metrics = Metrics(compiled(made, 40, 10))
    nothing = np.empty(0, dtype=np.int64)
    metrics(ev.TaskDone(0, nothing.astype(bool), 0, (CellCount("twice", 5, 0),)))
    assert told(metrics, CELLS) == {("local", "twice", "ok"): 5}


def test_rows_that_samplers_reject_are_counted_as_local() -> None:
    """Cells of a step that makes several columns have its name, which is that of no column."""
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.add_column(name="x", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    metrics = Metrics(compiled(made, 40, 10))
    nothing = np.empty(0, dtype=np.int64)
    metrics(ev.TaskDone(0, nothing.astype(bool), 0, (CellCount("samplers", 5, 2),)))
    assert told(metrics, CELLS) == {("local", "samplers", "ok"): 3, ("local", "samplers", "failed"): 2}


def test_tokens_are_counted_by_kind() -> None:
    """Reports of one alias add up."""
    metrics = Metrics(plan())
    for _ in range(2):
        metrics(Heard(0, "a", Summary(1, (), ASKED)))
    kinds = {"input": 200, "output": 100, "cached": 60, "reasoning": 20}
    assert told(metrics, TOKENS) == {("a", kind): number for kind, number in kinds.items()}


def test_what_is_under_way_is_that_of_all_replicas_that_live() -> None:
    """The latest word of each counts; a lost one has nothing under way."""
    metrics = Metrics(plan())
    for heard in (load(0, 8, 4, 3, 0), load(1, 8, 8, 8, 5), load(0, 8, 6, 5, 0)):
        metrics(heard)
    assert [told(metrics, one)["a",] for one in (SLOTS, LIMIT, IN_FLIGHT)] == [16, 14, 13]
    metrics(ev.ReplicaLost(1, 1))
    assert [told(metrics, one)["a",] for one in (SLOTS, LIMIT, IN_FLIGHT)] == [8, 6, 5]


def test_records_are_counted_when_their_batch_is_committed() -> None:
    """Those that an earlier run has left are not counted again."""
    metrics = Metrics(plan(), {1: (4, 1)})
    metrics(Receipt(0, requested=10, generated=9, rejected=1, files=(), null_filled=2))
    metrics(Receipt(1, requested=10, generated=8, rejected=2, files=()))
    assert told(metrics, RECORDS) == {("generated",): 11, ("rejected",): 2, ("null_filled",): 2}


def test_the_text_form_is_prometheus_s() -> None:
    """A help and a type line each; what would end a label is escaped."""
    metrics = Metrics(plan('quo"ted\\'))
    metrics(Heard(0, 'quo"ted\\', Summary(1, (), ASKED)))
    lines = metrics.exposition().splitlines()
    assert "# TYPE data_designer_requests_total counter" in lines
    assert r'data_designer_requests_total{alias="quo\"ted\\",outcome="answered"} 7' in lines
    assert "data_designer_records_target 40" in lines
    assert metrics.exposition().endswith("\n")
