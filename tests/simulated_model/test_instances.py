"""Instances of JSON schemas: valid for whatever a schema asks, the same for the same generator, and always ending."""

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.patterns import matching
from data_designer.simulated_model.schemas import Heights, both, merged
from data_designer.simulated_model.seeded_rng import SeededRng

TREE = {
    "type": "object",
    "properties": {"left": {"$ref": "#/$defs/T"}, "right": {"$ref": "#/$defs/T"}},
    "required": ["left", "right"],
}
CASES: dict[str, Any] = {
    "bounds of all parts": {"type": "integer", "minimum": 7, "allOf": [{"minimum": 3, "maximum": 9}, {"minimum": 5}]},
    "values of all parts": {"allOf": [{"enum": [1, 2, 3]}, {"enum": [3, 4]}]},
    "a reference with more": {"$defs": {"A": {"enum": ["a", "b"]}}, "$ref": "#/$defs/A", "enum": ["b", "z"]},
    "members of all parts": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5}}, "required": ["a"]},
            {"properties": {"a": {"maximum": 6}}},
        ]
    },
    "alternatives twice": {"type": "integer", "anyOf": [{"minimum": 3}, {"minimum": 7}], "oneOf": [{"maximum": 50}]},
    "a tree": {"$ref": "#/$defs/T", "$defs": {"T": {"anyOf": [TREE, {"type": "integer"}]}}},
    "recursion that null ends": {"$ref": "#/$defs/T", "$defs": {"T": {**TREE, "type": ["object", "null"]}}},
    "recursion by list": {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"properties": {"k": {"type": "array", "items": {"$ref": "#/$defs/T"}}}, "required": ["k"]}},
    },
    "decimal steps": {"type": "number", "minimum": 0, "maximum": 10, "multipleOf": 0.1},
    "integers of a broken step": {"type": "integer", "multipleOf": 1.5},
    "a narrow range": {"type": "number", "minimum": 0.12345641, "maximum": 0.12345644},
    "an open range": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-7},
    "broken bounds of integers": {"type": "integer", "exclusiveMinimum": 2.5, "exclusiveMaximum": 4},
    "a pattern and lengths": {"type": "string", "pattern": "^[a-z]+$", "minLength": 8, "maxLength": 12},
    "an element that must be there": {"type": "array", "contains": {"const": 5}, "items": {"enum": [5, 6]}},
    "fewer elements than named": {"prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 1},
    "elements like the first": {"prefixItems": [{"type": "integer"}], "items": {"$ref": "#/prefixItems/0"}},
    "enough members": {"properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 2, "additionalProperties": False},
    "few members": {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 1},
    "names of members": {"type": "object", "minProperties": 2, "propertyNames": {"enum": ["a", "b", "c"]}},
    "patterns of members": {
        "minProperties": 1,
        "patternProperties": {"^x_[a-z]+$": {"type": "integer"}},
        "additionalProperties": False,
    },
    "an undeclared member": {"type": "object", "required": ["q"], "additionalProperties": {"type": "integer"}},
    "exactly one": {"oneOf": [{"type": "integer"}, {"type": "number", "multipleOf": 0.5}]},
    "a condition": {
        "type": "object",
        "properties": {"c": {"enum": ["x", "y"]}, "z": {"type": "integer"}},
        "required": ["c"],
        "if": {"properties": {"c": {"const": "x"}}},
        "then": {"required": ["z"]},
    },
    "what must not be": {"type": "integer", "minimum": 0, "maximum": 3, "not": {"const": 2}},
    "members that need others": {
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "dependentRequired": {"a": ["b"]},
    },
    "an escaped name": {"$defs": {"a b/c": {"type": "integer"}}, "$ref": "#/$defs/a%20b~1c"},
    "anything": True,
}


@pytest.mark.parametrize("name", CASES)
@given(seed=st.binary(min_size=1, max_size=8))
@examples(30)
def test_every_keyword_is_heeded(name: str, seed: bytes) -> None:
    """Instances satisfy each keyword, alone and with others, and depend on nothing but the seed."""
    made = Instances(CASES[name]).make(SeededRng(seed))
    jsonschema.Draft202012Validator(CASES[name]).validate(made)
    assert made == Instances(CASES[name]).make(SeededRng(seed))


def numbers(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of numbers with any bounds."""
    bound = st.integers(-1000, 1000)
    return st.tuples(bound, st.integers(1, 500), st.booleans(), st.booleans()).map(
        lambda drawn: {
            "type": kind,
            "exclusiveMinimum" if drawn[2] else "minimum": drawn[0],
            "exclusiveMaximum" if drawn[3] else "maximum": drawn[0] + drawn[1] + 1,
        }
    )


def texts() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of strings with any lengths."""
    return st.tuples(st.integers(0, 40), st.integers(0, 40)).map(
        lambda drawn: {"type": "string", "minLength": drawn[0], "maxLength": sum(drawn)}
    )


def objects(members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of objects, some of whose members are required."""
    properties = st.dictionaries(st.sampled_from("abcdef"), members, max_size=4)
    return st.tuples(properties, st.integers(0, 4), st.one_of(st.booleans(), members)).map(
        lambda drawn: {
            "type": "object",
            "properties": drawn[0],
            "required": list(drawn[0])[: drawn[1]],
            "additionalProperties": drawn[2],
        }
    )


def arrays(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of arrays of any length."""
    return st.tuples(items, st.integers(0, 3), st.integers(0, 3)).map(
        lambda drawn: {"type": "array", "items": drawn[0], "minItems": drawn[1], "maxItems": drawn[1] + drawn[2]}
    )


SCHEMAS = st.recursive(
    st.one_of(
        numbers("integer"),
        numbers("number"),
        texts(),
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": [1]}, {"enum": ["x", 2, None]}]),
    ),
    lambda inner: st.one_of(
        objects(inner),
        arrays(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        inner.map(lambda part: {"allOf": [part]}),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS, seed=st.binary(min_size=1, max_size=4))
def test_any_schema_gets_a_valid_instance(schema: dict[str, Any], seed: bytes) -> None:
    """Schemas put together at random get instances that satisfy them."""
    jsonschema.Draft202012Validator(schema).validate(Instances(schema).make(SeededRng(seed)))


PATTERNS = [
    r"^[A-Z]{2}-\d{3}$",
    r"^[^abc]{3}$",
    r"^\D\S\W$",
    r"^(?=.*\d)[a-z\d]{8}$",
    r"^([ab])\1x?$",
    r"^(foo|ba[rz])(-\d+)?$",
    r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$",
    "^[\u0430-\u044f]{3}$",
    r"\w+@\w+\.com",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(seed=st.binary(min_size=1, max_size=4))
@examples(30)
def test_texts_match_their_patterns(pattern: str, seed: bytes) -> None:
    """Classes, counts, groups, alternatives, back-references and simple look-arounds are heeded."""
    assert re.search(pattern, matching(pattern, SeededRng(seed)))


def test_a_pattern_of_another_dialect_gets_words() -> None:
    """What Python's regular expressions cannot read is no reason to fail."""
    assert matching(r"^\p{L}+$", SeededRng(b"0"))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "#/$defs/gone"}, "does not define"),
        ({"$ref": "https://example.com/s.json"}, "into itself"),
        ({"$ref": "#"}, "refers to itself"),
        ({"enum": []}, "no value"),
        ({"type": "array", "minItems": "two"}, "'two' where a number belongs"),
        ({"required": True}, "True where a list belongs"),
        ({"properties": ["a"], "type": "object"}, "where an object belongs"),
        ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, "no number"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "at once"),
    ],
)
def test_a_schema_that_nothing_satisfies_is_refused(schema: dict[str, Any], said: str) -> None:
    """Contradictions and loose ends are named instead of looping or giving something invalid."""
    with pytest.raises(ValueError, match=said):
        Instances(schema).make(SeededRng(b"0"))


def test_a_decimal_is_a_number_that_its_bounds_allow() -> None:
    """Pydantic declares one as a number within its bounds, or any text of a number."""
    number = {"type": "number", "minimum": 10, "maximum": 1000}
    for pattern in ({}, {"pattern": r"^[+-]?\\d+$"}):
        decimal = Instances({"anyOf": [number, {"type": "string", **pattern}]})
        for seed in range(20):
            assert 10 <= decimal.make(SeededRng(str(seed).encode())) <= 1000


def test_heights_tell_what_ends() -> None:
    """The height of a recursive part is that of its flattest instance; one that never ends has none."""
    endless = {"required": ["u"], "properties": {"u": {"$ref": "#/$defs/U"}}}
    heights = Heights({"$defs": {"T": {"anyOf": [TREE, {"type": "integer"}]}, "U": endless}})
    assert heights.of({"$ref": "#/$defs/T"}) == 0
    assert heights.of(TREE) == 1
    assert heights.of({"$ref": "#/$defs/U"}) == float("inf")


def test_both_asks_for_what_either_asks_for() -> None:
    """Bounds tighten, requirements add up, steps take their common multiple."""
    one = {"minimum": 1, "maximum": 9, "required": ["a"], "multipleOf": 4, "type": "number", "items": {"type": "null"}}
    other = {"minimum": 3, "maximum": 8, "required": ["a", "b"], "multipleOf": 6, "type": "integer", "items": False}
    assert both(one, other) == {
        "minimum": 3,
        "maximum": 8,
        "required": ["a", "b"],
        "multipleOf": 12,
        "type": "integer",
        "items": False,
    }
    assert both(one, True) == one
    assert merged({}, {"allOf": [{"minimum": 1}, {"minimum": 2}]}) == {"minimum": 2}
