"""The Arrow type that a JSON Schema fixes."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from data_designer.columns.arrow_types import inferred
from data_designer.columns.structured.pruning import decimal_places
from data_designer.columns.structured.schemas import Schema, listed, named, resolved

_DEFINED: Final = re.compile(r"#/\$defs/[^/~%]+")
"""References that fix a type; datasets that exist have given what others lead to the type of its values."""


class _NoTypeError(Exception):
    """A schema whose instances have no common Arrow type."""


def arrow_type(schema: Schema) -> "pa.DataType | None":
    """The type that holds every instance of a JSON schema without loss; None where there is none."""
    try:
        return _type(schema, schema, ())
    except _NoTypeError:
        return None


def _type(schema: object, root: Schema, path: tuple[str, ...]) -> pa.DataType:
    """The type of a part of a schema, to which so many references have led."""
    if not isinstance(schema, Mapping):
        raise _NoTypeError
    if (reference := schema.get("$ref")) is not None:
        return _referred(str(reference), root, path)
    if "enum" in schema or "const" in schema:
        return _of_values(schema.get("enum", [schema.get("const")]))
    if "anyOf" not in schema:
        return _plain(schema, root, path)
    options = [option for option in listed(schema, "anyOf") if not _is_null(option)]
    if len(options) == 1:
        return _type(options[0], root, path)
    places = decimal_places(schema)
    if places is None or places[0] is None:
        raise _NoTypeError
    return pa.decimal128(38, min(places[0], 38))


def _referred(reference: str, root: Schema, path: tuple[str, ...]) -> pa.DataType:
    if reference in path or not _DEFINED.fullmatch(reference):
        raise _NoTypeError
    try:
        target = resolved(root, reference)
    except LookupError:
        raise _NoTypeError from None
    return _type(target, root, (*path, reference))


def _is_null(option: object) -> bool:
    return isinstance(option, Mapping) and option.get("type") == "null"


def _of_values(values: Sequence[object]) -> pa.DataType:
    present = [value for value in values if value is not None]
    found = inferred(present) if present else None
    if found is None:
        raise _NoTypeError
    return found


def _plain(schema: Schema, root: Schema, path: tuple[str, ...]) -> pa.DataType:
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
            return pa.list_(_type(schema["items"], root, path))
        case "object" if schema.get("properties") and not schema.get("additionalProperties"):
            members = named(schema, "properties")
            if set(listed(schema, "required")) != set(members):
                raise _NoTypeError  # a struct cannot tell an absent member from a null one
            return pa.struct([(name, _type(member, root, path)) for name, member in members.items()])
        case _:
            raise _NoTypeError
