"""`watch` finds what it is to look at: a dataset by its place, a job by its name."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.commands import run

from data_designer.cli import jobs
from data_designer.cli.jobs import HERE, dataset_of, entrypoint
from data_designer.cli.staging import Staged
from data_designer.cli.watch import _begun


class Jobs:
    """A cluster with one job."""

    def __init__(self, command: str, states: Sequence[str] = ()) -> None:
        self.command = command
        self.states = [*states]
        """What it says of its state, one after another; then that it has failed."""

    def status(self, _: str) -> tuple[str, str]:
        """How far the job is."""
        return (self.states.pop(0) if self.states else "FAILED"), ""

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


def test_a_dataset_is_watched_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As other commands take it: one of the folder in which they are made unless told otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifacts/d").mkdir(parents=True)
    code, said = run("watch", "d")
    assert code == 1
    assert "artifacts/d" in said


def test_a_job_of_somebody_else_s_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command is said."""
    submitted(monkeypatch, command="python train.py -o out")
    code, said = run("watch", "raysubmit_1")
    assert code == 1
    assert "the job raysubmit_1 makes no dataset: python train.py -o out" in said


def test_a_job_that_has_not_begun_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until its dataset is there, which is said once; or until the job is over."""
    command = f"data-designer create c.yaml -o {tmp_path} -d d"
    job = Jobs(command, ["PENDING", "RUNNING", "RUNNING"])
    monkeypatch.setattr(jobs, "_jobs", lambda _: job)
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            (tmp_path / "d").mkdir()
            (tmp_path / "d" / "metadata.json").touch()

    assert _begun("raysubmit_1", HERE, wait) == f"{tmp_path}/d"
    assert len(waits) == 2
    assert capsys.readouterr().err.count("waiting for") == 1


def test_a_dataset_that_cannot_be_read_from_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where the cluster's file system is not ours."""
    submitted(monkeypatch, "-d", "d", "-o", str(tmp_path / "shared"))
    code, said = run("watch", "raysubmit_1")
    assert code == 1
    assert f"there is no dataset at {tmp_path}/shared/d" in said
