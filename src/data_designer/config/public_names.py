"""The public names of a package: listed once, where type checkers read them, and imported when they are first used."""

import importlib
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast


def imported_when_used(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package whose source imports its public names `as` themselves, or by `*`."""
    return partial(_get, package), partial(_names, package)


@cache
def _homes(package: str) -> dict[str, str]:
    """Public name to the module that defines it. Read off the source, as type checkers do: they understand no table."""
    import ast

    homes: dict[str, str] = {}
    for node in ast.walk(_source(package, "__init__")):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                listed = _all_of(node.module) if name.name == "*" else [name.asname] if name.asname else []
                homes.update(dict.fromkeys(listed, node.module))
    return homes


def _all_of(module: str) -> list[str]:
    """What a module says that it exports."""
    import ast

    package, _, name = module.rpartition(".")
    for node in _source(package, name).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            return [str(listed) for listed in ast.literal_eval(node.value)]
    raise AssertionError(f"{module} has no __all__")


def _source(package: str, module: str) -> "ast.Module":
    import ast
    import pkgutil

    return ast.parse(pkgutil.get_data(package, f"{module}.py") or b"")


def _get(package: str, name: str) -> object:
    if name == "__all__":
        return _names(package)
    home = _homes(package).get(name)
    if home is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    setattr(sys.modules[package], name, value)
    return value


def _names(package: str) -> list[str]:
    return sorted(_homes(package))
