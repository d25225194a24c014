"""A dry run: every prompt of some records is rendered, and nobody is asked."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import NOWHERE, model, numbered
from tests.plans import texts

import data_designer.config as dd
from data_designer.columns.structured.answers import ResponseSchema
from data_designer.engine.protocol.conversation import text_of
from data_designer.errors import DataDesignerGenerationError, ParserException
from data_designer.interface import DataDesigner
from data_designer.interface.dry_run import DryRun
from data_designer.interface.stand_ins import stand_in_image, stand_ins

# Its work is done on an event loop, which has sockets of its own; nobody is connected to.
pytestmark = pytest.mark.usefixtures("sockets")

FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "stars": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["name", "stars"],
}


def rendered(builder: dd.DataDesignerConfigBuilder, records: int = 3, path: Path | None = None, **run: Any) -> DryRun:
    """A dry run where no key is set and nobody answers."""
    provider = dd.ModelProvider(name="p", endpoint=NOWHERE, api_key="KEY_THAT_IS_NOT_SET")
    designer = DataDesigner(path or Path("nowhere"), model_providers=[provider], auto_configure_logging=False)
    designer.set_run_config(dd.RunConfig(seed=1, **run))
    return designer.dry_run(builder, num_records=records)


def prompts(dry: DryRun, column: str) -> list[str]:
    """The user's words of a column's cells."""
    cells = [cell for record in dry.records for cell in record.cells if cell.column == column]
    return [text_of(cell.messages[-1]) if cell.messages else cell.instead for cell in cells]


def chain(**parameters: Any) -> dd.DataDesignerConfigBuilder:
    """A seed column, a text, a form made of it, an expression of that, code, a judge."""
    made = texts([model("m", **parameters)], draft=("m", "draft {{ n }}"))
    made.with_seed_dataset(numbered(9))
    made.add_column(
        name="form", column_type="llm-structured", model_alias="m", prompt="form of {{ draft }}", output_format=FORM
    )
    made.add_column(name="title", column_type="expression", expr="{{ form.name | upper }} {{ n }}")
    made.add_column(
        name="code", column_type="llm-code", model_alias="m", prompt="code of {{ title }}", code_lang="python"
    )
    score = dd.Score(name="good", description="Is it?", options={"yes": "good", "no": "bad"})
    made.add_column(name="verdict", column_type="llm-judge", model_alias="m", prompt="judge {{ code }}", scores=[score])
    made.add_column(name="last", column_type="llm-text", model_alias="m", prompt="{{ verdict.good.score }}")
    return made


def test_every_prompt_is_rendered_with_what_stands_for_replies() -> None:
    """Text and code by the column's name, texts in JSON by where they stand, all else so that it fits the schema."""
    dry = rendered(chain())
    assert [record.record for record in dry.records] == [0, 1, 2]
    assert prompts(dry, "draft") == ["draft 0", "draft 1", "draft 2"]
    assert prompts(dry, "form")[0].startswith("form of <draft>")
    assert json.dumps(FORM) in prompts(dry, "form")[0]
    assert prompts(dry, "code")[1].startswith("code of <FORM.NAME> 1")
    assert prompts(dry, "verdict")[0].startswith("judge <code>")
    assert set(prompts(dry, "last")) <= {"yes", "no"}
    assert dry.records[2].values["n"] == 2
    assert dry.records[2].values["title"] == "<FORM.NAME> 2"
    assert "form" not in dry.records[2].values
    assert all(record.rejected is None for record in dry.records)


def test_the_text_of_a_dry_run_has_prompts_parameters_and_what_it_did() -> None:
    """Nothing of it needs a key; tokens are an estimate that says so."""
    text = str(rendered(chain(temperature=0.5, max_tokens=64), 1))
    assert "##### record 0" in text
    assert "=== draft: m (alias m), temperature=0.5, max_tokens=64\n--- user\ndraft 0" in text
    assert "Nobody was asked and nothing was written." in text
    assert "by 4 characters a token" in text


def test_drawn_parameters_are_those_of_the_run() -> None:
    """A distribution is drawn from, by the seed, alike each time."""
    drawn = {"distribution_type": "uniform", "params": {"low": 0.1, "high": 0.9}}
    once, again = (rendered(chain(temperature=drawn), 1).records[0].cells[0].fields for _ in range(2))
    assert once == again
    assert 0.1 <= once["temperature"] <= 0.9  # type: ignore[operator]


def test_skipped_cells_and_those_that_cannot_be_rendered_say_so() -> None:
    """A skip condition is evaluated; a template that fails names its error, and rejects the record as in a run."""
    made = texts([model("m")], first=("m", "{{ n }}"))
    made.with_seed_dataset(numbered(9))
    made.add_column(
        name="second",
        column_type="llm-text",
        model_alias="m",
        prompt="of {{ n }}",
        skip=dd.SkipConfig(when="{{ n == 1 }}"),
    )
    made.add_column(name="third", column_type="llm-text", model_alias="m", prompt="of {{ second }}")
    made.add_column(name="broken", column_type="llm-text", model_alias="m", prompt="{{ 1 / (n - 2) }}")
    dry = rendered(made)
    assert prompts(dry, "second") == ["of 0", "skipped, by its condition or since what it needs is", "of 2"]
    assert prompts(dry, "third")[1] == "skipped, by its condition or since what it needs is"
    assert "nothing can be asked: " in prompts(dry, "broken")[2]
    assert dry.records[2].rejected is not None
    assert dry.records[2].rejected.startswith("column 'broken': ")


