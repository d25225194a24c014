"""Which numbers one would believe of a property, told by its name."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.vocabulary import words_of

Shape = Literal["even", "middle", "low", "high"]
"""Which of the numbers of a range are the likelier ones."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The numbers of a property."""

    low: Fraction
    high: Fraction
    shape: Shape = "even"
    decimals: int = 1
    """Of those that are no whole numbers."""
    is_scale: bool = False
    """Whether a schema that says from where to where knows better."""


def drawn(rng: SeededRng, count: int, shape: Shape) -> int:
    """One of so many places, from 0."""
    first = rng.below(count)
    if shape == "even":
        return first
    second = rng.below(count)
    return {"middle": (first + second) // 2, "low": min(first, second), "high": max(first, second)}[shape]


ANY = Usual(Fraction(0), Fraction(0))
"""Of a property of which the name says nothing: what the schema allows."""


def _usual(low: float, high: float, shape: Shape = "even", decimals: int = 1) -> Usual:
    return Usual(Fraction(str(low)), Fraction(str(high)), shape, decimals)


_SCALE = Usual(Fraction(1), Fraction(5), "high", is_scale=True)
_MIDDLING = Usual(Fraction(1), Fraction(5), "middle", is_scale=True)
_USUAL: dict[str, Usual] = {
    **dict.fromkeys(("price", "cost", "fee", "amount", "total", "subtotal"), _usual(4, 400, "low", 2)),
    **dict.fromkeys(("salary", "income", "budget", "revenue"), _usual(28_000, 160_000, "low", 0)),
    **dict.fromkeys(("rating", "star", "score", "grade", "quality", "satisfaction"), _SCALE),
    **dict.fromkeys(
        ("level", "difficulty", "priority", "severity"), Usual(Fraction(1), Fraction(5), "middle", 0, True)
    ),
    **dict.fromkeys(("percent", "percentage"), _usual(0, 100, "middle")),
    "discount": _usual(5, 50, "low"),
    **dict.fromkeys(("probability", "confidence", "certainty", "similarity"), _usual(0, 1, "high", 2)),
    **dict.fromkeys(("ratio", "share", "fraction", "likelihood"), _usual(0, 1, "middle", 2)),
    "age": _usual(18, 85, "middle", 0),
    "year": _usual(1985, 2025, "high", 0),
    "month": _usual(1, 12, "even", 0),
    "day": _usual(1, 28, "even", 0),
    "hour": _usual(0, 23, "middle", 0),
    **dict.fromkeys(("minute", "second"), _usual(0, 59, "even", 0)),
    "duration": _usual(5, 180, "low", 0),
    **dict.fromkeys(("count", "quantity", "number", "stock", "unit", "item"), _usual(1, 40, "low", 0)),
    **dict.fromkeys(("view", "like", "vote", "follower", "download", "visit"), _usual(0, 20_000, "low", 0)),
    "population": _usual(2_000, 4_000_000, "low", 0),
    "weight": _usual(1, 90, "low"),
    "height": _usual(20, 200, "middle"),
    **dict.fromkeys(("width", "length", "depth"), _usual(5, 120, "middle")),
    "distance": _usual(1, 300, "low"),
    "temperature": _usual(-5, 35, "middle"),
    "latitude": _usual(-60, 70, "middle", 4),
    "longitude": _usual(-180, 180, "even", 4),
    "id": _usual(1, 9999, "even", 0),
    **dict.fromkeys(("zip", "postcode"), _usual(10_000, 99_999, "even", 0)),
}


@lru_cache(maxsize=4096)
def usual(name: str) -> Usual:
    """The numbers of a property of this name."""
    words = words_of(name)
    return next((_USUAL[word] for word in reversed(words) if word in _USUAL), ANY)
