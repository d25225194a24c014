"""Digests of objects: of functions and classes by what they do, of what they hold by its content."""

import enum
import functools
import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Protocol, get_args, get_origin

from data_designer.plan.bytecode import canonical
from data_designer.plan.contents import constant, is_a, items_of, node, plain, scalar, standard, text
from data_designer.plan.ownership import ENGINE, package_of

_DEEPEST = 60
"""Objects inside objects; deeper ones count by their kind."""
_MOST_ITEMS = 500_000
"""Objects that are looked into for a column; further ones count by their kind and number."""

_DECORATION = frozenset({"__wrapped__", "custom_column_metadata"})
"""Attributes of functions that decorators leave, which count otherwise."""
_CONSTRUCTORS = frozenset(
    ["__init__", "__post_init__", "__init_subclass__", "__set_name__", "__setstate__", "model_post_init"]
)
"""Methods that set an object up: what they write is what it is."""
_WRITERS = frozenset(["__setattr__", "__setitem__", "__delattr__", "__delitem__"])
"""Methods that run only where something is written into an object."""
_DECLARED = (
    *("name", "annotation", "type", "default", "default_factory", "init", "kw_only", "frozen", "metadata"),
    *("alias", "validation_alias", "discriminator", "validator", "converter"),
)
"""What a field of a dataclass, of pydantic or of attrs declares."""
_DATA = (dict, list, tuple, set, frozenset)
_FACTORY: MemberDescriptorType = vars(defaultdict)["default_factory"]
_OF_ATTRS = "<attrs generated"
"""The beginning of the file names of methods that attrs writes: they hold hashes, which differ between processes."""
_INTERNED = frozenset(["re", "datetime", "decimal", "pathlib", "uuid", "zoneinfo"])
"""Modules whose values may be one object or several, by what Python happened to remember."""
_SPACES = ("types.SimpleNamespace", "argparse.Namespace")
"""Classes whose objects hold what anybody put there."""
_FIELDS = ("__dataclass_fields__", "__pydantic_fields__", "__private_attributes__", "__attrs_attrs__")
_HELD: dict[type, tuple[str, ...]] = {
    property: ("fget", "fset", "fdel"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    functools.cached_property: ("func",),
    functools.singledispatchmethod: ("dispatcher",),
    type(functools.lru_cache(lambda: None)): ("__wrapped__",),
}
"""Attributes of what Python makes of functions."""


@dataclass(slots=True)
class Changes:
    """What code changes while it runs: that is no part of what it is made of."""

    names: set[object] = field(default_factory=set)
    """Cells by identity, and names with the identity of the namespace they are in."""
    inside: set[tuple[int, object]] = field(default_factory=set)
    """Identity of an object or of its class, and the attribute or item; None for all that is in it."""
    called: set[str] = field(default_factory=set)
    """Attributes that it reads of anything: methods of these names run."""

    def touch(self, owner: object, key: object = None) -> bool:
        """Whether code changes something in an object, or all of it."""
        return (id(owner), key) in self.inside


class Walk(Protocol):
    """What is to be done about functions and modules that an object leads to."""

    def owns(self, names: Mapping[str, object]) -> bool:
        """Whether a namespace is of the code that is looked into."""

    def owns_class(self, cls: type) -> bool:
        """Whether a class is of the code that is looked into."""

    def owns_module(self, module: ModuleType) -> bool:
        """Whether a module is of the code that is looked into."""

    def use(self, function: FunctionType, owner: type | None, *, running: bool) -> None:
        """Follow what a function uses."""

    def refer(self, cls: type) -> str:
        """What a class is called, which is described once, by itself."""

    def enter(self, module: ModuleType) -> None:
        """Follow all that is in a module."""

    def meet(self, package: str) -> None:
        """Take note of a package that is not looked into."""


class Objects:
    """Describes objects that are reached from one place; each of them once."""

    def __init__(self, walk: Walk, changes: Changes, budget: "Budget") -> None:
        self._walk, self._changes, self._budget = walk, changes, budget
        self._seen: dict[int, tuple[int, object]] = {}
        self._depth = 0
        self.plain = True
        """Whether everything so far was data: neither functions nor classes, nor what they have made."""
        self._method_of: tuple[type | None, bool] = None, True
        """The class whose entry is described, and whether that one runs."""

    def describe(self, value: object) -> bytes:
        """A digest of a value. No code of the user is run for it."""
        simple = scalar(value)
        if simple is not None:
            return simple
        if type(value) not in (tuple, frozenset) and type(value).__module__ not in _INTERNED:
            if id(value) in self._seen:
                return node("again", str(self._seen[id(value)][0]).encode())
            # Kept, since an identity is only its owner's while it lives.
            self._seen[id(value)] = len(self._seen), value
        if self._depth >= _DEEPEST:
            return node("deep", self._name(type(value)))
        self._depth += 1
        try:
            return self._described(value)
        finally:
            self._depth -= 1

    def holds(self, identities: Collection[int]) -> bool:
        """Whether one of some objects was among what was described."""
        return not self._seen.keys().isdisjoint(identities)

    def _described(self, value: object) -> bytes:
        kind = type(value)
        if kind in _DATA:
            return node("state") if self._changes.touch(value) else node("container", self._content(value))
        self.plain = False
        if is_a(value, type):
            return self._class(value)
        if is_a(value, FunctionType):
            return self._function(value)
        if is_a(value, MethodType):
            return self._bound(value)
        return self._module(value) if is_a(value, ModuleType) else self._instance(value)

    def _instance(self, value: object) -> bytes:
        kind = type(value)
        if is_a(value, enum.Enum):
            return node("member", self.describe(kind), text(value._name_), self.describe(value._value_))
        if self._changes.touch(value):
            return node("state")
        if issubclass(kind, dict) or items_of(value) is not None:
            return node("container", self._content(value), *self._beside(value))
        if self._walk.owns_class(kind) or f"{kind.__module__}.{kind.__qualname__}" in _SPACES:
            return self._object(value)
        try:
            return self._foreign(value)
        except Exception:  # noqa: BLE001 - whatever a library raises when its object is looked at
            return node("opaque", self._name(kind))

    # --- containers ------------------------------------------------------------------------------------------

    def _content(self, value: object) -> bytes:
        if is_a(value, dict):
            return self._dict(value)
        kind, items = items_of(value) or ("", [])
        if not self._budget.allows(len(items)):
            return node(kind, str(len(items)).encode())
        if kind != "set":
            return node(kind, *map(self.describe, items))
        return node(kind, *sorted(scalar(one) or self._apart(one) for one in items))

    def _dict(self, value: dict[object, object]) -> bytes:
        items = dict.items(value)
        if not self._budget.allows(len(items)):
            return node("dict", str(len(items)).encode())
        kept = [(key, one) for key, one in items if type(key) is not str or not self._changes.touch(value, key)]
        return node("dict", *(part for pair in kept for part in map(self.describe, pair)))

    def _apart(self, value: object) -> bytes:
        """A value as if nothing had been seen before it: those of a set come in any order."""
        seen, self._seen = self._seen, {}
        try:
            return self.describe(value)
        finally:
            self._seen = seen

    def _beside(self, value: object) -> list[bytes]:
        """What is told of a container beside its content: its class, and what an object of the user's has besides."""
        kind = type(value)
        factory = _FACTORY.__get__(value) if issubclass(kind, defaultdict) else None
        own = [self._state(value)] if self._walk.owns_class(kind) else []
        return [self.describe(kind), self.describe(factory), *own]

    # --- functions and classes -------------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> bytes:
        function, attributes = _undecorated(function)
        if not self._walk.owns(function.__globals__):
            wraps = [*self._cells(function), *self._registry(function)] if "__wrapped__" in vars(function) else []
            return node(
                "foreign", self._called(function.__globals__.get("__name__"), function.__code__.co_name), *wraps
            )
        owner, runs = self._method_of
        self._walk.use(function, owner, running=runs)
        kept = {name: one for name, one in attributes.items() if not self._changes.touch(function, name)}
        return node(
            "function",
            _code(function.__code__),
            self.describe(function.__defaults__),
            self._named(function.__kwdefaults__ or {}),
            self._named(kept),
            *self._cells(function),
        )

    def _bound(self, method: MethodType) -> bytes:
        holder = method.__self__
        cls = holder if is_a(holder, type) else type(holder)
        return node("method", self._as_method_of(cls, True, method.__func__), self.describe(holder))

    def _as_method_of(self, cls: type, runs: bool, value: object) -> bytes:
        around, self._method_of = self._method_of, (cls, runs)
        try:
            return self.describe(value)
        finally:
            self._method_of = around

    def _registry(self, function: FunctionType) -> list[bytes]:
        """What a function of Python chooses among, by the class of its argument."""
        return [self.describe(one) for one in vars(function).values() if type(one) is MappingProxyType]

    def _cells(self, function: FunctionType) -> list[bytes]:
        return [self._cell(cell) for cell in function.__closure__ or ()]

    def _cell(self, cell: CellType) -> bytes:
        if id(cell) in self._changes.names:
            return node("state")
        try:
            held = cell.cell_contents
        except ValueError:
            return node("empty")
        # What is used of a module is followed from where it is used.
        return node("module", text(held.__name__)) if type(held) is ModuleType else self.describe(held)

    def _class(self, cls: type) -> bytes:
        return node("class", text(self._walk.refer(cls)) if self._walk.owns_class(cls) else self._name(cls))

    def class_content(self, cls: type) -> bytes:
        """A digest of what a class is made of."""
        self.plain = False
        counted = {name: one for name, one in vars(cls).items() if _counts(name, one) and not self._changed(cls, name)}
        entries = [self._entry(cls, name, counted[name]) for name in sorted(counted)]
        fields = [self._field(one) for name in _FIELDS for one in _listed(vars(cls).get(name))]
        members = self._named({name: one._value_ for name, one in vars(cls).get("_member_map_", {}).items()})
        above = [self.describe(one) for one in (*cls.__bases__, type(cls))]
        return node("class", text(cls.__name__), *above, *entries, *fields, members)

    def _changed(self, cls: type, name: str) -> bool:
        return any(self._changes.touch(one, name) for one in cls.__mro__)

    def _entry(self, cls: type, name: str, value: object) -> bytes:
        if type(value) is MemberDescriptorType:
            return node("slot", text(name))
        runs = name in self._changes.called or (_is_special(name) and name not in _CONSTRUCTORS | _WRITERS)
        return node("entry", text(name), self._as_method_of(cls, runs, value))

    def _field(self, declared: object) -> bytes:
        return node("field", *(self.describe(getattr(declared, name, None)) for name in _DECLARED))

    def _module(self, module: ModuleType) -> bytes:
        if not self._walk.owns_module(module):
            self._walk.meet(package_of(module.__name__))
        else:
            self._walk.enter(module)
        return node("module", text(module.__name__))

    # --- objects ---------------------------------------------------------------------------------------------

    def _object(self, value: object) -> bytes:
        if not self._budget.allows(1):
            return node("object", self._name(type(value)))
        return node("object", self.describe(type(value)), self._state(value), plain(value) or b"")

    def _state(self, value: object) -> bytes:
        kind = type(value)
        found = dict(_state(value))
        kept = {
            name: one
            for name, one in found.items()
            if not self._changes.touch(value, name) and not self._changed(kind, name) and not _is_cached(kind, name)
        }
        return self._named(kept)

    def _foreign(self, value: object) -> bytes:
        kind = type(value)
        name = self._name(kind)
        simple = plain(value)
        if simple is not None:
            return node("plain", name, simple)
        if kind.__module__ in ("types", "typing") and get_origin(value) is not None:
            return node("type", self.describe(get_origin(value)), self.describe(get_args(value)))
        if is_a(value, BuiltinFunctionType) or is_a(value, MethodWrapperType):
            holder = value.__self__
            held = [] if holder is None or type(holder) is ModuleType else [self.describe(holder)]
            return node("builtin", text(value.__qualname__), *held)
        if kind is MappingProxyType:
            return node("proxy", *map(self.describe, gc.get_referents(value)))
        found = standard(value, self.describe)
        return node("value", name, found) if found is not None else node("held", name, self._what_it_holds(value))

    def _what_it_holds(self, value: object) -> bytes:
        """Of an object of a package: declared fields, and what of the user's own it holds; nothing else."""
        kind = type(value)
        if kind in _HELD:
            return self._named({name: getattr(value, name) for name in _HELD[kind]})
        if kind.__name__ == "_PydanticGeneralMetadata":
            return self._named(dict(_state(value)))
        declared = {*_names(kind, "__dataclass_fields__"), *_names(kind, "__pydantic_fields__")}
        return self._named({name: one for name, one in _state(value) if name in declared or self._is_users(one)})

    def _is_users(self, value: object) -> bool:
        if type(value) is functools.partial:
            return self._is_users(value.func)
        if is_a(value, MethodType):
            return self._is_users(value.__func__)
        if is_a(value, FunctionType):
            return self._walk.owns(_undecorated(value)[0].__globals__)
        return self._walk.owns_class(value if is_a(value, type) else type(value))

    # --- names -----------------------------------------------------------------------------------------------

    def _named(self, found: Mapping[str, object]) -> bytes:
        return node("named", *(part for name in sorted(found) for part in (text(name), self.describe(found[name]))))

    def _name(self, cls: type) -> bytes:
        return self._called(cls.__module__, cls.__qualname__)

    def _called(self, module: object, name: str) -> bytes:
        """A thing of a package by that and its own name: where inside of it things lie changes with its version."""
        package = package_of(str(module or ""))
        self._walk.meet(package)
        return text(f"{package}:{name}")


@dataclass(slots=True)
class Budget:
    """How many objects are still looked into."""

    left: int = _MOST_ITEMS

    def allows(self, number: int) -> bool:
        """Take so many, if there are."""
        if number > self.left:
            return False
        self.left -= number
        return True


@functools.lru_cache(maxsize=10_000)
def _code(code: CodeType) -> bytes:
    return constant(canonical(code))


def _undecorated(function: FunctionType) -> tuple[FunctionType, dict[str, object]]:
    """The function inside the decorator of this engine, with attributes that were given to either."""
    attributes = dict(vars(function))
    inner = function
    while package_of(str(inner.__globals__.get("__name__"))) == ENGINE:
        wrapped = vars(inner).get("__wrapped__")
        if type(wrapped) is not FunctionType:
            break
        inner = wrapped
        attributes = {**vars(inner), **attributes}
    return inner, {name: one for name, one in attributes.items() if name not in _DECORATION}


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _counts(name: str, value: object) -> bool:
    """Whether an entry of a class is what somebody wrote, not what Python or a library keeps there."""
    if type(value) is FunctionType:
        return not value.__code__.co_filename.startswith(_OF_ATTRS)
    if type(value) in _HELD:
        return True
    return (
        name != "_abc_impl" and not (name.startswith("_") and name.endswith("_")) and type(value).__module__ != "enum"
    )


def _listed(fields: Mapping[str, object] | Iterable[object] | None) -> list[object]:
    """Fields as a class keeps them: by name, or in a row."""
    if fields is None:
        return []
    return list(fields.values() if isinstance(fields, Mapping) else fields)


def _names(kind: type, fields: str) -> list[str]:
    return [name for cls in kind.__mro__ for name in vars(cls).get(fields, ())]


def _state(value: object) -> Iterator[tuple[str, object]]:
    """What an object keeps, in its namespace and in slots."""
    with suppress(AttributeError):
        yield from object.__getattribute__(value, "__dict__").items()
    for cls in type(value).__mro__:
        for name, slot in vars(cls).items():
            if type(slot) is MemberDescriptorType and name not in ("__dict__", "__pydantic_fields_set__"):
                try:
                    yield name, slot.__get__(value)
                except AttributeError:
                    continue


def _is_cached(kind: type, name: str) -> bool:
    """Whether an attribute is the result of a property that remembers it."""
    return any(type(vars(cls).get(name)) is functools.cached_property for cls in kind.__mro__)
