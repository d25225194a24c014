"""What operators, filters and methods cost at most, told from their arguments before they are carried out.

The unit is a character that is made. See `metering`, which charges for it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from itertools import chain
from types import BuiltinMethodType
from typing import Any, Final

from data_designer.columns.templating.scalar_text import ScalarText, said

MAX_WORK: Final = 1 << 24
"""What a rendering may cost: about 16 million characters, or a million items or steps."""
MAX_BITS: Final = 1 << 14
"""Bits of an integer; Python prints no more than 4300 digits of one."""
MAX_NESTING: Final = 400
"""Levels of lists and dicts inside each other that a template may print, compare or pass on."""
MAX_PRECISION: Final = 400
"""Digits that a number is rounded to; a float has no more than that."""

ITEM: Final = 16
"""An item that is made, or a step of a loop for each node of its body."""
CALL: Final = 4 * ITEM
"""An operator, filter, test or method."""
READ: Final = 4
"""Reading a character costs 1 / 2**4."""
CONTAINERS: tuple[type[Collection[object]], ...] = (
    *(list, tuple, dict, set, frozenset, range),
    *(type({}.keys()), type({}.values()), type({}.items())),
)
_TEXTS = (str, bytes, bytearray)
_REPEATED = (*_TEXTS, list, tuple)
_SIZED: tuple[type[Collection[object]], ...] = (*_TEXTS, *CONTAINERS)

Arguments = tuple[object, ...]
Options = Mapping[str, object]
Estimate = Callable[[object, Arguments, Options], int]
"""Value, arguments and options of a filter or method in, what it costs at most out."""


class LimitExceededError(Exception):
    """A rendering came to a limit."""


def made(value: object) -> int:
    """What a result costs by itself; what its items hold was there before."""
    if isinstance(value, _TEXTS):
        return len(value)
    return ITEM * len(value) if isinstance(value, CONTAINERS) else 0


def size(value: object, shift: int = 0) -> int:
    """What a value costs with all that is in it; more than any budget, without looking on, where it is more.

    Raises:
        LimitExceededError: it is too deep.
    """
    if type(value) is str:
        return ITEM + (len(value) >> shift)
    cost = 0
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting and cost <= MAX_WORK:
        item, depth = waiting.pop()
        cost += 2 * ITEM
        if isinstance(item, _TEXTS):
            cost += len(item) >> shift
        elif isinstance(item, CONTAINERS) and cost + ITEM * len(item) <= MAX_WORK:
            if depth >= MAX_NESTING:
                raise LimitExceededError(f"lists and dicts are nested more than {MAX_NESTING} levels deep")
            inner = chain(item, item.values()) if isinstance(item, dict) else item
            waiting.extend((part, depth + 1) for part in inner)
        elif isinstance(item, CONTAINERS):
            return MAX_WORK + 1
        elif isinstance(item, int):
            cost += item.bit_length() >> READ
    return cost


def _bits(value: object) -> int:
    value = said(value)
    return value.bit_length() if isinstance(value, int) else 0


def _count(value: object) -> int:
    """Give a width, a number of times or the like, 0 where it is none, no more than no budget allows."""
    value = said(value)
    return int(max(0, min(MAX_WORK + 1, value))) if isinstance(value, int | float) else 0


def _length(value: object) -> int:
    return len(value) if isinstance(value, _SIZED) else 0


def _argument(args: Arguments, options: Options, place: int, name: str, default: object = None) -> object:
    return args[place] if len(args) > place else options.get(name, default)


def _bounded_bits(bits: int) -> int:
    if bits > MAX_BITS:
        raise LimitExceededError(f"an integer would have more than {MAX_BITS:,} bits")
    return bits >> 2 if bits > 64 else 0


def _sum(left: object, right: object) -> int:
    if isinstance(left, _REPEATED) and not isinstance(left, ScalarText):
        return made(left) + made(right)
    return _difference(left, right)


def _difference(left: object, right: object) -> int:
    return _bounded_bits(max(_bits(left), _bits(right)))


def _product(left: object, right: object) -> int:
    for value, times in ((said(left), right), (said(right), left)):
        if isinstance(value, _REPEATED):
            return size(value) * _count(times) if isinstance(value, list | tuple) else made(value) * _count(times)
    return _bounded_bits(_bits(left) + _bits(right))


def _power(base: object, exponent: object) -> int:
    exponent = said(exponent)
    return _bounded_bits(_bits(base) * exponent if isinstance(exponent, int) and exponent > 1 else _bits(base))


def _remainder(left: object, right: object) -> int:
    if isinstance(left, _TEXTS) and not isinstance(left, ScalarText):
        return _formatted(left, right if isinstance(right, tuple) else (right,))
    return _difference(left, right)


OPERATORS: Mapping[str, Callable[[object, object], int]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _difference,
    "//": _difference,
    "**": _power,
    "%": _remainder,
}

_WIDTH = re.compile(r"[-+ #0]*(\*|\d*)(?:\.(\*|\d*))?")
_FIELD = re.compile(r"\d+")


def _formatted(text: str | bytes | bytearray, args: Arguments) -> int:
    """What `text % args` costs: every directive has a width, a precision and a value."""
    text = text.decode("latin-1") if isinstance(text, bytes | bytearray) else str(text)
    largest = size(args) + 2 * ITEM
    cost, place = len(text), text.find("%")
    while place >= 0 and cost <= MAX_WORK:
        place += 1
        if text.startswith("(", place):
            place = _closing(text, place)
        match = _WIDTH.match(text, place)
        widths = match.groups() if match else ()
        for width in widths:
            cost += sum(map(_count, args)) if width == "*" else _number(width)
        cost += largest
        place = text.find("%", max(place + 1, match.end() if match else 0))
    return cost


def _closing(text: str, place: int) -> int:
    """The place after a parenthesis that opens at `place`, as Python counts them."""
    depth = 0
    for end in range(place, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return end + 1
    return len(text)


def _number(digits: str | None) -> int:
    return MAX_WORK if digits and len(digits) > 9 else int(digits or 0)


def _format_method(value: object, args: Arguments, options: Options) -> int:
    """What `text.format(...)` costs."""
    text = str(value)
    fields = text.replace("{{", "").replace("}}", "").split("{")[1:]
    sizes = size((*args, *options.values()))
    cost = len(text)
    for field in fields:
        inside, closed, _ = field.partition("}")
        if not closed:
            raise LimitExceededError("a field of `format` takes its width from another one")
        cost += sizes + sum(_number(digits) for digits in _FIELD.findall(inside))
    return cost


def read_all(value: object, args: Arguments, options: Options) -> int:
    """Give what it costs to look at everything once."""
    cost = size(value, READ)
    for arg in args:
        cost += size(arg, READ)
    for arg in options.values():
        cost += size(arg, READ)
    return cost


def _print_all(value: object, args: Arguments, options: Options) -> int:
    return size((value, *args, *options.values()))


def _held(value: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    return read_all((), args, options)


def _look(value: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    return 0


def _each_item(value: object, args: Arguments, options: Options) -> int:
    """What does something with every item, and may look up a path in it."""
    return _length(value) * (ITEM + (_lengths(args, options) >> 1))


def _lengths(args: Arguments, options: Options) -> int:
    """Characters of all arguments that are texts."""
    return sum(len(arg) for arg in (*args, *options.values()) if isinstance(arg, _TEXTS))


def _sorted(value: object, args: Arguments, options: Options) -> int:
    once = read_all(value, args, options)
    return once + (once * _length(value).bit_length() >> 2) + 2 * _each_item(value, args, options)


def _joined(value: object, args: Arguments, options: Options) -> int:
    separators = _length(value) * size(_argument(args, options, 0, "d", ""))
    return size(value) + separators + _each_item(value, args, options)


def _method_joined(text: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    return sum(size(arg) + _length(arg) * _length(text) for arg in args)


def _replaced(value: object, args: Arguments, options: Options) -> int:
    text, old = _printed(value), _printed(_argument(args, options, 0, "old", ""))
    new = _printed(_argument(args, options, 1, "new", ""))
    found: int = text.count(old)
    times = said(_argument(args, options, 2, "count"))
    if isinstance(times, int) and times >= 0:
        found = min(found, times)
    return len(text) + found * len(new)


def _printed(value: object) -> Any:
    """Give a value as it prints, if it may be printed at all."""
    if size(value) > MAX_WORK:
        raise LimitExceededError(f"a value that prints as more than {MAX_WORK:,} characters is taken for a text")
    return value if isinstance(value, bytes | bytearray) else str(value)


def _padded(value: object, args: Arguments, options: Options) -> int:
    return size(value) + _count(_argument(args, options, 0, "width", 80))


def _indented(value: object, args: Arguments, options: Options) -> int:
    width = _argument(args, options, 0, "width", 4)
    lines = 1 + (len(value.splitlines()) if isinstance(value, str) else 0)
    return size(value) + lines * (len(width) if isinstance(width, str) else _count(width))


def _expanded(value: object, args: Arguments, options: Options) -> int:
    tabs = value.count("\t") if isinstance(value, str) else 0
    tabs += value.count(b"\t") if isinstance(value, bytes | bytearray) else 0
    return _length(value) + tabs * _count(_argument(args, options, 0, "tabsize", 8))


def _translated(value: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    return _length(value) * (1 + size(args))


def _filled(value: object, args: Arguments, options: Options) -> int:
    return ITEM * (_length(value) + sum(map(_count, (*args[:1], *options.values()))))


def _by_word(value: object, args: Arguments, options: Options) -> int:
    """What takes the square of a word's length, and repeats an argument for every line or word."""
    text = str(_printed(value))
    longest = max(map(len, text.split()), default=0)
    return len(text) + (len(text) * longest >> 6) + len(text) * _lengths(args, options)


