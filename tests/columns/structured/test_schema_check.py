"""Verdicts of the fast validator: the same as jsonschema's, whatever the schema and the value."""

import math
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from tests.properties import examples

from data_designer.columns.structured import schema_check
from data_designer.columns.structured.answers import ResponseSchema
from data_designer.columns.structured.schema_check import SchemaCheck, exact_validator
from data_designer.errors import ParserException

NAMES = st.sampled_from(["a", "b", "ä", "pattern", "$ref"])
TEXTS = st.sampled_from(
    ["", "a", "b", "ab", "1", "\u0661", "a\n", "ä", "\u2028", "\r", "\x1c", "😀", "e\u0301", "\ud800"]
)
INTEGERS = st.sampled_from([0, 1, 2, -1, 3, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, -(10**400)])
FLOATS = st.sampled_from(
    [0.0, -0.0, 1.0, 1.5, 0.1, 2.0**53, 1e20, 1e30, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan]
)
SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS
VALUES: SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
PATTERNS = st.sampled_from(
    [r"^\d+$", r"^a$", r"\w", r"^.$", r"\Aa", r"(?=a)", r"(a)\1?", r"\s", r"[\[a]", "^[^a]$", "(?i)A"]
)
REFS = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/$defs/none"])
COUNTS = st.integers(0, 3) | st.sampled_from([1.0, 2.0])
BOUNDS = INTEGERS | FLOATS
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])

LEAVES: dict[str, SearchStrategy[Any]] = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], BOUNDS),
    "multipleOf": st.sampled_from([1, 2, 0.1, 0.01, 1e-8]),
    **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"], COUNTS),
    **dict.fromkeys(["minContains", "maxContains"], COUNTS),
    "uniqueItems": st.booleans(),
    "required": st.lists(NAMES, max_size=2, unique=True),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
    "dependencies": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
    "pattern": PATTERNS,
    "format": st.sampled_from(["date", "email", "regex", "nonsense"]),
    "contentMediaType": st.just("application/json"),
    "title": TEXTS,
    "x-vendor": VALUES,
    "$ref": REFS,
}
"""Keywords whose values hold no schemas."""


