"""What a function of the user does, part by part: its own code, and all of the user's that it uses.

Parts are named as a reader would name them (`constant LIMIT`, `function clean`, `class helpers.Rules`), so that it can
be said which of them differs between two runs.
"""

import importlib.util
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import TypeGuard

from data_designer.plan.bytecode import Import, Read, Root, Write, canonical, uses
from data_designer.plan.contents import constant, is_a, items_of, node
from data_designer.plan.objects import Budget, Changes, Objects
from data_designer.plan.ownership import (
    ENGINE,
    is_own_class,
    is_own_file,
    is_own_module,
    is_own_namespace,
    package_of,
)

_LENGTH = 16
_MOST_PARTS = 5000
_MOST_WRAPPERS = 100
_MOST_ROUNDS = 10
"""Two or three are enough, unless what runs depends on what is changed in a circle."""


@dataclass(frozen=True, slots=True)
class UserCode:
    """What functions do."""

    parts: Mapping[str, str] = field(default_factory=dict)
    """What a reader calls a part, to its digest."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Python and the packages that are used, which are not looked into, with their versions."""


def user_code(roots: Mapping[str, object]) -> UserCode:
    """Look into functions, and into all that is the user's own of what they use.

    The user's own is what lies neither in a folder of libraries nor in this package. What the functions change while
    they run counts by its name alone: it is not what they are made of.

    Args:
        roots: functions, classes or other objects by the name of the field that holds them.
    """
    if not roots:
        return UserCode()
    changes = Changes()
    data: dict[int, tuple[Objects, bytes]] = {}
    for _ in range(_MOST_ROUNDS):
        walk = _Walk(roots, changes, data)
        walk.run()
        if walk.found == changes:
            break
        changes = walk.found
    versions = {name: found for name in walk.packages if (found := _version(name)) is not None}
    parts = {name: digest.hex()[:_LENGTH] for name, digest in sorted(walk.parts.items())}
    return UserCode(parts, {"python": ".".join(map(str, sys.version_info[:2])), **dict(sorted(versions.items()))})


def changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between the code of two runs, in words."""
    return [
        name if name in before and name in now else f"{name} (new)" if name in now else f"{name} (gone)"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


class _Walk:
    """Follows names from function to function; whatever leads in circles, each name is followed once."""

    def __init__(self, roots: Mapping[str, object], changes: Changes, data: dict[int, tuple[Objects, bytes]]) -> None:
        self.parts: dict[str, bytes] = {}
        self.packages: set[str] = set()
        self.found = Changes()
        """What is changed by code that was reached."""
        self._roots, self._changes, self._budget = roots, changes, Budget()
        self._data = data
        """Values that are data only, by identity, as an earlier walk has described them: they may be large."""
        self._touched = {identity for identity, _ in changes.inside}
        self._reached: set[object] = set()
        self._classes: dict[str, list[type]] = {}
        self._waiting: deque[Callable[[], None]] = deque()
        first = next(iter(roots.values()))
        self._home = _module_of(first)
        self._also = _also_own(first)

    def run(self) -> None:
        """Describe everything that is reached."""
        for role, root in self._roots.items():
            self._put(_called(root, _name(_inner(root)) or role), root)
        while self._waiting and len(self.parts) < _MOST_PARTS:
            self._waiting.popleft()()

    def _put(self, label: str, value: object) -> None:
        objects, digest = self._data.get(id(value), (None, b""))
        if objects is None or objects.holds(self._touched):
            objects = Objects(self, self._changes, self._budget)
            digest = objects.describe(value)
            if objects.plain:
                self._data[id(value)] = objects, digest
        self._add(label, digest)

    def _add(self, label: str, digest: bytes) -> None:
        known = self.parts.get(label)
        self.parts[label] = node("part", digest) if known is None else node("both", known, digest)

    # --- what objects lead to --------------------------------------------------------------------------------

    def owns(self, names: Mapping[str, object]) -> bool:
        """Whether a namespace is of the user's code, or of the package that the function itself is from."""
        return package_of(str(names.get("__name__"))) in self._also or is_own_namespace(names)

    def owns_class(self, cls: type) -> bool:
        """The same of a class."""
        return package_of(str(cls.__module__)) in self._also or is_own_class(cls)

    def owns_module(self, module: ModuleType) -> bool:
        """The same of a module."""
        return package_of(module.__name__) in self._also or is_own_module(module)

    def meet(self, package: str) -> None:
        """Take note of a package that is not looked into."""
        self.packages.add(package)

    def refer(self, cls: type) -> str:
        """What a class is called, which is described once, by itself; of several of one name the first is number 0."""
        label = self._label(cls.__qualname__, str(cls.__module__))
        named = self._classes.setdefault(label, [])
        number = next((number for number, one in enumerate(named) if one is cls), len(named))
        if number == len(named):
            named.append(cls)
            self._waiting.append(partial(self._put_class, f"class {label}", cls))
        return f"{label} {number}"

    def _put_class(self, label: str, cls: type) -> None:
        self._add(label, Objects(self, self._changes, self._budget).class_content(cls))

    def _label(self, name: str, module: object) -> str:
        """What a reader calls a name: with its module, unless that is the function's own."""
        return name if module in (None, self._home) else f"{module}.{name}"

    def enter(self, module: ModuleType) -> None:
        """Follow all names of a module."""
        for name in sorted(vars(module)):
            self._reach(vars(module), name, ())

    def use(self, function: FunctionType, owner: type | None, *, running: bool) -> None:
        """Follow the names that a function reads, the modules it imports, and take note of what it changes."""
        used = uses(function.__code__)
        for read in used.reads:
            self._read(function, read)
        self._import_all(used.imports, function.__globals__)
        if running:
            self.found.called |= used.attributes
            self.found.called.update(
                name for read in used.reads if self._may_be_own(function, read) for name in read.attributes
            )
            for write in used.writes:
                self._write(function, owner, write)

    def _may_be_own(self, function: FunctionType, read: Read) -> bool:
        """Whether methods of the user's may run where attributes of a name are read: not those of a package."""
        found = _value(function, read.root, read.name)
        if _is_module(found):
            return self.owns_module(found)
        return self.owns_class(found) if is_a(found, type) else True

    def _read(self, function: FunctionType, read: Read) -> None:
        if read.root == "global":
            self._reach(function.__globals__, read.name, read.attributes)
        elif _is_module(held := _value(function, read.root, read.name)):
            self._reach_in(held, read.attributes)

    def _reach(self, names: Mapping[str, object], name: str, attributes: tuple[str, ...]) -> None:
        """Follow a name; where it stands for a module of the user's, only the attributes that are read of that."""
        if name not in names or (name.startswith("__") and name.endswith("__")):
            return
        value = names[name]
        if _is_module(value) and self.owns_module(value):
            self._reach_in(value, attributes)
            return
        key = id(names), name
        if key in self._reached:
            return
        self._reached.add(key)
        label = self._label(name, names.get("__name__"))
        if key in self._changes.names:
            self._add(f"state {label}", b"")
        elif is_a(value, type) and self.owns_class(value) and _is_at_home(value, name, names):
            self.refer(value)
        else:
            self._waiting.append(partial(self._put, _called(value, label), value))

    def _reach_in(self, module: ModuleType, attributes: tuple[str, ...]) -> None:
        if not self.owns_module(module):
            self.meet(package_of(module.__name__))
        elif attributes:
            self._reach(vars(module), attributes[0], attributes[1:])
        elif ("all", id(module)) not in self._reached:
            self._reached.add(("all", id(module)))
            self.enter(module)

    # --- modules that are imported when a function runs --------------------------------------------------------

    def _import_all(self, imports: tuple[Import, ...], names: Mapping[str, object]) -> None:
        for one in imports:
            module = one.module
            if one.level:
                package = str(names.get("__package__") or "")
                try:
                    module = importlib.util.resolve_name("." * one.level + module, package)
                except ImportError:
                    continue
            if package_of(module) not in sys.stdlib_module_names | {ENGINE}:
                self._import(module, one.names)

    def _import(self, name: str, inside: tuple[str, ...]) -> None:
        """Follow a module by its text, loaded or not: it may be loaded by the time of the next run."""
        spec = _spec(name)
        if spec is None or not any(map(is_own_file, _places(spec))):
            self.meet(package_of(name))
            return
        for inner in inside:
            if spec.submodule_search_locations is not None and _spec(f"{name}.{inner}") is not None:
                self._import(f"{name}.{inner}", ())
        if ("import", name) in self._reached:
            return
        self._reached.add(("import", name))
        code = _code(spec)
        if code is not None:
            self._add(f"module {name}", constant(canonical(code)))
            package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
            self._import_all(uses(code).imports, {"__package__": package})

    # --- what is changed -------------------------------------------------------------------------------------

    def _write(self, function: FunctionType, owner: type | None, write: Write) -> None:
        if write.root == "argument":
            self._write_argument(function, owner, write)
        elif write.how != "name":
            self._change(_value(function, write.root, write.name), write)
        elif write.root == "global":
            self.found.names.add((id(function.__globals__), write.name))
        elif (cell := _cell(function, write.name)) is not None:
            self.found.names.add(id(cell))

    def _write_argument(self, function: FunctionType, owner: type | None, write: Write) -> None:
        code = function.__code__
        if owner is not None and write.name == code.co_varnames[0]:
            self.found.called.add(_WRITERS[write.how])
            if write.how == "attribute":
                self.found.inside.update((id(cls), write.key) for cls in owner.__mro__)
            return
        defaults = function.__defaults__ or ()
        named = dict(zip(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount], defaults, strict=True))
        named.update(function.__kwdefaults__ or {})
        if write.name in named:
            self._change(named[write.name], write)

    def _change(self, target: object, write: Write) -> None:
        if _is_module(target):
            if write.how == "attribute":
                self.found.names.add((id(vars(target)), write.key))
            return
        if self.owns_class(type(target)):
            self.found.called.add(_WRITERS[write.how])
        if write.how == "attribute" or issubclass(type(target), dict):
            self.found.inside.add((id(target), write.key))
        elif items_of(target) is not None or (write.how == "item" and not self.owns_class(type(target))):
            self.found.inside.add((id(target), None))


