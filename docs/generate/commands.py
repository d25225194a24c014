"""The commands, from what parses them."""

from collections.abc import Iterator

import click
import typer

from data_designer.cli.main import app
from docs.generate.markdown import item, wrapped


def commands() -> str:
    """Every command, with its arguments, options and examples."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    return "\n\n".join(_group(group, "data-designer"))


def _group(group: click.Group, name: str) -> Iterator[str]:
    for command in group.commands.values():
        own = f"{name} {command.name}"
        if isinstance(command, click.Group):
            yield f"## `{own}`"
            yield wrapped(" ".join((command.help or "").split()))
            yield from _group(command, own)
        else:
            yield from _command(command, own)


def _command(command: click.Command, name: str) -> Iterator[str]:
    usage = [part for one in command.params for part in _usage(one)]
    yield f"{'###' if name.count(' ') > 1 else '##'} `{name}`"
    yield f"```text\n{' '.join([name, '[OPTIONS]', *usage])}\n```"
    yield wrapped(" ".join((command.help or "").split()))
    yield "\n".join(_parameter(one) for one in command.params if not getattr(one, "hidden", False))
    examples = [line.strip() for line in (command.epilog or "").splitlines()[1:] if line.strip()]
    if examples:
        yield "```bash\n" + "\n".join(examples) + "\n```"


def _usage(parameter: click.Parameter) -> Iterator[str]:
    if isinstance(parameter, click.Argument):
        yield parameter.human_readable_name if parameter.metavar is None else parameter.metavar


def _parameter(parameter: click.Parameter) -> str:
    told = " ".join(str(getattr(parameter, "help", "") or "").split())
    if isinstance(parameter, click.Argument):
        facts = ["required"] if parameter.required else []
        return item(f"**`{parameter.metavar or parameter.human_readable_name}`**{_in_brackets(facts)}: {told}")
    assert isinstance(parameter, click.Option)
    names = ", ".join(f"**`{one}`**" for one in [*parameter.opts, *parameter.secondary_opts])
    facts = [*_kind(parameter), *_default(parameter)]
    return item(f"{names}{_in_brackets(facts)}: {told}")


def _kind(option: click.Option) -> Iterator[str]:
    kind = option.type
    if isinstance(kind, click.Choice):
        yield " | ".join(f"`{getattr(one, 'value', one)}`" for one in kind.choices)
    elif not option.is_flag and not option.secondary_opts:
        yield f"`{option.metavar or kind.name.upper()}`"
    if isinstance(kind, click.IntRange | click.FloatRange):
        yield from ([f"at least {kind.min}"] if kind.min is not None else [])
        yield from ([f"at most {kind.max}"] if kind.max is not None else [])
    if option.multiple:
        yield "may be repeated"


def _default(option: click.Option) -> Iterator[str]:
    given = option.default
    if option.required:
        yield "required"
    elif given is not None and not callable(given) and not option.is_flag and given != () and given != []:
        yield f"default `{getattr(given, 'value', given)}`"


def _in_brackets(facts: list[str]) -> str:
    return f" ({', '.join(facts)})" if facts else ""
