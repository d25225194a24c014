"""Plots as geometry: what a template draws as inline SVG.

Shapes lie in a box of `WIDTH` times `HEIGHT` that is stretched to its place; ticks are in percent of an axis, so that
their texts are not stretched with it.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from data_designer.interface.figures import short

WIDTH, HEIGHT = 1000, 100
_MOST_BARS = 48
_APART = 26
"""Percent of an axis between the texts of two ticks."""
_BETWEEN_MARKS = 12
_NICE = (1, 2, 5, 10)
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Seconds between ticks."""

Bins = Sequence[tuple[float, float, float]]
"""Lower end, upper end and count of stretches, in order."""
Written = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    """Percent, from the left or from the top."""
    label: str

    @property
    def anchor(self) -> str:
        """Which end of its text is at the mark, so that none leaves the plot."""
        return "start" if self.at < 6 else "end" if self.at > 94 else "middle"


@dataclass(frozen=True, slots=True)
class Shape:
    """An area of one kind."""

    path: str
    kind: str
    """Its class in the style sheet."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """Areas, and the marks of their axes."""

    label: str
    """What is to be seen, for who cannot see it."""
    shapes: tuple[Shape, ...]
    x: tuple[Tick, ...] = ()
    y: tuple[Tick, ...] = ()
    marks: tuple[Tick, ...] = ()
    """Lines from top to bottom, each with its name."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is stacked on what was before."""

    kind: str
    label: str
    values: Sequence[float]


def stacked(label: str, edges: Sequence[float], series: Sequence[Series], most: float, x: tuple[Tick, ...]) -> Plot:
    """Areas on top of each other that change in steps.

    Args:
        label: of the plot.
        edges: where the steps begin, and where the last one ends.
        series: a value a step each.
        most: the upper end of the axis.
        x: ticks of the other axis.
    """
    below = [0.0] * (len(edges) - 1)
    shapes = []
    for one in series:
        above = [low + value for low, value in zip(below, one.values, strict=True)]
        if any(one.values):
            shapes.append(Shape(_band(edges, below, above, most), one.kind, one.label))
        below = above
    return Plot(label, tuple(shapes), x, value_ticks(most))


def _band(edges: Sequence[float], below: Sequence[float], above: Sequence[float], most: float) -> str:
    first, span = edges[0], (edges[-1] - edges[0]) or 1.0
    across = [_short(WIDTH * (edge - first) / span) for edge in edges]
    upper = [_short(HEIGHT * (1 - min(value / most, 1.0))) if most else _short(HEIGHT) for value in above]
    lower = [_short(HEIGHT * (1 - min(value / most, 1.0))) if most else _short(HEIGHT) for value in below]
    there = "".join(f"V{high}H{right}" for high, right in zip(upper, across[1:], strict=True))
    back = "".join(f"V{low}H{left}" for low, left in zip(reversed(lower), reversed(across[:-1]), strict=True))
    return f"M{across[0]} {lower[0]}{there}{back}Z"


def histogram(label: str, bins: Bins, written: Written = short, marks: Mapping[str, float] | None = None) -> Plot:
    """Bars of counts along a linear axis."""
    low, high = bins[0][0], bins[-1][1]
    span = (high - low) or 1.0
    return _bars(
        label,
        [((start - low) / span, (stop - low) / span, number) for start, stop, number in bins],
        tuple(Tick(_percent((at - low) / span), _written(at, written)) for at in _nice_between(low, high)),
        tuple(Tick(_percent((at - low) / span), name) for name, at in (marks or {}).items() if low <= at <= high),
    )


def log_histogram(label: str, bins: Bins, written: Written, marks: Mapping[str, float]) -> Plot:
    """Bars of counts along an axis of powers; what is zero is left out."""
    bins = [one for one in bins if one[0] > 0]
    if not bins:
        return Plot(label, ())
    low, high = bins[0][0], bins[-1][1]
    if high < low * 1.5:
        low, high = low / 1.25, high * 1.25
    first, span = math.log(low), math.log(high) - math.log(low)

    def place(at: float) -> float:
        return (math.log(at) - first) / span

    width = 1 / _MOST_BARS
    counts = [0.0] * _MOST_BARS
    for start, stop, number in bins:
        _spread(counts, place(start) / width, place(stop) / width, number)
    return _bars(
        label,
        [(one * width, (one + 1) * width, number) for one, number in enumerate(counts)],
        _apart(Tick(_percent(place(at)), _written(at, written)) for at in _powers(low, high)),
        _apart((Tick(_percent(place(at)), name) for name, at in marks.items() if low <= at <= high), _BETWEEN_MARKS),
    )


