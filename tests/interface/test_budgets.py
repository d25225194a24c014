"""Budgets: a run stops before it spends more than it may, and goes on where it stopped when it may spend more."""

import json
import logging
import os
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.loopback import forgetful
from typer.testing import CliRunner

import data_designer.config as dd
from data_designer.cli.main import app
from data_designer.errors import DataDesignerError, DatasetGenerationError
from data_designer.interface import DataDesigner, DataDesignerGenerationError, DatasetCreationResults
from data_designer.logging import reset_logging
from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

RECORDS = 30
IDEAL = 2 * RECORDS
"""Requests of an undisturbed run: two a record."""
SLOTS = 4
LONGEST = 200
"""Tokens of a reply that the models are allowed; theirs are shorter."""
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


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A simulated model."""
    with SimulatedServerProcess(SimulatedModel(latency=0.01)) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    """The simulated model, which has been asked for nothing yet."""
    return forgetful(server)


def spent(url: str) -> Spent:
    """What the server counted; a test takes less than the minute that its window of tokens is long."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        total: dict[str, Any] = json.loads(reply.read())["total"]
    return Spent(total["requests"], total["peak_tokens_in_window"])


def story(model: str = "sim") -> dd.DataDesignerConfigBuilder:
    """Two requests a record, to two aliases of a model."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS, max_tokens=LONGEST)
    models = [
        dd.ModelConfig(
            alias=alias, model=model, provider="p", price=PRICE, skip_health_check=True, inference_parameters=params
        )
        for alias in ("a", "b")
    ]
    made = dd.DataDesignerConfigBuilder(model_configs=models)
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="draft", column_type="llm-text", model_alias="a", prompt="row {{ id }}")
    made.add_column(name="final", column_type="llm-text", model_alias="b", prompt="better {{ draft }}")
    return made


def make(
    url: str, path: Path, budget: dd.Budget | None, resume: str = "never", model: str = "sim", **run: Any
) -> DatasetCreationResults:
    """The story, inline, in batches of eight."""
    provider = dd.ModelProvider(name="p", endpoint=url)
    designer = DataDesigner(path, model_providers=[provider], auto_configure_logging=False)
    given = {"executor": "inline", "seed": 3, "buffer_size": 8, "budget": budget, **run}
    designer.set_run_config(dd.RunConfig(**given))
    return designer.create(story(model), num_records=RECORDS, dataset_name="d", resume=resume)


@pytest.fixture(scope="module")
def whole(server: str, tmp_path_factory: pytest.TempPathFactory) -> DatasetCreationResults:
    """The dataset, made without a budget."""
    return make(server, tmp_path_factory.mktemp("whole"), None)


def usd(results: DatasetCreationResults) -> float:
    """What a dataset has cost."""
    assert results.outcomes.usd is not None
    return results.outcomes.usd


def half_of(whole: DatasetCreationResults, unit: str) -> dd.Budget:
    """A budget of half of what the whole dataset takes."""
    usage = whole.outcomes.usage.values()
    tokens = sum(one.input_tokens + one.output_tokens for one in usage)
    return dd.Budget(**{unit: {"requests": IDEAL // 2, "tokens": tokens // 2, "usd": usd(whole) / 2}[unit]})


UNITS = pytest.mark.parametrize("unit", ["requests", "tokens", "usd"])


@UNITS
def test_a_budget_is_not_exceeded_and_what_is_left_is_made_with_a_larger_one(
    url: str, tmp_path: Path, whole: DatasetCreationResults, unit: str
) -> None:
    """By the server's count: never more than it may, not by a resume either; with more it ends, nothing paid twice."""
    budget = half_of(whole, unit)
    stopped = make(url, tmp_path, budget)
    limit = getattr(budget, unit)
    used = {"requests": spent(url).requests, "tokens": spent(url).tokens, "usd": usd(stopped)}
    assert 0 < used[unit] <= limit
    assert stopped.early_shutdown is not None
    assert "the budget is used up" in stopped.early_shutdown
    assert f"of {limit:.10g} {'USD' if unit == 'usd' else unit}" in stopped.early_shutdown
    assert 0 < stopped.outcomes.unfinished < RECORDS

    before = spent(url)
    again = make(url, tmp_path, budget, resume="always")
    assert "the budget is used up" in (again.early_shutdown or "")
    assert {"requests": spent(url).requests, "tokens": spent(url).tokens, "usd": usd(again)}[unit] <= limit

    resumed = make(url, tmp_path, dd.Budget(**{unit: limit * 10}), resume="always")
    assert (resumed.early_shutdown, resumed.outcomes.generated) == (None, RECORDS)
    assert spent(url).requests == IDEAL > before.requests
    pd.testing.assert_frame_equal(resumed.load_dataset(), whole.load_dataset())
    assert usd(resumed) == pytest.approx(usd(whole))