def test_functions_of_the_user_run() -> None:
    """Those that see whole batches see only these records, which is said."""

    @dd.custom_column_generator(required_columns=["n"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "double": 2 * row["n"]}

    @dd.custom_column_generator(required_columns=["n"])
    async def later(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "late": 3 * row["n"]}

    @dd.custom_column_generator(required_columns=["n"])
    def summed(df: Any) -> Any:
        return df.assign(all=df["n"].sum())

    made = texts([model("m")], text=("m", "{{ double }} {{ late }} {{ all }}"))
    made.with_seed_dataset(numbered(9))
    made.add_column(dd.CustomColumnConfig(name="double", generator_function=doubled))
    made.add_column(dd.CustomColumnConfig(name="late", generator_function=later))
    made.add_column(dd.CustomColumnConfig(name="all", generator_function=summed, generation_strategy="full_column"))
    dry = rendered(made)
    assert prompts(dry, "text") == ["0 0 3", "2 3 3", "4 6 3"]
    assert "all: made of whole batches, here of these 3 records only." in dry.notes


def test_a_service_that_judges_rows_is_not_asked_either() -> None:
    """Its verdicts are null, and that is said."""
    builder = chain().add_column(
        name="judged",
        column_type="validation",
        target_columns=["draft"],
        validator_type="remote",
        validator_params={"endpoint_url": NOWHERE},
        batch_size=2,
    )
    dry = rendered(builder)
    assert [record.values["judged"] for record in dry.records] == [{"is_valid": None}] * 3
    assert any(note.startswith("judged: judged by a service, which was not asked") for note in dry.notes)


def test_a_wrong_configuration_is_refused_as_it_is_by_a_run() -> None:
    """All but a missing key."""
    with pytest.raises(DataDesignerGenerationError, match="nowhere"):
        rendered(texts([model("m")], text=("m", "{{ nowhere }}")))
    with pytest.raises(DataDesignerGenerationError, match="positive"):
        rendered(chain(), 0)


def test_nothing_is_written(tmp_path: Path) -> None:
    """Not even the folder of datasets."""
    rendered(chain(), path=tmp_path / "artifacts")
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_that_may_constrain_replies_is_not_asked_and_that_is_said() -> None:
    """What the prompt looks like then is said instead."""
    dry = rendered(chain(structured_output="auto"), 1)
    assert any("whether the endpoint constrains replies to a schema" in note for note in dry.notes)
    assert not any("constrains" in note for note in rendered(chain(), 1).notes)


@pytest.mark.parametrize(
    "schema",
    [
        FORM,
        {"type": "object", "properties": {"code": {"type": "string", "pattern": "^[a-z]{3}$"}}, "required": ["code"]},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
        {"type": "object", "properties": {"at": {"type": "string", "maxLength": 2}}, "required": ["at"]},
    ],
)
def test_one_of_the_stand_ins_fits_the_schema(schema: dict[str, Any]) -> None:
    """Texts that are named after their place where that is allowed, else made up."""
    asked = ResponseSchema(schema)

    def fits(reply: str) -> bool:
        try:
            asked.parse(reply)
        except ParserException:
            return False
        return True

    assert any(map(fits, stand_ins("x", f"prompt\n\n{asked.instructions}")))


def test_prompts_that_only_mention_a_schema_get_text() -> None:
    """A tag with something else in it is prose."""
    assert next(stand_ins("x", "what does <response_schema> mean?")) == "<x>"


def test_images_media_vectors_and_tools_are_dry_too(tmp_path: Path) -> None:
    """Files beside the seed are read, images stand for images, vectors are as long as has to be, no server runs."""
    (tmp_path / "a.png").write_bytes(base64.b64decode(stand_in_image()))
    (tmp_path / "seed.csv").write_text("n,photo\n0,a.png\n1,missing.png\n")
    image = dd.ModelConfig(alias="i", model="i", provider="p", inference_parameters=dd.ImageInferenceParams())
    vector = dd.EmbeddingInferenceParams(dimensions=5)
    made = dd.DataDesignerConfigBuilder(
        model_configs=[
            model("m"),
            image,
            dd.ModelConfig(alias="v", model="v", provider="p", inference_parameters=vector),
        ],
        tool_configs=[dd.ToolConfig(tool_alias="t", providers=["server"])],
    )
    made.with_seed_dataset(dd.LocalFileSeedSource(path=str(tmp_path / "seed.csv")))
    photo, drawn = dd.ImageContext(column_name="photo"), dd.ImageContext(column_name="drawn")
    made.add_column(name="drawn", column_type="image", model_alias="i", prompt="draw {{ n }}")
    made.add_column(
        name="said", column_type="llm-text", model_alias="m", prompt="see {{ n }}", multi_modal_context=[photo, drawn]
    )
    made.add_column(name="vectors", column_type="embedding", model_alias="v", target_column="said")
    made.add_column(name="found", column_type="llm-text", model_alias="m", prompt="find {{ said }}", tool_alias="t")
    servers = [dd.LocalStdioMCPProvider(name="server", command="no such program")]
    provider = dd.ModelProvider(name="p", endpoint=NOWHERE)
    designer = DataDesigner(tmp_path, model_providers=[provider], mcp_providers=servers, auto_configure_logging=False)
    dry = designer.dry_run(made, num_records=2)
    assert dry.records[0].rejected is None
    assert "missing.png" in str(dry.records[1].rejected)
    assert prompts(dry, "drawn") == ["draw 0", "draw 1"]
    assert prompts(dry, "said")[0] == "<image>\n<image>\nsee 0"
    assert prompts(dry, "vectors")[0] == "<said>"
    assert prompts(dry, "found")[0] == "find <said>"
