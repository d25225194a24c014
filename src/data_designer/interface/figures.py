"""Numbers as people read them."""

from datetime import UTC, datetime

_BYTES = ("bytes", "kB", "MB", "GB", "TB", "PB")


def count(number: float) -> str:
    """A whole number, its thousands apart."""
    return f"{round(number):,}"


def number(value: float) -> str:
    """A number of any size, in about four digits."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:,.{max(0, 3 - len(str(int(abs(value)))))}f}"
    return f"{value:.3g}"


def short(value: float) -> str:
    """A number as the tick of an axis has room for it."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.3g} {unit}"
    return number(value)


def compact(number: float) -> str:
    """A whole number, in about three digits where it has more than four."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.3g}{unit}"
    return count(number)


def share(part: float, whole: float) -> str:
    """A part in percent; empty where there is no whole."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:.1f} %"


def seconds(time: float) -> str:
    """A time."""
    if time < 0.9995:
        return f"{1000 * time:.0f} ms" if time >= 0.01 or not time else f"{1000 * time:.1f} ms"
    if time < 9.995:
        return f"{time:.2f} s"
    if time < 99.95:
        return f"{time:.1f} s"
    minutes, rest = divmod(round(time), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(time / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(time / 3600), 24)
    return f"{days:,} d {hours} h" if hours else f"{days:,} d"


def usd(amount: float) -> str:
    """A sum of money."""
    if not amount:
        return "$0"
    if amount < 0.0001:
        return "< $0.0001"
    return f"${amount:.4f}" if amount < 1 else f"${amount:,.2f}"


def size(amount: float) -> str:
    """A size in bytes."""
    place = 0
    while amount >= 999.5 and place < len(_BYTES) - 1:
        amount, place = amount / 1000, place + 1
    return f"{amount:.3g} {_BYTES[place]}"


def moment(epoch: float) -> str:
    """A point in time."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M} UTC"
