"""Arrow types of seed columns: which stay, which take another form of the same values, which are refused."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from data_designer.columns.arrow_types import ENCODING, field_of, is_json
from data_designer.errors import SeedReaderError

_WHOLE = b"whole"
"""Encoding of floats of a file that wrote whole numbers without a point."""
_MOST_WHOLE = 10**15
"""Whole numbers below are exact as floats."""
_SMALL = (pa.float16(), pa.float32())
_EXTENSIONS: Mapping[str, pa.DataType | None] = {
    "arrow.uuid": None,
    "arrow.json": pa.string(),
    "arrow.bool8": pa.bool_(),
}
"""Name of an extension type to what is kept instead, where it does not stay itself."""
_IN_JSON_DEPTH = 32
"""Values that are nested deeper are kept as JSON text: readers of Parquet descend by recursion."""


NO_UNICODE = "holds half of a surrogate pair, which is no character; correct it"


class RefusedError(Exception):
    """A column cannot be kept; the message goes on after its name."""


def kept(table: pa.Table, where: str) -> pa.Table:
    """The table in types that Parquet holds and whose every value Python holds, with the same values.

    Raises:
        SeedReaderError: a column has none; the message names it.
    """
    fields, columns = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        try:
            arrow = kept_type(field.type)
            _check_values(column)
            whole = column
            if arrow != field.type:
                whole = _cast(column, arrow)
                _check_values(whole)
        except RefusedError as error:
            raise SeedReaderError(f"column '{field.name}' of the seed dataset {where} {error}") from error
        fields.append(field.with_type(arrow))
        columns.append(whole)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def whole_floats(name: str, arrow: pa.DataType) -> pa.Field:
    """A column of floats, of which some were written as whole numbers."""
    return pa.field(name, arrow, metadata={ENCODING: _WHOLE})


def values_of(column: pa.ChunkedArray, field: pa.Field) -> list[object]:
    """A column's values as Python has them; a short float is the shortest decimal that stands for it, as it prints."""
    values = column.to_pylist()
    found: list[object] = values
    if is_json(field):
        found = [None if text is None else json.loads(text) for text in values]
    elif (field.metadata or {}).get(ENCODING) == _WHOLE:
        found = [int(v) if v is not None and abs(v) < _MOST_WHOLE and v.is_integer() else v for v in values]
    elif field.type in _SMALL:
        small = field.type.to_pandas_dtype()
        found = [None if value is None else float(str(small(value))) for value in values]
    return found


def column_of(name: str, values: Sequence[object], array: "pa.Array | None" = None) -> tuple[pa.Field, pa.Array]:
    """A column of values that no schema declares, such that `values_of` gives them back.

    Args:
        name: its name.
        values: what it holds.
        array: what Arrow made of them, where that is known.

    Raises:
        RefusedError: there is none.
    """
    try:
        array = pa.array(values) if array is None else array
    except UnicodeEncodeError as error:
        raise RefusedError(NO_UNICODE) from error
    except (pa.ArrowException, OverflowError):
        array = None
    if array is not None and types.is_floating(array.type):
        return _floats(name, values, array)
    if array is not None and (not makes_alike(array.type) or _is_exact(values, array)):
        return pa.field(name, array.type), array
    numbers = _long_numbers(values) if array is None else None
    return _as_json(name, values) if numbers is None else (pa.field(name, numbers.type), numbers)


def makes_alike(arrow: pa.DataType) -> bool:
    """Whether Arrow may have made values of one kind that were not: absent members, whole numbers, time zones."""
    return bool(types.is_nested(arrow) or types.is_floating(arrow) or getattr(arrow, "tz", None))


def _is_exact(values: Sequence[object], array: pa.Array) -> bool:
    """Whether values come out of an array as they were."""
    try:
        kept_type(array.type)
    except RefusedError:
        return False
    return all(_same(one, other, _IN_JSON_DEPTH) for one, other in zip(values, array.to_pylist(), strict=True))


# --- types -----------------------------------------------------------------------------------------------


def kept_type(arrow: pa.DataType) -> pa.DataType:
    """The type in which values of a type are kept.

    Raises:
        RefusedError: there is none.
    """
    for applies, other in _FORMS:
        if applies(arrow):
            return other(arrow)
    return arrow


def _extension(arrow: pa.BaseExtensionType) -> pa.DataType:
    if arrow.extension_name not in _EXTENSIONS:
        raise RefusedError(f"is of the type {arrow}, which datasets do not hold; cast it to its storage type")
    return _EXTENSIONS[arrow.extension_name] or arrow


def _list(arrow: pa.DataType) -> pa.DataType:
    inner = arrow.value_field.with_type(kept_type(arrow.value_type))
    if types.is_fixed_size_list(arrow):
        return pa.list_(inner, arrow.list_size)
    return pa.large_list(inner) if str(arrow).startswith("large_list") else pa.list_(inner)


def _struct(arrow: pa.StructType) -> pa.DataType:
    fields = [arrow.field(place) for place in range(arrow.num_fields)]
    names = [field.name for field in fields]
    if not fields or len(set(names)) < len(names):
        raise RefusedError(f"is of the type {arrow}, {'with two members of one name' if fields else 'without members'}")
    return pa.struct([field.with_type(kept_type(field.type)) for field in fields])


def _map(arrow: pa.MapType) -> pa.DataType:
    return pa.map_(
        arrow.key_field.with_type(kept_type(arrow.key_type)), arrow.item_field.with_type(kept_type(arrow.item_type))
    )


