"""The commands for programs that write configurations: what there is to declare, as plain text."""

from typing import Annotated

import typer

from data_designer.cli.exits import errors_in_one_line

agent = typer.Typer(no_args_is_help=True, help="What there is to declare, as plain text for programs.")
state = typer.Typer(no_args_is_help=True, help="What can be used on this machine.")
agent.add_typer(state, name="state")


@agent.command()
def context() -> None:
    """Print everything that a configuration can hold, and what can be used here."""
    from data_designer.cli import inventory

    with errors_in_one_line(debug=False):
        typer.echo(inventory.context())


@agent.command()
def types(
    family: Annotated[
        str | None, typer.Argument(help="columns, samplers, validators, processors or constraints; all if not given.")
    ] = None,
) -> None:
    """Print the types of a family, or of all."""
    from data_designer.cli import inventory

    with errors_in_one_line(debug=False):
        if family is not None and family not in inventory.FAMILIES:
            known = ", ".join(inventory.FAMILIES)
            typer.echo(f"Error [unknown_family]: there is no family {family!r}; there are {known}", err=True)
            raise typer.Exit(1)
        names = list(inventory.FAMILIES) if family is None else [family]
        typer.echo("\n\n".join(map(inventory.family, names)))


@state.command("model-aliases")
def model_aliases() -> None:
    """Print the models that are there when none are given, and whether each can be used."""
    from data_designer.cli import inventory

    with errors_in_one_line(debug=False):
        typer.echo(inventory.model_aliases())


@state.command("persona-datasets")
def persona_datasets() -> None:
    """Print the locales of managed person data, and which are there."""
    from data_designer.cli import inventory

    with errors_in_one_line(debug=False):
        typer.echo(inventory.persona_datasets())