def _spread(counts: list[float], start: float, stop: float, number: float) -> None:
    """Share a count out among the bars that its stretch lies under."""
    stop = max(stop, start + 1e-9)
    for bar in range(max(0, int(start)), min(len(counts), math.ceil(stop))):
        counts[bar] += number * max(0.0, min(stop, bar + 1) - max(start, bar)) / (stop - start)


def _bars(label: str, bars: Sequence[tuple[float, float, float]], x: tuple[Tick, ...], marks: tuple[Tick, ...]) -> Plot:
    most = max((number for *_, number in bars), default=0.0) or 1.0
    path = "".join(
        f"M{_short(WIDTH * start)} {HEIGHT}V{_short(HEIGHT * (1 - number / most))}H{_short(WIDTH * stop)}V{HEIGHT}Z"
        for start, stop, number in bars
        if number
    )
    return Plot(label, (Shape(path, "bar", ""),), x, (), marks)


def equal_bins(numbers: Sequence[float]) -> Bins:
    """Numbers counted in stretches of one width; of whole numbers, none is cut. Not for an empty list."""
    low, high = min(numbers), max(numbers)
    most = min(32, math.ceil(2 * len(numbers) ** 0.5))
    if high - low <= abs(low) * 1e-12 + 1e-300:
        return [(low - 0.5, high + 0.5, float(len(numbers)))]
    if all(number == int(number) for number in (low, high)) and all(number == int(number) for number in numbers):
        width = math.ceil((high - low + 1) / most)
        low, high = low - 0.5, low - 0.5 + width * math.ceil((high - low + 1) / width)
    else:
        width = (high - low) / most
    counts = [0] * max(1, round((high - low) / width))
    for number in numbers:
        counts[min(int((number - low) / width), len(counts) - 1)] += 1
    return [(low + place * width, low + (place + 1) * width, float(many)) for place, many in enumerate(counts)]


# --- ticks -----------------------------------------------------------------------------------------------


def value_ticks(most: float) -> tuple[Tick, ...]:
    """Marks up an axis that begins at zero."""
    return tuple(Tick(_percent(1 - at / most), short(at)) for at in _nice_between(0.0, most, 3)) if most else ()


def whole_ticks(most: int) -> tuple[Tick, ...]:
    """Marks up an axis of things that are counted: none, half of them, all."""
    some = (0, most // 2, most) if most % 2 == 0 else (0, most)
    return tuple(Tick(_percent(1 - at / most), short(at)) for at in some) if most else ()


def time_ticks(whole: float, written: Written) -> tuple[Tick, ...]:
    """Marks along a time of so many seconds."""
    if whole <= 0:
        return ()
    if whole < 4:
        return tuple(Tick(_percent(at / whole), _written(at, written)) for at in _nice_between(0.0, whole, 4))
    step = next((step for step in _TIMES if whole / step <= 5), math.ceil(whole / 5 / 86400) * 86400)
    marks = (at * step for at in range(int(whole / step) + 1))
    return tuple(Tick(_percent(at / whole), _written(at, written)) for at in marks)


def count_ticks(first: int, last: int, written: Written) -> tuple[Tick, ...]:
    """Marks along things that are numbered, from the first to the last."""
    span = (last - first) or 1
    return tuple(
        Tick(_percent((at - first) / span), written(at)) for at in _nice_between(first, last, 5) if at == int(at)
    )


def _nice_between(low: float, high: float, most: int = 4) -> list[float]:
    if high <= low or not math.isfinite(high - low):
        return [low] if math.isfinite(low) else []
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor for factor in _NICE if factor * power >= rough * 0.999) * power
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    factors = (1, 2, 5) if high / low < 60 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [at for at in found if low <= at <= high]


def _apart(ticks: Iterable[Tick], space: float = _APART) -> tuple[Tick, ...]:
    """Those that have room for their texts beside each other."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= space:
            kept.append(tick)
    return tuple(kept)


def _written(at: float, written: Written) -> str:
    """A number without zeros that say nothing: `1 s` for `1.00 s`."""
    return re.sub(r"\.0+(?= |$)", "", written(at)) if at else "0"


def _percent(part: float) -> float:
    return round(100 * part, 2)


def _short(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
