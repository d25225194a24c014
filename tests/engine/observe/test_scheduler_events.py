"""Lines of what the scheduler is told and decides: what they say, what they leave out, and where they end."""

import json
import logging
import threading
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import model
from tests.plans import compiled, texts

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.execution.observation import Heard, Observation
from data_designer.engine.observe import scheduler_events
from data_designer.engine.observe.scheduler_events import SCHEDULER_EVENTS, EventLines, EventsFile
from data_designer.engine.protocol.messages import Summary
from data_designer.engine.protocol.rows import CellCount
from data_designer.engine.scheduling import events as ev
from data_designer.models.admission.slots import SlotStatistics
from data_designer.plan.model import Plan

ROWS = np.arange(4, 8, dtype=np.int64)
KEPT = np.array([True, True, False, True])
UP = ev.ReplicaUp(0, 1, "m")


def plan() -> Plan:
    """A sampler and a text, in batches of four."""
    return compiled(texts([model("m")], text=("m", "hi {{ id }}")), 40, 4)


def lines() -> EventLines:
    """Those of the second run of a dataset."""
    return EventLines(plan(), 2, 1000.0)


def of(*observations: Observation, made: EventLines | None = None) -> list[dict[str, Any]]:
    """The lines of observations, one a second, as they are read again."""
    made = made or lines()
    found = [made.line(observation, float(second)) for second, observation in enumerate(observations)]
    written: list[dict[str, Any]] = json.loads(json.dumps([line for line in found if line is not None]))
    return written


def test_rows_are_followed_from_their_way_to_their_end() -> None:
    """Which columns of which batch, where, and how many of them came out; the records themselves are not told."""
    stage = plan().stage_of("text").number
    done = ev.RowsDone(0, 1, stage, ROWS, np.full(4, 7), KEPT, 100, (CellCount("text", 4, 1),))
    _, sent, finished = of(UP, ev.Send(0, 1, stage, ROWS, 7), done)
    named = {"run_id": 2, "row_group": 1, "task_column": "text", "task_type": "cell"}
    where = {"stage": stage, "rows": 4, "replica": 0, "epoch": 1}
    assert sent == {
        "event_kind": "selected",
        "captured_at_monotonic": 1.0,
        "sequence": 2,
        "captured_correlation": named,
        "task_id": 7,
        "scheduler_resource_key": "m",
        "diagnostics": where,
    }
    assert finished["event_kind"] == "task_completed"
    assert finished["captured_correlation"] == named
    assert finished["diagnostics"] == {**where, "kept": 3, "failed": {"text": 1}}


def test_a_cpu_task_is_known_by_its_ticket() -> None:
    """Also where its process was lost and another takes its rows."""
    ran, lost, again, done = of(
        ev.RunTask(1, 0, ROWS), ev.TaskLost(1, "out of memory: 'a value'"), ev.RunTask(2, 0, ROWS), ev.TaskDone(2, KEPT)
    )
    assert [one["event_kind"] for one in (ran, lost, again, done)] == [
        "selected", "retry_deferred", "selected", "task_completed",
    ]  # fmt: skip
    assert {one["scheduler_resource_key"] for one in (ran, lost, again, done)} == {"local"}
    assert lost["reason_or_result"] == "lost"
    assert done["captured_correlation"] == ran["captured_correlation"]
    assert done["diagnostics"]["kept"] == 3


EVERYTHING: list[tuple[Observation, str]] = [
    (ev.Started(), "scheduler_job_started"),
    (UP, "replica_up"),
    (ev.ReplicaLost(0, 1), "replica_lost"),
    (ev.ReplicaLeaving(0, 1), "replica_leaving"),
    (ev.ReplicaSilent(0, 1), "replica_silent"),
    (ev.Joined({"m": 2}, frozenset({0}), 100), "executor_joined"),
    (ev.Undelivered(0, 1, 3), "retry_deferred"),
    (ev.Regrant(0, 1, 4), "slots_granted"),
    (ev.Regranted(0, 1, 4), "slots_acknowledged"),
    (ev.Dismiss(0, 1), "replica_dismissed"),
    (ev.ValuesLost(0, ROWS), "values_lost"),
    (ev.Reject(0, ROWS, "lost three times: secret"), "non_retryable_dropped"),
    (ev.Commit(1, ROWS, ROWS[:0]), "row_group_commit"),
    (ev.Committed(1), "row_group_checkpointed"),
    (ev.CommitFailed(1, "ArrowInvalid: secret"), "row_group_commit_failed"),
    (ev.HoldBack(1, 1 << 30), "row_group_admission_blocked"),
    (ev.Stop("model 'm': HTTP 500: secret"), "stopping"),
    (ev.Abandon("interrupted"), "cancelled"),
    (ev.Drained(), "queue_drained"),
]


