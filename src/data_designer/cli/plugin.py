"""The command about plugins: which are installed. They are packages, which pip installs."""

from collections.abc import Callable
from typing import Annotated

import typer

from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.saying import say
from data_designer.errors import InvalidConfigError

plugin = typer.Typer(no_args_is_help=True, help="Plugins: kinds of columns, seeds and processors of other packages.")
_ANY = {"ignore_unknown_options": True, "allow_extra_args": True}


@plugin.command()
def installed() -> None:
    """List the installed plugins, and the packages that they are of."""
    from importlib.metadata import entry_points

    from data_designer.plugins.discovery import GROUP

    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for entry in found:
        package = "" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
        say(f"{entry.name}  {package}  {entry.value}")
    if not found:
        say("no plugin is installed")


def _instead(name: str, instead: str) -> Callable[..., None]:
    """A command that says what to do instead."""

    @plugin.command(name, help=f"Not built: {instead}.", context_settings=_ANY)
    def refuse(
        words: Annotated[list[str] | None, typer.Argument(metavar="[WORDS]", help="Ignored.")] = None,
    ) -> None:
        del words
        with errors_in_one_line(debug=False):
            raise InvalidConfigError(f"there are no catalogs of plugins in this version: {instead}")

    return refuse


for _name, _words in (
    ("install", "a plugin is a package, so pip install PACKAGE, on every node"),
    ("uninstall", "a plugin is a package, so pip uninstall PACKAGE"),
    ("list", "pip and the pages of packages say which there are"),
    ("search", "pip and the pages of packages say which there are"),
    ("info", "pip show PACKAGE"),
    ("catalog", "pip and the pages of packages say which there are"),
):
    _instead(_name, _words)
