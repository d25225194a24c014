"""The Arrow types of sampler columns."""

from collections.abc import Sequence

import pyarrow as pa

from data_designer.columns.samplers.registry import listed, sampler_of
from data_designer.columns.samplers.sampler import Holds
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_params import Scalar

_TEXTS = (Holds.TEXTS, Holds.MOMENTS)
_NUMBERS = {Holds.REALS: pa.float64(), Holds.COUNTS: pa.int64()}
_CONVERTED = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
_PLAIN = {str: pa.string(), bool: pa.bool_(), float: pa.float64()}
_EXACT = 1 << 53
"""Integers up to it have a float of their own."""


def arrow_type(column: SamplerColumnConfig) -> pa.DataType | None:
    """The type of a column; None where its values decide."""
    holds = sampler_of(column).holds
    if holds in _TEXTS:
        return pa.string()
    if column.convert_to in _CONVERTED:
        return _CONVERTED[column.convert_to]
    return _common(listed(column)) if holds is Holds.LISTED else _NUMBERS.get(holds)


def _common(values: Sequence[Scalar]) -> pa.DataType | None:
    """The type that holds all of some values without loss; None where there is none."""
    kinds = set(map(type, values))
    whole = [value for value in values if isinstance(value, int)]
    if kinds == {int, float}:
        return pa.float64() if all(abs(value) <= _EXACT for value in whole) else None
    if kinds == {int}:
        least, most = min(whole), max(whole)
        if least >= -(1 << 63) and most < 1 << 63:
            return pa.int64()
        return pa.uint64() if least >= 0 and most < 1 << 64 else None
    return _PLAIN[kinds.pop()] if len(kinds) == 1 else None
