"""The Arrow type of what fits a JSON schema."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from data_designer.columns.arrow_types import inferred
from data_designer.columns.structured.pruning import Schema, decimal_places


def arrow_type(schema: Schema) -> "pa.DataType | None":
    """The Arrow type that holds every instance of a JSON schema without loss; None where there is none."""
    try:
        return _schema_type(schema, schema.get("$defs", {}), ())
    except _NoArrowTypeError:
        return None


class _NoArrowTypeError(Exception):
    """A schema whose instances have no common Arrow type."""


def _schema_type(schema: object, definitions: Schema, path: tuple[str, ...]) -> pa.DataType:
    if not isinstance(schema, Mapping):
        raise _NoArrowTypeError
    reference = schema.get("$ref")
    if reference is not None:
        name = str(reference).rsplit("/", 1)[-1]
        if name in path or name not in definitions:
            raise _NoArrowTypeError
        return _schema_type(definitions[name], definitions, (*path, name))
    if "enum" in schema or "const" in schema:
        return _strict_values(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if len(options) == 1:
            return _schema_type(options[0], definitions, path)
        places = decimal_places(schema)
        if places is not None and places[0] is not None:
            return pa.decimal128(38, min(places[0], 38))
        raise _NoArrowTypeError
    return _plain_schema_type(schema, definitions, path)


def _strict_values(values: Sequence[object]) -> pa.DataType:
    given = [value for value in values if value is not None]
    found = inferred(given) if given else None
    if found is None:
        raise _NoArrowTypeError
    return found


def _plain_schema_type(schema: Schema, definitions: Schema, path: tuple[str, ...]) -> pa.DataType:
    match schema.get("type"):
        case "string":
            return pa.string()
        case "integer":
            return pa.int64()
        case "number":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "array" if "items" in schema and "prefixItems" not in schema:
            return pa.list_(_schema_type(schema["items"], definitions, path))
        case "object" if schema.get("properties") and not schema.get("additionalProperties"):
            required = set(schema.get("required", ()))
            if required != set(schema["properties"]):
                raise _NoArrowTypeError  # a struct cannot tell an absent member from a null one
            members = schema["properties"].items()
            return pa.struct([(name, _schema_type(member, definitions, path)) for name, member in members])
        case _:
            raise _NoArrowTypeError
