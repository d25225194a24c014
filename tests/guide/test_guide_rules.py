"""The rules of the performance guide, each shown at an endpoint that counts."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests import fakes
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE, model, numbered

import data_designer.config as dd
from data_designer.interface import DataDesigner, DataDesignerEarlyShutdownError, DataDesignerGenerationError


def number_of(prompt: str) -> int:
    """The seed row that a prompt is about."""
    found = re.search(r"row (\d+)", prompt)
    assert found is not None
    return int(found.group(1))


def builder(rows: int, *aliases: tuple[str, int]) -> dd.DataDesignerConfigBuilder:
    """One text column an alias over a seed dataset whose row k says `row k`."""
    made = dd.DataDesignerConfigBuilder(
        model_configs=[model(alias, max_parallel_requests=slots) for alias, slots in aliases]
    )
    made.with_seed_dataset(numbered(rows))
    for alias, _ in aliases:
        made.add_column(
            name=f"text_{alias}", column_type="llm-text", model_alias=alias, prompt="row {{ n }} for " + alias
        )
    return made


def designer(url: str, path: Path, **run: Any) -> DataDesigner:
    """A designer with the guide's defaults."""
    return fakes.designer(url, path, **{"buffer_size": 1000, **run})


def test_a_thousand_cells_on_eight_slots_take_125_rounds(endpoint: Endpoint, tmp_path: Path) -> None:
    """The guide's example: buffer_size 1000, 8 slots, 1,000 cells: 8 in flight, about 125 rounds.

    No request is answered before eight are there, so fewer in flight than eight would get no answer at all.
    """
    rounds: list[None] = []
    eight = threading.Barrier(8, action=lambda: rounds.append(None), timeout=60)

    def answer(_: str) -> Reply:
        eight.wait()
        return Reply()

    with endpoint(answer) as counted:
        results = designer(counted.url, tmp_path, buffer_size=1000).create(builder(1000, ("m", 8)), num_records=1000)
    assert results.count_records() == 1000
    assert len(counted.prompts) == 1000
    assert counted.peak == 8
    assert len(rounds) == 125


def test_in_flight_is_bounded_by_the_batch_and_by_what_remains(endpoint: Endpoint, tmp_path: Path) -> None:
    """One batch at a time: never more requests in flight than the batch has records, and as many as that."""
    five, three = (threading.Barrier(number, timeout=60) for number in (5, 3))

    def answer(prompt: str) -> Reply:
        (five if number_of(prompt) < 20 else three).wait()
        return Reply()

    with endpoint(answer) as counted:
        run = {"buffer_size": 5, "max_concurrent_row_groups": 1}
        designer(counted.url, tmp_path, **run).create(builder(23, ("m", 16)), num_records=23)
    assert counted.peak == 5
    assert len(counted.prompts) == 23