def nested(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Make schemas from schemas."""
    one = dict.fromkeys(["not", "if", "then", "else", "items", "contains", "propertyNames"], inner)
    rest = dict.fromkeys(["additionalProperties", "unevaluatedProperties", "unevaluatedItems"], inner)
    several = dict.fromkeys(["allOf", "anyOf", "oneOf", "prefixItems"], st.lists(inner, min_size=1, max_size=3))
    named = dict.fromkeys(["properties", "dependentSchemas"], st.dictionaries(NAMES, inner, max_size=2))
    patterned = {"patternProperties": st.dictionaries(PATTERNS, inner, max_size=1)}
    return some_of(LEAVES | one | rest | several | named | patterned)


def some_of(keywords: dict[str, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """Make objects of a few of the keywords."""
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))


SCHEMAS = st.recursive(st.booleans() | some_of(LEAVES), nested, max_leaves=6)
WHOLE = st.tuples(SCHEMAS, SCHEMAS, SCHEMAS).map(
    lambda parts: {**parts[0], "$defs": {"a": parts[1], "b": parts[2]}} if isinstance(parts[0], dict) else parts[0]
)

TREE: dict[str, Any] = {
    "$ref": "#/$defs/Node",
    "$defs": {"Node": {"properties": {"n": {"type": "integer"}, "in": {"type": "array", "items": {"$ref": "#"}}}}},
}


def by_jsonschema(schema: Any) -> Any:
    """Make the validator whose verdicts count."""
    return exact_validator()(schema, registry=Registry())


def outcome(judge: Any, value: Any) -> bool | str:
    """Give the verdict, or the name of the error."""
    try:
        return bool(judge(value))
    except BaseException as error:  # noqa: BLE001 - whichever it is, both have to raise it
        name = type(error).__name__
        # What jsonschema looks references up with panics where the stack ends inside it.
        return "RecursionError" if name == "PanicException" else name


def test_a_schema_that_refers_to_itself_is_an_error_wherever_the_stack_ends() -> None:
    """Also inside the library in Rust that looks references up: no panic, which nobody who handles errors catches."""
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}
    check, limit = SchemaCheck(schema, schema), sys.getrecursionlimit()
    try:
        for more in range(30):
            sys.setrecursionlimit(limit + more)
            with pytest.raises(RecursionError):
                check.fits(1)
    finally:
        sys.setrecursionlimit(limit)


def levels(count: int, innermost: Any = 1) -> Any:
    """Nest arrays."""
    value = innermost
    for _ in range(count):
        value = [value]
    return value


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of a pattern with a bracket inside brackets
@examples(150)
@given(WHOLE, st.lists(VALUES, min_size=4, max_size=4))
def test_verdicts_are_those_of_jsonschema(schema: Any, values: list[Any]) -> None:
    """For whole schemas and for parts that refer to the whole; where jsonschema raises, the same is raised."""
    exact = by_jsonschema(schema)
    judges = [(exact.is_valid, SchemaCheck(schema, schema).fits)]
    if isinstance(schema, dict):
        parts = [*schema["$defs"].values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        judges += [(exact.evolve(schema=part).is_valid, SchemaCheck(part, schema).fits) for part in parts]
    for ours, theirs in judges:
        for value in values:
            assert outcome(ours, value) == outcome(theirs, value)


@examples(150)
@given(st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "const"]), BOUNDS, BOUNDS)
def test_numbers_are_compared_exactly(keyword: str, bound: Any, value: Any) -> None:
    """Integers beyond 64 bits, floats beside them and numbers that are none are no exception."""
    schema = {keyword: bound}
    for near in (value, bound, -value):
        assert SchemaCheck(schema, schema).fits(near) is by_jsonschema(schema).is_valid(near)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, True, False),
        ({"type": "integer"}, 10**400, True),
        ({"type": "number"}, math.nan, True),
        ({"minimum": 5}, -math.inf, False),
        ({"multipleOf": 0.01}, 19.99, False),
        ({"enum": [1]}, True, False),
        ({"type": "string", "format": "date"}, "soon", True),
        ({"type": "string", "maxLength": 1}, "\U0001f600", True),
        ({"type": "string", "maxLength": 1}, "\ud800", True),
        ({"pattern": r"^\d$"}, "\u0661", True),
        ({"pattern": r"^\d$"}, "1\n", False),
        ({"pattern": r"^(?!b)\w$"}, "ä", True),
        ({"pattern": r"^(?!b)\w$"}, "b", False),
        ({"pattern": r"\Aa\z"}, "a\n", False),
        ({"properties": {"pattern": {"type": "integer"}}}, {"pattern": "x"}, False),
        ({"propertyNames": {"pattern": "^[ab]$"}}, {"c": 1}, False),
        ({"patternProperties": {r"^\w$": {"type": "integer"}}}, {"ä": "x"}, False),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, True),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, True),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"b": 1}, False),
        (TREE, {"n": 1, "in": [{"n": 2, "in": []}]}, True),
        (TREE, {"n": 1, "in": [{"n": "2"}]}, False),
    ],
)
def test_where_libraries_differ_jsonschema_is_followed(schema: Any, value: Any, fits: bool) -> None:
    """Each line is a way in which validators of JSON Schema are known to differ."""
    assert by_jsonschema(schema).is_valid(value) is fits
    assert SchemaCheck(schema, schema).fits(value) is fits


@pytest.mark.parametrize(
    "schema",
    [
        TREE,
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "t",
            "discriminator": {},
            "type": "object",
        },
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*$"}, {"type": "null"}]},
        {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
        {"definitions": {"x": {"type": "integer"}}, "items": {"$ref": "#/definitions/x"}, "contains": {"const": 1}},
        {"properties": {"a": {"type": "string", "format": "date"}}, "additionalProperties": False},
    ],
)
def test_what_models_are_asked_for_is_judged_fast(schema: Any) -> None:
    """What pydantic and people write needs no jsonschema."""
    assert SchemaCheck(schema, schema).quick is not None


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$id": "https://example.com/x", "type": "integer"},
        {"$ref": "https://example.com/x"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#"},
        {"anyOf": [{"type": "integer"}, {"$ref": "#"}]},
        {"patternProperties": {"a": True}},
        {"multipleOf": 2},
        {"unevaluatedItems": False},
        {"uniqueItems": True},
        {"pattern": "("},
        {"minimum": "x"},
        {"const": math.nan},
        {"enum": ["\ud800"]},
    ],
)
def test_what_may_be_judged_differently_is_left_to_jsonschema(schema: Any) -> None:
    """Also where it is deep inside, or broken."""
    for whole in (
        schema,
        {"$defs": {"a": schema}, "not": {"$ref": "#/$defs/a"}, **schema},
        {**schema, "items": schema},
    ):
        assert SchemaCheck(whole, whole).quick is None


def test_each_keyword_of_jsonschema_is_sorted() -> None:
    """One that nobody knows would be left out of what the fast validator sees."""
    special = {"$ref", "pattern", "format"}
    known = (
        special | schema_check._ALIKE | schema_check._SAME_VALUE | schema_check._INNER_VALUE | schema_check._DOUBTFUL
    )
    assert set(Draft202012Validator.VALIDATORS) <= known


@pytest.mark.parametrize("depth", [253, 255, 5_000, 100_000])
def test_depth_is_no_danger_where_the_schema_does_not_follow(depth: int) -> None:
    """A value that no part of the schema looks into is taken at any depth."""
    value = levels(depth)
    assert ResponseSchema({"type": "array", "minItems": 1}).fitted(value) is value
    with pytest.raises(ParserException, match="doesn't match"):
        ResponseSchema({"type": "object"}).fitted(value)


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("keyword", ["items", "contains"])
def test_depth_that_a_schema_follows_is_refused(depth: int, keyword: str) -> None:
    """The answer is nested too deeply; the process goes on."""
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", keyword: {"$ref": "#/$defs/a"}}}}
    with pytest.raises(ParserException, match="nested too deeply"):
        ResponseSchema(schema).fitted(levels(depth, []))


def test_a_mismatch_in_the_depth_is_refused() -> None:
    """Also where finding the words for it takes more depth than finding it."""
    schema = {"allOf": [{"anyOf": [{"items": {"$ref": "#"}, "type": "array"}]}]}
    with pytest.raises(ParserException, match="nested too deeply"):
        ResponseSchema(schema).fitted(levels(200, "x"))


def test_the_widest_schema_judged_fast_takes_the_deepest_value() -> None:
    """The bound on schemas inside one another leaves the stack room."""
    inner: Any = {"items": {"$ref": "#"}}
    for _ in range(15):
        inner = {"allOf": [inner]}
    verdict, wider = SchemaCheck(inner, inner), {"allOf": [{"allOf": [inner]}]}
    assert verdict.quick is not None
    assert verdict.fits(levels(250)) is True
    assert SchemaCheck(wider, wider).quick is None


@pytest.mark.usefixtures("sockets")
def test_nothing_is_fetched(tmp_path: Path) -> None:
    """Neither a file nor an address is looked at, though both are there."""
    file = tmp_path / "x.json"
    file.write_text("true")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for uri in (file.as_uri(), f"http://127.0.0.1:{server.getsockname()[1]}/x.json"):
            for schema in ({"$ref": uri}, {"contains": {"$ref": uri}}, {"$schema": uri, "not": {"$dynamicRef": uri}}):
                with pytest.raises(Unresolvable):
                    SchemaCheck(schema, schema).fits([1])
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.usefixtures("processes")
def test_jsonschema_is_imported_only_for_what_does_not_fit() -> None:
    """Most processes that hold replies to schemas never pay for it."""
    program = """if True:
        import sys
        from data_designer.errors import ParserException
        from data_designer.columns.structured.answers import ResponseSchema
        schema = ResponseSchema({"properties": {"a": {"anyOf": [{"pattern": "x"}, {"type": "integer"}]}}})
        schema.fitted({"a": 1})
        print("jsonschema" in sys.modules)
        try:
            schema.fitted({"a": "y"})
        except ParserException:
            print("jsonschema" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
