"""The commands that take a configuration: create, preview, validate, check-models."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from data_designer.cli.arguments import (
    Artifacts,
    Debug,
    DryRun,
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
from data_designer.cli.browser import browse, record_lines, rendered_lines
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.keys import has_keys
from data_designer.cli.loading import designer_for, load_builder, load_run_config, source_of, with_seed, with_view
from data_designer.cli.saying import people_on_stderr, say, say_end, say_what_there_is, say_wrapped
from data_designer.config.resume_mode import ResumeMode
from data_designer.object_storage import location

if TYPE_CHECKING:
    from data_designer.config.config_builder import DataDesignerConfigBuilder
    from data_designer.interface import DataDesigner
    from data_designer.interface.results import PreviewResults

_FEW = 3
"""Records of a dry run, unless it is told how many."""


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
    report: Annotated[bool, typer.Option("--report", help="Write report.html into the dataset's folder.")] = False,
    progress: Progress = None,
    tui: Tui = None,
    simulate: Simulate = False,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Make a dataset on disk and print where it is."""
    with errors_in_one_line(debug=debug):
        run = load_run_config(run_config, with_view(with_seed(settings, seed), progress, tui))
        if dry_run:
            designer = designer_for(artifact_path, run, simulate=simulate)
            _say_prompts(designer, load_builder(source, arguments or []), min(num_records, _FEW))
            return
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
            if report:
                say(f"the report is {results.report()}")
            say_what_there_is(results)


def _export_format(artifact_path: str, dataset_name: str, given: str | None) -> str | None:
    """The format of the one file more, refused before anything is paid for where it could not be written."""
    if given is None:
        return None
    from data_designer.interface.loading import export_format

    return export_format(location(artifact_path) / dataset_name / f"{dataset_name}.{given.lower()}", given)


def preview(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    source: Source,
    arguments: Script = None,
    num_records: Records = 10,
    run_config: Settings = None,
    settings: Setting = None,
    seed: Seed = None,
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Print all records at once.")] = False,
    show_prompts: Annotated[
        bool, typer.Option("--show-prompts", help="Show the prompts and replies of each record too.")
    ] = False,
    save_results: Annotated[
        bool, typer.Option("--save-results", help="Write pages of the records, the report and the rows; show nothing.")
    ] = False,
    artifact_path: Annotated[
        str | None, typer.Option("--artifact-path", "-o", help="Where --save-results writes; artifacts if not given.")
    ] = None,
    theme: Annotated[Literal["dark", "light"], typer.Option("--theme", help="Of the pages.")] = "dark",
    display_width: Annotated[int, typer.Option("--display-width", min=40, help="Characters of a line.")] = 110,
    simulate: Simulate = False,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Make a few records in memory and show them."""
    with errors_in_one_line(debug=debug):
        run = load_run_config(run_config, with_seed(settings, seed))
        designer, builder = designer_for("artifacts", run, simulate=simulate), load_builder(source, arguments or [])
        if dry_run:
            _say_prompts(designer, builder, num_records if _is_given(context, "num_records") else _FEW)
            return
        results = designer.preview(builder, num_records=num_records, show_prompts=show_prompts)
        if save_results:
            _save(results, artifact_path or "artifacts", theme, display_width)
            return
        assert results.dataset is not None
        assert results.analysis is not None
        ending = results.ending()
        assert ending is not None
        number = len(results.dataset)
        if not non_interactive and has_keys() and number > 1:
            browse(number, lambda index, width: _lines(results, index, width))
        else:
            for index in range(number):
                results.display_sample_record(index, display_width=display_width)
        for said in results.conversations if show_prompts else ():
            if said.record not in results.records:  # It is shown with no record, since there is none.
                say_wrapped(f"{said}\n")
        results.analysis.to_report()
        say_end(ending)


def _save(results: "PreviewResults", artifact_path: str, theme: str, display_width: int) -> None:
    from data_designer.interface.saved_preview import save_preview

    folder = Path(artifact_path) / f"preview_results_{time.strftime('%Y%m%d_%H%M%S')}"
    browser = save_preview(results, folder, theme=theme, display_width=display_width)
    say(f"the results are in {folder}")
    say(f"the records are in {browser}")


def _lines(results: "PreviewResults", index: int, width: int) -> list[str]:
    """A record as lines, with what was said for its cells where that is wanted."""
    from data_designer.interface.conversation_view import view

    lines = record_lines(results.display(), index, width)
    for said in results.conversations_of(results.records[index]) if results.show_prompts else ():
        lines += ["", *rendered_lines([view(said)], width)]
    return lines


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _say_prompts(designer: "DataDesigner", builder: "DataDesignerConfigBuilder", num_records: int) -> None:
    """Print what would be asked for the first records."""
    say_wrapped(str(designer.dry_run(builder, num_records=num_records)))


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
