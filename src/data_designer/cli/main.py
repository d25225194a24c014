"""The command `data-designer`."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import click
import typer
from pydantic import ValidationError

from data_designer.cli.jobs import HERE, Address, add_commands, check_shared, run_job
from data_designer.cli.loading import load_builder, load_run_config, parse_settings, reload_builder, source_of
from data_designer.cli.saying import say
from data_designer.config.run_config import ResumeMode
from data_designer.config.version import get_library_version
from data_designer.engine.dataset.store import check_name
from data_designer.errors import DataDesignerError
from data_designer.interrupts import LEFT, sigterm_interrupts
from data_designer.object_storage import location

app = typer.Typer(help="Synthetic datasets from declared columns and LLM endpoints.", no_args_is_help=True)

Source = Annotated[
    str,
    typer.Argument(metavar="CONFIG", help="YAML or JSON file, its URL, or a Python file with load_config_builder()."),
]
Records = Annotated[int, typer.Option("--num-records", "-n", min=1, help="How many records to make.")]
Artifacts = Annotated[
    str,
    typer.Option(
        "--artifact-path", "-o", help="The folder of all datasets: a path, or a URL such as s3://bucket/folder."
    ),
]
Simulate = Annotated[bool, typer.Option("--simulate", help="Let the simulated model stand in for every model.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Settings = Annotated[Path | None, typer.Option("--run-config", "-c", help="YAML file of run settings.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Same seed, same data.")]
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's folder: a path or a URL.")]
Script = Annotated[list[str] | None, typer.Argument(metavar="[-- ARGS]", help="Arguments for a Python CONFIG.")]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One run setting; may be repeated.")
]


@contextmanager
def _errors_in_one_line(*, debug: bool) -> Iterator[None]:
    """Whatever the user can mend is one line and exit code 1; a traceback only on request.

    So is Ctrl-C or SIGTERM; a second one, while what is under way is waited for, is 130.
    """
    try:
        with sigterm_interrupts():
            yield
    except (click.exceptions.ClickException, typer.Exit):
        raise
    except KeyboardInterrupt as interrupt:
        say("interrupted", err=True)
        _leave(130 if str(interrupt) == LEFT else 1)
    except Exception as error:
        if debug:
            raise
        say(f"❌ {_said(error)}", err=True)
        raise typer.Exit(1) from None


def _leave(code: int) -> NoReturn:
    """End this process as it is: what was interrupted may still be under way, and is not to change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # A service may have none.
            stream.flush()
    if "ray" in sys.modules:
        from data_designer.distributed.local_ray import kill_local

        kill_local()
    os._exit(code)


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        listed = [f"  - {'.'.join(map(str, item['loc'])) or 'config'}: {item['msg']}" for item in error.errors()]
        return "\n".join([f"{error.title} is not valid:", *listed])
    known = isinstance(error, DataDesignerError | OSError | ValueError)
    return str(error) if known else f"{type(error).__name__}: {error} (--debug shows where)"


def _designer(artifact_path: Any, run: Any, *, simulate: bool, source: Any = None) -> Any:
    from data_designer.interface import DataDesigner

    designer = DataDesigner(artifact_path, simulate=simulate, source=source)
    designer.set_run_config(run)
    return designer


def _say_what_there_is(results: Any) -> None:
    folder = results.artifact_storage.base_dataset_path
    outcomes = results.outcomes
    nulls = f", {outcomes.null_filled} of them with nulls" if outcomes.null_filled else ""
    say(f"{outcomes.generated + outcomes.null_filled} of {outcomes.requested} records in {folder}{nulls}")
    if results.early_shutdown is not None:
        say(f"❌ stopped early: {results.early_shutdown}", err=True)
        say(f"   to go on: data-designer resume {folder}", err=True)
        raise typer.Exit(1)


@app.command()
def create(  # noqa: PLR0913 - one parameter an option
    source: Source,
    arguments: Script = None,
    num_records: Records = 10,
    dataset_name: Annotated[str, typer.Option("--dataset-name", "-d", help="Name of its folder.")] = "dataset",
    artifact_path: Artifacts = "artifacts",
    run_config: Settings = None,
    settings: Setting = None,
    seed: Seed = None,
    resume: Annotated[
        ResumeMode, typer.Option("--resume", "-r", help="Whether to go on with a dataset of that name.")
    ] = ResumeMode.NEVER,
    reuse: Annotated[
        str | None, typer.Option("--reuse", metavar="DATASET", help="Take what has not changed from another dataset.")
    ] = None,
    output_format: Annotated[
        str | None, typer.Option("--output-format", "-f", help="Write one file more: jsonl, csv or parquet.")
    ] = None,
    simulate: Simulate = False,
    debug: Debug = False,
) -> None:
    """Make a dataset on disk and print where it is."""
    with _errors_in_one_line(debug=debug):
        run = load_run_config(run_config, [*(settings or []), *([f"seed={seed}"] if seed is not None else [])])
        form = _export_format(artifact_path, dataset_name, output_format)
        designer = _designer(artifact_path, run, simulate=simulate, source=source_of(source, arguments or []))
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
        results.load_analysis().to_report()
        results.display_sample_record()
        _say_what_there_is(results)


