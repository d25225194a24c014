"""Remote validators in runs: batches of rows, slots of their own, failures that cost no row, nothing paid twice."""

import json
import logging
import threading
from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE, designer
from tests.replies import LIMIT
from tests.validators import (
    BATCH,
    RECORDS,
    REQUESTS,
    SIZE,
    SLOTS,
    failing_for,
    judged,
    make,
    rows_of,
    verdicts,
)

import data_designer.config as dd
from data_designer.interface import DataDesigner, DataDesignerGenerationError

GOOD = [{"is_valid": not n % 2, "of": n} for n in range(RECORDS)]


def test_rows_go_in_batches_of_the_columns_size_and_come_back_in_their_places(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """Only the targets are sent; all slots of the column are taken, and no more requests are in flight."""
    gate = threading.Barrier(SLOTS)

    def together(prompt: str) -> Reply:
        if rows_of(prompt)[0]["n"] < BATCH:
            gate.wait(LIMIT)
        return verdicts(prompt)

    with endpoint(together) as service:
        results = make(service.url, tmp_path)
    sent = sorted(tuple(row["n"] for row in body["data"]) for body in service.bodies)
    batches = [range(start, min(start + BATCH, RECORDS)) for start in range(0, RECORDS, BATCH)]
    assert sent == [tuple(one[at : at + SIZE]) for one in batches for at in range(0, len(one), SIZE)]
    assert {name for body in service.bodies for row in body["data"] for name in row} == {"n"}
    assert (len(sent), service.peak) == (REQUESTS, SLOTS)
    frame = results.load_dataset()
    assert list(frame["verdict"]) == GOOD
    assert list(frame["said"]) == [str(one["is_valid"]) for one in GOOD]
    [spent] = results.outcomes.usage.values()
    assert (spent.requests, spent.failed_requests, results.outcomes.usd) == (REQUESTS, 0, None)
    assert results.outcomes.columns["verdict"].cells == RECORDS
    [statistics] = results.load_analysis().get_column_statistics_by_type("validation")
    assert statistics.num_valid_records == RECORDS // 2


@pytest.mark.parametrize("reply", [Reply("busy", 503), Reply("", 0), Reply("not here", 404), Reply("<html>")])
def test_what_fails_makes_its_rows_null_and_the_run_goes_on(endpoint: Endpoint, tmp_path: Path, reply: Reply) -> None:
    """Server errors, broken connections and answers that are none are tried again, a wrong address is not."""
    with endpoint(failing_for({3}, reply)) as service:
        results = make(service.url, tmp_path)
    assert results.early_shutdown is None
    frame = results.load_dataset()
    assert [one["is_valid"] for one in frame["verdict"]] == [None] * SIZE + [one["is_valid"] for one in GOOD[SIZE:]]
    assert list(frame["said"])[:SIZE] == ["None"] * SIZE
    failures = results.load_null_filled()
    assert list(failures["record_index"]) == list(range(SIZE))
    assert set(failures["kind"]) == {"RemoteValidationError"}
    assert all("validator:verdict" in message and "127.0.0.1" in message for message in failures["message"])
    assert not any("inference_parameters" in message or "provider" in message for message in failures["message"])
    assert (results.outcomes.generated, results.outcomes.null_filled) == (RECORDS - SIZE, SIZE)
    attempts = sum(rows_of(prompt)[0]["n"] == 0 for prompt in service.prompts)
    assert attempts == (1 if reply.status == 404 else 2)


def test_a_retry_that_helps_leaves_no_trace_in_the_data(endpoint: Endpoint, tmp_path: Path) -> None:
    """It is counted."""
    seen: set[str] = set()

    def once(prompt: str) -> Reply:
        first = prompt not in seen
        seen.add(prompt)
        return Reply("busy", 429) if first and rows_of(prompt)[0]["n"] == 0 else verdicts(prompt)

    with endpoint(once) as service:
        results = make(service.url, tmp_path)
    assert list(results.load_dataset()["verdict"]) == GOOD
    [spent] = results.outcomes.usage.values()
    assert (spent.requests, spent.failed_requests) == (REQUESTS, 1)


def test_a_service_that_is_down_stops_the_run_as_a_failing_model_does(tmp_path: Path, sockets: None) -> None:
    """Not at its first failures: ten requests say little; `disable_early_shutdown` makes all of it without verdicts."""
    builder = judged(NOWHERE, params={"max_retries": 0})
    results = designer(NOWHERE, tmp_path, buffer_size=50).create(builder, num_records=100, dataset_name="d")
    assert "column 'verdict'" in str(results.early_shutdown)
    assert results.outcomes.null_filled >= 10 * SIZE
    patient = designer(NOWHERE, tmp_path, buffer_size=50, disable_early_shutdown=True)
    whole = patient.create(builder, num_records=100, dataset_name="all").load_dataset()
    assert list(whole["verdict"]) == [{"is_valid": None}] * 100


def test_how_a_service_is_asked_may_change_between_runs(endpoint: Endpoint, tmp_path: Path) -> None:
    """Another timeout is no other dataset; another address is."""
    with endpoint(verdicts) as service:
        maker = designer(service.url, tmp_path, budget=dd.Budget(requests=5), buffer_size=BATCH)
        maker.create(judged(service.url), num_records=RECORDS, dataset_name="d")
        builder = judged(service.url, params={"timeout": 5.0, "max_retries": 2, "max_parallel_requests": 1})
        maker.set_run_config(dd.RunConfig(executor="inline", seed=1, buffer_size=BATCH))
        results = maker.create(builder, num_records=RECORDS, dataset_name="d", resume="always")
        assert list(results.load_dataset()["verdict"]) == GOOD
        with pytest.raises(DataDesignerGenerationError, match="endpoint_url"):
            maker.create(judged(NOWHERE), num_records=RECORDS, dataset_name="d", resume="always")


def test_why_there_is_no_verdict_is_said(endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once a kind, with how often."""
    caplog.set_level(logging.INFO)
    with endpoint(lambda prompt: Reply(json.dumps({"data": [{}] * len(rows_of(prompt))}))) as service:
        make(service.url, tmp_path)
    [told] = [text for one in caplog.records if "failed cells" in (text := one.getMessage())]
    assert told.count(f"{RECORDS}x RemoteValidationSchemaError in verdict") == 1


def test_traces_tell_of_cells_that_share_a_request(endpoint: Endpoint, tmp_path: Path) -> None:
    """Each has one of its own, with the moment at which the request was sent, and what failed."""
    with endpoint(lambda prompt: Reply(json.dumps({"data": [{}] * len(rows_of(prompt))}))) as service:
        results = make(service.url, tmp_path, async_trace=True)
    traces = [trace for trace in results.task_traces if trace.column == "verdict"]
    assert sorted(trace.row_index for trace in traces) == list(range(RECORDS))
    assert all(trace.status == "error" and trace.slot_acquired_at for trace in traces)


def test_rows_that_are_skipped_are_not_sent(endpoint: Endpoint, tmp_path: Path) -> None:
    """The others stay in their places."""
    with endpoint(verdicts) as service:
        made = judged(service.url, skip=dd.SkipConfig(when="{{ n % 3 == 0 }}", value="none"))
        results = designer(service.url, tmp_path, buffer_size=BATCH).create(made, num_records=RECORDS, dataset_name="d")
    sent = [row["n"] for body in service.bodies for row in body["data"]]
    assert sorted(sent) == [n for n in range(RECORDS) if n % 3]
    frame = results.load_dataset()
    assert list(frame["verdict"]) == ["none" if not n % 3 else GOOD[n] for n in range(RECORDS)]


def test_a_preview_and_a_simulated_run_judge_too(processes: None, tmp_path: Path) -> None:
    """Under `simulate`, nobody else is asked, and verdicts have the form of the schema."""
    items = {
        "type": "object",
        "properties": {"is_valid": {"type": "boolean"}, "score": {"type": "integer"}},
        "required": ["is_valid", "score"],
    }
    schema = {"type": "object", "properties": {"data": {"type": "array", "items": items}}}
    found = []
    for _ in range(2):
        preview = designer(NOWHERE, tmp_path).preview(
            judged("simulated", params={"output_schema": schema}), num_records=10
        )
        assert preview.dataset is not None
        found.append(list(preview.dataset["verdict"]))
    assert found[0] == found[1]
    assert {tuple(one) for one in found[0]} == {("is_valid", "score")}
    assert {one["is_valid"] for one in found[0]} <= {True, False}


def test_two_columns_may_ask_at_one_address(endpoint: Endpoint, tmp_path: Path) -> None:
    """Each has slots of its own."""
    with endpoint(verdicts) as service:
        made = judged(service.url)
        made.add_column(
            name="other",
            column_type="validation",
            target_columns=["n", "text"],
            validator_type="remote",
            validator_params={"endpoint_url": service.url.replace("/v1", "/check"), "max_parallel_requests": 1},
        )
        results = designer(service.url, tmp_path).create(made, num_records=8, dataset_name="d")
    assert set(results.outcomes.usage) == {"validator:verdict", "validator:other"}
    assert list(results.load_dataset()["other"]) == GOOD[:8]


def test_a_simulated_run_asks_no_service(processes: None, tmp_path: Path) -> None:
    """Whatever address the column has; the dataset says that it was simulated."""
    maker = DataDesigner(tmp_path, simulate=True, auto_configure_logging=False)
    maker.set_run_config(dd.RunConfig(executor="inline", seed=1))
    results = maker.create(judged(NOWHERE), num_records=20, dataset_name="d")
    found = results.load_dataset()["verdict"]
    assert {one["is_valid"] for one in found} <= {True, False}
    assert results.outcomes.null_filled == 0
