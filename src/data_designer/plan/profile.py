"""Statistics of a column as receipts hold them: JSON that `engine.dataset.profile` makes and merges."""

import math
from typing import NotRequired, TypedDict


class Moments(TypedDict):
    """Of some numbers."""

    count: float
    mean: float
    m2: float | None
    """Sum of squared distances from the mean; None where no float is so large."""
    min: float
    max: float


class Profile(TypedDict):
    """Of the cells of one column."""

    rows: int
    nulls: int
    arrow_type: str
    smallest_hashes: list[int]
    """Of the distinct values; see `engine.dataset.profile.distinct`."""
    categories: dict[str, int] | None
    """Text to how often it is there, where there are few."""
    characters: Moments | None
    """Of the lengths of texts."""
    numbers: NotRequired[Moments | None]
    """Of values that are all numbers."""
    valid: NotRequired[int]
    """Verdicts that are true."""
    invalid: NotRequired[int]
    """Those that are false; others are none."""
    scores: NotRequired[dict[str, dict[str, int]]]
    """Of judgements: name of a score to each option, as text, to how often it was given."""


def stddev(moments: Moments) -> float | None:
    """The standard deviation of the numbers, as all there are; None where it cannot be told."""
    if moments["m2"] is None:
        return None
    return math.sqrt(moments["m2"] / moments["count"]) if moments["count"] else 0.0
