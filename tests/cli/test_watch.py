"""`watch` finds what it is to look at: a dataset by its place, a job by its name."""

from pathlib import Path

import pytest
from tests.cli.commands import run

from data_designer.cli import jobs
from data_designer.cli.jobs import HERE, dataset_of, entrypoint
from data_designer.cli.staging import Staged


class Jobs:
    """A cluster with one job."""

    def __init__(self, command: str) -> None:
        self.command = command

    def entrypoint(self, name: str) -> str:
        """What it runs."""
        if name != "raysubmit_1":
            raise LookupError(f"there is no job {name!r}")
        return self.command


def submitted(monkeypatch: pytest.MonkeyPatch, *options: str, command: str | None = None) -> None:
    """A job that makes a dataset, or does something else."""
    made = entrypoint(Staged("story.py", (), ()), ["-d", "an argument of the script"], list(options))
    monkeypatch.setattr(jobs, "_jobs", lambda _: Jobs(command or made))


def test_the_dataset_of_a_job_is_where_it_was_told_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its command; arguments of its script are none of ours."""
    submitted(monkeypatch, "-n", "10", "-d", "a name", "-o", "s3://bucket/all/")
    assert dataset_of("raysubmit_1", HERE) == "s3://bucket/all/a name"
    with pytest.raises(LookupError, match="raysubmit_2"):
        dataset_of("raysubmit_2", HERE)


def test_a_job_of_somebody_else_s_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command is said."""
    submitted(monkeypatch, command="python train.py -o out")
    code, said = run("watch", "raysubmit_1")
    assert code == 1
    assert "the job raysubmit_1 makes no dataset: python train.py -o out" in said


def test_a_dataset_that_cannot_be_read_from_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where the cluster's file system is not ours."""
    submitted(monkeypatch, "-d", "d", "-o", str(tmp_path / "shared"))
    code, said = run("watch", "raysubmit_1")
    assert code == 1
    assert f"there is no dataset at {tmp_path}/shared/d" in said
