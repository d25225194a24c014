"""What a compiled function does, whatever it was laid out like, and which names it reads and writes."""

import dis
import functools
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from types import CodeType
from typing import Literal, TypeAlias

_SILENT = frozenset({"EXTENDED_ARG", "NOP", "CACHE"})
_CONSTANT = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_FREE = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_SUPER = "LOAD_SUPER_ATTR"
_ITEM_STORES = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR"})
_ATTRIBUTE_STORES = frozenset({"STORE_ATTR", "DELETE_ATTR"})
_NOT_CODE = frozenset({"__doc__", "__qualname__", "__firstlineno__", "__static_attributes__"})
"""Names of a class or module that are set by the compiler and depend on where the code stands."""
_KIND = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR | CO_VARARGS | CO_VARKEYWORDS

MUTATORS = frozenset(
    {
        *("append", "appendleft", "extend", "extendleft", "insert", "add", "update", "setdefault"),
        *("pop", "popleft", "popitem", "remove", "discard", "clear", "sort", "reverse", "rotate", "subtract"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    }
)
"""Methods by which a container is changed."""

Instruction: TypeAlias = dis.Instruction
Root: TypeAlias = Literal["global", "free", "argument"]


@dataclass(frozen=True, slots=True)
class Read:
    """A name that is read, and the attributes that are read of it one after the other."""

    root: Root
    name: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A name that is bound anew, or something in it that is changed."""

    root: Root
    name: str
    how: Literal["name", "attribute", "item", "method"]
    key: object = None
    """The attribute that is changed, or that holds what is changed; the item, where the code says which."""


@dataclass(frozen=True, slots=True)
class Import:
    """A module that is imported when the code runs."""

    module: str
    level: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uses:
    """What code, and the code inside it, has to do with names outside it."""

    reads: tuple[Read, ...]
    writes: tuple[Write, ...]
    imports: tuple[Import, ...]
    attributes: frozenset[str]
    """Attributes that are read of anything but names outside."""


# --- what it does ----------------------------------------------------------------------------------------------


def canonical(code: CodeType) -> list[object]:
    """Its instructions as plain data: without line numbers, file names, docstrings, and traces of the layout."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    arguments += bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _KIND)
    head = [code.co_name, counts, code.co_varnames[:arguments], code.co_freevars]
    shown = _shown(code)
    places = _Places(shown)
    body = [_plain(code, number, shown, places) for number in range(len(shown))]
    handlers = [(places.of(start), places.of(end), places.of(to), flags) for start, end, to, flags in _handlers(code)]
    return [head, body, handlers]


def _shown(code: CodeType) -> list[Instruction]:
    found = [one for one in dis.get_instructions(code) if one.opname not in _SILENT]
    set_by_compiler = {
        place
        for place, one in enumerate(found)
        if one.opname == "STORE_NAME" and one.argval in _NOT_CODE and found[place - 1].opname in _CONSTANT
    }
    dropped = set_by_compiler | {place - 1 for place in set_by_compiler}
    return [one for place, one in enumerate(found) if place not in dropped]


class _Places:
    """Which instruction, of those that are shown, stands at an offset."""

    def __init__(self, shown: Sequence[Instruction]) -> None:
        self._offsets = [one.offset for one in shown]

    def of(self, offset: int) -> int:
        """The number of the first instruction at or after an offset."""
        return bisect_left(self._offsets, offset)


def _plain(code: CodeType, number: int, shown: Sequence[Instruction], places: _Places) -> tuple[str, object]:
    one = shown[number]
    if _jumps(one):
        return _jump(number, shown, places)
    value = one.argval
    if one.opcode in dis.hasconst and one.arg is not None:
        value = code.co_consts[one.arg]  # That of names of arguments is not resolved by all versions.
        return one.opname, canonical(value) if isinstance(value, CodeType) else value
    return one.opname, value if isinstance(value, str | int) else one.arg


def _jumps(one: Instruction) -> bool:
    return one.opcode in _JUMPS


_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_LEAPS = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP", "JUMP_NO_INTERRUPT"})
_DIRECTIONS = ("_FORWARD", "_BACKWARD", "_NO_INTERRUPT")


def _jump(number: int, shown: Sequence[Instruction], places: _Places) -> tuple[str, int]:
    """A jump, followed on: where it leads to another jump, the compiler joins them or not, as lines are broken."""
    one = shown[number]
    name, to, seen = _undirected(one), places.of(one.argval), {number}
    while to < len(shown) and to not in seen and _jumps(shown[to]):
        seen.add(to)
        joined = _joined(name, _undirected(shown[to]), shown[to].opname in _LEAPS)
        if joined is None:
            break
        name, further = joined
        to = places.of(shown[to].argval) if further else to + 1
    return name, to


def _undirected(one: Instruction) -> str:
    name = one.opname
    for direction in _DIRECTIONS:
        name = name.replace(direction, "")
    return name


def _joined(name: str, then: str, leaps: bool) -> tuple[str, bool] | None:
    """What a jump to another one comes to: its name, and whether it goes where the other goes or past it."""
    if leaps:
        return name, True
    if not name.startswith("JUMP_IF_"):
        return None
    asks = name.removeprefix("JUMP_IF_").removesuffix("_OR_POP")
    if then == name:
        return name, True
    if then == f"POP_JUMP_IF_{asks}":
        return then, True
    other = "FALSE" if asks == "TRUE" else "TRUE"
    return (f"POP_JUMP_IF_{asks}", False) if then in (f"POP_JUMP_IF_{other}", f"JUMP_IF_{other}_OR_POP") else None


def _handlers(code: CodeType) -> Iterator[tuple[int, int, int, int]]:
    """The table of what handles exceptions: from, to, handler, depth and flag; numbers of six bits a byte."""
    numbers: list[int] = []
    value = 0
    for byte in code.co_exceptiontable:
        value = value << 6 | byte & 63
        if not byte & 64:
            numbers.append(value)
            value = 0
    for start, length, to, flags in zip(*[iter(numbers)] * 4, strict=False):
        yield start * 2, (start + length) * 2, to * 2, flags


# --- what it uses ----------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=10_000)
def uses(code: CodeType) -> Uses:
    """The names that code reads and writes."""
    arguments = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    reads: dict[Read, None] = {}
    writes: dict[Write, None] = {}
    imports: dict[Import, None] = {}
    attributes: set[str] = set()
    for one in _inside(code):
        shown = _shown(one)
        free = set(one.co_freevars)
        reads.update(dict.fromkeys(_reads(shown, free)))
        writes.update(dict.fromkeys(_writes(shown, free, arguments)))
        imports.update(dict.fromkeys(_imports(shown)))
        attributes.update(_attributes_of_others(shown, free))
    return Uses(tuple(reads), tuple(writes), tuple(imports), frozenset(attributes))


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inside(constant)


def _root(one: Instruction, free: set[str], arguments: frozenset[str] = frozenset()) -> Root | None:
    if one.opname in _GLOBAL:
        return "global"
    if _loads_local(one) and one.argval in arguments:
        return "argument"
    return "free" if one.opname in _FREE and one.argval in free else None


def _loads_local(one: Instruction) -> bool:
    return one.opname in _FREE or one.opname.startswith("LOAD_FAST")


def _reads(shown: Sequence[Instruction], free: set[str]) -> Iterator[Read]:
    for place, one in enumerate(shown):
        root = _root(one, free)
        if root is not None:
            end = place + 1
            while end < len(shown) and shown[end].opname in _ATTRIBUTE:
                end += 1
            yield Read(root, one.argval, tuple(each.argval for each in shown[place + 1 : end]))


def _attributes_of_others(shown: Sequence[Instruction], free: set[str]) -> Iterator[str]:
    of_name = False
    for one in shown:
        if one.opname in _ATTRIBUTE or one.opname == _SUPER:
            if not of_name:
                yield one.argval
        else:
            of_name = _root(one, free) is not None


def _writes(shown: Sequence[Instruction], free: set[str], arguments: frozenset[str]) -> Iterator[Write]:
    for place, one in enumerate(shown):
        if one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Write("global", one.argval, "name")
        elif one.opname in ("STORE_DEREF", "DELETE_DEREF") and one.argval in free:
            yield Write("free", one.argval, "name")
        elif _changes(one):
            start = _start_of_expression(shown, place)
            root = None if start is None else _root(shown[start], free, arguments)
            if start is not None and root is not None:
                how, key = _what_is_changed(shown, start, place)
                yield Write(root, shown[start].argval, how, key)


def _changes(one: Instruction) -> bool:
    by_method = one.opname in _ATTRIBUTE and one.argval in MUTATORS
    return by_method or one.opname in _ITEM_STORES or one.opname in _ATTRIBUTE_STORES


def _position(one: Instruction) -> tuple[int | None, int | None]:
    where = one.positions
    return (None, None) if where is None else (where.lineno, where.col_offset)


def _start_of_expression(shown: Sequence[Instruction], place: int) -> int | None:
    """Where the name stands that the expression of a change begins with; None where it is changed what a call gave."""
    position = _position(shown[place])
    if None in position:
        return None
    for before in range(place - 1, -1, -1):
        one = shown[before]
        if _position(one) == position:
            if one.opname.startswith("CALL"):
                return None
            if one.opname in _GLOBAL or _loads_local(one):
                return before
    return None


def _what_is_changed(
    shown: Sequence[Instruction], start: int, place: int
) -> tuple[Literal["attribute", "item", "method"], object]:
    """How a change that begins with a name reaches into what the name stands for: by which attribute or item."""
    after, one = shown[start + 1], shown[place]
    if after.opname in _ATTRIBUTE and start + 1 < place:
        return "attribute", after.argval
    if one.opname in _ATTRIBUTE_STORES and (start + 1 == place or after.opname == "COPY"):
        return "attribute", one.argval
    takes = shown[start + 2].opname if after.opname == "LOAD_CONST" else ""
    if takes in _TAKES_ITEM and isinstance(after.argval, str):
        return "item", after.argval
    return ("method" if one.opname in _ATTRIBUTE else "item"), None


_TAKES_ITEM = frozenset({"COPY", "BINARY_SUBSCR", *_ITEM_STORES})


def _imports(shown: Sequence[Instruction]) -> Iterator[Import]:
    for place, one in enumerate(shown):
        if one.opname == "IMPORT_NAME":
            level, names = shown[place - 2].argval, shown[place - 1].argval
            yield Import(one.argval, level if isinstance(level, int) else 0, tuple(names or ()))
