"""Arrow types of columns that no declaration fixes: from their cells, and so wide that several have room in one.

A column has a type if all its values fit one and come back as they were. Else it is JSON text in a string column whose
field metadata says so; readers here turn it back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Final, TypeAlias, TypeGuard, TypeVar

import numpy as np
import pyarrow as pa

ENCODING: Final = b"data_designer.encoding"
"""Field metadata key that says how values are to be read off a column, where that does not follow from its type."""
_JSON: Final = b"json"

Type: TypeAlias = "pa.DataType | None"
"""Of a column; None for JSON text."""

_T = TypeVar("_T")

_EXACT: Final = 1 << 53
"""Integers up to it are the same as floats."""
_FLOATS: Final = frozenset({pa.float64(), pa.float32()})
_UNFIT: Final = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)


def field_of(name: str, arrow: Type) -> pa.Field:
    """A column of a type."""
    return pa.field(name, pa.string(), metadata={ENCODING: _JSON}) if arrow is None else pa.field(name, arrow)


def type_of(field: pa.Field) -> Type:
    """The type of a column in a file."""
    return None if is_json(field) else field.type


def is_json(field: pa.Field) -> bool:
    """Whether a column holds JSON text that stands for values."""
    return (field.metadata or {}).get(ENCODING) == _JSON


# --- from values -----------------------------------------------------------------------------------------


def inferred(values: Iterable[object]) -> Type:
    """The type that holds all of some cells without loss; null where there is nothing but nulls."""
    present = [value for value in values if value is not None]
    kinds = set(map(type, present))
    if not kinds:
        return pa.null()
    if kinds == {int, float}:
        return pa.float64() if all(abs(v) <= _EXACT for v in present if type(v) is int) else None
    if len(kinds) > 1:
        return None
    plain = _PLAIN.get(kinds.pop())
    return _of_contents(present) if plain is None else plain


_PLAIN: Mapping[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    float: pa.float64(),
    bytes: pa.binary(),
    date: pa.date32(),
    timedelta: pa.duration("us"),
}
"""The types of kinds of values that are all of one type."""


def _of_contents(values: list[object]) -> Type:
    """The type of values of one kind, where it depends on what they are."""
    if _are(values, int):
        return _integers(values)
    if _are(values, dict):
        return _dicts(values)
    if _are(values, list):
        item = inferred(chain.from_iterable(values))
        return None if item is None else pa.list_(item)
    if _are(values, Decimal):
        return _decimals(values)
    if _are(values, datetime):
        zones = {str(pa.scalar(value).type.tz) for value in values}
        return pa.infer_type(values[:1]) if len(zones) == 1 else None
    return pa.time64("us") if _are(values, time) and all(value.tzinfo is None for value in values) else None


def _are(values: list[object], kind: type[_T]) -> TypeGuard[list[_T]]:
    """Whether values, which are of one kind, are of this one."""
    return type(values[0]) is kind


def _integers(values: Sequence[int]) -> Type:
    least, most = min(values), max(values)
    if least >= -(1 << 63) and most < 1 << 63:
        return pa.int64()
    return pa.uint64() if least >= 0 and most < 1 << 64 else None


def _decimals(values: Sequence[Decimal]) -> Type:
    try:
        return pa.infer_type(values)
    except _UNFIT:
        return None


def _dicts(values: Sequence[dict[str, object]]) -> Type:
    names = values[0].keys()
    if not names or any(value.keys() != names for value in values):
        return None  # A struct cannot tell an absent member from a null one.
    members = [(name, inferred(value[name] for value in values)) for name in names]
    return None if any(member is None for _, member in members) else pa.struct(members)


# --- of several columns ----------------------------------------------------------------------------------


def unified(one: Type, other: Type) -> Type:
    """The type that holds what either holds; None where only JSON text does."""
    if one is None or other is None:
        return None
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if is_listed(one) and is_listed(other):
        item = unified(one.value_type, other.value_type)
        return None if item is None else pa.list_(item)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _unified_structs(one, other)
    return _unified_numbers(one, other)


def is_listed(arrow: pa.DataType) -> bool:
    """Whether a type is one of lists, of any length or of one."""
    return bool(pa.types.is_list(arrow) or pa.types.is_fixed_size_list(arrow))


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
    return pa.float64() if numbers & _FLOATS and numbers <= _FLOATS | {pa.int64(), pa.uint64()} else None


# --- whether a value fits --------------------------------------------------------------------------------


def fits(arrow: pa.DataType) -> Callable[[object], bool]:
    """Tells whether a cell fits a type and comes back as it was; None always does. Made once a step."""
    if pa.types.is_string(arrow):
        return lambda value: value is None or type(value) is str
    if pa.types.is_int64(arrow):
        return lambda value: value is None or (type(value) is int and -(1 << 63) <= value < 1 << 63)
    if pa.types.is_float64(arrow):
        return lambda value: value is None or type(value) is float or (type(value) is int and abs(value) <= _EXACT)
    if pa.types.is_boolean(arrow):
        return lambda value: value is None or type(value) is bool
    if is_listed(arrow) and pa.types.is_float32(arrow.value_type):
        size = arrow.list_size if pa.types.is_fixed_size_list(arrow) else None
        return lambda value: (
            value is None or (type(value) is list and size in (None, len(value)) and _are_single(value))
        )
    if pa.types.is_list(arrow):
        item = fits(arrow.value_type)
        return lambda value: value is None or (type(value) is list and all(map(item, value)))
    if pa.types.is_struct(arrow):
        return _fits_struct({member.name: fits(member.type) for member in arrow})
    return lambda value: value is None or unified(arrow, inferred([value])) == arrow


def all_fit(arrow: pa.DataType) -> Callable[[Sequence[object]], bool]:
    """Tells of a whole column what `fits` tells of its cells."""
    fit = fits(arrow)
    sure = {kind for kind, plain in _PLAIN.items() if plain == arrow} | {type(None)}
    return lambda values: sure.issuperset(map(type, values)) or all(map(fit, values))


def _are_single(values: Sequence[object]) -> bool:
    """Whether values are floats that 32 bits hold, looked at together since vectors are long."""
    if not {float}.issuperset(map(type, values)):
        return False
    given = np.array(values)
    with np.errstate(over="ignore"):
        return bool((given.astype(np.float32) == given).all())


def _fits_struct(members: Mapping[str, Callable[[object], bool]]) -> Callable[[object], bool]:
    def holds(value: object) -> bool:
        if value is None:
            return True
        if type(value) is not dict or value.keys() != members.keys():
            return False
        return all(member(value[name]) for name, member in members.items())

    return holds
