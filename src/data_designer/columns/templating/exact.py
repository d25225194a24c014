"""Numbers that print all their digits, and calculate with whatever other numbers a template has."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any, Final

import numpy as np

_MICROSECOND = timedelta(microseconds=1)
_NANOSECONDS = {
    "W": 604_800 * 10**9,
    "D": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}


_DIGITS: Final = 2 * 76 + 8
"""Of what is calculated: as many as a product of the longest decimals of Arrow has, and some to spare."""
_QUOTIENT: Final = 28
"""Of what may have no end."""
_ENDLESS: Final = frozenset({"__truediv__", "__rtruediv__", "__pow__", "__rpow__"})


class Exact(Decimal):
    """A decimal number that prints as it stands in its source, without exponent, and takes floats as they print."""

    __slots__ = ()

    def __str__(self) -> str:
        return format(Decimal(self), "f")

    __repr__ = __str__

    def __format__(self, specifier: str, /) -> str:  # type: ignore[override]
        return Decimal.__format__(self, specifier or "f")

    def __round__(self, ndigits: int | None = None) -> Any:
        return _exact(round(Decimal(self), ndigits))

    def __reduce__(self) -> tuple[type["Exact"], tuple[str]]:
        return Exact, (str(self),)


def _exact(value: object) -> object:
    return Exact(value) if isinstance(value, Decimal) else value


def _with_floats(name: str) -> Callable[..., object]:
    plain = getattr(Decimal, name)
    digits = _QUOTIENT if name in _ENDLESS else _DIGITS

    def operate(self: Exact, *others: object) -> object:
        with localcontext(prec=digits):
            return _exact(plain(self, *(Decimal(repr(one)) if isinstance(one, float) else one for one in others)))

    operate.__name__ = name
    return operate


for _operator in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    for _name in (f"__{_operator}__", f"__r{_operator}__"):
        setattr(Exact, _name, _with_floats(_name))
for _name in ("__neg__", "__pos__", "__abs__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
    setattr(Exact, _name, _with_floats(_name))
Exact.__hash__ = Decimal.__hash__  # type: ignore[method-assign]


def seconds(span: timedelta) -> float | Exact:
    """A span of time in seconds: a float where that is exact, as it nearly always is.

    Spans of pandas have nanoseconds.
    """
    return _seconds(span // _MICROSECOND * 1000 + getattr(span, "nanoseconds", 0))


def numpy_seconds(span: "np.timedelta64") -> float | Exact | str:
    """The same of numpy; months and years are of no certain length, and stay text."""
    unit, count = np.datetime_data(span.dtype)
    amount = int(span.astype(np.int64))
    return _seconds(amount * count * _NANOSECONDS[unit]) if unit in _NANOSECONDS else str(span)


def _seconds(nanoseconds: int) -> float | Exact:
    whole, rest = divmod(abs(nanoseconds), 10**9)
    exact = Decimal(f"{'-' if nanoseconds < 0 else ''}{whole}.{rest:09d}".rstrip("0"))
    rough = nanoseconds / 10**9
    return rough if Decimal(repr(rough)) == exact else Exact(exact)
