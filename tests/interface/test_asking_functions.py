"""Custom columns that ask models: in threads, on the loop and for whole batches, next to columns that models write."""

from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer, model, numbered
from tests.interface.asking import IDEAL, RECORDS, SLOTS, WAYS, declared, is_whole, make
from tests.replies import Failing, Gathering, answer

import data_designer.config as dd
from data_designer.errors import ConfigCompilationError, DataDesignerError
from data_designer.interface import DataDesigner, DatasetCreationResults

ways = pytest.mark.parametrize("way", WAYS)
Row = dict[str, Any]


def spent(results: DatasetCreationResults) -> dict[str, int]:
    """What is accounted for under, to the requests of it."""
    return {name: one.usage.requests for name, one in results.outcomes.columns.items()}


def custom(function: Any, *models: dd.ModelConfig, **fields: Any) -> dd.DataDesignerConfigBuilder:
    """A custom column `x` that a function makes, about seed rows `n`."""
    builder = dd.DataDesignerConfigBuilder(model_configs=list(models))
    builder.with_seed_dataset(numbered(40))
    return builder.add_column(dd.CustomColumnConfig(name="x", generator_function=function, **fields))


@ways
def test_a_function_asks_models_next_to_columns_that_they_write(endpoint: Endpoint, tmp_path: Path, way: str) -> None:
    """Each request once, within the slots of both models, accounted for under its column and alias."""
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, way)
    assert is_whole(results)
    assert len(counted.prompts) == IDEAL
    assert counted.peak <= 2 * SLOTS
    assert spent(results) == {"x": RECORDS, "x (b)": RECORDS, "text": RECORDS}
    assert results.load_dataset()["draft"].tolist() == [f"<draft row {n}>" for n in range(RECORDS)]


@ways
def test_functions_fill_the_slots_of_each_model(endpoint: Endpoint, tmp_path: Path, way: str) -> None:
    """And take no more: nobody is answered before all slots have been taken at once."""
    gathering = Gathering(SLOTS, {"draft": "d", "better": "b"})
    with endpoint(gathering) as counted:
        make(counted.url, tmp_path, way)
    assert gathering.most == {"draft": SLOTS, "better": SLOTS}


@pytest.mark.parametrize("way", ["waiting", "awaiting"])
def test_functions_that_wait_for_each_others_models_come_to_an_end(
    endpoint: Endpoint, tmp_path: Path, way: str
) -> None:
    """With one slot each: what a function holds is no slot."""

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["b", "a"])
    def back(row: Row, generator_params: None, models: Row) -> Row:
        first, _ = models["b"].generate(f"back row {row['n']}")
        return {**row, "y": models["a"].generate(first)[0]}

    builder = declared(way, slots=1)
    builder.add_column(dd.CustomColumnConfig(name="y", generator_function=back))
    with endpoint(answer) as counted:
        results = designer(counted.url, tmp_path).create(builder, num_records=RECORDS)
    assert len(results.load_dataset()) == RECORDS
    assert counted.peak <= 2


