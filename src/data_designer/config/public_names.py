"""The public names of a package: listed once, where type checkers read them, and imported when they are first used."""

import importlib
import sys
from collections.abc import Callable
from functools import cache, partial


def imported_when_used(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package whose source imports its public names `as` themselves."""
    return partial(_get, package), partial(_names, package)


@cache
def _homes(package: str) -> dict[str, str]:
    """Public name to the module that defines it. Read off the source, as type checkers do: they understand no table."""
    import ast
    import pkgutil

    source = pkgutil.get_data(package, "__init__.py") or b""
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {name.asname: node.module for node in imports if node.module for name in node.names if name.asname}


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
