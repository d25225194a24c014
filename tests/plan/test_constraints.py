"""Native forms: how an endpoint is asked to constrain a reply, and which columns it is asked for."""

import json
from typing import Any, cast

import pytest
from pydantic import BaseModel

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.plan.compile import compile_plan, with_native
from data_designer.plan.constraints import FORMS, constraint
from data_designer.plan.model import Geometry, Plan
from data_designer.plan.program import CellProgram
from data_designer.values import ChatResponse, Ok, Request

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "string"}}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
"""Says all of its members and demands them."""


class Verdict(BaseModel):
    """A structured answer."""

    label: str
    score: int


def nested(inner: dict[str, Any]) -> dict[str, Any]:
    """A closed object that holds another."""
    return {"type": "object", "properties": {"in": inner}, "required": ["in"], "additionalProperties": False}


def without(key: str) -> dict[str, Any]:
    """The closed object but for one of its keywords."""
    return {name: value for name, value in CLOSED.items() if name != key}


def named(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What a response format says of a schema."""
    given = constraint("response_format", name, schema)["response_format"]
    assert given["type"] == "json_schema"
    said: dict[str, Any] = given["json_schema"]
    return said


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("structured_outputs", {"structured_outputs": {"json": CLOSED}}),
        ("guided_json", {"guided_json": CLOSED}),
        ("nvext", {"nvext": {"guided_json": CLOSED}}),
        (
            "response_format",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "verdict", "schema": CLOSED, "strict": True},
                }
            },
        ),
    ],
)
def test_each_form_puts_the_schema_where_its_servers_look(form: str, fields: dict[str, Any]) -> None:
    """Nothing else is added to the request."""
    assert constraint(form, "verdict", CLOSED) == fields


def test_what_most_endpoints_take_is_tried_first() -> None:
    """The order of the forms is that of the probes."""
    assert list(FORMS) == ["response_format", "structured_outputs", "guided_json", "nvext"]


@pytest.mark.parametrize(
    "schema",
    [
        without("additionalProperties"),
        without("required"),
        {**CLOSED, "required": ["a"]},
        {**CLOSED, "required": []},
        {"type": "object"},
        {"type": "array", "items": without("required")},
        {"anyOf": [CLOSED, {"type": "object", "properties": {"b": {}}}]},
        {**CLOSED, "$defs": {"x": {"properties": {"c": {}}}}},
        {**CLOSED, "additionalProperties": True},
        nested(without("additionalProperties")),
        {"anyOf": [CLOSED, without("required")]},
        {"$defs": {"open": without("required")}, **nested({"$ref": "#/$defs/open"})},
    ],
)
def test_strict_is_asked_for_only_where_every_object_is_closed(schema: dict[str, Any]) -> None:
    """OpenAI refuses strict schemas with an open object anywhere; such are sent without."""
    assert "strict" not in named("x", schema)


@pytest.mark.parametrize(
    "schema",
    [
        CLOSED,
        nested(CLOSED),
        {"type": "array", "items": CLOSED},
        {"anyOf": [CLOSED, {"type": "null"}]},
        {"type": "string"},
    ],
)
def test_strict_is_asked_for_where_it_can_be(schema: dict[str, Any]) -> None:
    """Where no object is open the endpoint may hold itself to every word."""
    assert named("x", schema)["strict"] is True


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("verdict", "verdict"),
        ("a b.c", "a_b_c"),
        ("größe", "gr__e"),
        ("größe 1", "gr__e_1"),
        ("a.b", "a_b"),
        ("x" * 100, "x" * 64),
        ("", "reply"),
    ],
)
def test_a_column_s_name_is_made_one_that_endpoints_take(column: str, name: str) -> None:
    """Letters, digits, dashes and underscores, 64 at most, and at least something."""
    assert named(column, CLOSED)["name"] == name


# --- in a plan ---------------------------------------------------------------------------------------------------


def plan() -> Plan:
    """A column of each kind that asks a model; those in JSON of one alias, the others of another."""
    models = [dd.ModelConfig(alias=alias, model=alias, provider="p") for alias in ("json", "prose")]
    made = dd.DataDesignerConfigBuilder(model_configs=models)
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="prose", prompt="{{ id }}")
    made.add_column(name="code", column_type="llm-code", model_alias="json", prompt="{{ id }}", code_lang="python")
    made.add_column(
        name="verdict", column_type="llm-structured", model_alias="json", prompt="{{ id }}", output_format=Verdict
    )
    made.add_column(
        name="judged",
        column_type="llm-judge",
        model_alias="json",
        prompt="{{ id }}",
        scores=[dd.Score(name="taste", description="how good", options={1: "bad", 2: "good"})],
    )
    providers = {"p": dd.ModelProvider(name="p", endpoint="http://localhost:1")}
    return compile_plan(made.build(), providers, dd.RunConfig(), Geometry(4, 4), seed=1, kinds=KINDS)


def program(of: Plan, column: str) -> CellProgram:
    """What computes a column."""
    step = next(step for step in of.steps if step.name == column)
    return cast(CellProgram, KINDS[step.kind].build(step, of, None))


def asked(of: Plan, column: str) -> Request:
    """The first request for a cell of a column."""
    return next(program(of, column).exchange({"id": "7"}, 0))


def prompt(request: Request) -> str:
    """What the user says."""
    return str(request.messages[-1]["content"][0]["text"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("column", ["verdict", "judged"])
def test_columns_in_json_are_constrained_in_the_form_of_their_alias(form: str, column: str) -> None:
    """The request has the schema in that form, and the prompt still says it, since forms say nothing to the model."""
    request = asked(with_native(plan(), {"json": form}), column)
    assert set(request.params) == {form}
    schema = json.loads(prompt(request).rpartition("<response_schema>")[2].partition("</response_schema>")[0])
    assert request.params == constraint(form, column, schema)


@pytest.mark.parametrize("column", ["text", "code"])
def test_columns_in_words_are_never_constrained(column: str) -> None:
    """Text and code are no JSON, whatever their alias can do."""
    assert asked(with_native(plan(), {"json": "nvext", "prose": "nvext"}), column).params == {}


@pytest.mark.parametrize("forms", [{}, {"json": None}, {"prose": "nvext"}])
def test_without_a_form_the_prompt_has_to_do(forms: dict[str, str | None]) -> None:
    """An alias without one is asked as before, for JSON in a fence."""
    request = asked(with_native(plan(), forms), "verdict")
    assert request.params == {}
    assert "```json" in prompt(request)


def test_constrained_replies_are_the_json_itself() -> None:
    """No fence is asked for, and none is needed."""
    of = with_native(plan(), {"json": "response_format"})
    assert "```" not in prompt(asked(of, "verdict"))
    exchange = program(of, "verdict").exchange({"id": "7"}, 0)
    next(exchange)
    with pytest.raises(StopIteration) as ended:
        exchange.send(ChatResponse('{"label": "fine", "score": 3}'))
    assert ended.value.value == Ok(({"label": "fine", "score": 3},))


def test_how_replies_are_constrained_changes_no_fingerprint() -> None:
    """What was answered in one form is taken from the journal in another."""
    of = plan()
    native = with_native(of, {"json": "nvext"})
    assert native.fingerprints == of.fingerprints
    assert native.fingerprint == of.fingerprint
    assert {alias: pool.native for alias, pool in native.pools.items()} == {"json": "nvext", "prose": None}
