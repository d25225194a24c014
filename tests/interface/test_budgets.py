"""Budgets: a run stops before it spends more than it may, and goes on where it stopped when it may spend more."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.cli.commands import INLINE, name_provider, run
from tests.counting import Endpoint, Reply
from tests.fakes import designer, model, numbered, stats, story
from tests.loopback import forgetful

import data_designer.config as dd
from data_designer.errors import DataDesignerError, DatasetGenerationError
from data_designer.interface import DataDesignerGenerationError, DatasetCreationResults

RECORDS = 30
IDEAL = 2 * RECORDS
"""Requests of an undisturbed run: two a record."""
MOST = 40
"""Requests that end no run and leave some records whole, whichever are asked first."""
SIMULATED = "sim?latency=0.01"
SLOTS = 4
LONGEST = 200
"""Tokens of a reply that the models are allowed; theirs are shorter."""
SECOND = 1.0
"""A budget of time, in which a machine that does much else makes a few records too."""
PRICE = dd.Price(input=10.0, output=30.0)

CONFIG = """
model_configs:
- {alias: a, model: sim, provider: p, skip_health_check: true}
columns:
- {name: id, column_type: sampler, sampler_type: uuid, params: {}}
- {name: text, column_type: llm-text, model_alias: a, prompt: "row {{ id }}"}
"""


@dataclass(frozen=True)
class Spent:
    """What was asked for, by the server's count."""

    requests: int
    tokens: int


def spent(url: str) -> Spent:
    """What the server counted; a test takes less than the minute that its window of tokens is long."""
    total = stats(url)["total"]
    return Spent(total["requests"], total["peak_tokens_in_window"])


def two(name: str = SIMULATED) -> dd.DataDesignerConfigBuilder:
    """Two requests a record, to two aliases of a model."""
    limits = {"max_parallel_requests": SLOTS, "max_tokens": LONGEST}
    return story(*(model(alias, name, price=PRICE, **limits) for alias in ("draft", "final")))


def make(
    url: str, path: Path, budget: dd.Budget | None, resume: str = "never", name: str = SIMULATED, **run: Any
) -> DatasetCreationResults:
    """The story, inline, in batches of eight."""
    made = designer(url, path, budget=budget, **run)
    return made.create(two(name), num_records=RECORDS, dataset_name="d", resume=resume)


@pytest.fixture
def whole(simulated: str, tmp_path_factory: pytest.TempPathFactory) -> DatasetCreationResults:
    """The dataset, made without a budget; the model has forgotten it."""
    results = make(simulated, tmp_path_factory.mktemp("whole"), None)
    forgetful(simulated)
    return results


def usd(results: DatasetCreationResults) -> float:
    """What a dataset has cost."""
    assert results.outcomes.usd is not None
    return results.outcomes.usd


