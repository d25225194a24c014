"""Answers in JSON held to a schema: pruning without loss of data, decimals, variants, and helpful errors."""

import json
import math
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from data_designer.columns.structured.answers import ResponseSchema, schema_violations
from data_designer.errors import ParserException

AB = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}


class Cat(BaseModel):
    """A variant with a property of its own."""

    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    """The other variant."""

    kind: Literal["dog"]
    tricks: list[str]


class Leaf(BaseModel):
    """Told from a node by what it holds."""

    value: int


class Node(BaseModel):
    """A tree."""

    value: int
    children: list["Node | Leaf"]


class Everything(BaseModel):
    """One property of each awkward kind."""

    counts: dict[str, int]
    free: dict[str, Any]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    note: str | None = None
    tree: Node
    pair: tuple[int, Leaf]


PRICE = {
    "type": "object",
    "properties": {
        "price": {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d{0,2}0*$"},
                {"type": "null"},
            ]
        }
    },
}
"""An optional decimal of two places, in the form that pydantic gives it."""

GOOD: dict[str, Any] = {
    "counts": {"x": 1},
    "free": {"any": {"thing": [1]}},
    "pet": {"kind": "dog", "tricks": ["sit"]},
    "note": None,
    "tree": {"value": 1, "children": [{"value": 2}, {"value": 3, "children": []}]},
    "pair": [1, {"value": 2}],
}


def fit(schema: Any, value: Any) -> Any:
    """Hold a value to a schema."""
    return ResponseSchema(schema).fitted(value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": 1, "b": "x", "c": 3}, {"a": 1, "b": "x"}),
        ({"a": 1.0}, {"a": 1.0}),
    ],
)
def test_undeclared_properties_are_removed(value: Any, kept: Any) -> None:
    """Extra properties go, the rest stays as it is."""
    result = fit(AB, value)
    assert result == kept
    assert type(result["a"]) is type(kept["a"])


@pytest.mark.parametrize("value", [{"a": "1"}, {"b": "x"}, [{"a": 1}], "", None, {"a": 1.5}, {"a": True}])
def test_a_mismatch_is_refused(value: Any) -> None:
    """Types are not coerced and required properties are required."""
    with pytest.raises(ParserException, match="doesn't match requested <response_schema>"):
        fit(AB, value)


def test_a_reply_is_parsed_and_fitted() -> None:
    """The way from text to value is one call."""
    assert ResponseSchema(AB).parse('Sure:\n```json\n{"a": 1, "zz": 2,}\n```') == {"a": 1}


def test_a_pydantic_model_keeps_all_it_declares() -> None:
    """Maps, free objects, variants, trees and tuples come through whole."""
    schema = Everything.model_json_schema()
    assert fit(schema, GOOD) == GOOD
    Everything.model_validate(fit(schema, GOOD))


def test_extra_properties_are_removed_at_every_depth() -> None:
    """Inside variants, lists, trees and tuples too."""
    bad = json.loads(json.dumps(GOOD))
    for place in (bad, bad["pet"], bad["tree"], bad["tree"]["children"][1], bad["pair"][1]):
        place["extra"] = 1
    assert fit(Everything.model_json_schema(), bad) == GOOD


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "description": "anything"},
        {"type": "object", "properties": {}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "additionalProperties": True, "properties": {"a": {"type": "integer"}}},
        {"type": "object", "patternProperties": {"^k": {"type": "integer"}}},
        {"type": "object", "properties": {"k1": {}}, "unevaluatedProperties": {"type": "integer"}},
        {"allOf": [{"properties": {"k1": {}}}, {"properties": {"k2": {}}}]},
        {"properties": {"k1": {}}, "anyOf": [{"properties": {"k2": {}}}, {"required": ["k9"]}]},
        {"anyOf": [{"properties": {"k1": {}}}, {"properties": {"k1": {}, "k2": {}}}]},
        {"properties": {"k1": {}}, "if": {"required": ["k1"]}, "then": {"properties": {"k2": {}}}},
        True,
    ],
)
def test_what_a_schema_leaves_open_is_kept(schema: Any) -> None:
    """Nothing is emptied silently, and of two branches the one that loses less decides."""
    assert fit(schema, {"k1": 1, "k2": 2}) == {"k1": 1, "k2": 2}


def test_a_closed_object_is_emptied() -> None:
    """A schema that forbids all properties means it."""
    assert fit({"type": "object", "additionalProperties": False}, {"a": 1}) == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1.005, "1.01"),
        (2, "2.00"),
        ("3.10", "3.10"),
        (None, None),
        (-0.125, "-0.13"),
        (2**53 + 1, "9007199254740993.00"),
    ],
)
def test_decimals_are_rounded_to_their_places(given: Any, kept: str | None) -> None:
    """Rounding is half up to the digits the schema allows; what comes out is exact."""
    result = fit(PRICE, {"price": given})["price"]
    assert result == (None if kept is None else Decimal(kept))
    assert str(result) == str(kept)


@pytest.mark.parametrize("price", ["much", True, [1]])
def test_what_is_no_decimal_is_refused(price: Any) -> None:
    """Only numbers and their text are numbers."""
    with pytest.raises(ParserException, match="price"):
        fit(PRICE, {"price": price})


def test_decimals_decide_between_variants_and_stay_exact() -> None:
    """Of variants that hold decimals the one that fits is chosen, and no digit is lost to a float."""
    price = PRICE["properties"]["price"]
    variants = [{"properties": {"price": price}}, {"properties": {"price": price, "tax": price}, "required": ["tax"]}]
    found = fit({"anyOf": variants}, {"price": "12345678901234567.885", "tax": 1, "more": 2})
    assert found == {"price": Decimal("12345678901234567.89"), "tax": Decimal("1.00")}