def _export_format(artifact_path: str, dataset_name: str, given: str | None) -> str | None:
    """The format of the one file more, refused before anything is paid for where it could not be written."""
    if given is None:
        return None
    from data_designer.interface.loading import export_format

    return export_format(location(artifact_path) / dataset_name / f"{dataset_name}.{given.lower()}", given)


@app.command()
def submit(  # noqa: PLR0913 - one parameter an option
    source: Source,
    arguments: Script = None,
    address: Address = HERE,
    num_records: Records = 10,
    dataset_name: Annotated[str, typer.Option("--dataset-name", "-d", help="Name of its folder.")] = "dataset",
    artifact_path: Annotated[
        str, typer.Option("--artifact-path", "-o", help="The folder of all datasets, which every node can write.")
    ] = "artifacts",
    settings: Setting = None,
    seed: Seed = None,
    resume: Annotated[
        ResumeMode, typer.Option("--resume", "-r", help="Whether to go on with a dataset of that name.")
    ] = ResumeMode.IF_POSSIBLE,
    simulate: Simulate = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    debug: Debug = False,
) -> None:
    """Make a dataset by a job on a Ray cluster: send the configuration, show what the job says, exit with its code."""
    with _errors_in_one_line(debug=debug):
        check_name(dataset_name)
        check_shared(artifact_path)
        run = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
        load_run_config(None, run)  # What is wrong with them is said here and not there.
        options = ["-n", str(num_records), "-d", dataset_name, "-o", artifact_path, "--resume", resume.value]
        for setting in ["executor=ray", *run]:
            options += ["--set", setting]
        options += ["--simulate"] if simulate else []
        raise typer.Exit(run_job(source, arguments or [], options, address, detach=detach))


@app.command()
def resume(
    dataset: Dataset,
    num_records: Annotated[
        int | None, typer.Option("--num-records", "-n", min=1, help="As many as before, or more.")
    ] = None,
    run_config: Settings = None,
    settings: Setting = None,
    debug: Debug = False,
) -> None:
    """Go on with a dataset that was interrupted; nothing that was paid for is paid again."""
    with _errors_in_one_line(debug=debug):
        _go_on(dataset, num_records, parse_settings(run_config, settings or []))


@app.command()
def extend(
    dataset: Dataset,
    num_records: Annotated[
        int | None, typer.Option("--num-records", "-n", min=1, help="How many there are to be in all.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="A configuration with further columns: makes a dataset beside this.")
    ] = None,
    run_config: Settings = None,
    settings: Setting = None,
    debug: Debug = False,
) -> None:
    """Add records to a dataset, or columns; what is there is not made again."""
    with _errors_in_one_line(debug=debug):
        changes = parse_settings(run_config, settings or [])
        if config is not None:
            _widen(dataset, config, num_records, changes)
        elif num_records is not None:
            _go_on(dataset, num_records, changes)
        else:
            raise ValueError("give --num-records for more records, or --config for further columns")


def _widen(dataset: str, config: str, num_records: int | None, changes: dict[str, Any]) -> None:
    """Make a dataset with further columns beside one that is there, which stays as it is."""
    from data_designer.interface.stored import StoredDataset

    stored = StoredDataset.at(dataset)
    designer = _designer_of(stored, changes, source_of(config, []))
    _say_what_there_is(
        designer.create(
            load_builder(config),
            num_records=num_records or stored.requested,
            dataset_name=f"{stored.path.name}_extended",
            resume="if_possible",
            reuse=stored.path,
        )
    )


def _stored(dataset: str) -> Any:
    """A dataset, with this process where it was made: relative paths of its configuration start from there."""
    from data_designer.interface.stored import StoredDataset

    stored = StoredDataset.at(dataset)
    if stored.directory is not None:
        os.chdir(stored.directory)
    return stored


def _designer_of(stored: Any, changes: dict[str, Any], source: Any) -> Any:
    """A designer for what belongs to a dataset: its folder, its run settings but for some changes, its models."""
    return _designer(stored.path.parent, stored.run_config(changes), simulate=stored.simulated, source=source)


def _go_on(dataset: str, num_records: int | None, changes: dict[str, Any]) -> None:
    stored = _stored(dataset)
    designer = _designer_of(stored, changes, stored.source)
    wanted = num_records or stored.requested
    _say_what_there_is(
        designer.create(reload_builder(stored), num_records=wanted, dataset_name=stored.path.name, resume="always")
    )


@app.command("retry-failed")
def retry_failed(
    dataset: Dataset,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="ALIAS=NAME", help="Ask another model of the same provider; may be repeated."),
    ] = None,
    run_config: Settings = None,
    settings: Setting = None,
    debug: Debug = False,
) -> None:
    """Make the rejected records of a dataset again, and put what comes out into its place."""
    with _errors_in_one_line(debug=debug):
        models = _models(model or ())
        changes = parse_settings(run_config, settings or [])
        stored = _stored(dataset)
        designer = _designer_of(stored, changes, stored.source)
        _say_what_there_is(designer.retry_failed(reload_builder(stored), dataset_name=stored.path.name, models=models))


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


