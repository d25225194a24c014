"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from data_designer.config.resume_mode import ResumeMode
from data_designer.object_storage import is_url

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
Name = Annotated[str, typer.Option("--dataset-name", "-d", help="Name of its folder.")]
Resume = Annotated[
    ResumeMode,
    typer.Option(
        "--resume",
        "-r",
        metavar="MODE",
        help="Whether to go on with a dataset of that name: never, always or if_possible.",
    ),
]
Simulate = Annotated[bool, typer.Option("--simulate", help="Let the simulated model stand in for every model.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the prompts of the first records; ask nobody.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Settings = Annotated[Path | None, typer.Option("--run-config", "-c", help="YAML file of run settings.")]
Progress = Annotated[
    Literal["panel", "lines", "json", "none"] | None,
    typer.Option("--progress", help="How progress is shown; json: an object a line on standard output."),
]
Tui = Annotated[bool | None, typer.Option("--tui/--no-tui", help="The live panel, or lines.", show_default=False)]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Same seed, same data.")]


def folder_of(dataset: str) -> str:
    """A dataset that is named by its name alone is one of the folder in which they are made unless told otherwise."""
    beside = Path("artifacts") / dataset
    return str(beside) if not is_url(dataset) and not Path(dataset).exists() and beside.is_dir() else dataset


Dataset = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="The dataset's folder, a path or a URL; or the name of one in artifacts/.",
        callback=folder_of,
    ),
]
Script = Annotated[list[str] | None, typer.Argument(metavar="[-- ARGS]", help="Arguments for a Python CONFIG.")]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One run setting; may be repeated.")
]
