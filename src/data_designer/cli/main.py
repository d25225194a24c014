"""The command `data-designer`: the list of its commands."""

from typing import Annotated

import typer

from data_designer.cli import (
    agent,
    config,
    create,
    download,
    explain,
    jobs,
    ls,
    models,
    plugin,
    report,
    resume,
    serve_sim,
    show,
    watch,
)
from data_designer.cli.examples import START, epilog, examples_of
from data_designer.cli.saying import say
from data_designer.config.version import get_library_version

app = typer.Typer(
    help="Synthetic datasets from declared columns and LLM endpoints.",
    no_args_is_help=True,
    epilog=epilog(START),
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # What goes wrong is one line, or a traceback as Python prints it.
)

for command in (
    create.create,
    jobs.submit,
    watch.watch,
    resume.resume,
    resume.extend,
    resume.retry_failed,
    resume.check,
    report.report,
    explain.explain,
    ls.ls,
    show.show,
    create.preview,
    create.validate,
    create.check_models,
    models.models,
    serve_sim.serve_sim,
):
    app.command(epilog=examples_of(command.__name__))(command)
app.add_typer(jobs.job, name="job")
app.add_typer(config.config, name="config")
app.add_typer(download.download, name="download")
app.add_typer(plugin.plugin, name="plugin")
app.add_typer(agent.agent, name="agent")


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
