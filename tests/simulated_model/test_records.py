"""A dataset of the simulated model: records differ, also where their prompts do not, and are the same for a seed."""

from pathlib import Path

import pytest
from tests.fakes import USUAL, model, rows

import data_designer.config as dd
from data_designer.interface import DataDesigner

RECORDS = 40


@pytest.fixture
def builder() -> dd.DataDesignerConfigBuilder:
    """A text and a structured value whose prompts are the same for every record."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m", max_parallel_requests=8)])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="Write about a keyboard.")
    made.add_column(name="again", column_type="llm-text", model_alias="m", prompt="Write about a keyboard.")
    fields = {"price": {"type": "number"}, "rating": {"type": "integer", "minimum": 1, "maximum": 5}}
    schema = {"type": "object", "properties": fields, "required": [*fields]}
    made.add_column(
        name="facts", column_type="llm-structured", model_alias="m", prompt="State facts.", output_format=schema
    )
    return made


def made(builder: dd.DataDesignerConfigBuilder, url: str, path: Path, **run: object) -> list[dict[str, object]]:
    """The records of a dataset."""
    provider = dd.ModelProvider(name="p", provider_type="simulated", endpoint=url)
    designer = DataDesigner(path, model_providers=[provider], auto_configure_logging=False)
    designer.set_run_config(dd.RunConfig.model_validate({**USUAL, **run}))
    designer.create(builder, num_records=RECORDS, dataset_name="d")
    found: list[dict[str, object]] = rows(path / "d").drop(columns="id").to_dict("records")
    return found


def test_records_of_one_prompt_differ(builder: dd.DataDesignerConfigBuilder, simulated: str, tmp_path: Path) -> None:
    """Texts, prices and ratings; and one column from another that asks the same."""
    found = made(builder, simulated, tmp_path)
    assert len({str(record["text"]) for record in found}) == RECORDS
    assert all(record["text"] != record["again"] for record in found)
    facts = [dict(record["facts"]) for record in found]  # type: ignore[call-overload]
    assert len({one["price"] for one in facts}) > RECORDS / 2
    assert {one["rating"] for one in facts} == {1, 2, 3, 4, 5}


def test_the_same_seed_makes_the_same_records(
    builder: dd.DataDesignerConfigBuilder, simulated: str, tmp_path: Path
) -> None:
    """However many are in a batch."""
    one = made(builder, simulated, tmp_path / "a")
    assert one == made(builder, simulated, tmp_path / "b", buffer_size=16)
