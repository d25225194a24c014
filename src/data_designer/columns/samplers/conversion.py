"""What `convert_to` makes of a value."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from data_designer.columns.samplers.sampler import Drawn, objects

_LARGEST = math.nextafter(2.0**63, 0)
"""Numbers beyond it become it when converted to `int`, since no integer column is wider than 64 bits."""


def _whole(value: float | str) -> int:
    """Round a number or text; what is written as an integer keeps all its digits."""
    try:
        if isinstance(value, int | str):
            return int(value)
    except ValueError:
        value = float(value)
    if math.isnan(value):
        raise ValueError("nan is no whole number")
    return round(max(-_LARGEST, min(_LARGEST, value)))


CONVERSIONS: Mapping[str, Callable[[float | str], float | str]] = {"int": _whole, "float": float, "str": str}
"""`convert_to` to what it does with a number or text; ValueError where a text is no number."""


def as_text(moments: Drawn, pattern: str | None) -> Drawn:
    """Moments as ISO text, or by a strftime pattern."""
    if pattern is None:
        return np.datetime_as_string(moments, unit="s")
    return objects([moment.strftime(pattern) if moment is not None else "" for moment in moments.tolist()])
