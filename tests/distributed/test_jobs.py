"""Jobs on a Ray that runs as a cluster's head does: submitted, followed, killed, gone on with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
from tests.loopback import free_port

import data_designer.config as dd
from data_designer.cli.loading import load_builder
from data_designer.interface import DataDesigner
from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

pytestmark = pytest.mark.ray

BIN = Path(sys.executable).parent
RECORDS, SLOTS = 480, 8

CONFIG = """
import data_designer.config as dd
from doubling import doubled

@dd.custom_column_generator(required_columns=["kind"])
def shouted(row):
    return {**row, "shouted": doubled(row["kind"]).upper()}

def load_config_builder():
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=8)
    model = dd.ModelConfig(alias="a", model="m?latency=0.1", provider="sim", inference_parameters=params)
    built = dd.DataDesignerConfigBuilder(model_configs=[model])
    built.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["x", "y"]})
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="shouted", generator_function=shouted))
    built.add_column(name="text", column_type="llm-text", model_alias="a", prompt="{{ shouted }} {{ id }}")
    return built
"""


@dataclass(frozen=True)
class Head:
    """A running head, and the environment that its users have."""

    address: str
    environment: dict[str, str]
    project: Path
    """A configuration, and a module beside it."""
    model: str
    """Where the simulated model is served."""
    ray: str
    """Where nodes and drivers join."""

    def command(self, *arguments: str, check: int | None = 0, **variables: str) -> str:
        """Run `data-designer`; gives what it writes."""
        done = subprocess.run(
            [BIN / "data-designer", *arguments],
            cwd=self.project,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert check is None or done.returncode == check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def submit(self, name: str, path: Path, *more: str, check: int | None = 0, config: str = "config.py") -> str:
        """Submit the configuration."""
        where = ["--address", self.address, "-d", name, "-o", str(path), "--seed", "7", "-n", str(RECORDS)]
        return self.command("submit", config, *where, "--set", "buffer_size=20", *more, check=check)

    @contextmanager
    def more_nodes(self, number: int, logs: Path) -> Iterator[None]:
        """Nodes of one CPU that join for a while."""
        start = [BIN / "ray", "start", f"--address={self.ray}", "--block", "--num-cpus=1", "--disable-usage-stats"]
        with ExitStack() as exits:
            for node in range(number):
                log = exits.enter_context((logs / f"node{node}.log").open("w"))
                process = subprocess.Popen(start, env=self.environment, stdout=log, stderr=log, start_new_session=True)
                exits.callback(_end, process)
                # Two that start at once on one file system get into each other's way.
                _until(lambda node=node: "Ray runtime started" in (logs / f"node{node}.log").read_text())
            yield

    def asked(self) -> int:
        """Requests that the model counted."""
        with urllib.request.urlopen(self.model.replace("/v1", "/stats")) as reply:  # noqa: S310 - the loopback
            return int(json.load(reply)["total"]["requests"])


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """`ray start --head` on this machine, with two CPUs."""
    pytest.importorskip("aiohttp_cors", reason="Ray takes jobs only where ray[default] is installed")
    root = tmp_path_factory.mktemp("job")
    (root / "config.py").write_text(CONFIG)
    (root / "doubling.py").write_text("def doubled(text):\n    return text + text\n")
    home = root / "home"
    home.mkdir()
    port, dashboard = free_port(), free_port()
    with SimulatedServerProcess(SimulatedModel()) as url:
        (home / "model_providers.yaml").write_text(f"providers:\n- {{name: sim, endpoint: '{url}'}}\n")
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_JOB_STOP_WAIT_TIME_S": "30"}
        environment = {**os.environ, **quiet, "PATH": path, "DATA_DESIGNER_HOME": str(home)}
        environment.pop("RAY_ADDRESS", None)
        start = [BIN / "ray", "start", "--head", "--block", "--num-cpus=2", f"--port={port}"]
        start += [f"--dashboard-port={dashboard}", "--disable-usage-stats"]
        # Another Ray of these tests may have the usual ports, and without its agent a head takes no jobs.
        start += [f"--{name}-port={free_port()}" for name in ("dashboard-agent-listen", "metrics-export")]
        with (root / "ray.log").open("w") as log:
            process = subprocess.Popen(start, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            address = f"http://127.0.0.1:{dashboard}"
            _wait_for(address, process)
            yield Head(address, environment, root, url, f"127.0.0.1:{port}")
        finally:
            _end(process)


def _until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "ray start ended"
        try:
            with urllib.request.urlopen(f"{address}/api/jobs/", timeout=5):  # noqa: S310 - the loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError("the head takes no jobs")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a head and all that it has started, and nothing of any other Ray."""
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    _, left = psutil.wait_procs(started, 5)
    for one in left:
        one.kill()