@pytest.mark.parametrize(("observation", "kind"), EVERYTHING, ids=[kind for _, kind in EVERYTHING])
def test_each_kind_has_a_line_without_words_of_others(observation: Observation, kind: str) -> None:
    """What an endpoint or an error says may repeat values; the log has it."""
    [line] = of(observation)
    assert line["event_kind"] == kind
    assert line["captured_correlation"]["run_id"] == 2
    assert "secret" not in json.dumps(line)


def test_why_a_run_stops_is_said_in_our_words() -> None:
    """What comes before the endpoint's."""
    assert of(ev.Stop("model 'm': HTTP 500: no"))[0]["reason_or_result"] == "model 'm'"


def test_replicas_are_shown_every_few_seconds() -> None:
    """What each has under way; ticks in between, and reports, leave no line."""
    made = lines()
    heard = Heard(0, "m", Summary(1, (), None, load=SlotStatistics(4, 3, 2, 1), held=5))
    assert of(heard, ev.Tick(0.0), made=made)[0]["snapshot"] == {
        "0": {"pool": "m", "slots": 4, "limit": 3, "in_use": 2, "waiting": 1, "rows_held": 5}
    }
    assert made.line(ev.Tick(4.0), 4.0) is None
    assert made.line(ev.Tick(7.0), 7.0) is not None
    made.line(ev.ReplicaLost(0, 1), 8.0)
    assert made.line(ev.Tick(20.0), 20.0) is None


# --- the file ------------------------------------------------------------------------------------------------


def written(folder: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in (folder / SCHEDULER_EVENTS).read_text().splitlines()]


def test_lines_are_in_the_file_at_the_end_and_further_runs_add_to_it(tmp_path: Path) -> None:
    """The first line says when a run began, the last one that it is over."""
    for run in (1, 2):
        with EventsFile(LocalFiles(tmp_path), EventLines(plan(), run, 1000.0)) as file:
            file(ev.Started())
            file(ev.Committed(3))
    assert [(line["captured_correlation"]["run_id"], line["event_kind"]) for line in written(tmp_path)] == [
        (run, kind)
        for run in (1, 2)
        for kind in ("scheduler_job_started", "row_group_checkpointed", "scheduler_job_completed")
    ]


def test_the_last_line_names_what_broke_a_run(tmp_path: Path) -> None:
    """By its kind alone."""
    with pytest.raises(KeyboardInterrupt), EventsFile(LocalFiles(tmp_path), lines()):
        raise KeyboardInterrupt("secret")
    [line] = written(tmp_path)
    assert (line["event_kind"], line["reason_or_result"]) == ("scheduler_job_completed", "KeyboardInterrupt")


def test_a_run_writes_so_much_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after that is counted."""
    monkeypatch.setattr(scheduler_events, "MOST_BYTES", 1000)
    with EventsFile(LocalFiles(tmp_path), lines(), clock=count().__next__) as file:
        for batch in range(100):
            file(ev.Committed(batch))
    *kept, left_out, _ = written(tmp_path)
    assert (tmp_path / SCHEDULER_EVENTS).stat().st_size < 2000
    assert left_out["event_kind"] == "events_left_out"
    assert left_out["diagnostics"] == {"lines": 100 - len(kept)}


class Refusing(LocalFiles):
    """A disk that is full."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.tried = threading.Event()
        self.tries = 0

    def append(self, *_: object) -> None:
        """Refuse."""
        self.tries += 1
        self.tried.set()
        raise OSError("No space left on device")


def test_a_disk_that_refuses_ends_the_file_and_not_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, and no further try."""
    files = Refusing(tmp_path)
    with caplog.at_level(logging.WARNING), EventsFile(files, lines()) as file:
        file(ev.Committed(1))
        assert files.tried.wait(30)
        file._thread.join()
        file(ev.Committed(2))
    assert files.tries == 1
    assert [message for message in caplog.messages if SCHEDULER_EVENTS in message] == caplog.messages
    assert len(caplog.messages) == 1
