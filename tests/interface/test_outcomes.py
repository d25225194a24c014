"""What becomes of every record that was asked for: whole, null-filled, rejected, or drawn again."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel
from tests import fakes
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE, counted, model, numbered, story
from tests.loopback import forgetful

import data_designer.config as dd
from data_designer.errors import DatasetGenerationError
from data_designer.interface import DataDesigner, DataDesignerGenerationError, DatasetCreationResults
from data_designer.interface.outcomes import RunOutcomes, top_reasons

RECORDS = 24
KEPT = 2000
"""Characters of a model's last reply that are kept."""
PRICE = dd.Price(input=1.0, output=2.0)
SOME = "?refusal_rate=0.3"
"""A model that declines a share of its prompts, always the same ones."""


class Verdict(BaseModel):
    """A structured answer."""

    label: str
    score: int


def chain(first: str, second: str) -> dd.DataDesignerConfigBuilder:
    """Two requests a record to two models, what is made from the first of them, and a column that needs neither."""
    made = story(model("draft", first, price=PRICE), model("final", second, price=PRICE))
    made.add_column(name="loud", column_type="expression", expr="{{ draft | upper }}")
    return made.add_column(name="number", column_type="expression", expr="no. {{ n }}")


def designer(url: str, path: Path, **run: Any) -> DataDesigner:
    """A designer that asks each cell once, in batches of ten, of which the last has room left."""
    once = {"max_conversation_restarts": 0, "disable_early_shutdown": True}
    return fakes.designer(url, path, **{"buffer_size": 10, **once, **run})


def make(
    url: str, path: Path, first: str, second: str, *, records: int = RECORDS, resume: str = "never", **run: Any
) -> DatasetCreationResults:
    """The chain, made or gone on with."""
    made = designer(url, path, **run)
    return made.create(chain(first, second), num_records=records, dataset_name="d", resume=resume)


def adds_up(results: DatasetCreationResults, requested: int) -> RunOutcomes:
    """Check that every record has one fate, in the counts as in the data; gives the counts."""
    found = results.outcomes
    assert found.requested == requested
    assert found.generated + found.null_filled + found.rejected + found.unfinished == requested + found.refilled
    assert len(results.load_dataset()) == results.count_records() == found.generated + found.null_filled
    assert len(indices(results.load_rejected())) == found.rejected
    assert len(indices(results.load_null_filled())) == found.null_filled
    told = len(results.load_rejected()) + len(results.load_null_filled())
    assert sum(one["count"] for one in found.reasons.values()) == told
    return found


def indices(failures: pd.DataFrame) -> set[int]:
    """Records that a table of failures tells of."""
    return set() if failures.empty else set(failures["record_index"].tolist())


# --- drop --------------------------------------------------------------------------------------------------------


def test_a_record_with_a_cell_that_fails_is_left_out(simulated: str, tmp_path: Path) -> None:
    """Every record is in the data or among the rejected, once, and nothing else is anywhere."""
    results = make(simulated, tmp_path, f"drop-a{SOME}", f"drop-b{SOME}")
    found = adds_up(results, RECORDS)
    assert found.rejected > 0
    assert (found.null_filled, found.refilled, found.unfinished) == (0, 0, 0)
    there = results.load_dataset()
    assert set(there["n"]) | indices(results.load_rejected()) == set(range(RECORDS))
    assert not there.isna().to_numpy().any()
    assert {"draft", "final"} == set(results.load_rejected()["column"])


def test_what_is_made_from_a_cell_that_failed_is_not_asked_for(simulated: str, tmp_path: Path) -> None:
    """The second model is asked for the records that the first one answered, and no others."""
    results = make(simulated, tmp_path, f"unasked-a{SOME}", "unasked-b")
    assert counted(simulated, f"unasked-a{SOME}") == RECORDS
    assert counted(simulated, "unasked-b") == results.outcomes.generated < RECORDS


