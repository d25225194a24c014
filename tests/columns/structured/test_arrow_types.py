"""The Arrow type of a column whose answers fit a JSON Schema."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from data_designer.columns.structured.arrow_types import arrow_type

TEXT = {"type": "string"}
DECIMAL = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?\d*\.?\d{0,2}$"}]}


class Part(BaseModel):
    """A part of an order."""

    name: str
    price: Decimal | None


class Order(BaseModel):
    """What refers to definitions, twice to the same one."""

    parts: list[Part]
    first: Part


PART = pa.struct([("name", pa.string()), ("price", pa.decimal128(38, 2))])


def _object(properties: dict[str, Any], **others: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), **others}


@pytest.mark.parametrize(
    ("schema", "arrow"),
    [
        (TEXT, pa.string()),
        ({"type": "integer"}, pa.int64()),
        ({"type": "number"}, pa.float64()),
        ({"type": "boolean"}, pa.bool_()),
        ({"type": "null"}, None),
        ({"type": "array", "items": TEXT}, pa.list_(pa.string())),
        ({"type": "array"}, None),
        ({"type": "array", "items": TEXT, "prefixItems": [TEXT]}, None),
        (_object({"a": TEXT, "b": {"type": "integer"}}), pa.struct([("a", pa.string()), ("b", pa.int64())])),
        (_object({"a": TEXT}, additionalProperties=False), pa.struct([("a", pa.string())])),
        (_object({"a": TEXT}, additionalProperties=TEXT), None),
        (_object({"a": TEXT}, required=[]), None),
        (_object({}), None),
        (_object({"a": True}), None),
        ({"enum": ["a", "b", None]}, pa.string()),
        ({"enum": [1, "b"]}, None),
        ({"enum": [None]}, None),
        ({"const": 1}, pa.int64()),
        ({"anyOf": [{"type": "null"}, TEXT]}, pa.string()),
        ({"anyOf": [TEXT, {"type": "integer"}]}, None),
        ({"anyOf": [TEXT, True]}, None),
        (DECIMAL, pa.decimal128(38, 2)),
        ({"oneOf": [TEXT]}, None),
        ({}, None),
    ],
)
def test_a_type_holds_every_instance(schema: dict[str, Any], arrow: pa.DataType | None) -> None:
    """Where a schema allows what no one type holds, there is none."""
    assert arrow_type(schema) == arrow


@pytest.mark.parametrize(
    ("reference", "arrow"),
    [
        ("#/$defs/a", pa.string()),
        ("#/$defs/through", pa.string()),
        ("#/$defs/round", None),
        ("#/$defs/none", None),
        ("#/definitions/a", None),
        ("#", None),
    ],
)
def test_a_definition_gives_its_type(reference: str, arrow: pa.DataType | None) -> None:
    """What refers to itself has none, nor has what a reference elsewhere leads to."""
    definitions = {
        "a": TEXT,
        "through": {"$ref": "#/$defs/a"},
        "round": {"type": "array", "items": {"$ref": "#/$defs/round"}},
    }
    assert arrow_type({"$ref": reference, "$defs": definitions, "definitions": {"a": TEXT}}) == arrow


def test_the_schema_of_a_model_has_a_type() -> None:
    """With the decimals and definitions that pydantic writes."""
    schema = Order.model_json_schema()
    schema["$defs"]["Part"]["properties"]["price"]["anyOf"] = [*DECIMAL["anyOf"], {"type": "null"}]
    assert arrow_type(schema) == pa.struct([("parts", pa.list_(PART)), ("first", PART)])
