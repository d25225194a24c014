"""The command `data-designer`: the list of its commands."""

from typing import Annotated

import typer

from data_designer.cli import create, jobs, models, resume, serve_sim
from data_designer.cli.saying import say
from data_designer.config.version import get_library_version

app = typer.Typer(help="Synthetic datasets from declared columns and LLM endpoints.", no_args_is_help=True)

for command in (
    create.create,
    jobs.submit,
    resume.resume,
    resume.extend,
    resume.retry_failed,
    resume.check,
    create.preview,
    create.validate,
    create.check_models,
    models.models,
    serve_sim.serve_sim,
):
    app.command()(command)
app.add_typer(jobs.job, name="job")


def _print_version(wanted: bool) -> None:
    if wanted:
        say(get_library_version())
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Synthetic datasets from declared columns and LLM endpoints."""


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