def test_a_rejected_record_tells_everything_about_itself(simulated: str, tmp_path: Path) -> None:
    """Index, seed row, column, kind, message, last reply, attempts and cost stand in its row."""
    first, second = "told-a", "told-b?refusal_rate=0.5"
    results = make(simulated, tmp_path, first, second, max_conversation_restarts=1)
    rejected = results.load_rejected()
    assert list(rejected.columns) == [
        "record_index", "column", "kind", "message", "last_reply", "attempts", "usd", "seed",
    ]  # fmt: skip
    assert rejected["record_index"].is_monotonic_increasing
    for row in rejected.to_dict("records"):
        assert json.loads(row["seed"])["n"] == row["record_index"]
        assert (row["column"], row["kind"]) == ("final", "ModelRefusalError")
        assert "declined" in row["message"]
        assert "1 conversation restarts" in row["message"]
        assert row["last_reply"] == "I cannot help with that."
        assert row["attempts"] == 3
        assert row["usd"] > 0
    files = sorted((tmp_path / "d/rejected").glob("*.parquet"))
    assert [file.name for file in files] == [f"batch_{n:05d}.parquet" for n in range(len(files))]


def test_costs_are_those_of_the_tokens_that_were_used(simulated: str, tmp_path: Path) -> None:
    """The run's cost is its tokens times the prices; the columns' costs and the rejected records' are parts of it."""
    results = make(simulated, tmp_path, f"cost-a{SOME}&reasoning_tokens=7", "cost-b")
    usage = results.outcomes.usage
    tokens_in = sum(one.input_tokens for one in usage.values())
    tokens_out = sum(one.output_tokens for one in usage.values())
    assert results.outcomes.usd == pytest.approx((tokens_in * 1.0 + tokens_out * 2.0) / 1e6)
    assert results.outcomes.usd == pytest.approx(sum(one.usd for one in results.outcomes.columns.values()))
    drafts = results.outcomes.columns["draft"]
    assert (drafts.cells, drafts.first_pass) == (RECORDS, RECORDS - results.outcomes.rejected)
    assert drafts.usage.reasoning_tokens == 7 * RECORDS
    # A refusal costs its prompt, its words and its thought.
    rejected = results.load_rejected()
    assert (rejected["usd"] > 0).all()
    assert rejected["usd"].sum() < drafts.usd


def test_without_prices_no_cost_is_claimed(simulated: str, tmp_path: Path) -> None:
    """Unknown is not zero."""
    builder = chain(f"priceless-a{SOME}", "priceless-b")
    for one in builder.model_configs:
        one.price = None
    results = designer(simulated, tmp_path).create(builder, num_records=RECORDS)
    assert results.outcomes.usd is None
    assert results.load_rejected()["usd"].isna().all()


def test_attempts_count_requests_that_failed(simulated: str, tmp_path: Path) -> None:
    """By the server's count: replies and HTTP errors together are the attempts of all records."""
    first = "attempts-a?refusal_rate=1&error_rate=0.3"
    with pytest.raises(DataDesignerGenerationError, match="ModelRefusalError"):
        make(simulated, tmp_path, first, "attempts-b", records=8)
    rejected = pd.read_parquet(tmp_path / "d/rejected")
    assert rejected["attempts"].sum() == counted(simulated, first) > 8


