"""Whose code something is: the user's own, or that of Python, of an installed package, of this engine."""

import functools
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

ENGINE = "data_designer"

_MAIN = ("__main__", "__mp_main__")
"""Names of the script's module; the second is its other one in processes that multiprocessing prepared."""

_SITES = ("site-packages", "dist-packages")
"""Folders that installers write, in whatever environment."""


@functools.cache
def is_own_file(file: str) -> bool:
    """Whether a file lies neither in a folder of libraries nor in this package.

    A package that is installed from where it is worked on lies outside of them: it is the user's own.
    """
    place = Path(file).resolve()
    return not set(_SITES).intersection(place.parts) and not any(place.is_relative_to(one) for one in _libraries())


@functools.cache
def _libraries() -> tuple[Path, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(kind)).resolve() for kind in kinds} | {Path(__file__).resolve().parents[1]})


def package_of(module: str) -> str:
    """The package at the top of a module's name."""
    return module.partition(".")[0]


def is_own_namespace(names: Mapping[str, Any]) -> bool:
    """Whether a module's names are of the user's own code: of a script, a notebook, a file outside of libraries."""
    module, file = str(names.get("__name__", "")), names.get("__file__")
    if module in _MAIN:
        return True
    if isinstance(file, str):
        return is_own_file(file)
    return package_of(module) not in sys.stdlib_module_names | {ENGINE}


def is_own_module(module: ModuleType) -> bool:
    """Whether a module is of the user's own code; one without a file is where its folder or its package is."""
    names = vars(module)
    if isinstance(names.get("__file__"), str):
        return is_own_namespace(names)
    folders = [one for one in list(names.get("__path__") or ()) if isinstance(one, str)]
    if folders:
        return is_own_file(folders[0])
    above = sys.modules.get(package_of(module.__name__), module)
    if above is not module:
        return is_own_module(above)
    compiled = all(_is_compiled(one) for name, one in names.items() if not name.startswith("__"))
    return is_own_namespace(names) and (module.__name__ in _MAIN or not compiled)


def _is_compiled(value: Any) -> bool:
    """Whether a thing in a module is written in C: modules without a file are often places for such types only."""
    if issubclass(type(value), type):
        return not any(type(one) is FunctionType for one in vars(value).values())
    return type(value) is BuiltinFunctionType


def is_own_class(cls: type) -> bool:
    """Whether a class is of the user's own code."""
    name = str(cls.__module__)
    module = sys.modules.get(name) or sys.modules.get(package_of(name))
    if module is not None:
        return is_own_module(module)
    return is_own_namespace({"__name__": name})  # Made in a namespace that no module is left of.