@app.command()
def check(dataset: Dataset, debug: Debug = False) -> None:
    """Read every file of a dataset and compare it with what was committed."""
    with _errors_in_one_line(debug=debug):
        from data_designer.interface.stored import StoredDataset

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


@app.command()
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
    with _errors_in_one_line(debug=debug):
        run = load_run_config(run_config, [*(settings or []), *([f"seed={seed}"] if seed is not None else [])])
        results = _designer("artifacts", run, simulate=simulate).preview(
            load_builder(source, arguments or []), num_records=num_records
        )
        browsing = not non_interactive and sys.stdin.isatty() and sys.stdout.isatty() and len(results.dataset) > 1
        if browsing:
            _browse(results)
        else:
            for index in range(len(results.dataset)):
                results.display_sample_record(index)
        results.analysis.to_report()


def _browse(results: Any) -> None:
    index = 0
    while True:
        results.display_sample_record(index)
        key = typer.prompt("n(ext), p(revious), q(uit)", default="n").strip().lower()[:1]
        if key == "q":
            return
        index = (index + (-1 if key == "p" else 1)) % len(results.dataset)


@app.command()
def validate(source: Source, arguments: Script = None, simulate: Simulate = False, debug: Debug = False) -> None:
    """Check a configuration without asking any model."""
    with _errors_in_one_line(debug=debug):
        from data_designer.config.run_config import RunConfig

        _designer("artifacts", RunConfig(), simulate=simulate).validate(load_builder(source, arguments or []))
        say("the configuration is valid")


@app.command("check-models")
def check_models(source: Source, arguments: Script = None, simulate: Simulate = False, debug: Debug = False) -> None:
    """Ask every model that a configuration uses for a sign of life."""
    with _errors_in_one_line(debug=debug):
        from data_designer.config.run_config import RunConfig

        designer = _designer("artifacts", RunConfig(), simulate=simulate)
        designer.check_models(load_builder(source, arguments or []))
        say("every model answers")


@app.command("serve-sim")
def serve_sim(  # noqa: PLR0913 - one parameter an option
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8100,
    seed: Annotated[int, typer.Option(help="Same seed, same replies.")] = 0,
    latency: Annotated[float, typer.Option(min=0, help="Mean seconds to a reply.")] = 0.0,
    jitter: Annotated[float, typer.Option(min=0, help="Spread of the latency, as a share of it.")] = 0.0,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of requests answered with HTTP 500.")] = 0.0,
    malformed_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of replies in the wrong form.")] = 0.0,
    reject_above: Annotated[int | None, typer.Option(min=1, help="Answer 429 above so many in flight.")] = None,
) -> None:
    """Serve the simulated model: an OpenAI-compatible endpoint that needs no model."""
    import asyncio

    from data_designer.simulated_model.server import SimulatedModel, serve

    model = SimulatedModel(
        seed=seed,
        latency=latency,
        jitter=jitter,
        error_rate=error_rate,
        malformed_rate=malformed_rate,
        reject_above=reject_above,
    )
    with _errors_in_one_line(debug=False):
        asyncio.run(serve(model, host="127.0.0.1", port=port, log=False, until_stdin_closes=False))


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


app.add_typer(add_commands(_errors_in_one_line), name="job")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
