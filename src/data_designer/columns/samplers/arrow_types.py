"""The Arrow types of sampler columns."""

import pyarrow as pa

from data_designer.columns.arrow_types import inferred
from data_designer.columns.samplers.registry import listed, sampler_of
from data_designer.columns.samplers.sampler import Holds
from data_designer.config.column_configs import SamplerColumnConfig

_TEXTS = (Holds.TEXTS, Holds.MOMENTS)
_NUMBERS = {Holds.REALS: pa.float64(), Holds.COUNTS: pa.int64()}
_CONVERTED = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}


def arrow_type(column: SamplerColumnConfig) -> pa.DataType | None:
    """The type of a column; None where its values decide."""
    holds = sampler_of(column).holds
    if holds in _TEXTS:
        return pa.string()
    if column.convert_to in _CONVERTED:
        return _CONVERTED[column.convert_to]
    if holds is not Holds.LISTED:
        return _NUMBERS.get(holds)
    values = listed(column)
    return inferred(values) if values else None
