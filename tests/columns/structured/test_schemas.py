"""What a JSON Schema is made of."""

import pytest

from data_designer.columns.structured.schemas import parts_of, resolved

SCHEMA = {"$defs": {"a/b": {"x~y": 1}, "c d": {"anyOf": [{"const": 1}, {"const": 2}]}}}


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("#", SCHEMA),
        ("#/$defs/a~1b/x~0y", 1),
        ("#/$defs/c%20d/anyOf/1", {"const": 2}),
        ("#/$defs/c d/anyOf/0/const", 1),
    ],
)
def test_a_reference_leads_into_its_schema(reference: str, target: object) -> None:
    """As RFC 6901 writes paths, in a fragment of a URI."""
    assert resolved(SCHEMA, reference) == target


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "a",
        "https://example.com/#",
        "#a",
        "#/none",
        "#/$defs/c d/anyOf/2",
        "#/$defs/c d/anyOf/x",
        "#/$defs/a~1b/x~0y/z",
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    """Nothing outside the schema is looked for."""
    with pytest.raises((LookupError, ValueError)):
        resolved(SCHEMA, reference)


def test_the_parts_of_a_schema_are_all_its_objects() -> None:
    """Those inside lists too."""
    assert [*parts_of({"a": [{"b": {}}, True], "c": 1})] == [{"a": [{"b": {}}, True], "c": 1}, {"b": {}}, {}]
