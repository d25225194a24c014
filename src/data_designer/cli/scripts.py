"""Runs a configuration that is a Python file, once its text shows that it can be one."""

import ast
import importlib.util
import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pydantic import ValidationError

from data_designer.cli.saying import said_of
from data_designer.errors import DataDesignerError, InvalidConfigError

if TYPE_CHECKING:
    from data_designer.config.config_builder import DataDesignerConfigBuilder

FUNCTION = "load_config_builder"
_ACTS = ("create", "acreate", "preview")
"""Methods of a DataDesigner that make records."""
_DESIGNER = "DataDesigner"
_FORM = f"""\
   def {FUNCTION}():
       return builder  # the DataDesignerConfigBuilder with your columns"""


def run_script(path: Path, arguments: Sequence[str]) -> "DataDesignerConfigBuilder":
    """The builder that a script makes.

    Raises:
        InvalidConfigError: the script is not there, lacks the function, makes records by itself, fails, or gives no
            builder.
    """
    from data_designer.config.config_builder import DataDesignerConfigBuilder

    check_script(path)
    function = getattr(_imported(path), FUNCTION, None)
    if not callable(function):
        raise InvalidConfigError(f"{path} must define {FUNCTION}(), which returns a builder")
    try:
        builder = _call(path, function, arguments)
    except InvalidConfigError:
        raise
    except Exception as error:
        raise InvalidConfigError(_failure(path, error)) from error
    if not isinstance(builder, DataDesignerConfigBuilder):
        raise InvalidConfigError(f"{FUNCTION}() of {path} returned {type(builder).__name__}, not a builder")
    return builder


# --- before it runs --------------------------------------------------------------------------------------


def check_script(path: Path) -> None:
    """Refuse a script of which its text shows that it is no configuration, before any of it is run.

    Raises:
        InvalidConfigError: it is not there, does not parse, lacks the function, or makes records by itself.
    """
    if not path.is_file():
        from data_designer.config.near_names import near_file

        raise InvalidConfigError(f"there is no configuration script {str(path)!r}{near_file(path, ('.py',))}")
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise InvalidConfigError(f"{path}{line}: {getattr(error, 'msg', error)}; nothing of it was run") from None
    acts = [node.lineno for node in _at_import(tree) if isinstance(node, ast.Call) and _acts(node, _designers(tree))]
    by_itself = f"line {acts[0]} makes records by itself" if acts else ""
    if not _may_define(tree):
        raise InvalidConfigError(
            f"{path} has no function {FUNCTION}(), so it was not run; add\n{_FORM}"
            + (f"\n   {by_itself}: `python {path}` runs it as it is" if acts else "")
        )
    if acts:
        raise InvalidConfigError(
            f"{path}: {by_itself} whenever the file is loaded, so it was not run; put it under\n"
            '   if __name__ == "__main__":'
        )


def _may_define(tree: ast.Module) -> bool:
    """Whether the function may be there once the script has run: it is defined, assigned or imported."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name == FUNCTION:
                return True
            case ast.Name(id=name, ctx=ast.Store()) if name == FUNCTION:
                return True
            case ast.alias(name=name, asname=other) if FUNCTION in (name, other) or name == "*":
                return True
            case ast.Call(func=ast.Name(id="globals" | "exec" | "setattr")):
                return True
    return False


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What is run when a script is loaded and not started: all but bodies of functions and the main guard."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_main_guard(node):
            continue
        yield node
        waiting[:0] = ast.iter_child_nodes(node)


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(one, ast.Name) and one.id == "__name__" for one in ast.walk(node.test)
    )


def _designers(tree: ast.Module) -> set[str]:
    """Names to which a DataDesigner is assigned."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_designer(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_designer(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name == _DESIGNER
    return False


def _acts(call: ast.Call, designers: set[str]) -> bool:
    """Whether a call makes a DataDesigner make records."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr=act):
            return act in _ACTS and name in designers
        case ast.Attribute(value=made, attr=act):
            return act in _ACTS and _is_designer(made)
    return False


# --- running it ------------------------------------------------------------------------------------------


def _imported(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.parent.absolute()))
    try:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except Exception as error:
        raise InvalidConfigError(_failure(path, error)) from error
    return module


def _failure(path: Path, error: Exception) -> str:
    """What a script failed with, and in which of its lines."""
    where = str(path.absolute())
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == where and one.lineno]
    kind = "" if isinstance(error, DataDesignerError | ValidationError) else f"{type(error).__name__}: "
    place = f"{path}:{lines[-1]}" if lines else str(path)
    said = said_of(error)
    code = linecache.getline(str(path), lines[-1]).strip() if lines and "\n" not in said else ""
    return f"{place}: {kind}{said}" + (f"\n   {code}" if code else "")


def _call(path: Path, function: Callable[..., object], arguments: Sequence[str]) -> object:
    from data_designer.config.script_params import DataDesignerScriptParams

    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        if arguments:
            raise InvalidConfigError(f"{FUNCTION}() of {path} takes no arguments")
        return function()
    params = DataDesignerScriptParams(tuple(arguments))
    only = parameters[0]
    return function(**{only.name: params}) if only.kind == only.KEYWORD_ONLY else function(params)
