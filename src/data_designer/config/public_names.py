"""The public names of a package: listed once, where type checkers read them, and imported when they are first used."""

import importlib
import sys
from collections.abc import Callable
from functools import cache


def imported_when_used(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package whose source imports its public names `as` themselves.

    The list is read off the source, which is what type checkers do too: they understand no table.
    """

    @cache
    def homes() -> dict[str, str]:
        import ast
        import pkgutil

        source = pkgutil.get_data(package, "__init__.py") or b""
        imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
        return {name.asname: node.module for node in imports if node.module for name in node.names if name.asname}

    def get(name: str) -> object:
        if name == "__all__":
            return names()
        if name not in homes():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(homes()[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(homes())

    return get, names
