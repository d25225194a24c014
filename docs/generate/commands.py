"""The commands, from the functions that carry them out."""

import inspect
import types
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from docs.generate.docstrings import docstring
from docs.generate.markdown import flow, item, wrapped
from typer.models import ArgumentInfo, OptionInfo

from data_designer.cli.main import app

_WORDS = {int: "NUMBER", float: "NUMBER", str: "TEXT"}
"""Type of an option to what stands for its value."""


def commands() -> str:
    """Every command, with its arguments, options and examples."""
    return "\n\n".join(_of(app, "data-designer"))


def _of(application: typer.Typer, name: str) -> Iterator[str]:
    level = "##" if application is app else "###"
    for info in application.registered_commands:
        assert info.callback is not None
        own = f"{name} {info.name or info.callback.__name__.replace('_', '-')}"
        yield f"{level} `{own}`"
        yield from _command(info.callback, own, str(info.help or ""), str(info.epilog or ""))
    for group in application.registered_groups:
        assert group.typer_instance is not None
        own = f"{name} {group.name}"
        yield f"## `{own}`"
        yield wrapped(" ".join(str(group.typer_instance.info.help or "").split()))
        yield from _of(group.typer_instance, own)


def _command(callback: Callable[..., Any], name: str, told: str, epilog: str) -> Iterator[str]:
    hints = get_type_hints(callback, include_extras=True)
    signature = inspect.signature(callback)
    given = [
        (one.name, get_args(hints[one.name])[0], info, one.default)
        for one in signature.parameters.values()
        if get_origin(hints[one.name]) is Annotated
        for info in get_args(hints[one.name])[1:]
        if not getattr(info, "hidden", False)
    ]
    arguments = [_shown(name, info) for name, _, info, _ in given if isinstance(info, ArgumentInfo)]
    yield f"```text\n{' '.join([name, '[OPTIONS]', *arguments])}\n```"
    yield flow(told or docstring(callback).text)
    yield "\n".join(item(_parameter(*one)) for one in given)
    examples = [line.strip() for line in epilog.splitlines()[1:] if line.strip()]
    if examples:
        yield "```bash\n" + "\n".join(examples) + "\n```"


def _shown(name: str, info: ArgumentInfo) -> str:
    return info.metavar or name.upper()


def _parameter(name: str, kind: Any, info: ArgumentInfo | OptionInfo, default: object) -> str:
    told = " ".join((info.help or "").split())
    if isinstance(info, ArgumentInfo):
        needed = " (required)" if default is inspect.Parameter.empty else ""
        return f"**`{_shown(name, info)}`**{needed}: {told}"
    # What typer is given first is a name too, where the default stands in the signature.
    first = [info.default] if isinstance(info.default, str) else []
    named = [*first, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"]
    flags = [part for one in named for part in one.split("/")]
    facts = [*_value(kind, info), *_limits(info), *_default(default)]
    names = ", ".join(f"**`{one}`**" for one in flags)
    return f"{names} ({', '.join(facts)}): {told}" if facts else f"{names}: {told}"


def _value(kind: Any, info: OptionInfo) -> Iterator[str]:
    """What is given with an option."""
    kinds = [one for one in get_args(kind) if one is not type(None)] if get_origin(kind) in _UNIONS else [kind]
    [only] = kinds
    repeated = get_origin(only) is list
    only = get_args(only)[0] if repeated else only
    if get_origin(only) is Literal:
        yield " | ".join(f"`{one}`" for one in get_args(only))
    elif isinstance(only, type) and issubclass(only, Enum):
        yield " | ".join(f"`{one.value}`" for one in only)
    elif only is not bool:
        yield f"`{info.metavar or _WORDS.get(only, 'PATH')}`"
    if repeated:
        yield "may be repeated"


_UNIONS = (Union, types.UnionType)


def _limits(info: OptionInfo) -> Iterator[str]:
    if info.min is not None:
        yield f"at least {info.min}"
    if info.max is not None:
        yield f"at most {info.max}"


def _default(default: object) -> Iterator[str]:
    if default is inspect.Parameter.empty:
        yield "required"
    elif default is not None and not isinstance(default, bool):
        yield f"default `{getattr(default, 'value', default)}`"