def _decimal(arrow: pa.DataType) -> pa.DataType:
    if arrow.scale < 0:
        raise RefusedError(f"is of the type {arrow}, which Parquet does not hold; give it a scale of 0")
    return pa.decimal128(arrow.precision, arrow.scale) if arrow.bit_width < 128 else arrow


def _refuse(arrow: pa.DataType) -> pa.DataType:
    raise RefusedError(f"is of the type {arrow}, which Parquet does not hold; cast it to another")


def _is_list(arrow: pa.DataType) -> bool:
    # Views are lists of another layout.
    return str(arrow).startswith(("list", "large_list", "fixed_size_list"))


_FORMS: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]]] = (
    (lambda arrow: isinstance(arrow, pa.BaseExtensionType), _extension),
    (types.is_dictionary, lambda arrow: kept_type(arrow.value_type)),
    (types.is_run_end_encoded, lambda arrow: kept_type(arrow.value_type)),
    (_is_list, _list),
    (types.is_struct, _struct),
    (types.is_map, _map),
    (types.is_decimal, _decimal),
    (types.is_string_view, lambda _: pa.string()),
    (types.is_binary_view, lambda _: pa.binary()),
    # Parquet counts days and milliseconds at least.
    (types.is_date64, lambda _: pa.date32()),
    (lambda arrow: arrow == pa.time32("s"), lambda _: pa.time32("ms")),
    (lambda arrow: types.is_timestamp(arrow) and arrow.unit == "s", lambda arrow: pa.timestamp("ms", arrow.tz)),
    (lambda arrow: types.is_union(arrow) or types.is_interval(arrow), _refuse),
)


# --- values ----------------------------------------------------------------------------------------------


def _cast(column: pa.ChunkedArray, arrow: pa.DataType) -> pa.ChunkedArray:
    try:
        if types.is_run_end_encoded(column.type):
            column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type)
        if "list_view" not in str(column.type):  # Arrow 26 makes lists of views with an offset too few.
            return column.cast(arrow)
    except pa.ArrowInvalid as error:
        raise RefusedError(f"is of the type {column.type}, kept as {arrow}, which loses something: {error}") from error
    except pa.ArrowNotImplementedError:
        pass
    return pa.chunked_array([pa.array(column.to_pylist(), arrow)])


def _check_values(column: pa.ChunkedArray) -> None:
    """Refuse moments and spans that Python has no form for."""
    for leaf in (leaf for chunk in column.chunks for leaf in _leaves(chunk)):
        arrow = leaf.type
        if not types.is_temporal(arrow) or len(leaf) == leaf.null_count:
            continue
        counts = leaf.view(pa.int32() if arrow.bit_width == 32 else pa.int64())
        if (
            arrow == pa.time64("ns")
            and pc.any(pc.not_equal(pc.multiply(pc.divide(counts, 1000), 1000), counts)).as_py()
        ):
            raise RefusedError("holds times of day with nanoseconds, which Python cannot hold; cast it to time64[us]")
        for extreme in pc.min_max(counts).values():
            try:
                leaf[pc.index(counts, extreme).as_py()].as_py()
            except (OverflowError, ValueError) as error:
                raise RefusedError(
                    f"is of the type {arrow} and holds what Python cannot hold: {error}; correct it, or make it text"
                ) from error


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    arrow = array.type
    if types.is_map(arrow):
        parts = [array.keys, array.items]
    elif types.is_struct(arrow):
        parts = array.flatten()
    elif _is_list(arrow):
        parts = [array.flatten()]
    else:
        yield array
        return
    for part in parts:
        yield from _leaves(part)


def _same(one: object, other: object, depth: int) -> bool:
    if not depth:
        return False
    if isinstance(one, np.ndarray | tuple):
        one = list(one)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key], depth - 1) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b, depth - 1) for a, b in zip(one, other, strict=True))
    if other is None:
        return one is None or type(one).__name__ in ("NAType", "NaTType")
    if isinstance(one, datetime) and isinstance(other, datetime) and one.utcoffset() != other.utcoffset():
        return False
    whole = isinstance(one, int | np.integer) == isinstance(other, int)
    return whole and bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


def _floats(name: str, values: Sequence[object], array: pa.Array) -> tuple[pa.Field, pa.Array]:
    if not any(isinstance(value, int | np.integer) for value in values):
        return pa.field(name, array.type), array
    if any(isinstance(value, float) and value.is_integer() for value in values):
        return _as_json(name, values)
    return whole_floats(name, array.type), array


def _long_numbers(values: Sequence[object]) -> pa.Array | None:
    """Numbers of more digits than 64 bits hold."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds <= {int, float, Decimal}:
        return None
    if kinds == {int}:
        try:
            return pa.array(values, pa.uint64())
        except (pa.ArrowException, OverflowError):
            pass
    try:
        exact = [Decimal(repr(value)) if isinstance(value, float) else value for value in values]
        return pa.array([Decimal(value) if isinstance(value, int) else value for value in exact])
    except (pa.ArrowException, ValueError):
        return None


def _as_json(name: str, values: Sequence[object]) -> tuple[pa.Field, pa.Array]:
    try:
        texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        return field_of(name, None), pa.array(texts, pa.string())
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedError(f"holds values of several kinds that cannot be kept: {error}; give it one type") from error
