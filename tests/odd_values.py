"""Values that functions, models and seeds may give and hardly anybody expects."""

import datetime as dt
import math
import threading
import uuid
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

HALF = "\ud83d"
"""Half an emoji: no UTF-8 holds it."""


def nested(levels: int) -> Any:
    """A number in so many lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def bomb(levels: int) -> list[Any]:
    """A list that holds another nine times, and so on: small in memory, huge when written."""
    value: list[Any] = ["x"]
    for _ in range(levels):
        value = [value] * 9
    return value


def endless() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


class Colour(Enum):
    """Of a text."""

    RED = "red"


class Kind(StrEnum):
    """That is a text."""

    ONE = "one"


class Level(IntEnum):
    """That is a number."""

    LOW = 1


@dataclass
class Place:
    """A dataclass."""

    name: str
    at: dt.date


class Item(BaseModel):
    """A pydantic model."""

    price: Decimal
    tags: tuple[str, ...] = ()


class Loud(str):
    """A text of a class of its own."""

    __slots__ = ()


class Hostile:
    """An object that raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


Pair = namedtuple("Pair", ["first", "second"])  # noqa: PYI024 - one of a user's own
HOUR = dt.timedelta(hours=1)

KEPT: dict[str, tuple[Any, Any]] = {
    "null": (None, None),
    "text": ("tea", "tea"),
    "no text": ("", ""),
    "emoji": ("\U0001f375", "\U0001f375"),
    "control characters": ("\x00\x1b[31m\u202e", "\x00\x1b[31m\u202e"),
    "a long text": ("x" * 1_000_000, "x" * 1_000_000),
    "text of a class": (Loud("tea"), "tea"),
    "true": (True, True),
    "one": (1, 1),
    "beyond a float": (2**53 + 1, 2**53 + 1),
    "beyond 63 bits": (2**63, 2**63),
    "beyond 64 bits": (10**20, 10**20),
    "below 64 bits": (-(2**63) - 1, -(2**63) - 1),
    "400 digits": (10**400, 10**400),
    "beyond 64 bits in a dict": ({"n": 10**20}, {"n": 10**20}),
    "not a number": (math.nan, math.nan),
    "infinity": (math.inf, math.inf),
    "not a number in a dict": ({"n": math.nan}, {"n": math.nan}),
    "minus infinity in a list": ([-math.inf], [-math.inf]),
    "minus zero": (-0.0, -0.0),
    "decimal": (Decimal("12.30"), Decimal("12.30")),
    "decimal of 60 digits": (Decimal("1." + "1" * 60), Decimal("1." + "1" * 60)),
    "bytes": (b"\x89PNG\xff", b"\x89PNG\xff"),
    "bytes that change": (bytearray(b"a"), b"a"),
    "a view of bytes": (memoryview(b"a"), b"a"),
    "moment": (dt.datetime(2024, 1, 5, 10), dt.datetime(2024, 1, 5, 10)),  # noqa: DTZ001
    "moment of a zone": (dt.datetime(2024, 1, 5, tzinfo=dt.UTC), dt.datetime(2024, 1, 5, tzinfo=dt.UTC)),
    "date": (dt.date(2024, 1, 5), dt.date(2024, 1, 5)),
    "time": (dt.time(10, 30), dt.time(10, 30)),
    "duration": (HOUR, HOUR),
    "integer of numpy": (np.int64(3), 3),
    "float of numpy": (np.float32(0.5), 0.5),
    "boolean of numpy": (np.bool_(True), True),
    "array": (np.array([1, 2]), [1, 2]),
    "array of moments": (np.array(["2024-01-05"], "datetime64[D]"), [dt.datetime(2024, 1, 5)]),  # noqa: DTZ001
    "moment of numpy": (np.datetime64("2024-01-05T10:00:00.000000001", "ns"), dt.datetime(2024, 1, 5, 10)),  # noqa: DTZ001
    "no moment of numpy": (np.datetime64("NaT"), None),
    "moment of pandas": (pd.Timestamp("2024-01-05"), dt.datetime(2024, 1, 5)),  # noqa: DTZ001
    "nanoseconds of pandas": (pd.Timestamp("2024-01-05T00:00:00.000000001"), "2024-01-05T00:00:00.000000001"),
    "duration of pandas": (pd.Timedelta(hours=1), HOUR),
    "no moment": (pd.NaT, None),
    "missing": (pd.NA, None),
    "series": (pd.Series(["a", None]), ["a", None]),
    "set": ({2, 1}, [1, 2]),
    "set of kinds": (frozenset({"b"}), ["b"]),
    "tuple": ((1, "a"), [1, "a"]),
    "named tuple": (Pair(1, 2), [1, 2]),
    "enumeration": (Colour.RED, "red"),
    "enumeration of texts": (Kind.ONE, "one"),
    "enumeration of numbers": (Level.LOW, 1),
    "enumeration as a key": ({Kind.ONE: 1}, {"one": 1}),
    "identifier": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "path": (Path("a/b"), "a/b"),
    "dataclass": (Place("Rome", dt.date(2024, 1, 5)), {"name": "Rome", "at": dt.date(2024, 1, 5)}),
    "model": (Item(price=Decimal("1.5"), tags=("a",)), {"price": Decimal("1.5"), "tags": ["a"]}),
    "keys that are numbers": ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
    "keys that are none": ({None: 1, True: 2}, {"null": 1, "true": 2}),
    "no key": ({"": 1}, {"": 1}),
    "no items": ([], []),
    "no members": ({}, {}),
    "empty ones": ([{}, [], ""], [{}, [], ""]),
    "kinds in a list": ([1, "a", None, {"b": [True]}], [1, "a", None, {"b": [True]}]),
    "190 levels": (nested(190), nested(190)),
}
"""What is given, and what a cell holds then."""

REFUSED: dict[str, Callable[[], Any]] = {
    "two halves of an emoji": lambda: "\ud83c\udf75",
    "half an emoji": lambda: f"tea {HALF}",
    "half an emoji in a list": lambda: [HALF],
    "half an emoji as a key": lambda: {HALF: 1},
    "a lock": threading.Lock,
    "a function": lambda: len,
    "a lambda": lambda: lambda: 1,
    "a class": lambda: Item,
    "a generator": lambda: (n for n in (1, 2)),
    "an object": object,
    "a hostile object": Hostile,
    "a hostile object in a list": lambda: [1, Hostile()],
    "an error": lambda: ValueError("x"),
    "a complex number": lambda: 1j,
    "a fraction": lambda: Fraction(1, 3),
    "no number of decimals": lambda: Decimal("NaN"),
    "a table": lambda: pd.DataFrame({"a": [1]}),
    "a span": lambda: range(3),
    "keys that are lists": lambda: {(1, 2): 3},
    "keys that are the same": lambda: {1: "a", "1": "b"},
    "nanoseconds": lambda: pd.Timedelta(1, "ns"),
    "5000 digits": lambda: 10**5000,
    "210 levels": lambda: nested(210),
    "100,000 levels": lambda: nested(100_000),
    "a bomb": lambda: bomb(12),
    "a list in itself": endless,
}
"""Makers of what no cell holds."""


def same(one: Any, other: Any) -> bool:
    """Whether cells are the same; an integer may be stored as the float that equals it, and NaN is itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    numbers = (int, float)
    alike = type(one) is type(other) or (type(one) in numbers and type(other) in numbers)
    return alike and bool(one == other)