def rows(path: Path) -> pd.DataFrame:
    """The rows of a dataset, in order."""
    return pd.concat([pd.read_parquet(one) for one in sorted((path / "parquet-files").glob("*.parquet"))])


@pytest.fixture(scope="module")
def undisturbed(head: Head, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The same configuration, made in one process."""
    path = tmp_path_factory.mktemp("inline")
    designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="sim", endpoint=head.model)])
    designer.set_run_config(dd.RunConfig(executor="inline", seed=7, buffer_size=20))
    designer.create(load_builder(str(head.project / "config.py")), num_records=RECORDS, dataset_name="d")
    return rows(path / "d")


def test_one_configuration_makes_the_same_dataset_in_all_four_ways(head: Head, tmp_path: Path) -> None:
    """In one process, on a Ray of its own, beside a cluster of three nodes, and as a job of that.

    There is a module beside the script. A job has the user's providers, and its words are shown.
    """
    common = ["-n", str(RECORDS), "--seed", "7", "--set", "buffer_size=20"]
    create = ["create", "config.py", "-o", str(tmp_path), *common]
    head.command(*create, "-d", "inline", "--set", "executor=inline")
    head.command(*create, "-d", "local", "--set", "executor=ray")
    with head.more_nodes(2, tmp_path):
        head.command(*create, "-d", "beside", "--set", "executor=ray", RAY_ADDRESS=head.ray)
        said = head.submit("job", tmp_path)
    inline = rows(tmp_path / "inline")
    assert len(inline) == RECORDS
    for way in ("local", "beside", "job"):
        pd.testing.assert_frame_equal(rows(tmp_path / way), inline)
    done = f"{RECORDS} of {RECORDS} records"
    assert f"{done} in {tmp_path / 'job'}" in said
    job = re.findall(r"^job (\S+)$", said, re.MULTILINE)[0]
    assert head.command("job", "status", job, "--address", head.address).startswith("SUCCEEDED")
    assert done in head.command("job", "logs", job, "--address", head.address)


def test_a_job_that_fails_ends_with_its_exit_code(head: Head, tmp_path: Path) -> None:
    """What is wrong is in what it said."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "metadata.json").write_text("{}")
    said = head.submit("d", tmp_path, "--resume", "always", check=1)
    assert "metadata.json" in said


def test_a_job_is_stopped_and_goes_on(head: Head, undisturbed: pd.DataFrame, tmp_path: Path) -> None:
    """`stop` is as Ctrl-C; the same command makes the rest, and asks for nothing twice."""
    before = head.asked()
    job = re.findall(r"^job (\S+)$", head.submit("d", tmp_path, "--detach"), re.MULTILINE)[0]
    _first_batch(tmp_path / "d")
    assert "asked to stop" in head.command("job", "stop", job, "--address", head.address)
    _ended(head, job)
    head.submit("d", tmp_path)
    pd.testing.assert_frame_equal(rows(tmp_path / "d"), undisturbed)
    assert head.asked() - before == RECORDS + 2  # each run greets the model


def test_a_job_whose_driver_is_killed_is_gone_on_with(head: Head, undisturbed: pd.DataFrame, tmp_path: Path) -> None:
    """Only what was in flight is paid for again."""
    before = head.asked()
    job = re.findall(r"^job (\S+)$", head.submit("d", tmp_path, "--detach"), re.MULTILINE)[0]
    _first_batch(tmp_path / "d")
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or []
        if "create" in words and str(tmp_path) in words and "data-designer" in " ".join(words[:2]):
            one.kill()
    assert _ended(head, job) == "FAILED"
    head.submit("d", tmp_path)
    pd.testing.assert_frame_equal(rows(tmp_path / "d"), undisturbed)
    assert RECORDS <= head.asked() - before - 2 <= RECORDS + SLOTS


def _first_batch(dataset: Path) -> None:
    until = time.monotonic() + 120
    while not list(dataset.glob("receipts/*.json")):
        assert time.monotonic() < until, "no batch is committed"
        time.sleep(0.05)


def _ended(head: Head, job: str) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        word = head.command("job", "status", job, "--address", head.address).split(":")[0].strip()
        if word in ("STOPPED", "FAILED", "SUCCEEDED"):
            return word
        time.sleep(0.2)
    raise AssertionError("the job does not end")


def test_an_address_where_nobody_is_says_so(head: Head, tmp_path: Path) -> None:
    """One line, and exit code 1."""
    where = ["--address", f"http://127.0.0.1:{free_port()}", "-d", "d", "-o", str(tmp_path), "-n", "5"]
    said = head.command("submit", "config.py", *where, check=1)
    assert "no Ray takes jobs at http://127.0.0.1" in said


def test_a_job_that_is_not_there_is_named(head: Head) -> None:
    """A typing error is no traceback."""
    assert "there is no job 'nope'" in head.command("job", "status", "nope", "--address", head.address, check=1)