def _any_of(value: object, args: Arguments, options: Options) -> int:
    """What looks for each character in a text."""
    return read_all(value, args, options) + (_length(value) * _lengths(args, options) >> 8)


def _from_behind(value: object, args: Arguments, options: Options) -> int:
    """What looks for a text at each place, since Python is quick only from the front."""
    return read_all(value, args, options) + (_length(value) * _lengths(args, options) >> 5)


def _words(value: object, args: Arguments, options: Options) -> int:
    return read_all(value, args, options) + ITEM * _length(value) // 2


def _by_tag(value: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    text = str(_printed(value))
    return len(text) + (len(text) * text.count("<") >> 8)


def _encoded(value: object, args: Arguments, options: Options) -> int:
    name = str(_argument(args, options, 0, "encoding", "utf-8")).lower().replace("_", "-")
    quick = (
        _lengths(args[1:], {}) == 0
        and "errors" not in options
        and name in {"utf-8", "utf8", "ascii", "latin-1", "utf-16", "utf-32"}
    )
    # Others may take the square of the length.
    return 4 * _length(value) if quick else _length(value) ** 2 << 4


def _bytes_of(value: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    return _count(_argument(args, options, 0, "length", 1))


def _rounded(value: object, args: Arguments, options: Options) -> int:  # noqa: ARG001 - an estimate
    precision = said(_argument(args, options, 0, "precision", 0))
    if isinstance(precision, int | float) and _count(abs(precision)) > MAX_PRECISION:
        raise LimitExceededError(f"a number is rounded to more than {MAX_PRECISION} digits")
    return ITEM


def _dumped(value: object, args: Arguments, options: Options) -> int:
    indent = _count(_argument(args, options, 0, "indent", 0))
    return size(value) * (1 + indent)


def _pretty(value: object, args: Arguments, options: Options) -> int:
    return 16 * _print_all(value, args, options)


def _added(value: object, args: Arguments, options: Options) -> int:
    start = _argument(args, options, 1, "start", 0)
    once = size(value)
    if isinstance(start, int | float):
        return once + _each_item(value, args, options)
    return once * max(1, _length(value)) + size(start)


def _paragraphs(args: Arguments, options: Options) -> int:
    most = max(_count(_argument(args, options, 2, "min", 20)), _count(_argument(args, options, 3, "max", 100)))
    return 64 * _count(_argument(args, options, 0, "n", 5)) * most


FILTERS: Mapping[str, Estimate] = {
    **dict.fromkeys(("length", "count", "first", "last", "random", "default", "d", "attr"), _look),
    **dict.fromkeys(("safe", "int", "float"), _look),
    **dict.fromkeys(("list", "items", "reverse", "map", "select", "reject", "selectattr", "rejectattr"), _each_item),
    **dict.fromkeys(("sort", "dictsort", "groupby", "unique", "min", "max"), _sorted),
    **dict.fromkeys(("string", "escape", "e", "forceescape", "urlencode", "xmlattr", "truncate"), _print_all),
    **dict.fromkeys(("batch", "slice"), _filled),
    **dict.fromkeys(("wordwrap", "urlize"), _by_word),
    "striptags": _by_tag,
    "trim": _any_of,
    "wordcount": _words,
    "center": _padded,
    "format": lambda value, args, options: _formatted(_printed(value), (*args, *options.values())),
    "indent": _indented,
    "join": _joined,
    "pprint": _pretty,
    "replace": _replaced,
    "round": _rounded,
    "sum": _added,
    "tojson": _dumped,
}
"""What is not here reads its arguments once."""

_METHODS: Mapping[str, Estimate] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _padded),
    **dict.fromkeys(("encode", "decode"), _encoded),
    "striptags": _by_tag,
    **dict.fromkeys(("append", "extend", "get", "insert", "pop", "setdefault", "update"), _held),
    **dict.fromkeys(("items", "keys", "values"), _look),
    **dict.fromkeys(("strip", "lstrip", "rstrip"), _any_of),
    **dict.fromkeys(("rfind", "rindex", "rsplit", "rpartition"), _from_behind),
    "expandtabs": _expanded,
    "format": _format_method,
    "format_map": _format_method,
    "join": _method_joined,
    "replace": _replaced,
    "sort": _sorted,
    "to_bytes": _bytes_of,
    "translate": _translated,
}
_OWNERS = (*_TEXTS, list, tuple, dict, int, float)


def call_cost(called: object, args: Arguments, options: Options) -> tuple[str, int]:
    """Name what is called, and what that costs at most."""
    # Jinja wraps `format`.
    method = called if type(called) is BuiltinMethodType else getattr(called, "__wrapped__", called)
    name = str(getattr(method, "__name__", "call"))
    owner = getattr(method, "__self__", None)
    if isinstance(owner, _OWNERS):
        return name, _METHODS.get(name, read_all)(owner, args, options)
    if name == "generate_lorem_ipsum":
        return "lipsum", _paragraphs(args, options)
    return name, size((*args, *options.values()), READ)