def test_a_budget_of_requests_is_used_to_the_last(url: str, tmp_path: Path) -> None:
    """Nothing that may be spent is left lying about, however it was shared among the aliases."""
    results = make(url, tmp_path, dd.Budget(requests=37))
    assert spent(url).requests == 37
    assert "37 of 37 requests" in (results.early_shutdown or "")


def test_with_the_same_budget_a_resume_asks_for_nothing(url: str, tmp_path: Path) -> None:
    """It is used up already: the run ends at once, with what is there and the reason."""
    make(url, tmp_path, dd.Budget(requests=20))
    again = make(forgetful(url), tmp_path, dd.Budget(requests=20), resume="always")
    assert spent(url).requests == 0
    assert "20 of 20 requests" in (again.early_shutdown or "")


def test_with_a_smaller_budget_a_resume_asks_for_nothing_either(url: str, tmp_path: Path) -> None:
    """More was spent than it may: the words say how much."""
    make(url, tmp_path, dd.Budget(requests=20))
    again = make(forgetful(url), tmp_path, dd.Budget(requests=5), resume="always")
    assert spent(url).requests == 0
    assert "20 of 5 requests" in (again.early_shutdown or "")


def test_what_exactly_suffices_is_enough(url: str, tmp_path: Path) -> None:
    """A budget that is used up by the last request stops nothing."""
    results = make(url, tmp_path, dd.Budget(requests=IDEAL))
    assert (results.early_shutdown, results.outcomes.generated) == (None, RECORDS)


def test_a_complete_dataset_may_be_resumed_with_any_budget(url: str, tmp_path: Path) -> None:
    """Nothing is left to be paid."""
    make(url, tmp_path, None)
    again = make(url, tmp_path, dd.Budget(requests=1), resume="always")
    assert (again.early_shutdown, again.outcomes.generated) == (None, RECORDS)
    assert spent(url).requests == IDEAL


def test_the_scarcest_unit_of_several_stops_the_run(url: str, tmp_path: Path, whole: DatasetCreationResults) -> None:
    """All of a budget holds at once, and the stop names all of it."""
    results = make(url, tmp_path, dd.Budget(requests=1000, usd=usd(whole) / 3, tokens=10**9))
    assert usd(results) <= usd(whole) / 3
    assert "of 1000 requests" in (results.early_shutdown or "")
    assert "USD" in (results.early_shutdown or "")


def test_attempts_that_fail_are_requests_too(url: str, tmp_path: Path) -> None:
    """Errors and replies together stay within the budget."""
    results = make(url, tmp_path, dd.Budget(requests=35), model="sim?error_rate=0.2", disable_early_shutdown=True)
    answered = sum(one.requests for one in results.outcomes.usage.values())
    assert answered < spent(url).requests <= 35


def test_a_budget_too_small_for_a_request_is_said_so(url: str, tmp_path: Path) -> None:
    """Nothing is asked, and no record is there to be given."""
    with pytest.raises(DataDesignerGenerationError, match=r"the budget is used up: 0 of 10 tokens.*resume"):
        make(url, tmp_path, dd.Budget(tokens=10))
    assert spent(url).requests == 0


def test_a_budget_of_seconds_is_that_of_a_run(url: str, tmp_path: Path, whole: DatasetCreationResults) -> None:
    """When it is over nothing is sent any more, what is in flight is awaited, and the next run has as much again."""
    results = make(url, tmp_path, dd.Budget(seconds=1), model="sim?latency=0.2")
    assert results.early_shutdown == "the seconds of the budget are used up; resume to go on for as long again"
    assert 0 < results.outcomes.unfinished < RECORDS
    asked = spent(url).requests
    resumed = make(url, tmp_path, dd.Budget(seconds=600), resume="always", model="sim?latency=0.2")
    assert (resumed.early_shutdown, resumed.outcomes.generated) == (None, RECORDS)
    assert spent(url).requests == IDEAL > asked
    assert resumed.load_dataset()["id"].tolist() == whole.load_dataset()["id"].tolist()


def test_a_preview_keeps_to_the_budget(url: str, tmp_path: Path) -> None:
    """It costs money as well."""
    designer = DataDesigner(
        tmp_path, model_providers=[dd.ModelProvider(name="p", endpoint=url)], auto_configure_logging=False
    )
    designer.set_run_config(dd.RunConfig(seed=3, budget=dd.Budget(requests=15)))
    shown = designer.preview(story(), num_records=10)
    assert spent(url).requests == 15
    assert shown.dataset is not None
    assert 0 < len(shown.dataset) < 10