_WRITERS = {"attribute": "__setattr__", "item": "__setitem__", "method": "__setitem__", "name": ""}
"""The method that runs where something in an object of the user's is written."""


def _is_at_home(cls: type, name: str, names: Mapping[str, object]) -> bool:
    """Whether a class is found by its own name, so that the name says nothing more."""
    return (cls.__qualname__, cls.__module__) == (name, names.get("__name__"))


def _is_module(value: object) -> TypeGuard[ModuleType]:
    return is_a(value, ModuleType)


def _cell(function: FunctionType, name: str) -> CellType | None:
    names = function.__code__.co_freevars
    return (function.__closure__ or ())[names.index(name)] if name in names else None


def _value(function: FunctionType, root: Root, name: str) -> object:
    """What a name outside of a function stands for; None where nothing is there."""
    if root == "global":
        return function.__globals__.get(name)
    cell = _cell(function, name)
    return None if cell is None else _held(cell)


def _held(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _inner(root: object) -> object:
    """The function at the bottom of what wraps it."""
    for _ in range(_MOST_WRAPPERS):
        further = [getattr(root, name) for name in _WRAPPED.get(type(root), ()) if name in _attributes(root)]
        if not further:
            break
        root = further[0]
    return root


_WRAPPED: dict[type, tuple[str, ...]] = {FunctionType: ("__wrapped__",), MethodType: ("__func__",), partial: ("func",)}


def _attributes(root: object) -> set[str]:
    return set(vars(root)) if type(root) is FunctionType else {"__func__", "func"}


def _module_of(root: object) -> str:
    inner = _inner(root)
    if type(inner) is FunctionType:
        return str(inner.__globals__.get("__name__", ""))
    return str((inner if issubclass(type(inner), type) else type(inner)).__module__)


def _name(root: object) -> str | None:
    return root.__name__ if is_a(root, FunctionType) or is_a(root, type) else None


def _also_own(root: object) -> frozenset[str]:
    """The package that a column's function, or a plugin, is from: it counts as the user's own code does."""
    package = package_of(_module_of(root))
    return frozenset({package} - sys.stdlib_module_names - {ENGINE})


def _called(value: object, name: str) -> str:
    """What a reader calls it."""
    inner = _inner(value)
    if type(inner) is FunctionType:
        return f"function {name}"
    if issubclass(type(inner), type):
        return f"class {name}"
    return f"module {name}" if _is_module(inner) else f"constant {name}"


def _spec(name: str) -> ModuleSpec | None:
    """Where a module lies, without running any of it."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, ModuleSpec):
        return loaded
    above, _, _ = name.rpartition(".")
    try:
        if not above:
            return importlib.util.find_spec(name)
        around = _spec(above)
        places = None if around is None else around.submodule_search_locations
        return None if places is None else PathFinder.find_spec(name, list(places))
    except (ImportError, ValueError):
        return None


def _places(spec: ModuleSpec) -> list[str]:
    """The file of a module, or the folders of a package that has none."""
    found = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return [one for one in found if isinstance(one, str)]


def _code(spec: ModuleSpec) -> CodeType | None:
    get_code = getattr(spec.loader, "get_code", None)
    try:
        return None if get_code is None else get_code(spec.name)
    except (ImportError, SyntaxError, OSError, ValueError, EOFError):
        return None


def _version(package: str) -> str | None:
    module = sys.modules.get(package)
    if package in sys.stdlib_module_names or package == ENGINE or module is None:
        return None
    version = vars(module).get("__version__")
    return version if isinstance(version, str) else None
