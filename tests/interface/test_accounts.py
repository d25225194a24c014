"""The accounts of a dataset's runs: kept beside it, added up over runs, and no run's error."""

from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint, Reply
from tests.distributed.head import until
from tests.fakes import designer, model, story
from tests.interface.resuming import ALWAYS, RECORDS, SLOTS, begin, make
from tests.interface.test_served_metrics import fetched
from tests.loopback import free_port
from tests.programs import started
from tests.replies import Holding, answer

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.run_accounts import read_accounts
from data_designer.engine.protocol.slot_time import Account, RunAccounts
from data_designer.interface import DatasetCreationResults

pytestmark = pytest.mark.usefixtures("sockets")


def checked(results: DatasetCreationResults) -> RunAccounts:
    """The accounts, of which each alias's slot-seconds sum to its slots times the time."""
    accounts = results.accounts
    assert accounts is not None
    for one in accounts.aliases.values():
        assert sum(one.seconds.values()) == pytest.approx(one.slot_seconds)
    return accounts


THINKING = 0.05
"""Seconds."""


def slowly(prompt: str) -> Reply:
    """A reply that takes its time."""
    return Reply(f"<{prompt}>", seconds=THINKING)


def test_a_run_leaves_its_accounts_beside_the_dataset(endpoint: Endpoint, tmp_path: Path) -> None:
    """Slots ask at least for as long as the server thinks; every cell, request and record is counted."""
    with endpoint(slowly) as counted:
        accounts = checked(make(counted.url, tmp_path))
    # When the server's thread gets to look at its clock after a reply has left, the client may have read it long ago.
    thought = THINKING * len(counted.spans)
    asking = sum(one.seconds[Account.ASKING] for one in accounts.aliases.values())
    assert thought <= asking <= SLOTS * 2 * accounts.seconds
    assert (accounts.run, accounts.executor, accounts.began > 1.5e9) == (1, "inline", True)
    assert {name: one.requests for name, one in accounts.aliases.items()} == {"a": RECORDS, "b": RECORDS}
    for column, alias in {"draft": "a", "final": "b"}.items():
        one = accounts.columns[column]
        assert (one.alias, one.cells, one.failed) == (alias, RECORDS, 0)
        assert one.latency.smallest > THINKING
        assert (one.input_tokens.sum, one.output_tokens.sum) == (3 * RECORDS, 2 * RECORDS)
    assert accounts.columns["mood"].cells == RECORDS
    assert accounts.columns["mood"].alias is None
    assert "n, mood" in accounts.worker_seconds
    assert accounts.writing_seconds > 0
    assert sum(one.records for one in accounts.timeline) == RECORDS
    assert sum(one.cells for one in accounts.timeline) == 2 * RECORDS


def test_runs_of_a_dataset_add_up(endpoint: Endpoint, tmp_path: Path) -> None:
    """What is replayed of an earlier run is no cell of the later one."""
    with endpoint(slowly) as counted:
        stopped = make(counted.url, tmp_path, budget={"requests": 25})
        first, asked = checked(stopped), len(counted.prompts)
    with endpoint(slowly) as counted:
        whole = checked(make(counted.url, tmp_path, ALWAYS))
        again = len(counted.prompts)
    assert stopped.early_shutdown is not None
    assert (first.run, whole.run) == (1, 2)
    assert whole.seconds > first.seconds
    assert sum(one.requests for one in first.aliases.values()) == asked
    assert sum(one.requests for one in whole.aliases.values()) == asked + again == 2 * RECORDS
    assert sum(one.records for one in whole.timeline) == RECORDS
    made = [whole.columns[name] for name in ("draft", "final")]
    assert sum(one.cells - one.failed for one in made) == 2 * RECORDS
    assert len(list((tmp_path / "d" / "accounts").glob("run_*.json"))) == 2


def test_a_run_that_is_killed_leaves_what_it_had_written(endpoint: Endpoint, tmp_path: Path, processes: None) -> None:
    """Beside which the run that goes on writes its own."""
    holding = Holding(9)
    with endpoint(holding) as counted:
        program = started(begin, counted.url, tmp_path, {})
        until((tmp_path / "d" / "accounts" / "run_00001.json").exists, "its accounts")
        program.kill()
        program.join()
        holding.go_on.set()
    first = read_accounts(LocalFiles(tmp_path / "d"))
    assert first is not None
    assert sum(one.requests for one in first.aliases.values()) == 9
    with endpoint(answer) as counted:
        whole = checked(make(counted.url, tmp_path, ALWAYS))
    assert whole.run == 2
    assert whole.seconds > first.seconds
    assert whole.aliases["a"].slot_seconds == pytest.approx(SLOTS * whole.seconds)


def test_records_that_are_drawn_for_rejected_ones_are_of_the_same_run(endpoint: Endpoint, tmp_path: Path) -> None:
    """However often it draws."""

    def picky(prompt: str) -> Reply:
        return Reply("no", 400) if "row 3" in prompt else answer(prompt)

    with endpoint(picky) as counted:
        maker = designer(counted.url, tmp_path, on_row_failure="refill")
        results = maker.create(story(model("a")), num_records=12, dataset_name="d")
    accounts = checked(results)
    assert accounts.run == 1
    assert accounts.columns["a"].cells == len(counted.prompts) == 13
    assert accounts.columns["a"].failed == 1


def test_accounts_that_cannot_be_written_are_no_error(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are statistics: the dataset is whole, and nobody knows how its time went."""
    put = LocalFiles.put

    def full(self: LocalFiles, name: str, content: bytes) -> None:
        if name.startswith("accounts/"):
            raise OSError("no space left on device")
        put(self, name, content)

    monkeypatch.setattr(LocalFiles, "put", full)
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path)
    assert results.count_records() == RECORDS
    assert results.accounts is None


def test_slot_time_is_among_the_metrics(endpoint: Endpoint, tmp_path: Path) -> None:
    """By alias and account."""
    seen: list[str] = []

    def look(_: Any) -> None:
        seen.append(fetched(port))

    port = free_port()
    with endpoint(slowly) as counted:
        maker = designer(counted.url, tmp_path, otel_metrics_port=port)
        maker.create(story(model("a")), num_records=60, dataset_name="d", on_batch_complete=look)
    (line,) = [
        one
        for one in seen[-1].splitlines()
        if one.startswith('data_designer_slot_seconds_total{alias="a",account="asking"}')
    ]
    assert float(line.rpartition(" ")[2]) > 0.2
