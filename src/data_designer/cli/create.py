"""The commands that take a configuration: create, preview, validate, check-models."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from data_designer.cli.arguments import (
    Artifacts,
    Debug,
    Name,
    Progress,
    Records,
    Resume,
    Script,
    Seed,
    Setting,
    Settings,
    Simulate,
    Source,
    Tui,
)
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.loading import designer_for, load_builder, load_run_config, source_of, with_seed, with_view
from data_designer.cli.saying import people_on_stderr, say, say_what_there_is
from data_designer.config.resume_mode import ResumeMode
from data_designer.object_storage import location

if TYPE_CHECKING:
    from data_designer.interface.results import PreviewResults


def create(  # noqa: PLR0913 - one parameter an option
    source: Source,
    arguments: Script = None,
    num_records: Records = 10,
    dataset_name: Name = "dataset",
    artifact_path: Artifacts = "artifacts",
    run_config: Settings = None,
    settings: Setting = None,
    seed: Seed = None,
    resume: Resume = ResumeMode.NEVER,
    reuse: Annotated[
        str | None, typer.Option("--reuse", metavar="DATASET", help="Take what has not changed from another dataset.")
    ] = None,
    output_format: Annotated[
        str | None, typer.Option("--output-format", "-f", help="Write one file more: jsonl, csv or parquet.")
    ] = None,
    progress: Progress = None,
    tui: Tui = None,
    simulate: Simulate = False,
    debug: Debug = False,
) -> None:
    """Make a dataset on disk and print where it is."""
    with errors_in_one_line(debug=debug):
        run = load_run_config(run_config, with_view(with_seed(settings, seed), progress, tui))
        form = _export_format(artifact_path, dataset_name, output_format)
        designer = designer_for(artifact_path, run, simulate=simulate, source=source_of(source, arguments or []))
        results = designer.create(
            load_builder(source, arguments or []),
            num_records=num_records,
            dataset_name=dataset_name,
            resume=resume,
            reuse=reuse,
        )
        folder = results.artifact_storage.base_dataset_path
        if form is not None:
            results.export(folder / f"{dataset_name}.{form}", format=form)
        with people_on_stderr(run.progress):
            results.load_analysis().to_report()
            results.display_sample_record()
            say_what_there_is(results)


def _export_format(artifact_path: str, dataset_name: str, given: str | None) -> str | None:
    """The format of the one file more, refused before anything is paid for where it could not be written."""
    if given is None:
        return None
    from data_designer.interface.loading import export_format

    return export_format(location(artifact_path) / dataset_name / f"{dataset_name}.{given.lower()}", given)


def preview(  # noqa: PLR0913 - one parameter an option
    source: Source,
    arguments: Script = None,
    num_records: Records = 10,
    run_config: Settings = None,
    settings: Setting = None,
    seed: Seed = None,
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Print all records at once.")] = False,
    simulate: Simulate = False,
    debug: Debug = False,
) -> None:
    """Make a few records in memory and show them."""
    with errors_in_one_line(debug=debug):
        run = load_run_config(run_config, with_seed(settings, seed))
        results = designer_for("artifacts", run, simulate=simulate).preview(
            load_builder(source, arguments or []), num_records=num_records
        )
        assert results.dataset is not None
        assert results.analysis is not None
        number = len(results.dataset)
        if not non_interactive and sys.stdin.isatty() and sys.stdout.isatty() and number > 1:
            _browse(results, number)
        else:
            for index in range(number):
                results.display_sample_record(index)
        results.analysis.to_report()


def _browse(results: "PreviewResults", number: int) -> None:
    index = 0
    while True:
        results.display_sample_record(index)
        key = typer.prompt("n(ext), p(revious), q(uit)", default="n").strip().lower()[:1]
        if key == "q":
            return
        index = (index + (-1 if key == "p" else 1)) % number


def validate(source: Source, arguments: Script = None, simulate: Simulate = False, debug: Debug = False) -> None:
    """Check a configuration without asking any model."""
    with errors_in_one_line(debug=debug):
        designer_for("artifacts", None, simulate=simulate).validate(load_builder(source, arguments or []))
        say("the configuration is valid")


def check_models(source: Source, arguments: Script = None, simulate: Simulate = False, debug: Debug = False) -> None:
    """Ask every model that a configuration uses for a sign of life."""
    with errors_in_one_line(debug=debug):
        designer = designer_for("artifacts", None, simulate=simulate)
        designer.check_models(load_builder(source, arguments or []))
        say("every model answers")