def test_one_open_batch_means_no_request_before_the_commit_of_the_batch_before(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """With max_concurrent_row_groups=1 batch n+1 asks nothing before batch n is on disk."""
    there: list[tuple[int, int]] = []

    def answer(prompt: str) -> Reply:
        there.append((number_of(prompt) // 20, len(list((tmp_path / "d/parquet-files").glob("*.parquet")))))
        return Reply()

    with endpoint(answer) as counted:
        run = {"buffer_size": 20, "max_concurrent_row_groups": 1}
        maker = designer(counted.url, tmp_path, **run)
        maker.create(builder(100, ("m", 8)), num_records=100, dataset_name="d")
    assert len(there) == 100
    assert all(batch == files for batch, files in there)


def test_two_aliases_fill_eight_slots_each_at_the_same_time(endpoint: Endpoint, tmp_path: Path) -> None:
    """max_parallel_requests is per alias: two at 8 make 8 each and 16 together.

    No request is answered before sixteen are there.
    """
    sixteen, lock = threading.Barrier(16, timeout=60), threading.Lock()
    now, peak = Counter[str](), Counter[str]()

    def answer(prompt: str) -> Reply:
        alias = prompt[-1]
        with lock:
            now[alias] += 1
            peak[alias] = max(peak[alias], now[alias])
        sixteen.wait()
        with lock:
            now[alias] -= 1
        return Reply()

    with endpoint(answer) as counted:
        designer(counted.url, tmp_path).create(builder(200, ("a", 8), ("b", 8)), num_records=200)
    assert counted.peak == 16
    assert peak == {"a": 8, "b": 8}


@pytest.mark.parametrize("workers", [4, 2])
def test_cpu_tasks_are_bounded_by_the_workers(tmp_path: Path, workers: int) -> None:
    """At most non_inference_max_parallel_workers CPU tasks run at once; 4 unless set."""
    lock, all_at_work = threading.Lock(), threading.Event()
    counts = {"now": 0, "peak": 0}

    def watched() -> None:
        with lock:
            counts["now"] += 1
            counts["peak"] = max(counts["peak"], counts["now"])
            if counts["now"] == workers:
                all_at_work.set()
        all_at_work.wait(60)
        time.sleep(0.005)  # as long as a task takes, so that one too many would be met
        with lock:
            counts["now"] -= 1

    @dd.custom_column_generator(required_columns=["kind"])
    def slow(row: dict[str, Any]) -> dict[str, Any]:
        watched()
        return {**row, "slow": row["kind"]}

    def judge(frame: pd.DataFrame) -> pd.DataFrame:
        watched()
        return pd.DataFrame({"is_valid": [True] * len(frame)})

    made = dd.DataDesignerConfigBuilder()
    made.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["a", "b"]})
    made.add_column(name="shout", column_type="expression", expr="{{ kind | upper }}")
    made.add_column(dd.CustomColumnConfig(name="slow", generator_function=slow))
    made.add_column(
        name="verdict",
        column_type="validation",
        target_columns=["shout"],
        validator_type="local_callable",
        validator_params={"validation_function": judge},
    )
    given = {} if workers == 4 else {"non_inference_max_parallel_workers": workers}
    results = designer(NOWHERE, tmp_path, buffer_size=10, **given).create(made, num_records=100)
    assert results.count_records() == 100
    assert counts["peak"] == workers


@pytest.mark.parametrize(("restarts", "corrections", "requests"), [(3, 2, 12), (5, 0, 6), (7, 2, 24), (3, 0, 4)])
def test_an_unparsable_cell_costs_what_the_retry_table_says(
    endpoint: Endpoint, tmp_path: Path, restarts: int, corrections: int, requests: int
) -> None:
    """(1 + restarts) x (1 + corrections) requests a cell, for the four rows of the guide's table."""
    made = builder(3)
    made.add_model_config(model("m"))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    made.add_column(
        name="rec", column_type="llm-structured", model_alias="m", prompt="row {{ n }}", output_format=schema
    )
    run = {
        "max_conversation_restarts": restarts,
        "max_conversation_correction_steps": corrections,
        "disable_early_shutdown": True,
    }
    with endpoint(lambda _: Reply("no json here")) as counted, pytest.raises(DataDesignerGenerationError):
        designer(counted.url, tmp_path, **run).create(made, num_records=3)
    assert len(counted.prompts) == 3 * requests


def fails(share: int, of: int, status: int = 400) -> Callable[[str], Reply]:
    """Fail `share` of every `of` consecutive rows."""
    return lambda prompt: Reply("refused", status) if number_of(prompt) % of < share else Reply()


def test_a_column_that_fails_sixty_percent_stops_the_run(endpoint: Endpoint, tmp_path: Path) -> None:
    """More than half of the last ten finished cells failed: the run stops, keeps what is complete and says so."""
    with endpoint(fails(3, 5)) as counted:
        results = designer(counted.url, tmp_path, buffer_size=50).create(builder(1000, ("m", 4)), num_records=1000)
    assert 10 <= len(counted.prompts) < 200
    assert results.early_shutdown is not None
    assert "text_m" in results.early_shutdown
    assert 0 < results.count_records() < 100
    assert results.outcomes.unfinished == 1000 - results.outcomes.generated - results.outcomes.rejected


def test_nothing_complete_means_the_typed_error(endpoint: Endpoint, tmp_path: Path) -> None:
    """When every cell fails, the run stops after about ten cells with DataDesignerEarlyShutdownError."""
    with endpoint(fails(1, 1)) as counted, pytest.raises(DataDesignerEarlyShutdownError, match="refused"):
        designer(counted.url, tmp_path).create(builder(1000, ("m", 4)), num_records=1000)
    assert 10 <= len(counted.prompts) <= 60


def test_a_column_that_fails_forty_percent_runs_on(endpoint: Endpoint, tmp_path: Path) -> None:
    """Forty percent of failures are less than the default rate: every row is attempted, the others are kept."""
    with endpoint(fails(2, 5)) as counted:
        results = designer(counted.url, tmp_path).create(builder(300, ("m", 4)), num_records=300)
    assert len(counted.prompts) == 300
    assert results.early_shutdown is None
    assert (results.outcomes.generated, results.outcomes.rejected) == (180, 120)
    assert sorted(results.load_rejected()["record_index"]) == [n for n in range(300) if n % 5 < 2]


def test_disabled_early_shutdown_attempts_every_row_and_lists_every_kind_of_error(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """disable_early_shutdown=True: every row is attempted, and the error names each kind."""
    statuses = (400, 404, 422)
    with endpoint(lambda prompt: Reply("refused", statuses[number_of(prompt) % 3])) as counted:
        maker = designer(counted.url, tmp_path, disable_early_shutdown=True)
        with pytest.raises(DataDesignerGenerationError) as caught:
            maker.create(builder(60, ("m", 4)), num_records=60)
    assert len(counted.prompts) == 60
    assert not isinstance(caught.value, DataDesignerEarlyShutdownError)
    for kind in ("ModelBadRequestError", "ModelNotFoundError", "ModelUnprocessableEntityError"):
        assert kind in str(caught.value)


@pytest.mark.parametrize(("share", "stops"), [(17, False), (19, True)])
def test_a_window_of_fifty_with_a_rate_of_nine_tenths(
    endpoint: Endpoint, tmp_path: Path, share: int, stops: bool
) -> None:
    """Window 50, rate 0.9: 85 % of failures run on, 95 % stop after at least 50 finished cells."""
    with endpoint(fails(share, 20)) as counted:
        maker = designer(counted.url, tmp_path, shutdown_error_window=50, shutdown_error_rate=0.9)
        results = maker.create(builder(600, ("m", 4)), num_records=600)
    assert (results.early_shutdown is not None) == stops
    assert 50 <= len(counted.prompts) <= (200 if stops else 600)
    assert stops or len(counted.prompts) == 600
