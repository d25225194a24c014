"""How numbers are distributed, in memory that does not grow with how many there are: a sketch that adds up.

Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", 2019.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ddsketch.ddsketch import BaseDDSketch
from ddsketch.mapping import LogarithmicMapping
from ddsketch.store import CollapsingLowestDenseStore

_ACCURACY = 0.02
"""Relative: a quantile is off by so much at most."""
_MOST_BINS = 1024
"""Of 4 % width each: seventeen powers of ten. Where numbers lie further apart, the smallest share a bin."""
_MAPPING = LogarithmicMapping(_ACCURACY)
_LOG_WIDTH = math.log((1 + _ACCURACY) / (1 - _ACCURACY))


class Distribution:
    """Numbers of zero or more, such as seconds or tokens. What is added later changes it; `+` gives another."""

    __slots__ = ("_sketch", "_store", "largest", "smallest", "sum")

    def __init__(self, numbers: Iterable[float] = ()) -> None:
        self._store = CollapsingLowestDenseStore(_MOST_BINS)
        nothing_below_zero = CollapsingLowestDenseStore(1)
        self._sketch = BaseDDSketch(_MAPPING, self._store, nothing_below_zero, 0.0)
        self.sum = 0.0
        self.smallest = float("inf")
        self.largest = float("-inf")
        for number in numbers:
            self.add(number)

    def __repr__(self) -> str:
        if not self.count:
            return "Distribution()"
        return f"Distribution(count={self.count}, mean={self.mean:.3g}, median={self.quantile(0.5):.3g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, number: float) -> None:
        """Take a number in; one below zero counts as zero."""
        self._sketch.add(max(number, 0.0))
        self.sum += number
        self.smallest, self.largest = min(self.smallest, number), max(self.largest, number)

    def extend(self, numbers: "Sequence[float] | npt.NDArray[np.float64]") -> None:
        """Take many numbers in, for a fraction of what they would cost one by one."""
        many = np.maximum(np.asarray(numbers, dtype=np.float64), 0.0)
        if not len(many):
            return
        positive = many[many > _MAPPING.min_possible]
        keys, counts = np.unique(np.ceil(np.log(positive) / _LOG_WIDTH).astype(np.int64), return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            self._sketch.add(_MAPPING.value(key), float(count))
        if len(positive) < len(many):
            self._sketch.add(0.0, float(len(many) - len(positive)))
        self.sum += float(many.sum())
        self.smallest = min(self.smallest, float(many.min()))
        self.largest = max(self.largest, float(many.max()))

    def __add__(self, other: "Distribution") -> "Distribution":
        both = Distribution()
        for one in (self, other):
            both._sketch.merge(one._sketch)
            both.sum += one.sum
            both.smallest, both.largest = min(both.smallest, one.smallest), max(both.largest, one.largest)
        return both

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._sketch.count)

    @property
    def mean(self) -> float:
        """Their mean; 0 where there are none."""
        return self.sum / self.count if self.count else 0.0

    def quantile(self, part: float) -> float:
        """The number below which a part, from 0 to 1, of them lies; 0 where there are none."""
        found = self._sketch.get_quantile_value(part)
        return 0.0 if found is None else min(max(float(found), self.smallest), self.largest)

    def bins(self) -> list[tuple[float, float, int]]:
        """Lower end, upper end and count of each stretch that has any, in order."""
        zeros = self.count - int(self._store.count)
        found = [(0.0, 0.0, zeros)] if zeros else []
        found += [(self._edge(key - 1), self._edge(key), count) for key, count in self._counts().items()]
        return found

    def _edge(self, key: int) -> float:
        return float(((1 + _ACCURACY) / (1 - _ACCURACY)) ** key)

    def _counts(self) -> dict[int, int]:
        return {self._store.offset + place: int(count) for place, count in enumerate(self._store.bins) if count}

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        if not self.count:
            return {}
        return {
            "bins": [[key, count] for key, count in self._counts().items()],
            "zeros": self.count - int(self._store.count),
            "sum": self.sum,
            "smallest": self.smallest,
            "largest": self.largest,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Distribution":
        """From JSON data. Raises KeyError, TypeError or ValueError where it is none of this."""
        made = cls()
        if data:
            for key, count in data["bins"]:
                made._sketch.add(_MAPPING.value(key), float(count))
            if data["zeros"]:
                made._sketch.add(0.0, float(data["zeros"]))
            made.sum, made.smallest, made.largest = data["sum"], data["smallest"], data["largest"]
        return made
