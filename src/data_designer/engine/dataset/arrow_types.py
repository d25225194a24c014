"""Arrow types of columns that no declaration fixes: from the values, then so wide that all files read as one.

A column has a type if all its values fit one and come back as they were. Else it is JSON text in a string column whose
field metadata says so; readers here turn it back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from data_designer.columns.arrow_types import EXACT, Type, inferred
from data_designer.engine.dataset.encoding import decode_json, encode_json

ENCODING: Final = b"data_designer.encoding"
JSON: Final = b"json"
"""Field metadata key and value that mark a string column as JSON text."""


def field_of(name: str, arrow: Type) -> pa.Field:
    """A column of a type."""
    return pa.field(name, pa.string(), metadata={ENCODING: JSON}) if arrow is None else pa.field(name, arrow)


def type_of(field: pa.Field) -> Type:
    """The type of a column in a file."""
    return None if is_json(field) else field.type


def is_json(field: pa.Field) -> bool:
    """Whether a column holds JSON text that stands for values."""
    return (field.metadata or {}).get(ENCODING) == JSON


def type_text(arrow: pa.DataType) -> str:
    """A type as text; `str` also names the items of a list, which a reader of files names otherwise than a writer."""
    if pa.types.is_list(arrow):
        return f"list<{type_text(arrow.value_type)}>"
    if pa.types.is_struct(arrow):
        return f"struct<{', '.join(f'{member.name!r}: {type_text(member.type)}' for member in arrow)}>"
    return str(arrow)


# --- of several files ------------------------------------------------------------------------------------


def unified(one: Type, other: Type) -> Type:
    """The type that holds what either holds; None where only JSON text does."""
    if one is None or other is None:
        return None
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_list(one) and pa.types.is_list(other):
        item = unified(one.value_type, other.value_type)
        return None if item is None else pa.list_(item)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _unified_structs(one, other)
    return _unified_numbers(one, other)


def _unified_structs(one: pa.StructType, other: pa.StructType) -> Type:
    theirs = {member.name: member.type for member in other}
    if theirs.keys() != {member.name for member in one}:
        return None
    members = [(member.name, unified(member.type, theirs[member.name])) for member in one]
    return None if any(arrow is None for _, arrow in members) else pa.struct(members)


def _unified_numbers(one: pa.DataType, other: pa.DataType) -> Type:
    if pa.types.is_decimal(one) and pa.types.is_decimal(other):
        scale = max(one.scale, other.scale)
        digits = max(one.precision - one.scale, other.precision - other.scale) + scale
        return None if digits > 76 else (pa.decimal128 if digits <= 38 else pa.decimal256)(digits, scale)
    numbers = {one, other}
    return pa.float64() if pa.float64() in numbers and numbers <= {pa.float64(), pa.int64(), pa.uint64()} else None


def array_of(values: Sequence[Any], field: pa.Field) -> pa.Array:
    """Cells as a column. Raises ArrowInvalid, ArrowTypeError or OverflowError where one does not fit."""
    if is_json(field):
        return pa.array([encode_json(value) for value in values], pa.string())
    return pa.array(values, field.type)


def cells_of(column: "pa.Array | pa.ChunkedArray", field: pa.Field) -> list[Any]:
    """A column as cells."""
    values: list[Any] = column.to_pylist()
    return [decode_json(text) for text in values] if is_json(field) else values


def widened(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns and types of a schema that `unified_schema` made of its own; columns it lacks are null.

    Raises:
        ArrowInvalid: an integer does not fit a float.
    """
    return pa.Table.from_arrays([_widened(table, field) for field in schema], schema=schema)


def _widened(table: pa.Table, field: pa.Field) -> "pa.Array | pa.ChunkedArray":
    place = table.schema.get_field_index(field.name)
    if place < 0:
        return pa.nulls(table.num_rows, field.type)
    mine, column = table.schema.field(place), table.column(place)
    if type_of(mine) == type_of(field):
        return column
    if is_json(field) or pa.types.is_nested(field.type):
        return array_of(cells_of(column, mine), field)
    return column.cast(field.type)


def unified_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The columns of several schemas, each of a type that holds what it holds in any of them."""
    types: dict[str, Type] = {}
    for schema in schemas:
        for field in schema:
            known = types.get(field.name, pa.null())
            types[field.name] = unified(known, type_of(field))
    return pa.schema([field_of(name, arrow) for name, arrow in types.items()])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one after the other, each column of a type that holds all of it."""
    tables = [plain(table) for table in tables]
    schemas = [table.schema for table in tables]
    if all(schema.equals(schemas[0], check_metadata=True) for schema in schemas):
        return pa.concat_tables(tables)
    schema = unified_schema(schemas)
    try:
        return pa.concat_tables([widened(table, schema) for table in tables])
    except pa.ArrowInvalid:  # Integers that no float holds, beside floats.
        schema = as_json(schema, schemas)
        return pa.concat_tables([widened(table, schema) for table in tables])


def as_json(schema: pa.Schema, schemas: Sequence[pa.Schema]) -> pa.Schema:
    """JSON text for whatever is not of one type in several schemas."""
    return pa.schema([field if _is_everywhere(field, schemas) else field_of(field.name, None) for field in schema])


def _is_everywhere(field: pa.Field, schemas: Sequence[pa.Schema]) -> bool:
    theirs = [schema.field(field.name) for schema in schemas if schema.get_field_index(field.name) >= 0]
    return all(type_of(other) == type_of(field) for other in theirs)


def plain(table: pa.Table) -> pa.Table:
    """A table without what readers of files note in its schema."""
    schema = pa.schema([field_of(field.name, type_of(field)) for field in table.schema])
    return pa.Table.from_arrays(table.columns, schema=schema)


# --- whether a value fits --------------------------------------------------------------------------------


def fits(arrow: pa.DataType) -> Callable[[Any], bool]:
    """Tells whether a cell fits a type and comes back as it was; None always does. Made once a step."""
    if pa.types.is_string(arrow):
        return lambda value: value is None or type(value) is str
    if pa.types.is_int64(arrow):
        return lambda value: value is None or (type(value) is int and -(1 << 63) <= value < 1 << 63)
    if pa.types.is_float64(arrow):
        return lambda value: value is None or type(value) is float or (type(value) is int and abs(value) <= EXACT)
    if pa.types.is_boolean(arrow):
        return lambda value: value is None or type(value) is bool
    if pa.types.is_list(arrow):
        item = fits(arrow.value_type)
        return lambda value: value is None or (type(value) is list and all(map(item, value)))
    if pa.types.is_struct(arrow):
        return _fits_struct({member.name: fits(member.type) for member in arrow})
    return lambda value: value is None or unified(arrow, inferred([value])) == arrow


def _fits_struct(members: Mapping[str, Callable[[Any], bool]]) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if value is None:
            return True
        if type(value) is not dict or value.keys() != members.keys():
            return False
        return all(member(value[name]) for name, member in members.items())

    return holds