def test_what_passes_is_retried_and_what_does_not_rejects_the_row(endpoint: Endpoint, tmp_path: Path) -> None:
    """A refusal is the row's own end, under the name of the function; the others go on."""
    failed: list[str] = []

    def behave(prompt: str) -> Reply:
        if prompt == "draft row 3" and not failed:
            failed.append(prompt)
            return Reply("busy", 503)
        return Reply("no", 400) if prompt == "draft row 5" else answer(prompt)

    with endpoint(behave) as counted:
        results = make(counted.url, tmp_path, "waiting")
    assert failed
    assert len(results.load_dataset()) == RECORDS - 1
    assert counted.prompts.count("draft row 3") == 2
    [rejected] = results.load_rejected().to_dict("records")
    assert (rejected["column"], rejected["kind"]) == ("x", "CustomColumnGenerationError")
    assert "raised ModelBadRequestError for record 5" in rejected["message"]


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        (lambda models: models["a"].generate("p"), "an `async def` function must not wait"),
        (lambda models: models["c"], "'c' is none of the column's model_aliases: a"),
        (lambda models: models["a"].generate_image("p"), "generation_type"),
    ],
)
def test_what_a_function_does_wrong_is_said(endpoint: Endpoint, tmp_path: Path, asks: Any, said: str) -> None:
    """By the reason of the rows that it rejects."""

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["a"])
    async def wrong(row: Row, generator_params: None, models: Row) -> Row:
        row["x"] = asks(models) if row["n"] else "fine"
        return row

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["a"])
    def waits(row: Row, generator_params: None, models: Row) -> Row:
        row["x"] = asks(models) if row["n"] else "fine"
        return row

    function = waits if said == "generation_type" else wrong
    with endpoint(answer) as counted:
        run = designer(counted.url, tmp_path, disable_early_shutdown=True)
        results = run.create(custom(function, model("a")), num_records=8)
    assert len(results.load_dataset()) == 1
    assert said in " ".join(results.load_rejected()["message"])


def test_a_function_that_swallows_an_outage_makes_nothing_of_it(endpoint: Endpoint, tmp_path: Path) -> None:
    """The run stops, and goes on when the model is there again, with what the model says."""

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["a", "b"])
    def careless(row: Row, generator_params: None, models: Row) -> Row:
        try:
            row["x"] = models["b"].generate(f"row {row['n']}")[0]
        except Exception:  # noqa: BLE001 - as careless users write it
            row["x"] = "made up"
        return row

    up, two = Failing(answers=10), (model("a"), model("b"))
    with endpoint(up) as counted:
        first = designer(counted.url, tmp_path, outage_patience=0.1)
        stopped = first.create(custom(careless, *two), num_records=RECORDS, dataset_name="d")
    assert stopped.outcomes.unfinished
    assert "made up" not in set(stopped.load_dataset()["x"])
    with endpoint(answer) as counted:
        again = designer(counted.url, tmp_path)
        results = again.create(custom(careless, *two), num_records=RECORDS, dataset_name="d", resume="always")
    assert results.load_dataset()["x"].tolist() == [f"<row {n}>" for n in range(RECORDS)]


def test_a_server_that_takes_fewer_requests_than_a_function_has_models_is_refused(tmp_path: Path) -> None:
    """One of them would wait for ever for the slot of the other."""
    provider = dd.ModelProvider(name="p", endpoint="http://127.0.0.1:9/v1", api_key="k", max_parallel_requests=1)
    run = DataDesigner(tmp_path, model_providers=[provider], auto_configure_logging=False)
    with pytest.raises(DataDesignerError, match="give it max_parallel_requests of 2 or more") as caught:
        run.preview(declared("waiting"), num_records=1)
    assert isinstance(caught.value.__cause__, ConfigCompilationError)


def test_an_alias_that_is_not_declared_is_said_before_anything_runs(tmp_path: Path) -> None:
    """By the name of the column."""

    @dd.custom_column_generator(model_aliases=["nobody"])
    def function(row: Row, generator_params: None, models: Row) -> Row:
        return row

    with pytest.raises(DataDesignerError, match="'nobody' is not declared"):
        designer("http://127.0.0.1:9/v1", tmp_path).validate(custom(function, model("a")))


def test_a_timeout_is_that_of_the_one_request(endpoint: Endpoint, tmp_path: Path) -> None:
    """It is not sent, and others have theirs."""

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["a"])
    def hasty(row: Row, generator_params: None, models: Row) -> Row:
        return {**row, "x": models["a"].generate(f"row {row['n']}", timeout=30, max_tokens=7)[0]}

    with endpoint(answer) as counted:
        designer(counted.url, tmp_path).create(custom(hasty, model("a")), num_records=2)
    assert all("timeout" not in body and body["max_tokens"] == 7 for body in counted.bodies)
