"""One checker: everything that is wrong with a configuration, at once and in one order."""

from typing import Any

import pytest

import data_designer.config as dd
from data_designer.columns.checks import violations_of

MODELS = [dd.ModelConfig(alias="m", model="x", provider="p")]


def wrong() -> dd.DataDesignerConfig:
    """A configuration with something wrong for each of those who look."""
    made = dd.DataDesignerConfigBuilder(model_configs=MODELS)
    made.add_column(name="e", column_type="expression", expr="{{ gone }} {{ s.__class__ }}")
    made.add_column(
        name="v",
        column_type="validation",
        target_columns=["t"],
        validator_type="code",
        validator_params={"code_lang": "python"},
    )
    made.add_column(name="i", column_type="image", prompt="{s}", model_alias="m")
    made.add_column(
        name="t",
        column_type="llm-text",
        prompt="{{ s }}",
        model_alias="other",
        tool_alias="tool",
        skip={"when": "{{ s }} {{ nowhere }}"},
    )
    made.add_column(
        name="s", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1}, convert_to="%Y"
    )
    made.add_column(name="j", column_type="llm-structured", prompt=" ", model_alias="m", output_format={"type": "no"})
    made.add_processor(processor_type="drop_columns", name="d", column_names=["absent", "x*"])
    made.add_processor(processor_type="schema_transform", name="a/b", template={"k": "{{ unknown }}"})
    return made.build()


def test_everything_that_is_wrong_is_said_in_one_order() -> None:
    """What the declaration shows, then models and settings, then what each kind of column has against it."""
    run = dd.RunConfig(budget=dd.Budget(usd=1.0))
    found = [(one.type, one.column, one.level[0]) for one in violations_of(wrong(), run, {}, {})]
    assert found == [
        ("expression_reference_missing", "e", "E"),
        ("skip_reference_missing", "t", "E"),
        ("prompt_without_references", "i", "W"),
        ("f_string_syntax", "i", "W"),
        ("empty_prompt", "j", "E"),
        ("code_column_not_code", "v", "W"),
        ("wrong_generation_type", "i", "E"),
        ("invalid_column", None, "E"),
        ("invalid_column", None, "W"),
        ("processor_name", None, "E"),
        ("unknown_model_alias", "t", "E"),
        ("unknown_provider", None, "E"),
        ("unknown_tool_alias", "t", "E"),
        ("budget_without_price", None, "E"),
        ("invalid_sampler", "s", "E"),
        ("invalid_schema", "j", "E"),
        ("invalid_reference", None, "E"),
    ]


CLOSED = {"type": "object", "properties": {"title": {"type": "string"}}}


@pytest.mark.parametrize(
    ("prompt", "schema", "said"),
    [
        ("{{ r.titel }}", CLOSED, ["the prompt refers to 'r.titel', which is never there; did you mean 'title'?"]),
        (
            "{{ q.clarty.score }}",
            CLOSED,
            ["the prompt refers to 'q.clarty', which is never there; did you mean 'clarity'?"],
        ),
        (
            "{{ r.titel }}",
            {**CLOSED, "additionalProperties": False},
            ["the prompt refers to 'r.titel', which is never"],
        ),
        ("{{ r.titel }}", {**CLOSED, "additionalProperties": True}, []),
        ("{{ r.titel }}", {"$ref": "#/$defs/A", "$defs": {"A": CLOSED}}, []),
        ("{{ r.title }} {{ q.clarity.score }} {% for k, v in r.items() %}{{ v }}{% endfor %}", CLOSED, []),
        ("{% if r.more is defined %}{{ r.title }}{% endif %}{{ r.more | default('') }}", CLOSED, []),
        ("{{ r }}{% for q in r.values() %}{{ q.x }}{% endfor %}", CLOSED, []),
    ],
)
def test_a_part_that_a_column_never_has_is_warned_of(prompt: str, schema: dict[str, Any], said: list[str]) -> None:
    """Its place in the prompt would be empty, and nobody would be told."""
    made = dd.DataDesignerConfigBuilder(model_configs=MODELS)
    made.add_column(name="r", column_type="llm-structured", prompt="x", model_alias="m", output_format=schema)
    made.add_column(
        name="q",
        column_type="llm-judge",
        prompt="{{ r }}",
        model_alias="m",
        scores=[dd.Score(name="clarity", description="Is it clear?", options={1: "no", 2: "yes"})],
    )
    made.add_column(name="t", column_type="llm-text", prompt=prompt, model_alias="m")
    found = [one.message for one in violations_of(made.build(), dd.RunConfig(), {}, {}) if one.type == "unknown_part"]
    assert len(found) == len(said)
    assert all(one.startswith(start) for one, start in zip(found, said, strict=True))