def test_without_a_price_a_budget_in_usd_is_refused_before_anything_is_asked(url: str, tmp_path: Path) -> None:
    """It could never be used up."""
    builder = story()
    builder.model_configs[1].price = None
    designer = DataDesigner(
        tmp_path, model_providers=[dd.ModelProvider(name="p", endpoint=url)], auto_configure_logging=False
    )
    designer.set_run_config(dd.RunConfig(executor="inline", budget=dd.Budget(usd=1.0)))
    with pytest.raises(DataDesignerError, match="'b' has no price"):
        designer.create(builder, num_records=3)
    assert spent(url).requests == 0
    assert not list(tmp_path.iterdir())


def test_a_stop_says_how_to_go_on(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the reason and the way to resume."""
    with caplog.at_level(logging.WARNING, "data_designer"):
        results = make(url, tmp_path, dd.Budget(requests=20))
    [line] = [record.getMessage() for record in caplog.records if "was stopped" in record.getMessage()]
    assert f"generated {results.outcomes.generated} of {RECORDS}" in line
    assert "the budget is used up: 20 of 20 requests" in line
    assert f"data-designer resume {tmp_path / 'd'}" in line


# --- the command line --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """A working directory with a configuration, whose provider is the simulated model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(CONFIG)
    text = f"providers: [{{name: p, endpoint: '{url}'}}]"
    (Path(os.environ["DATA_DESIGNER_HOME"]) / "model_providers.yaml").write_text(text)
    return tmp_path


def command(*arguments: str) -> tuple[int, str]:
    """Exit code and everything printed, in one line."""
    result = CliRunner().invoke(app, list(arguments))
    reset_logging()  # Its stream is closed by now.
    return result.exit_code, " ".join((result.output + result.stderr).split())


def create(budget: str) -> tuple[int, str]:
    """`data-designer create` with a budget."""
    settings = ("--set", "executor=inline", "--set", f"budget={budget}")
    return command("create", "good.yaml", "-n", "12", "-o", "out", "-d", "d", "--seed", "1", *settings)


@pytest.mark.parametrize("budget", ['{"requests": 7}', "{requests: 7}"])
def test_a_budget_may_be_given_on_the_command_line(folder: Path, url: str, budget: str) -> None:
    """As JSON or YAML: exit code 1 when it is used up, with the way to go on, which then costs only what is left."""
    code, said = create(budget)
    assert code == 1, said
    assert "stopped early: the budget is used up: 7 of 7 requests" in said
    assert f"data-designer resume {folder / 'out/d'}" in said
    assert spent(url).requests == 7
    code, said = command("resume", "out/d")
    assert code == 1, said
    assert "7 of 7 requests" in said
    assert spent(url).requests == 7
    code, said = command("resume", "out/d", "--set", 'budget={"requests": 100}')
    assert code == 0, said
    assert "12 of 12 records" in said
    assert spent(url).requests == 12


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


def test_attempts_that_fail_are_remembered_by_the_next_run(url: str, tmp_path: Path) -> None:
    """Four runs, each allowed ten requests more, at an endpoint that mostly errs: by its count, none asks for more."""
    for allowed in (10, 20, 30, 40):
        with suppress(DataDesignerGenerationError):
            budget = dd.Budget(requests=allowed)
            make(url, tmp_path, budget, "if_possible", "sim?error_rate=0.9", disable_early_shutdown=True)
        assert allowed - SLOTS <= spent(url).requests <= allowed


def test_the_seconds_of_a_budget_are_those_of_all_rounds(url: str, tmp_path: Path) -> None:
    """However many further records are drawn, the time does not begin anew with them."""
    model, run = "sim?latency=0.2&error_rate=0", {"on_row_failure": "refill", "refill_candidates": 100_000}
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS)
    made = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="a", model=f"{model}&refusal_rate=0.9", provider="p", inference_parameters=params)
        ]
    )
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    made.add_column(name="x", column_type="llm-structured", model_alias="a", prompt="{{ id }}", output_format=schema)
    designer = DataDesigner(tmp_path, model_providers=[dd.ModelProvider(name="p", endpoint=url)])
    tries = {"max_conversation_restarts": 0, "disable_early_shutdown": True}
    designer.set_run_config(dd.RunConfig(executor="inline", seed=3, budget=dd.Budget(seconds=2), **run, **tries))
    results = designer.create(made, num_records=8, dataset_name="d")
    assert results.early_shutdown is not None
    assert results.early_shutdown.startswith("the seconds of the budget are used up")
    assert results.outcomes.refilled > 0
    assert results.outcomes.generated < 8
