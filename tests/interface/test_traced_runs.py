"""Traces and scheduler events of whole runs."""

import json
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.fakes import designer, model, story
from tests.object_server import Bucket

import data_designer.config as dd
from data_designer.config.preview_results import TaskTrace
from data_designer.engine.protocol.task_trace import TaskTrace as Real
from data_designer.interface.compile import TRACED
from data_designer.object_storage import ObjectPath


def test_a_run_is_traced_cell_by_cell(simulated: str, tmp_path: Path) -> None:
    """Every text has a trace of its own, and what is drawn has one a batch."""
    made = designer(simulated, tmp_path, async_trace=True).create(story(model("a")), num_records=20, dataset_name="d")
    cells = [trace for trace in made.task_traces if trace.column == "a"]
    assert sorted(trace.row_index for trace in cells if trace.row_index is not None) == list(range(20))
    assert {trace.row_group for trace in cells} == {0, 1, 2}
    assert {trace.task_type for trace in cells} == {"cell"}
    drawn = [trace for trace in made.task_traces if trace.column == "id"]
    assert sorted(trace.row_group for trace in drawn) == [0, 1, 2]
    assert made.task_traces == sorted(made.task_traces, key=lambda trace: trace.completed_at)
    assert TaskTrace is Real


def test_a_preview_is_traced_too(simulated: str, tmp_path: Path) -> None:
    """The same for records in memory."""
    made = designer(simulated, tmp_path, async_trace=True).preview(story(model("a")), num_records=3)
    assert [trace.row_index for trace in made.task_traces or () if trace.column == "a"] == [0, 1, 2]


def test_an_environment_can_ask_for_traces(simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the script does not; without either there are none."""
    assert designer(simulated, tmp_path).preview(story(model("a")), num_records=1).task_traces == []
    monkeypatch.setenv(TRACED, "1")
    assert designer(simulated, tmp_path).preview(story(model("a")), num_records=1).task_traces


def test_the_scheduler_leaves_its_events_beside_the_dataset(simulated: str, tmp_path: Path) -> None:
    """A line for each, no word of a record; a resume adds its own, and the dataset is none the worse for the file."""
    maker = designer(simulated, tmp_path, write_scheduler_events=True)
    maker.create(story(model("a")), num_records=20, dataset_name="d")
    made = maker.create(story(model("a")), num_records=30, dataset_name="d", resume=dd.ResumeMode.ALWAYS)
    text = (tmp_path / "d" / "scheduler_events.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["captured_correlation"]["run_id"] for line in lines} == {1, 2}
    committed = [line for line in lines if line["event_kind"] == "row_group_checkpointed"]
    assert sorted(line["captured_correlation"]["row_group"] for line in committed) == [0, 1, 2, 3, 4]
    texts = [one for one in lines if one["event_kind"] == "task_completed" and one["scheduler_resource_key"] == "a"]
    assert sum(line["diagnostics"]["kept"] for line in texts) == 30
    assert made.count_records() == 30
    assert "row 1" not in text


def test_a_run_has_a_span_a_request_below_the_one_that_is_open(
    simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each names its column and record, also where the run itself is not traced."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    with trace.get_tracer("mine").start_as_current_span("nightly") as mine:
        made = designer(simulated, tmp_path).create(story(model("a"), model("b")), num_records=5, dataset_name="d")
    spans = [span for span in exporter.get_finished_spans() if span.name != "nightly"]
    named = [
        (attributes["data_designer.column"], attributes["data_designer.record_index"])
        for attributes in (span.attributes or {} for span in spans)
    ]
    assert sorted(named) == [(column, record) for column in "ab" for record in range(5)]
    assert {span.parent.span_id for span in spans if span.parent} == {mine.get_span_context().span_id}
    assert made.task_traces == []


def test_events_are_parts_in_object_storage(simulated: str, bucket: Bucket) -> None:
    """Those of further runs beside those of the first."""
    maker = designer(simulated, ObjectPath(f"{bucket.url}/all"), write_scheduler_events=True)
    maker.create(story(model("a")), num_records=8, dataset_name="d")
    maker.create(story(model("a")), num_records=16, dataset_name="d", resume=dd.ResumeMode.ALWAYS)
    found = {key: text for key, text in bucket.contents("all/d").items() if "scheduler_events" in key}
    assert [key.partition("scheduler_events.")[2][:9] for key in sorted(found)] == ["run_00001", "run_00002"]
    for text in found.values():
        first, *_, last = [json.loads(line)["event_kind"] for line in text.splitlines()]
        assert (first, last) == ("scheduler_job_started", "scheduler_job_completed")
