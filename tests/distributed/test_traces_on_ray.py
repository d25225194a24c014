"""A run on Ray is traced as one in this process is."""

from pathlib import Path

import pytest
from tests.fakes import designer, model, story

pytestmark = pytest.mark.usefixtures("local_ray")


def test_traces_come_with_the_reports_of_replicas_and_tasks(simulated: str, tmp_path: Path) -> None:
    """Every cell of a replica on Ray, and a task a batch; and the file says that Ray has joined."""
    # Whoever asks for resources is served by replicas on Ray alone.
    where = {"a": {"node:__internal_head__": 0.001}}
    run = {"executor": "ray", "replica_resources": where, "async_trace": True, "write_scheduler_events": True}
    made = designer(simulated, tmp_path, **run).create(story(model("a")), num_records=20, dataset_name="d")
    cells = [trace for trace in made.task_traces if trace.column == "a"]
    assert sorted(trace.row_index for trace in cells if trace.row_index is not None) == list(range(20))
    assert all(trace.slot_acquired_at is not None for trace in cells)
    assert {trace.row_group for trace in made.task_traces if trace.column == "id"} == {0, 1, 2}
    assert '"executor_joined"' in (tmp_path / "d" / "scheduler_events.jsonl").read_text()
