"""Functions that ask models, in programs that are killed: what was answered is not asked again, whatever they do."""

import signal
from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint
from tests.fakes import designer, model, numbered
from tests.interface.asking import RECORDS, SLOTS
from tests.programs import started
from tests.replies import LIMIT, Holding, answer

import data_designer.config as dd

pytestmark = pytest.mark.usefixtures("processes")


def killed(url: str, holding: Holding, function: Any, *arguments: Any) -> None:
    """Call a function in a process that is killed as soon as something it asked for is held."""
    program = started(function, url, *arguments)
    held = holding.held.wait(LIMIT)
    program.kill()
    program.join()
    assert held
    assert program.exitcode == -signal.SIGKILL
    holding.go_on.set()


def whims(calls: Path) -> dd.DataDesignerConfigBuilder:
    """A function that never asks the same twice, and a text about what it makes."""

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["a"])
    def whim(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
        import uuid

        fresh = uuid.uuid4().hex
        with calls.open("a") as file:
            file.write(f"{row['n']}\n")
        return {**row, "x": models["a"].generate(f"row {row['n']} {fresh}")[0]}

    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a", max_parallel_requests=SLOTS)])
    builder.with_seed_dataset(numbered(40))
    builder.add_column(dd.CustomColumnConfig(name="x", generator_function=whim))
    return builder.add_column(name="text", column_type="llm-text", model_alias="a", prompt="text about {{ x }}")


def begin_whims(url: str, folder: Path) -> None:
    """What a program does that makes them."""
    designer(url, folder).create(whims(folder / "calls"), num_records=RECORDS, dataset_name="d", resume="if_possible")


def test_a_cell_that_is_done_is_not_computed_again(endpoint: Endpoint, tmp_path: Path) -> None:
    """Though the function would ask something else now; its requests stay in the accounts."""
    holding = Holding(21)
    with endpoint(holding) as counted:
        killed(counted.url, holding, begin_whims, tmp_path)
        first = len(counted.prompts)
    with endpoint(answer) as counted:
        run = designer(counted.url, tmp_path)
        results = run.create(whims(tmp_path / "calls"), num_records=RECORDS, dataset_name="d", resume="always")
    assert len(results.load_dataset()) == RECORDS
    # A thread for each slot and four more were in the function; what it made of a row is written with the next reply
    # at the latest, so that of as many rows as had their text in flight nothing need be written.
    calls = len((tmp_path / "calls").read_text().splitlines())
    assert calls <= RECORDS + (SLOTS + 4) + SLOTS < 2 * RECORDS
    assert first + len(counted.prompts) <= 2 * RECORDS + 2 * SLOTS
    assert results.outcomes.columns["x"].usage.requests >= RECORDS
