"""The commands that run datasets as jobs of a Ray cluster."""

import itertools
import shlex
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from data_designer.cli.arguments import Debug, Name, Records, Resume, Script, Seed, Setting, Simulate, Source
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.loading import load_run_config, with_seed
from data_designer.cli.saying import say
from data_designer.config.resume_mode import ResumeMode
from data_designer.errors import InvalidConfigError
from data_designer.object_storage import is_url

if TYPE_CHECKING:
    from data_designer.cli.staging import Staged
    from data_designer.distributed.jobs import Jobs

Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar=["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"],
        metavar="URL",
        help="The head's dashboard, such as http://host:8265.",
    ),
]
Job = Annotated[str, typer.Argument(metavar="JOB", help="The name that `submit` prints.")]
HERE = "http://127.0.0.1:8265"

job = typer.Typer(help="Watch and stop jobs that `submit` has started.", no_args_is_help=True)


def entrypoint(staged: "Staged", arguments: list[str], options: list[str]) -> str:
    """The command that the cluster runs."""
    after = ["--", *arguments] if arguments else []
    return shlex.join(["data-designer", "create", staged.config, *options, *after])


def check_shared(artifact_path: str) -> None:
    """Raise InvalidConfigError where a dataset would be written into the job's own folder, which Ray removes."""
    if not is_url(artifact_path) and not PurePosixPath(artifact_path).is_absolute():
        raise InvalidConfigError(
            f"--artifact-path {artifact_path} is relative: on the cluster it would be inside the job's own folder, "
            "which is removed with it; give the absolute path of a folder that all nodes share"
        )


def run_job(
    source: str,
    arguments: list[str],
    options: list[str],
    address: str,
    *,
    detach: bool,
) -> int:
    """Send a configuration, start its job and, unless detached, follow it. Gives the exit code."""
    import tempfile

    from data_designer.cli.staging import HOME, stage

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        staged = stage(source, arguments, folder)
        for path in staged.left:
            say(f"not sent: {path}; the cluster has to have it at that path", err=True)
        if staged.variables:
            names = ", ".join(staged.variables)
            say(f"not sent: {names}; the cluster's nodes have to have it in their environment", err=True)
        jobs = _jobs(address)
        variables = {"PYTHONUNBUFFERED": "1", "DATA_DESIGNER_HOME": HOME}
        name = jobs.submit(entrypoint(staged, arguments, options), folder, {"data-designer": source}, variables)
    say(f"job {name}")
    if detach:
        say(_how_to_watch(name, address), err=True)
        return 0
    return _follow(jobs, name, address)


def dataset_of(name: str, address: str) -> str:
    """Where the dataset is that a job makes.

    Raises:
        LookupError: there is no such job, or it makes none.
    """
    command = _jobs(address).entrypoint(name)
    words = list(itertools.takewhile(lambda word: word != "--", shlex.split(command)))
    given = dict(itertools.pairwise(words))
    if "-o" not in given or "-d" not in given:
        raise LookupError(f"the job {name} makes no dataset: {command}")
    return f"{given['-o'].rstrip('/')}/{given['-d']}"


def is_alive(name: str, address: str) -> bool:
    """Whether a job is under way, or about to be. Raises LookupError where there is no such job."""
    return _jobs(address).status(name)[0] in ("PENDING", "RUNNING")


def _jobs(address: str) -> "Jobs":
    from data_designer.distributed.jobs import Jobs

    return Jobs(address)


def _follow(jobs: "Jobs", name: str, address: str) -> int:
    import asyncio

    try:
        return asyncio.run(jobs.follow(name, lambda text: typer.echo(text, nl=False)))
    except KeyboardInterrupt:
        say(f"\nthe job goes on\n{_how_to_watch(name, address)}", err=True)
        return 130


def _how_to_watch(name: str, address: str) -> str:
    commands = ("watch", *(f"job {command}" for command in ("logs", "status", "stop")))
    return "\n".join(f"   data-designer {command} {name} --address {address}" for command in commands)


def submit(  # noqa: PLR0913 - one parameter an option
    source: Source,
    arguments: Script = None,
    address: Address = HERE,
    num_records: Records = 10,
    dataset_name: Name = "dataset",
    artifact_path: Annotated[
        str, typer.Option("--artifact-path", "-o", help="The folder of all datasets, which every node can write.")
    ] = "artifacts",
    settings: Setting = None,
    seed: Seed = None,
    resume: Resume = ResumeMode.IF_POSSIBLE,
    simulate: Simulate = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    debug: Debug = False,
) -> None:
    """Make a dataset by a job on a Ray cluster: send the configuration, show what the job says, exit with its code."""
    from data_designer.engine.dataset.store import check_name

    with errors_in_one_line(debug=debug):
        check_name(dataset_name)
        check_shared(artifact_path)
        run = with_seed(settings, seed)
        load_run_config(None, run)  # What is wrong with them is said here and not there.
        options = ["-n", str(num_records), "-d", dataset_name, "-o", artifact_path, "--resume", resume.value]
        for setting in ["executor=ray", *run]:
            options += ["--set", setting]
        options += ["--simulate"] if simulate else []
        raise typer.Exit(run_job(source, arguments or [], options, address, detach=detach))


@job.command()
def status(name: Job, address: Address = HERE) -> None:
    """Say how far a job is."""
    with errors_in_one_line(debug=False):
        word, said = _jobs(address).status(name)
        say(f"{word}: {said}" if said else word)


@job.command()
def logs(
    name: Job,
    address: Address = HERE,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it ends; exit with its code.")] = False,
) -> None:
    """Print what a job has written."""
    with errors_in_one_line(debug=False):
        jobs = _jobs(address)
        if follow:
            raise typer.Exit(_follow(jobs, name, address))
        typer.echo(jobs.logs(name), nl=False)


@job.command()
def stop(name: Job, address: Address = HERE) -> None:
    """Stop a job as Ctrl-C would: what is complete is committed, and the same `submit` goes on."""
    with errors_in_one_line(debug=False):
        say("asked to stop" if _jobs(address).stop(name) else "it was not running")