def most_of(whole: DatasetCreationResults, unit: str) -> dd.Budget:
    """A budget of two thirds of what the whole dataset takes: some records are whole, whichever are asked first."""
    usage = whole.outcomes.usage.values()
    tokens = sum(one.input_tokens + one.output_tokens for one in usage)
    return dd.Budget(**{unit: {"requests": MOST, "tokens": tokens * 2 // 3, "usd": usd(whole) * 2 / 3}[unit]})


UNITS = pytest.mark.parametrize("unit", ["requests", "tokens", "usd"])


@UNITS
def test_a_budget_is_not_exceeded_and_what_is_left_is_made_with_a_larger_one(
    simulated: str, tmp_path: Path, whole: DatasetCreationResults, unit: str
) -> None:
    """By the server's count: never more than it may, not by a resume either; with more it ends, nothing paid twice."""
    budget = most_of(whole, unit)
    stopped = make(simulated, tmp_path, budget)
    limit = getattr(budget, unit)
    used = {"requests": spent(simulated).requests, "tokens": spent(simulated).tokens, "usd": usd(stopped)}
    assert 0 < used[unit] <= limit
    assert stopped.early_shutdown is not None
    assert "the budget is used up" in stopped.early_shutdown
    assert f"of {limit:.10g} {'USD' if unit == 'usd' else unit}" in stopped.early_shutdown
    assert 0 < stopped.outcomes.unfinished < RECORDS

    before = spent(simulated)
    again = make(simulated, tmp_path, budget, resume="always")
    assert "the budget is used up" in (again.early_shutdown or "")
    assert {"requests": spent(simulated).requests, "tokens": spent(simulated).tokens, "usd": usd(again)}[unit] <= limit

    resumed = make(simulated, tmp_path, dd.Budget(**{unit: limit * 10}), resume="always")
    assert (resumed.early_shutdown, resumed.outcomes.generated) == (None, RECORDS)
    assert spent(simulated).requests == IDEAL > before.requests
    pd.testing.assert_frame_equal(resumed.load_dataset(), whole.load_dataset())
    assert usd(resumed) == pytest.approx(usd(whole))


def test_a_budget_of_requests_is_used_to_the_last(simulated: str, tmp_path: Path) -> None:
    """Nothing that may be spent is left lying about, however it was shared among the aliases."""
    results = make(simulated, tmp_path, dd.Budget(requests=37))
    assert spent(simulated).requests == 37
    assert "37 of 37 requests" in (results.early_shutdown or "")


def test_with_the_same_budget_a_resume_asks_for_nothing(simulated: str, tmp_path: Path) -> None:
    """It is used up already: the run ends at once, with what is there and the reason."""
    make(simulated, tmp_path, dd.Budget(requests=MOST))
    again = make(forgetful(simulated), tmp_path, dd.Budget(requests=MOST), resume="always")
    assert spent(simulated).requests == 0
    assert f"{MOST} of {MOST} requests" in (again.early_shutdown or "")


def test_with_a_smaller_budget_a_resume_asks_for_nothing_either(simulated: str, tmp_path: Path) -> None:
    """More was spent than it may: the words say how much."""
    make(simulated, tmp_path, dd.Budget(requests=MOST))
    again = make(forgetful(simulated), tmp_path, dd.Budget(requests=5), resume="always")
    assert spent(simulated).requests == 0
    assert f"{MOST} of 5 requests" in (again.early_shutdown or "")


def test_what_exactly_suffices_is_enough(simulated: str, tmp_path: Path) -> None:
    """A budget that is used up by the last request stops nothing."""
    results = make(simulated, tmp_path, dd.Budget(requests=IDEAL))
    assert (results.early_shutdown, results.outcomes.generated) == (None, RECORDS)


def test_a_complete_dataset_may_be_resumed_with_any_budget(simulated: str, tmp_path: Path) -> None:
    """Nothing is left to be paid."""
    make(simulated, tmp_path, None)
    again = make(simulated, tmp_path, dd.Budget(requests=1), resume="always")
    assert (again.early_shutdown, again.outcomes.generated) == (None, RECORDS)
    assert spent(simulated).requests == IDEAL


def test_the_scarcest_unit_of_several_stops_the_run(
    simulated: str, tmp_path: Path, whole: DatasetCreationResults
) -> None:
    """All of a budget holds at once, and the stop names all of it."""
    results = make(simulated, tmp_path, dd.Budget(requests=1000, usd=usd(whole) * 2 / 3, tokens=10**9))
    assert usd(results) <= usd(whole) * 2 / 3
    assert "of 1000 requests" in (results.early_shutdown or "")
    assert "USD" in (results.early_shutdown or "")


def test_attempts_that_fail_are_requests_too(simulated: str, tmp_path: Path) -> None:
    """Errors and replies together stay within the budget."""
    results = make(simulated, tmp_path, dd.Budget(requests=45), name="sim?error_rate=0.2", disable_early_shutdown=True)
    answered = sum(one.requests for one in results.outcomes.usage.values())
    assert answered < spent(simulated).requests <= 45


def test_a_budget_too_small_for_a_request_is_said_so(simulated: str, tmp_path: Path) -> None:
    """Nothing is asked, and no record is there to be given."""
    with pytest.raises(DataDesignerGenerationError, match=r"the budget is used up: 0 of 10 tokens.*resume"):
        make(simulated, tmp_path, dd.Budget(tokens=10))
    assert spent(simulated).requests == 0


def test_a_budget_of_seconds_is_that_of_a_run(endpoint: Endpoint, tmp_path: Path) -> None:
    """When it is over nothing is sent any more, what is in flight is awaited, and the next run has as much again."""
    answered = MOST

    def answer(prompt: str) -> Reply:
        return Reply(f"<{prompt}>", seconds=SECOND if len(counted.prompts) > answered else 0)

    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, dd.Budget(seconds=SECOND))
        assert results.early_shutdown == "the seconds of the budget are used up; resume to go on for as long again"
        assert 0 < results.outcomes.unfinished < RECORDS
        assert len(counted.prompts) <= answered + 2 * SLOTS
        answered = IDEAL
        resumed = make(counted.url, tmp_path, dd.Budget(seconds=600), resume="always")
    assert (resumed.early_shutdown, resumed.outcomes.generated) == (None, RECORDS)
    assert len(counted.prompts) == len(set(counted.prompts)) == IDEAL


def test_a_preview_keeps_to_the_budget(simulated: str, tmp_path: Path) -> None:
    """It costs money as well."""
    shown = designer(simulated, tmp_path, budget=dd.Budget(requests=15)).preview(two(), num_records=10)
    assert spent(simulated).requests == 15
    assert shown.dataset is not None
    assert 0 < len(shown.dataset) < 10


def test_without_a_price_a_budget_in_usd_is_refused_before_anything_is_asked(simulated: str, tmp_path: Path) -> None:
    """It could never be used up."""
    builder = two()
    builder.model_configs[1].price = None
    with pytest.raises(DataDesignerError, match="'final' has no price"):
        designer(simulated, tmp_path, budget=dd.Budget(usd=1.0)).create(builder, num_records=3)
    assert spent(simulated).requests == 0
    assert not list(tmp_path.iterdir())


def test_a_stop_says_how_to_go_on(simulated: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the reason and the way to resume."""
    with caplog.at_level(logging.WARNING, "data_designer"):
        results = make(simulated, tmp_path, dd.Budget(requests=MOST))
    [said] = [record.getMessage() for record in caplog.records if "stopped early" in record.getMessage()]
    assert f"{results.outcomes.generated} of {RECORDS} records in {tmp_path / 'd'}" in said
    assert f"the budget is used up: {MOST} of {MOST} requests" in said
    assert f"data-designer resume {tmp_path / 'd'} --set 'budget={{requests: {2 * MOST}}}'" in said


# --- the command line --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulated: str) -> Path:
    """A working directory with a configuration, whose provider is the simulated model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(CONFIG)
    name_provider(simulated)
    return tmp_path


def create(budget: str) -> tuple[int, str]:
    """`data-designer create` with a budget."""
    return run("create", "good.yaml", "-n", "12", "-o", "out", "-d", "d", *INLINE, "--set", f"budget={budget}")


@pytest.mark.parametrize("budget", ['{"requests": 7}', "{requests: 7}"])
def test_a_budget_may_be_given_on_the_command_line(folder: Path, simulated: str, budget: str) -> None:
    """As JSON or YAML: exit code 1 when it is used up, with the way to go on, which then costs only what is left."""
    code, said = create(budget)
    assert code == 1, said
    assert "stopped early: the budget is used up: 7 of 7 requests" in said
    assert "data-designer resume out/d --set 'budget={requests: 14}'" in said
    assert spent(simulated).requests == 7
    code, said = run("resume", "out/d")
    assert code == 1, said
    assert "7 of 7 requests" in said
    assert spent(simulated).requests == 7
    code, said = run("resume", "out/d", "--set", 'budget={"requests": 100}')
    assert code == 0, said
    assert "12 of 12 records" in said
    assert spent(simulated).requests == 12


@pytest.mark.parametrize("budget", ["{}", "{requests: none}", "{request: 7}", "7", "{usd: -1}"])
def test_a_budget_that_is_none_is_one_clear_error(folder: Path, budget: str) -> None:
    """Nothing is made, and the word that is wrong is named."""
    code, said = create(budget)
    assert code != 0
    assert "budget" in said
    assert "Traceback" not in said
    assert not (folder / "out").exists()


def test_a_budget_that_limits_nothing_is_refused() -> None:
    """As a typing error would have it."""
    with pytest.raises(ValueError, match="the budget limits nothing"):
        dd.Budget()


def test_the_errors_of_a_run_without_records_are_generation_errors() -> None:
    """So that one `except` catches them all."""
    assert issubclass(DataDesignerGenerationError, DataDesignerError)
    assert issubclass(DatasetGenerationError, DataDesignerError)


def test_attempts_that_fail_are_remembered_by_the_next_run(simulated: str, tmp_path: Path) -> None:
    """Three runs, each allowed some requests more, at an endpoint that mostly errs: by its count, none asks for more.

    They stop while the rows that failed wait to be tried again, so that no batch tells of their attempts.
    """
    for allowed in (SLOTS, SLOTS + 6, SLOTS + 12):
        with suppress(DataDesignerGenerationError):
            budget = dd.Budget(requests=allowed)
            make(simulated, tmp_path, budget, "if_possible", "sim?error_rate=0.9", disable_early_shutdown=True)
        assert allowed - SLOTS <= spent(simulated).requests <= allowed


def test_the_seconds_of_a_budget_are_those_of_all_rounds(endpoint: Endpoint, tmp_path: Path) -> None:
    """However many further records are drawn, the time does not begin anew with them: one more round takes less."""
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a", max_parallel_requests=SLOTS)])
    builder.with_seed_dataset(numbered())
    builder.add_column(
        name="x", column_type="llm-structured", model_alias="a", prompt="row {{ n }}.", output_format=schema
    )
    candidates = 14 * 7

    def answer(prompt: str) -> Reply:
        return Reply('```json\n{"x": "y"}\n```' if prompt.startswith("row 0.") else "no", seconds=0.1)

    with endpoint(answer) as counted:
        results = designer(
            counted.url, tmp_path, budget=dd.Budget(seconds=SECOND), on_row_failure="refill",
            refill_candidates=candidates, max_conversation_restarts=0, disable_early_shutdown=True,
        ).create(builder, num_records=8, dataset_name="d")  # fmt: skip
    assert results.early_shutdown is not None
    assert results.early_shutdown.startswith("the seconds of the budget are used up")
    assert 0 < results.outcomes.refilled < candidates
    assert results.outcomes.generated == 1