@pytest.mark.parametrize("length", [10, KEPT, KEPT + 1, 100_000])
def test_a_last_reply_is_kept_up_to_a_size(endpoint: Endpoint, tmp_path: Path, length: int) -> None:
    """A model that rambles does not fill the disk: what is kept of its reply has an end."""
    ramble = ("no JSON " * (length // 8 + 1))[:length].strip().ljust(length, "x")
    with endpoint(
        lambda prompt: Reply(ramble if "row 3" in prompt else '```json\n{"label": "x", "score": 1}\n```')
    ) as at:
        builder = dd.DataDesignerConfigBuilder(model_configs=[model("a")])
        builder.with_seed_dataset(numbered())
        builder.add_column(
            name="v", column_type="llm-structured", model_alias="a", prompt="row {{ n }}", output_format=Verdict
        )
        results = designer(at.url, tmp_path).create(builder, num_records=5)
    [row] = results.load_rejected().to_dict("records")
    assert (row["record_index"], row["kind"]) == (3, "ModelGenerationValidationFailureError")
    assert row["last_reply"] == ramble[:KEPT]
    assert len(row["message"]) < KEPT


def test_a_request_that_the_provider_refuses_has_its_words_and_no_reply(endpoint: Endpoint, tmp_path: Path) -> None:
    """HTTP 400 rejects the record at once, with what the provider said."""
    with endpoint(lambda prompt: Reply("too spicy", 400) if prompt == "row 2" else Reply("fine")) as at:
        results = make(at.url, tmp_path, "a", "b", records=4)
    [row] = results.load_rejected().to_dict("records")
    assert (row["record_index"], row["column"], row["kind"]) == (2, "draft", "ModelBadRequestError")
    assert "HTTP 400: too spicy" in row["message"]
    assert (row["attempts"], row["last_reply"]) == (1, None)


def test_reasons_are_counted_with_an_example(simulated: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The kinds of failure, most frequent first, each with a record to look at; the log says the same."""
    with caplog.at_level(logging.INFO, "data_designer"):
        results = make(simulated, tmp_path, "why-a?refusal_rate=0.4&empty_rate=0.2", "why-b?refusal_rate=0.1")
    found = adds_up(results, RECORDS)
    rejected = results.load_rejected()
    assert {kind: one["count"] for kind, one in found.reasons.items()} == rejected["kind"].value_counts().to_dict()
    for kind, one in found.reasons.items():
        of_record = rejected.set_index("record_index").loc[one["record"]]
        assert (of_record["kind"], of_record["column"], of_record["message"]) == (kind, one["column"], one["message"])
        where = rejected[rejected["kind"] == kind]["column"].value_counts().to_dict()
        assert one["columns"] == where
    counts = [int(line.partition("x ")[0]) for line in top_reasons(found)]
    assert counts == sorted(rejected["kind"].value_counts(), reverse=True)
    [said] = [record.getMessage() for record in caplog.records if record.name.endswith("ending_views")]
    assert f"{found.generated} of {RECORDS} records in {tmp_path / 'd'}\n{found.rejected} rejected" in said
    assert all(f"{one['count']}x {kind} in" in said for kind, one in found.reasons.items())
    for column, spent in found.columns.items():
        assert spent.failed == (rejected["column"] == column).sum()


# --- null --------------------------------------------------------------------------------------------------------


def test_a_cell_that_fails_is_null_and_so_is_what_is_made_from_it(simulated: str, tmp_path: Path) -> None:
    """The record stays; columns that do not need the cell are whole; nobody is asked about what is not there."""
    results = make(simulated, tmp_path, f"null-a{SOME}", "null-b", on_row_failure="null")
    found = adds_up(results, RECORDS)
    assert found.null_filled > 0
    assert (found.rejected, found.unfinished) == (0, 0)
    rows = results.load_dataset()
    assert rows["n"].tolist() == list(range(RECORDS))
    failed = indices(results.load_null_filled())
    for column in ("draft", "loud", "final"):
        assert set(rows["n"][rows[column].isna()]) == failed
    assert rows["number"].tolist() == [f"no. {n}" for n in range(RECORDS)]
    assert counted(simulated, "null-b") == RECORDS - len(failed)


def test_null_filled_cells_are_told_as_rejected_records_are(simulated: str, tmp_path: Path) -> None:
    """A row each, with reason, last reply, attempts, cost and seed row; what only follows from them is not told."""
    results = make(simulated, tmp_path, f"both-a{SOME}", f"both-b{SOME}", on_row_failure="null")
    found, told, rows = adds_up(results, RECORDS), results.load_null_filled(), results.load_dataset()
    assert set(told["column"]) == {"draft", "final"}
    for row in told.to_dict("records"):
        assert json.loads(row["seed"])["n"] == row["record_index"]
        assert (row["kind"], row["last_reply"]) == ("ModelRefusalError", "I cannot help with that.")
        assert row["attempts"] == (1 if row["column"] == "draft" else 2)
        assert row["usd"] > 0
    whole = rows.dropna()
    assert len(whole) == found.generated
    assert set(whole["n"]) == set(range(RECORDS)) - indices(told)


def test_the_rows_of_null_and_of_drop_are_the_same_where_they_are_whole(simulated: str, tmp_path: Path) -> None:
    """What becomes of failures changes nothing about the others."""
    models = (f"same-a{SOME}", f"same-b{SOME}")
    dropped = make(simulated, tmp_path / "drop", *models).load_dataset()
    nulled = make(forgetful(simulated), tmp_path / "null", *models, on_row_failure="null").load_dataset().dropna()
    pd.testing.assert_frame_equal(dropped, nulled.reset_index(drop=True))


def test_a_run_of_nothing_but_null_filled_records_is_a_result(simulated: str, tmp_path: Path) -> None:
    """That is what was asked for, so it is no error."""
    results = make(simulated, tmp_path, "all-a?refusal_rate=1", "all-b", records=6, on_row_failure="null")
    assert adds_up(results, 6).null_filled == 6
    assert counted(simulated, "all-b") == 0


def test_a_function_that_raises_leaves_a_null_too(tmp_path: Path) -> None:
    """Failures on CPUs are as those of models: the cell is null, the reason is kept, at no cost."""

    @dd.custom_column_generator(required_columns=["n"])
    def picky(row: dict[str, Any]) -> dict[str, Any]:
        if row["n"] == 3:
            raise ValueError("not three")
        return {**row, "picked": row["n"]}

    builder = dd.DataDesignerConfigBuilder()
    builder.with_seed_dataset(numbered())
    builder.add_column(dd.CustomColumnConfig(name="picked", generator_function=picky))
    builder.add_column(name="after", column_type="expression", expr="{{ picked }}!")
    results = designer(NOWHERE, tmp_path, on_row_failure="null").create(builder, num_records=5)
    assert adds_up(results, 5).null_filled == 1
    [row] = results.load_null_filled().to_dict("records")
    assert (row["record_index"], row["column"], row["attempts"], row["usd"]) == (3, "picked", 0, 0.0)
    assert "not three" in row["message"]
    assert results.load_dataset()["after"].isna().tolist() == [False, False, False, True, False]


def test_a_preview_tells_the_fates_too(simulated: str, tmp_path: Path) -> None:
    """Nulls are shown, and counted."""
    shown = designer(simulated, tmp_path, on_row_failure="null").preview(
        chain(f"shown-a{SOME}", "shown-b"), num_records=10
    )
    assert shown.outcomes is not None
    assert shown.dataset is not None
    assert shown.outcomes.null_filled == shown.dataset["draft"].isna().sum() > 0
    assert shown.outcomes.generated + shown.outcomes.null_filled == 10


# --- refill ------------------------------------------------------------------------------------------------------


def test_further_records_are_drawn_until_there_are_enough(simulated: str, tmp_path: Path) -> None:
    """As many whole records as were asked for; each rejected one is made up for by one at a further index."""
    results = make(simulated, tmp_path, f"refill-a{SOME}", "refill-b", on_row_failure="refill")
    found = adds_up(results, RECORDS)
    assert found.generated == RECORDS
    assert found.refilled == found.rejected > 0
    drawn = set(results.load_dataset()["n"]) | indices(results.load_rejected())
    assert drawn == set(range(RECORDS + found.refilled))
    assert results.load_analysis().percent_complete == 100


def test_refilling_draws_no_more_candidates_than_it_may(simulated: str, tmp_path: Path) -> None:
    """When they are used up the run ends with fewer records, and says so in its counts."""
    first = "few-a?refusal_rate=0.8"
    results = make(simulated, tmp_path, first, "few-b", on_row_failure="refill", refill_candidates=7)
    found = adds_up(results, RECORDS)
    assert 0 < found.generated < RECORDS
    assert found.refilled == 7
    assert counted(simulated, first) == RECORDS + 7


def test_as_many_candidates_as_records_unless_said_otherwise(simulated: str, tmp_path: Path) -> None:
    """A model that nearly always declines is not asked for ever."""
    first = "many-a?refusal_rate=0.9"
    results = make(simulated, tmp_path, first, "many-b", on_row_failure="refill")
    assert adds_up(results, RECORDS).refilled == RECORDS
    assert counted(simulated, first) == 2 * RECORDS


def test_where_nothing_comes_out_refilling_ends_too(simulated: str, tmp_path: Path) -> None:
    """No record at all is an error that names the reason, after as many candidates as are allowed."""
    first = "none-a?refusal_rate=1"
    with pytest.raises(DataDesignerGenerationError, match=r"11x ModelRefusalError in column 'draft'"):
        make(simulated, tmp_path, first, "none-b", records=6, on_row_failure="refill", refill_candidates=5)
    assert counted(simulated, first) == 11


def test_where_nothing_fails_nothing_is_drawn(simulated: str, tmp_path: Path) -> None:
    """Refilling costs nothing then."""
    results = make(simulated, tmp_path, "whole-a", "whole-b", on_row_failure="refill")
    assert adds_up(results, RECORDS).refilled == 0
    assert counted(simulated, "whole-a") == RECORDS


@pytest.mark.parametrize("asked", [RECORDS + 1, RECORDS + 9])
def test_a_refill_that_is_interrupted_goes_on(simulated: str, tmp_path: Path, asked: int) -> None:
    """Stopped while further records are drawn, and resumed: the dataset of an undisturbed run, each request once."""
    first = f"broken-{asked}{SOME}"
    refill: dict[str, Any] = {"on_row_failure": "refill", "max_in_flight_tasks": 2}
    calm = make(simulated, tmp_path / "calm", first, "broken-b", **refill)
    undisturbed = counted(simulated, first)
    spent = 2 * RECORDS - calm.load_rejected().query(f"record_index < {RECORDS}").shape[0] + asked - RECORDS
    stopped = make(forgetful(simulated), tmp_path, first, "broken-b", **refill, budget=dd.Budget(requests=spent))
    assert stopped.early_shutdown is not None
    partly = adds_up(stopped, RECORDS)
    assert partly.refilled > 0
    assert partly.generated < RECORDS
    resumed = make(simulated, tmp_path, first, "broken-b", **refill, resume="always")
    assert adds_up(resumed, RECORDS).generated == RECORDS
    assert counted(simulated, first) == undisturbed
    pd.testing.assert_frame_equal(resumed.load_dataset(), calm.load_dataset())
    pd.testing.assert_frame_equal(resumed.load_rejected(), calm.load_rejected())


def test_a_finished_dataset_is_refilled_when_it_is_resumed_so(simulated: str, tmp_path: Path) -> None:
    """What was dropped is made up for later, with more candidates if need be; then nothing more is asked."""
    models = ("later-a?refusal_rate=0.5", "later-b")
    dropped = make(simulated, tmp_path, *models)
    few = make(simulated, tmp_path, *models, resume="always", on_row_failure="refill", refill_candidates=2)
    assert adds_up(few, RECORDS).refilled == 2
    whole = make(simulated, tmp_path, *models, resume="always", on_row_failure="refill", refill_candidates=100)
    assert adds_up(whole, RECORDS).generated == RECORDS
    kept = whole.load_dataset().head(len(dropped.load_dataset()))
    pd.testing.assert_frame_equal(kept, dropped.load_dataset())
    before = counted(simulated, models[0])
    make(simulated, tmp_path, *models, resume="always", on_row_failure="refill", refill_candidates=100)
    assert counted(simulated, models[0]) == before


def test_more_records_may_be_asked_for_after_a_refill(simulated: str, tmp_path: Path) -> None:
    """What was drawn for rejected ones does not count as asked for."""
    models = (f"more-a{SOME}", "more-b")
    make(simulated, tmp_path, *models, on_row_failure="refill")
    results = make(simulated, tmp_path, *models, records=RECORDS + 6, resume="always", on_row_failure="refill")
    assert adds_up(results, RECORDS + 6).generated == RECORDS + 6


# --- whatever happens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["drop", "null", "refill"])
@pytest.mark.parametrize("budget", [None, 31, 34])
def test_every_record_has_one_fate_whatever_stops_the_run(
    simulated: str, tmp_path: Path, fate: str, budget: int | None
) -> None:
    """Counts add up after every kind of end, and after the resume that follows."""
    run: dict[str, Any] = {} if budget is None else {"budget": dd.Budget(requests=budget)}
    models = (f"sum-a-{fate}-{budget}{SOME}", f"sum-b{SOME}")
    found = adds_up(make(simulated, tmp_path, *models, on_row_failure=fate, **run), RECORDS)
    assert (found.unfinished > 0) == (budget is not None)
    found = adds_up(make(simulated, tmp_path, *models, on_row_failure=fate, resume="always"), RECORDS)
    assert found.unfinished == 0


def test_fates_that_do_not_add_up_are_no_outcome() -> None:
    """The engine checks itself: a record too many or too few is an error."""
    counts: dict[str, Any] = {
        "requested": 10,
        "generated": 5,
        "rejected": 2,
        "unfinished": 2,
        "reasons": {},
        "usage": {},
    }
    assert RunOutcomes(**counts, null_filled=1).null_filled == 1
    for null_filled, refilled in ((0, 0), (2, 0), (1, 1)):
        with pytest.raises(DatasetGenerationError, match="do not add up"):
            RunOutcomes(**counts, null_filled=null_filled, refilled=refilled)
