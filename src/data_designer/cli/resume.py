"""The commands that take a dataset: resume, extend, retry-failed, check."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from data_designer.cli.arguments import Dataset, Debug, Progress, Setting, Settings, Tui
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.loading import designer_for, load_builder, parse_settings, reload_builder, source_of, with_view
from data_designer.cli.saying import people_on_stderr, say, say_what_there_is

if TYPE_CHECKING:
    from data_designer.interface import DataDesigner
    from data_designer.interface.stored import StoredDataset


def resume(  # noqa: PLR0913 - one parameter an option
    dataset: Dataset,
    num_records: Annotated[
        int | None, typer.Option("--num-records", "-n", min=1, help="As many as before, or more.")
    ] = None,
    run_config: Settings = None,
    settings: Setting = None,
    progress: Progress = None,
    tui: Tui = None,
    debug: Debug = False,
) -> None:
    """Go on with a dataset that was interrupted; nothing that was paid for is paid again."""
    with errors_in_one_line(debug=debug):
        _go_on(dataset, num_records, parse_settings(run_config, with_view(settings, progress, tui)))


def extend(  # noqa: PLR0913 - one parameter an option
    dataset: Dataset,
    num_records: Annotated[
        int | None, typer.Option("--num-records", "-n", min=1, help="How many there are to be in all.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="A configuration with further columns: makes a dataset beside this.")
    ] = None,
    run_config: Settings = None,
    settings: Setting = None,
    progress: Progress = None,
    tui: Tui = None,
    debug: Debug = False,
) -> None:
    """Add records to a dataset, or columns; what is there is not made again."""
    with errors_in_one_line(debug=debug):
        changes = parse_settings(run_config, with_view(settings, progress, tui))
        if config is not None:
            _widen(dataset, config, num_records, changes)
        elif num_records is not None:
            _go_on(dataset, num_records, changes)
        else:
            raise ValueError("give --num-records for more records, or --config for further columns")


def _widen(dataset: str, config: str, num_records: int | None, changes: Mapping[str, object]) -> None:
    """Make a dataset with further columns beside one that is there, which stays as it is."""
    from data_designer.interface.stored import StoredDataset

    stored = StoredDataset.at(dataset)
    designer = _designer_of(stored, changes, source_of(config, []))
    results = designer.create(
        load_builder(config),
        num_records=num_records or stored.requested,
        dataset_name=f"{stored.path.name}_extended",
        resume="if_possible",
        reuse=stored.path,
    )
    with people_on_stderr(designer.run_config.progress):
        say_what_there_is(results)


def _stored(dataset: str) -> "StoredDataset":
    """A dataset, with this process where it was made: relative paths of its configuration start from there."""
    from data_designer.interface.stored import StoredDataset

    stored = StoredDataset.at(dataset)
    if stored.directory is not None:
        os.chdir(stored.directory)
    return stored


def _designer_of(
    stored: "StoredDataset", changes: Mapping[str, object], source: Mapping[str, object] | None
) -> "DataDesigner":
    """A designer for what belongs to a dataset: its folder, its run settings but for some changes, its models."""
    return designer_for(stored.path.parent, stored.run_config(changes), simulate=stored.simulated, source=source)


def _go_on(dataset: str, num_records: int | None, changes: Mapping[str, object]) -> None:
    stored = _stored(dataset)
    designer = _designer_of(stored, changes, stored.source)
    wanted = num_records or stored.requested
    results = designer.create(
        reload_builder(stored), num_records=wanted, dataset_name=stored.path.name, resume="always"
    )
    with people_on_stderr(designer.run_config.progress):
        say_what_there_is(results, dataset)


def retry_failed(  # noqa: PLR0913 - one parameter an option
    dataset: Dataset,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="ALIAS=NAME", help="Ask another model of the same provider; may be repeated."),
    ] = None,
    run_config: Settings = None,
    settings: Setting = None,
    progress: Progress = None,
    tui: Tui = None,
    debug: Debug = False,
) -> None:
    """Make the rejected records of a dataset again, and put what comes out into its place."""
    with errors_in_one_line(debug=debug):
        models = _models(model or ())
        changes = parse_settings(run_config, with_view(settings, progress, tui))
        stored = _stored(dataset)
        designer = _designer_of(stored, changes, stored.source)
        results = designer.retry_failed(reload_builder(stored), dataset_name=stored.path.name, models=models)
        with people_on_stderr(designer.run_config.progress):
            say_what_there_is(results, dataset)


def _models(given: Sequence[str]) -> dict[str, str]:
    models: dict[str, str] = {}
    for pair in given:
        alias, separator, name = pair.partition("=")
        if not alias or not separator or not name:
            raise ValueError(f"--model takes ALIAS=NAME, not {pair!r}")
        if alias in models:
            raise ValueError(f"--model names two models for '{alias}': {models[alias]} and {name}")
        models[alias] = name
    return models


def check(dataset: Dataset, debug: Debug = False) -> None:
    """Read every file of a dataset and compare it with what was committed."""
    from data_designer.interface.stored import StoredDataset

    with errors_in_one_line(debug=debug):
        stored = StoredDataset.at(dataset)
        verdict = stored.verify()
        say(
            f"batches={verdict.batches}/{stored.geometry.num_batches} files={verdict.files} "
            f"generated={verdict.generated} rejected={verdict.rejected} missing={verdict.missing} "
            f"journaled={verdict.journaled}"
        )
        for leftover in verdict.leftovers:
            say(f"left by a run that was ended, or has not committed it yet: {leftover}; a resume clears it away")
        for problem in verdict.problems:
            say(f"❌ {problem}", err=True)
        if verdict.problems:
            say(
                "   restore what is damaged from a copy; or remove a batch's receipt, and resume makes the batch again",
                err=True,
            )
        for stray in verdict.strays:
            say(f"❌ {stray}: no receipt mentions it, but whoever reads its folder as a whole reads it too", err=True)
        if verdict.strays:
            say("   move what no receipt mentions out of the folders of the dataset's files", err=True)
        if verdict.problems or verdict.strays:
            raise typer.Exit(1)
        say("every file is as it was committed")
