"""Traces that are kept of a run: the latest ones, in order."""

import logging

import numpy as np
import pytest

from data_designer.engine.execution.observation import Computed, Heard
from data_designer.engine.observe.traces import Traces
from data_designer.engine.protocol.messages import Summary, TaskSummary
from data_designer.engine.protocol.task_trace import TaskTrace
from data_designer.engine.scheduling import events as ev


def trace(completed: float, column: str = "text") -> TaskTrace:
    """A cell that was done at a time."""
    return TaskTrace(column, 0, 1, "cell", 0.0, 0.5, completed, "ok")


def computed(*traces: TaskTrace) -> Computed:
    """A CPU task that was traced."""
    return Computed(0, len(traces), TaskSummary(np.array([True]), 0, traces=traces))


def test_traces_of_replicas_and_cpu_tasks_come_together_in_order() -> None:
    """By when they were completed, whoever tells of them first."""
    traces = Traces()
    traces(Heard(0, "a", Summary(1, (), None, traces=(trace(3.0), trace(1.0)))))
    traces(computed(trace(2.0, "id")))
    traces(ev.Tick(1.0))
    assert traces.in_order() == [trace(1.0), trace(2.0, "id"), trace(3.0)]


def test_a_large_run_keeps_the_latest_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Memory has an end."""
    traces = Traces(most=3)
    with caplog.at_level(logging.WARNING):
        traces(computed(trace(1.0), trace(2.0), trace(3.0)))
        assert not caplog.messages
        for second in range(4, 9):
            traces(computed(trace(second)))
    assert [one.completed_at for one in traces.in_order()] == [6.0, 7.0, 8.0]
    assert len(caplog.messages) == 1
    assert "the latest 3" in caplog.messages[0]
