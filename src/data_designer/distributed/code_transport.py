"""How the user's code reaches the workers: by value where it is the user's own, by package where it is installed."""

import functools
import importlib.metadata
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from ray import cloudpickle

from data_designer.columns.plugin_columns import plugin_packages
from data_designer.columns.registry import KINDS
from data_designer.errors import CodeDoesNotTravelError
from data_designer.plan.model import Plan
from data_designer.plan.ownership import is_own_file

_DEEPEST = 4
"""Objects inside objects that are searched for what cannot be pickled."""

_MAIN = ("__main__", "__mp_main__")
"""Names of the script's module; the second is its other one in processes that multiprocessing prepared."""


def pack(plan: Plan) -> bytes:
    """A plan as bytes that any process with this package and the installed ones can read.

    Functions of `__main__`, of a notebook and of modules that lie beside the script travel with it.

    Raises:
        CodeDoesNotTravelError: a function of the user holds something that cannot be sent; all of them are named.
    """
    with _by_value(_own_modules()):
        problems = [problem for subject, function in _functions(plan) for problem in _problems(subject, function)]
        if problems:
            raise CodeDoesNotTravelError(
                "code cannot be sent to the workers:\n"
                + "\n".join(f"  - {problem}" for problem in problems)
                + "\ncreate such objects inside the function, or keep them in a module-level cache that the function "
                "fills when it is first called"
            )
        return bytes(cloudpickle.dumps(plan))


def _functions(plan: Plan) -> Iterator[tuple[str, object]]:
    """Functions of the user, each with what it is for."""
    for column in plan.config.columns:
        for role, function in KINDS[column.column_type].functions(column).items():
            yield f"column '{column.name}': {role}", function
    for name, make in {pool.provider.name: pool.client for pool in plan.pools.values()}.items():
        if make is not None:
            yield f"provider '{name}': client function", make


def _problems(subject: str, function: object) -> Iterator[str]:
    error = _refusal(function)
    if error is not None:
        path, held = _culprit(function)
        name = getattr(function, "__qualname__", type(function).__name__)
        through = f" through {' of '.join(reversed(path[:-1]))}" if len(path) > 1 else ""
        what = f"captures '{path[-1]}', a {_kind(held)},{through}" if path else f"cannot be pickled ({error})"
        yield f"{subject} {name} {what}".rstrip(",")


def _refusal(value: object) -> Exception | None:
    """Why a value cannot be pickled; None where it can."""
    try:
        cloudpickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - whatever an object raises when it is asked to be copied
        return error
    return None


def _culprit(value: object) -> tuple[tuple[str, ...], object]:
    """Names that lead from a value to the innermost thing in it that cannot be pickled, and that thing."""
    path: list[str] = []
    while len(path) < _DEEPEST:
        found = next(((name, held) for name, held in _held(value) if _refusal(held) is not None), None)
        if found is None:
            break
        path.append(found[0])
        value = found[1]
    return tuple(path), value


def _held(value: object) -> Iterator[tuple[str, object]]:
    """What a value holds, by name."""
    if isinstance(value, functools.partial):
        yield from ((f"argument {place}", one) for place, one in enumerate(value.args))
        yield from value.keywords.items()
        value = value.func
    if inspect.ismethod(value):
        yield "self", value.__self__
        value = value.__func__
    if inspect.isfunction(value):
        closed = inspect.getclosurevars(value)
        yield from closed.nonlocals.items()
        yield from closed.globals.items()
        names = list(inspect.signature(value).parameters)
        yield from zip(reversed(names), reversed(value.__defaults__ or ()), strict=False)
    elif isinstance(value, dict):
        yield from ((str(name), one) for name, one in value.items())
    elif isinstance(value, list | tuple | set):
        yield from ((f"item {place}", one) for place, one in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, ModuleType):
        yield from vars(value).items()


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


# --- whose code it is ------------------------------------------------------------------------------------


@contextmanager
def _by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    registered: list[ModuleType] = []
    already = cloudpickle.list_registry_pickle_by_value()
    try:
        for module in modules:
            if module.__name__ not in already:
                cloudpickle.register_pickle_by_value(module)
                registered.append(module)
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _own_modules() -> list[ModuleType]:
    """Loaded modules that are neither Python's, nor installed, nor this package: those that lie beside the script."""
    # The script itself goes by value anyway.
    others = {name: one for name, one in list(sys.modules.items()) if name not in _MAIN}
    outside = {name: one for name, one in others.items() if _is_outside(one)}
    if not outside:
        return []
    # Packages that are being worked on lie outside and are installed all the same; to list them takes a while.
    installed = {*importlib.metadata.packages_distributions(), *plugin_packages()}
    return [module for name, module in outside.items() if name.partition(".")[0] not in installed]


def _is_outside(module: object) -> bool:
    """Whether it lies neither in a library folder nor in this package."""
    file = getattr(module, "__file__", None)
    if not isinstance(module, ModuleType) or not file:
        return False
    return is_own_file(file)
