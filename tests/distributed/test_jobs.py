"""Jobs on a Ray that runs as a cluster's head does: submitted, followed, killed, gone on with."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from tests.distributed.driving import batches
from tests.distributed.head import Head, until
from tests.distributed.pacing import Pacing
from tests.loopback import free_port
from typer.testing import CliRunner

from data_designer.cli.main import app

# What Ray's client does is its own business.
pytestmark = pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")

Endpoint = Callable[..., Any]

RECORDS, SLOTS, BATCH = 160, 8, 20
SOON = 2 * BATCH + SLOTS
"""Requests after which a batch that was begun is sure to be complete."""
CONFIG = """
import data_designer.config as dd
from doubling import doubled

@dd.custom_column_generator(required_columns=["kind"])
def shouted(row):
    return {**row, "shouted": doubled(row["kind"]).upper()}

def load_config_builder():
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=8)
    model = dd.ModelConfig(alias="a", model="m", provider="mine", inference_parameters=params)
    built = dd.DataDesignerConfigBuilder(model_configs=[model])
    built.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["x", "y"]})
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="shouted", generator_function=shouted))
    built.add_column(name="text", column_type="llm-text", model_alias="a", prompt="cell {{ shouted }} {{ id }}")
    return built
"""


@dataclass(frozen=True)
class User:
    """Somebody with a configuration, a module beside it, and a model, on the machine of a head."""

    head: Head
    model: Any
    """Counts what it is asked."""

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run `data-designer`; gives what it writes."""
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == code, done.output
        return str(done.output)

    def create(self, name: str, path: Path, *more: str) -> None:
        """Make the dataset."""
        self.run("create", "config.py", *_dataset(name, path), *more)

    def submit(self, name: str, path: Path, *more: str, code: int = 0) -> str:
        """Have it made by a job."""
        return self.run("submit", "config.py", "--address", self.head.address, *_dataset(name, path), *more, code=code)

    def job(self, what: str, job: str, code: int = 0) -> str:
        """Ask for something of a job."""
        return self.run("job", what, job, "--address", self.head.address, code=code)

    def ends(self, job: str) -> str:
        """Wait for the end of a job; gives the word for it."""
        until(lambda: self._word(job) in {"STOPPED", "FAILED", "SUCCEEDED"}, "the end of a job")
        return self._word(job)

    def _word(self, job: str) -> str:
        return self.job("status", job).partition(":")[0].strip()

    def asked(self) -> list[str]:
        """The prompts of cells that came to the model."""
        return [prompt for prompt in self.model.prompts if prompt.startswith("cell ")]


def _dataset(name: str, path: Path) -> list[str]:
    return ["-d", name, "-o", str(path), "--seed", "7", "-n", str(RECORDS), "--set", f"buffer_size={BATCH}"]


def name_of(said: str) -> str:
    """The name of the job that was submitted."""
    return str(re.findall(r"^job (\S+)$", said, re.MULTILINE)[0])


def rows(path: Path) -> pd.DataFrame:
    """The rows of a dataset, in order."""
    return pd.concat([pd.read_parquet(one) for one in sorted((path / "parquet-files").glob("*.parquet"))])


@pytest.fixture
def pace() -> Pacing:
    """At which the model answers."""
    return Pacing()


@pytest.fixture
def user(
    head: Head, pace: Pacing, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[User]:
    """A user who has not done anything yet."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.py").write_text(CONFIG)
    (project / "doubling.py").write_text("def doubled(text):\n    return text + text\n")
    monkeypatch.chdir(project)
    with endpoint(pace) as model:
        providers = f"providers:\n- {{name: mine, endpoint: '{model.url}'}}\n"
        (Path(os.environ["DATA_DESIGNER_HOME"]) / "model_providers.yaml").write_text(providers)
        yield User(head, model)


def test_one_configuration_makes_the_same_dataset_wherever_its_driver_finds_a_ray(
    user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process, on a Ray of its own, and beside a cluster of three nodes; there is a module beside the script."""
    user.create("inline", tmp_path, "--set", "executor=inline")
    user.create("local", tmp_path, "--set", "executor=ray")
    user.head.have(2)
    monkeypatch.setenv("RAY_ADDRESS", user.head.ray)
    user.create("beside", tmp_path, "--set", "executor=ray")
    inline = rows(tmp_path / "inline")
    assert len(inline) == RECORDS
    for way in ("local", "beside"):
        pd.testing.assert_frame_equal(rows(tmp_path / way), inline)


def test_a_job_that_is_stopped_and_then_killed_goes_on(user: User, pace: Pacing, tmp_path: Path) -> None:
    """`stop` is as Ctrl-C, and costs no request; of a driver that is killed only what was in flight is paid again.

    The rows are those of one process, on three nodes. A job has the user's providers, and its words are shown.
    """
    user.create("inline", tmp_path, "--set", "executor=inline")
    user.model.prompts.clear()
    user.head.have(2)
    dataset = tmp_path / "job"
    pace.slow_after(SOON)
    job = name_of(user.submit("job", tmp_path, "--detach"))
    until(lambda: batches(dataset) > 0, "a batch")
    assert "asked to stop" in user.job("stop", job)
    assert user.ends(job) == "STOPPED"
    before_the_stop, committed = user.asked(), batches(dataset)
    pace.slow_after(SOON)
    job = name_of(user.submit("job", tmp_path, "--detach"))
    until(lambda: batches(dataset) > committed, "a batch")
    kill_driver(tmp_path)
    assert user.ends(job) == "FAILED"
    pace.hurry()
    said = user.submit("job", tmp_path)
    pd.testing.assert_frame_equal(rows(dataset), rows(tmp_path / "inline"))
    times = Counter(user.asked())
    twice = {prompt for prompt, number in times.items() if number > 1}
    assert len(times) == RECORDS
    assert max(times.values()) <= 2
    assert twice.isdisjoint(before_the_stop)
    assert len(twice) <= SLOTS
    assert len(user.model.prompts) == len(user.asked()) + 3  # each run greets the model
    done = f"{RECORDS} of {RECORDS} records"
    assert f"{done} in {dataset}" in said
    assert user.job("status", name_of(said)).startswith("SUCCEEDED")
    assert done in user.job("logs", name_of(said))


def kill_driver(path: Path) -> None:
    """Kill the process that makes a dataset as a job."""
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or []
        if "create" in words and str(path) in words and "data-designer" in " ".join(words[:2]):
            one.kill()


def test_a_job_that_fails_ends_with_its_exit_code(user: User, tmp_path: Path) -> None:
    """What is wrong is in what it said."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "metadata.json").write_text("{}")
    assert "metadata.json" in user.submit("d", tmp_path, "--resume", "always", code=1)


def test_an_address_where_nobody_is_says_so(user: User, tmp_path: Path) -> None:
    """One line, and exit code 1."""
    where = ["--address", f"http://127.0.0.1:{free_port()}", *_dataset("d", tmp_path)]
    assert "no Ray takes jobs at http://127.0.0.1" in user.run("submit", "config.py", *where, code=1)


def test_a_job_that_is_not_there_is_named(user: User) -> None:
    """A typing error is no traceback."""
    assert "there is no job 'nope'" in user.job("status", "nope", code=1)