@pytest.mark.parametrize("answer", [1, None, True, "a", ["a"]])
def test_what_is_no_object_is_refused_where_properties_go_by_patterns(answer: Any) -> None:
    """It is a mismatch and no crash."""
    schema = {"type": "object", "patternProperties": {"^a": {}}, "additionalProperties": False}
    with pytest.raises(ParserException, match="not of type 'object'"):
        fit(schema, answer)


@pytest.mark.parametrize("kind", ["cow", None, ["cat"]])
def test_an_unknown_variant_is_named(kind: Any) -> None:
    """The error lists the variants there are."""
    with pytest.raises(ParserException, match=r"`kind` is .* one of 'cat', 'dog'"):
        fit(Everything.model_json_schema(), {**GOOD, "pet": {"kind": kind}})


def test_errors_name_the_place() -> None:
    """A model can find what to correct."""
    with pytest.raises(ParserException, match=re.escape("at $.tree.children[0]")):
        fit(Everything.model_json_schema(), {**GOOD, "tree": {"value": 1, "children": [{"value": "x"}]}})


def test_long_errors_are_cut() -> None:
    """An error never repeats a long answer."""
    with pytest.raises(ParserException) as caught:
        fit({"items": {"type": "integer"}}, ["x" * 5000] * 50)
    assert len(str(caught.value)) < 2000


def test_the_instructions_end_with_the_schema_on_one_line() -> None:
    """The prompt carries the schema as it was declared, non-ASCII readable."""
    schema = {**AB, "title": "é"}
    tail = "\n<response_schema>\n" + json.dumps(schema, ensure_ascii=False) + "\n</response_schema>"
    assert ResponseSchema(schema).instructions.endswith(tail)


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"type": "objekt"}, "no valid JSON Schema at $.type"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "'#/$defs/none', which is not in the schema"),
        ({"$ref": "https://example.com/x.json"}, "which is not in the schema"),
    ],
)
def test_unusable_schemas_are_found_before_any_request(schema: Any, part: str) -> None:
    """Bad keywords and references that lead nowhere are violations."""
    assert any(part in violation for violation in schema_violations(schema))


def test_a_good_schema_has_no_violations() -> None:
    """Recursive models are fine."""
    assert schema_violations(Everything.model_json_schema()) == []


def test_an_answer_nested_too_deeply_is_refused() -> None:
    """It is a mismatch and no crash."""
    value: Any = {"value": 1}
    for _ in range(5000):
        value = {"value": 1, "children": [value]}
    with pytest.raises(ParserException, match="nested too deeply"):
        fit(Node.model_json_schema(), value)


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"properties": {"a": {"pattern": "(?P<x>a)(?P=x)"}}}, "pattern that is not supported"),
        ({"patternProperties": {r"\Aa\Z": {}}}, "pattern that is not supported"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "use additionalProperties"),
    ],
)
def test_patterns_that_cannot_be_judged_are_found_before_any_request(schema: Any, part: str) -> None:
    """What only Python's own library reads may take for ever."""
    assert any(part in violation for violation in schema_violations(schema))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(a*)*b", r"^(?=(a+)+$).*b$", r"(a|a)*\1b", "(.*)*(.*)*x$"])
@pytest.mark.parametrize("where", ["value", "name"])
def test_no_text_makes_a_pattern_take_for_ever(pattern: str, where: str) -> None:
    """Neither a value nor the name of a property, in a verdict nor in the words for it."""
    text = "a" * 5000 + "!"
    if where == "value":
        schema, value = {"properties": {"a": {"pattern": f"{pattern}|^$"}}}, {"a": text}
    else:
        schema, value = {"patternProperties": {pattern: {}}, "additionalProperties": False}, {text: 1}
        assert fit(schema, value) == {}
        schema = {**schema, "propertyNames": {"pattern": pattern}, "additionalProperties": {"type": "null"}}
    assert schema_violations(schema) == []
    with pytest.raises(ParserException, match="doesn't match"):
        fit(schema, value)


class _Sum(BaseModel):
    left: "Expression"
    right: "Expression"


class _Product(BaseModel):
    left: "Expression"
    right: "Expression"
    note: str | None = None


Expression = _Sum | _Product | int


class _Formula(BaseModel):
    value: Expression


@pytest.mark.parametrize("leaf", [1, "one"])
@pytest.mark.parametrize("levels", [3, 12, 60])
def test_variants_inside_one_another_do_not_take_for_ever(levels: int, leaf: Any) -> None:
    """Each level doubles the ways in which an answer may be meant; it is refused before they are too many."""
    for kind in (_Sum, _Product, _Formula):
        kind.model_rebuild()
    value = leaf
    for _ in range(levels):
        value = {"left": value, "right": 1}
    schema = ResponseSchema(_Formula.model_json_schema())
    if leaf == 1:
        assert schema.fitted({"value": value}) == {"value": value}
    else:
        with pytest.raises(ParserException, match="doesn't match"):
            schema.fitted({"value": value})


@pytest.mark.parametrize("value", [math.inf, -math.inf, 10**400, "\ufffd", {"a": [10**20]}])
def test_values_that_others_cannot_hold_are_kept_where_the_schema_allows_them(value: Any) -> None:
    """What becomes of them is not decided here."""
    assert fit({"type": "object", "properties": {"a": {}}}, {"a": value}) == {"a": value}


def test_a_decimal_beyond_floats_is_not_infinite() -> None:
    """It stays what it is."""
    price = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d*\.?\d{0,2}$"}]}
    assert fit({"properties": {"a": price}}, {"a": 10**400}) == {"a": 10**400}
    assert fit({"properties": {"a": price}}, {"a": "12.345"} | {"a": 12.345}) == {"a": Decimal("12.35")}
