"""Columns of embeddings as users make them: the same data however cells are gathered, stopped, killed and resumed."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer
from tests.interface.embedding import DIMENSIONS, RECORDS, SLOTS, TEXTS, cell_of, declared, make
from tests.replies import answer

import data_designer.config as dd
from data_designer.interface import DataDesignerGenerationError, DatasetCreationResults

ROWS = [f"row {number}" for number in range(RECORDS)]
REQUESTS = RECORDS // TEXTS


def check(results: DatasetCreationResults, but: Collection[str] = ()) -> None:
    """Whether every record has the vector of its text, some apart that are rejected."""
    rows = results.load_dataset()
    assert list(rows["text"]) == [text for text in ROWS if text not in but]
    assert list(rows["vector"]) == [cell_of(text) for text in rows["text"]]


def texts(prompts: list[str]) -> Counter[str]:
    """How often each text was asked about."""
    return Counter(text for prompt in prompts for text in prompt.split("\n"))


@pytest.mark.parametrize("size", [1, 7, None])
def test_how_cells_are_gathered_decides_no_value(endpoint: Endpoint, tmp_path: Path, size: int | None) -> None:
    """A request a cell, a few cells in each, or as many as there are: the same data, and the endpoint's own counts."""
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, params={"texts_per_request": size})
    check(results)
    assert texts(counted.prompts) == Counter(ROWS)
    usage = results.outcomes.usage["e"]
    assert (usage.requests, usage.failed_requests) == (len(counted.prompts), 0)
    assert usage.input_tokens == 3 * RECORDS
    spent = results.outcomes.columns["vector"]
    assert (spent.cells, spent.first_pass) == (RECORDS, RECORDS)
    assert counted.peak <= SLOTS
    most = max(len(prompt.split("\n")) for prompt in counted.prompts)
    assert most == 1 if size == 1 else 1 < most <= (size or RECORDS)


def test_slots_are_filled_with_whole_requests(endpoint: Endpoint, tmp_path: Path) -> None:
    """Rows come to a replica for all that its requests hold, not for its slots."""
    with endpoint(lambda _: Reply(seconds=0.05)) as counted:
        check(make(counted.url, tmp_path, buffer_size=RECORDS))
    assert [len(prompt.split("\n")) for prompt in counted.prompts] == [TEXTS] * REQUESTS
    assert counted.peak == SLOTS


def test_a_text_that_is_refused_costs_its_record_only(endpoint: Endpoint, tmp_path: Path) -> None:
    """Whatever else was asked for in the same request is made."""
    bad = {"row 7", "row 33"}

    def picky(prompt: str) -> Reply:
        return Reply("not this one", 400) if bad & set(prompt.split("\n")) else answer(prompt)

    with endpoint(picky) as counted:
        results = make(counted.url, tmp_path)
    check(results, bad)
    assert results.outcomes.reasons["ModelBadRequestError"]["count"] == 2
    usage = results.outcomes.usage["e"]
    assert usage.requests + usage.failed_requests == len(counted.prompts)


def test_a_cell_may_be_null_instead(endpoint: Endpoint, tmp_path: Path) -> None:
    """With on_row_failure="null"; a file holds it beside vectors of a fixed length."""

    def picky(prompt: str) -> Reply:
        return Reply("not this one", 400) if "row 7" in prompt.split("\n") else answer(prompt)

    with endpoint(picky) as counted:
        results = make(counted.url, tmp_path, on_row_failure="null")
    vectors = results.load_dataset()["vector"]
    assert list(vectors[vectors.isna()].index) == [7]
    assert list(vectors.dropna()) == [cell_of(text) for text in ROWS if text != "row 7"]


def test_a_budget_stops_it_and_a_larger_one_goes_on(endpoint: Endpoint, tmp_path: Path) -> None:
    """Requests are counted, not cells; nothing is asked for again, and the data is that of a run without a budget."""
    with endpoint(answer) as counted:
        stopped = make(counted.url, tmp_path, budget=dd.Budget(requests=5))
        assert "the budget is used up: 5 of 5 requests" in (stopped.early_shutdown or "")
        assert len(counted.prompts) == 5
        check(make(counted.url, tmp_path, "always", budget=dd.Budget(requests=RECORDS)))
    assert texts(counted.prompts) == Counter(ROWS)


def test_a_budget_of_tokens_is_used_up_by_small_requests(endpoint: Endpoint, tmp_path: Path) -> None:
    """One that would not fit into what is left is not made so large in the first place."""
    with endpoint(answer) as counted:
        stopped = make(counted.url, tmp_path, budget=dd.Budget(tokens=100))
    assert "the budget is used up" in (stopped.early_shutdown or "")
    assert max(texts(counted.prompts).values()) == 1
    assert 0 < len(counted.prompts) * 3 <= 100


@pytest.mark.parametrize("dimensions", [None, DIMENSIONS])
def test_files_hold_numbers_of_32_bits(endpoint: Endpoint, tmp_path: Path, dimensions: int | None) -> None:
    """In lists whose length is in the type where the alias says it."""
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, params={"dimensions": dimensions})
    check(results)
    for file in sorted((tmp_path / "d" / "parquet-files").glob("*.parquet")):
        vectors = pq.read_schema(file).field("vector").type.field("embeddings").type
        assert vectors.value_type == pa.list_(pa.float32(), dimensions or -1)
    [column] = [one for one in results.load_analysis().column_statistics if one.column_name == "vector"]
    assert (column.column_type, column.num_null) == ("general", 0)


def test_vectors_of_other_dimensions_than_were_asked_for_are_none(endpoint: Endpoint, tmp_path: Path) -> None:
    """As of an endpoint that does not know the parameter."""
    with endpoint(answer) as counted, pytest.raises(DataDesignerGenerationError, match="12 dimensions, not 5"):
        make(counted.url, tmp_path, params={"dimensions": 5}, max_conversation_restarts=0)


def test_a_preview_shows_what_a_dataset_holds(endpoint: Endpoint, tmp_path: Path, capsys: Any) -> None:
    """The same cells; a record is shown with the beginnings of its vectors."""
    with endpoint(answer) as counted:
        shown = designer(counted.url, tmp_path).preview(declared(), num_records=3)
    assert shown.dataset is not None
    assert list(shown.dataset["vector"]) == [cell_of(text) for text in ROWS[:3]]
    shown.display_sample_record(0)
    out = capsys.readouterr().out
    assert "more numbers" in out
    assert str(cell_of(ROWS[0])["embeddings"][0][-1])[:7] not in out
