"""The Arrow type that values have, where one holds them all and gives them back as they were."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, Final, TypeAlias

import pyarrow as pa

Type: TypeAlias = "pa.DataType | None"
"""Of a column; None for JSON text."""

EXACT: Final = 1 << 53
"""Integers up to it are the same as floats."""
_UNFIT: Final = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)


def text(_: object) -> pa.DataType:
    """The type of columns that are text whatever they declare."""
    return pa.string()


def inferred(values: Iterable[object]) -> Type:
    """The type that holds all of some cells without loss; null where there is nothing but nulls."""
    present = [value for value in values if value is not None]
    kinds = set(map(type, present))
    if not kinds:
        return pa.null()
    if kinds == {int, float}:
        return pa.float64() if all(abs(v) <= EXACT for v in present if type(v) is int) else None
    if len(kinds) > 1:
        return None
    infer = _BY_KIND.get(kinds.pop())
    return None if infer is None else infer(present)


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


def _datetimes(values: Sequence[datetime]) -> Type:
    zones = {str(pa.scalar(value).type.tz) for value in values}
    return pa.infer_type(values[:1]) if len(zones) == 1 else None


def _times(values: Sequence[time]) -> Type:
    return pa.time64("us") if all(value.tzinfo is None for value in values) else None


def _lists(values: Sequence[list[object]]) -> Type:
    item = inferred(chain.from_iterable(values))
    return None if item is None else pa.list_(item)


def _dicts(values: Sequence[dict[str, object]]) -> Type:
    names = values[0].keys()
    if not names or any(value.keys() != names for value in values):
        return None  # A struct cannot tell an absent member from a null one.
    members = [(name, inferred(value[name] for value in values)) for name in names]
    return None if any(member is None for _, member in members) else pa.struct(members)


_BY_KIND: Mapping[type, Callable[[Any], Type]] = {
    str: lambda _: pa.string(),
    bool: lambda _: pa.bool_(),
    int: _integers,
    float: lambda _: pa.float64(),
    bytes: lambda _: pa.binary(),
    Decimal: _decimals,
    date: lambda _: pa.date32(),
    datetime: _datetimes,
    time: _times,
    timedelta: lambda _: pa.duration("us"),
    list: _lists,
    dict: _dicts,
}
