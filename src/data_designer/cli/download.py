"""The command about managed person data: which there are, and where they go."""

from typing import Annotated

import typer

from data_designer.cli.arguments import Debug
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.saying import say
from data_designer.errors import InvalidConfigError

download = typer.Typer(no_args_is_help=True, help="Managed data.")


@download.callback()
def _group() -> None:
    """Managed data."""


@download.command()
def personas(
    locale: Annotated[list[str] | None, typer.Option("--locale", "-l", help="Which; may be repeated.")] = None,
    all_locales: Annotated[bool, typer.Option("--all", help="Every locale.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be there, and where.")] = False,
    list_locales: Annotated[bool, typer.Option("--list", help="List the locales and their sizes.")] = False,
    debug: Debug = False,
) -> None:
    """Say where managed person data are taken from and belong; they are not fetched by this version."""
    from data_designer.config.defaults import managed_assets
    from data_designer.config.locales import MANAGED_GIGABYTES

    with errors_in_one_line(debug=debug):
        folder = managed_assets() / "datasets"
        chosen = list(MANAGED_GIGABYTES) if all_locales or list_locales else locale or []
        if unknown := sorted(set(chosen) - MANAGED_GIGABYTES.keys()):
            raise InvalidConfigError(f"there are no people for locale {', '.join(unknown)}; --list shows the locales")
        if not chosen:
            raise InvalidConfigError("name a locale by --locale, or take --all or --list")
        for name in chosen:
            path = folder / f"{name}.parquet"
            say(f"{name:<12} {MANAGED_GIGABYTES[name]:>5} GB  {path}{'  (there)' if path.is_file() else ''}")
        if not (dry_run or list_locales):
            raise InvalidConfigError(
                "fetching them is not built: download the Nemotron-Personas datasets of these locales by the NGC CLI "
                "(https://catalog.ngc.nvidia.com), and put each Parquet file where it is shown above"
            )
