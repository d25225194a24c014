"""The commands about the files of the user's home: which providers, models and tools there are when none are given."""

from pathlib import Path
from typing import Annotated

import typer

from data_designer.cli.arguments import Debug
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.saying import say

config = typer.Typer(no_args_is_help=True, help="Providers, models and tools of the user's home.")


@config.command("list")
def list_all(debug: Debug = False) -> None:
    """Show providers, models, servers of tools and tool configs; keys are masked."""
    from data_designer.config.defaults import (
        default_models,
        default_providers,
        home,
        home_tool_configs,
        tool_providers,
    )
    from data_designer.config.info import Information

    with errors_in_one_line(debug=debug):
        say(f"settings are in {home()}")
        found = Information(default_models(), default_providers(), tool_providers(), home_tool_configs())
        for kind in ("model_providers", "model_configs", "mcp_providers", "tool_configs"):
            found.display(kind)


@config.command()
def reset(debug: Debug = False) -> None:
    """Delete the files of providers and models, so that the built-in ones are there again; each is asked for."""
    from data_designer.config.defaults import MODELS_FILE, PROVIDERS_FILE, home

    with errors_in_one_line(debug=debug):
        there = [path for name in (PROVIDERS_FILE, MODELS_FILE) if (path := home() / name).is_file()]
        if not there:
            say(f"there is nothing to reset in {home()}")
        for path in there:
            if typer.confirm(f"delete {path}?", default=False):
                path.unlink()
                say(f"{path} is deleted")


def _editor(name: str, what: str) -> None:
    """A command that opens a file of the home in the user's editor, and checks it afterwards."""

    @config.command(name, help=f"Edit {what}, in the editor that EDITOR names.")
    def edit(
        only_path: Annotated[bool, typer.Option("--path", help="Print where the file is, and edit nothing.")] = False,
        debug: Debug = False,
    ) -> None:
        from data_designer.config.defaults import HOME_FILES, check_home_file, home, write_home_file

        path = home() / HOME_FILES[name][0]
        if only_path:
            say(str(path))
            return
        with errors_in_one_line(debug=debug):
            if not path.is_file():
                write_home_file(name)
            _edit(path)
            check_home_file(name)
            say(f"{path} is well-formed")


def _edit(path: Path) -> None:
    import click

    click.edit(filename=str(path))


_editor("providers", "the providers of models")
_editor("models", "the models")
_editor("mcp", "the servers of tools")
_editor("tools", "the tool configs")
