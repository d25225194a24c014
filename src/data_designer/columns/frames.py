"""DataFrames at the border to users' functions: rows in, rows out, in their places."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def to_frame(columns: Mapping[str, Sequence[object]], rows: int) -> "pd.DataFrame":
    """Make a DataFrame of columns, its rows numbered from zero; so many, also where there is no column."""
    import pandas as pd

    return pd.DataFrame({name: list(values) for name, values in columns.items()}, index=range(rows))


def in_order(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Put rows back to their places if the index still tells which is which, else leave them."""
    places = list(range(len(frame)))
    index = list(frame.index)
    return frame if index == places or sorted(index, key=str) != sorted(places, key=str) else frame.loc[places]


def cells(series: "pd.Series[Any]") -> list[object]:
    """Give a column's values, with None for what pandas marks as missing; NaN among floats stays a number."""
    values: list[object] = series.tolist()
    if series.dtype.kind == "f":
        return values
    missing = series.isna().tolist()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]
