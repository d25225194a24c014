"""The columns of a dataset's files: cells as Arrow arrays, and tables whose types differ as one."""

from collections.abc import Iterable, Sequence, Sized
from contextlib import suppress
from itertools import chain
from types import NoneType
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from data_designer.columns.arrow_types import Type, field_of, is_json, type_of, unified
from data_designer.engine.dataset.encoding import decode_json, encode_json

if TYPE_CHECKING:
    import numpy.typing as npt


def type_text(arrow: pa.DataType) -> str:
    """A type as text; `str` also names the items of a list, which a reader of files names otherwise than a writer."""
    if pa.types.is_list(arrow):
        return f"list<{type_text(arrow.value_type)}>"
    if pa.types.is_fixed_size_list(arrow):
        return f"list<{type_text(arrow.value_type)}>[{arrow.list_size}]"
    if pa.types.is_struct(arrow):
        return f"struct<{', '.join(f'{member.name!r}: {type_text(member.type)}' for member in arrow)}>"
    return str(arrow)


def array_of(values: Sequence[object], field: pa.Field) -> pa.Array:
    """Cells as a column. Raises ArrowInvalid, ArrowTypeError or OverflowError where one does not fit."""
    if is_json(field):
        return typed([encode_json(value) for value in values], pa.string())
    return typed(values, field.type)


def typed(values: Sequence[object], arrow: pa.DataType) -> pa.Array:
    """Values as an array of a type. Raises as `array_of` does.

    Text, numbers, and lists and structs of them are put together here: `pyarrow.array` imports pandas to see whether
    the values are a Series, which takes longer than a small run and more memory than its data.
    """
    kinds = set(map(type, values))
    if kinds <= {NoneType}:
        return pa.nulls(len(values), arrow)
    if kinds <= {_KINDS.get(arrow.id), NoneType}:
        with suppress(OverflowError):  # Beyond what fits, Arrow knows a way, or refuses.
            buffers, children = _parts(values, arrow)
            present = _bits(np.array([value is not None for value in values])) if NoneType in kinds else None
            return pa.Array.from_buffers(arrow, len(values), [present, *buffers], children=children)
    return pa.array(values, arrow)


_KINDS = {
    pa.string().id: str,
    pa.int64().id: int,
    pa.float64().id: float,
    pa.float32().id: float,
    pa.bool_().id: bool,
    pa.list_(pa.null()).id: list,
    pa.list_(pa.null(), 1).id: list,
    pa.struct([]).id: dict,
}
"""Type of Arrow to the kind of its values."""


def _parts(values: Sequence[object], arrow: pa.DataType) -> tuple[list[pa.Buffer], list[pa.Array] | None]:
    """The buffers of an array, that of its nulls apart, and the arrays that it consists of."""
    if pa.types.is_string(arrow):
        texts = [text or "" for text in cast("Sequence[str | None]", values)]
        together = "".join(texts)
        content = together.encode()
        parts = texts if len(content) == len(together) else [text.encode() for text in texts]
        return [_ends(parts), pa.py_buffer(content)], None
    if pa.types.is_struct(arrow):
        records = [value or {} for value in cast("Sequence[dict[str, object] | None]", values)]
        return [], [typed([record.get(member.name) for record in records], member.type) for member in arrow]
    if pa.types.is_list(arrow):
        lists = [value or [] for value in cast("Sequence[list[object] | None]", values)]
        return [_ends(lists)], [typed([*chain.from_iterable(lists)], arrow.value_type)]
    if pa.types.is_fixed_size_list(arrow):
        absent: list[object] = [None] * arrow.list_size
        lists = [absent if value is None else value for value in cast("Sequence[list[object] | None]", values)]
        if any(len(one) != arrow.list_size for one in lists):
            raise pa.ArrowInvalid(f"a list has not {arrow.list_size} items")
        return [], [typed([*chain.from_iterable(lists)], arrow.value_type)]
    given = np.array([0 if value is None else value for value in values], dtype=arrow.to_pandas_dtype())
    return [_bits(given) if pa.types.is_boolean(arrow) else pa.py_buffer(given)], None


_LARGEST = (1 << 31) - 1
"""What the parts of a column may come to: bytes of its texts, items of its lists."""


def _ends(parts: Sequence[Sized]) -> pa.Buffer:
    """Where each part ends that stands behind the others; before them, a zero."""
    ends = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, parts), dtype=np.int64, count=len(parts)), out=ends[1:])
    if ends[-1] > _LARGEST:
        raise OverflowError("too large for 32 bits")
    return pa.py_buffer(ends.astype(np.int32))


def _bits(flags: "npt.NDArray[np.bool_]") -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def cells_of(column: "pa.Array | pa.ChunkedArray", field: pa.Field) -> list[object]:
    """A column as cells."""
    if is_json(field):
        return [decode_json(text) for text in column.to_pylist()]
    values: list[object] = column.to_pylist()
    return values


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
