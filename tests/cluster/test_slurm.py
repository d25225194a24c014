"""The Slurm script, with a Slurm that runs everything on this machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cluster" / "slurm" / "run.sbatch"
SLEEP = shutil.which("sleep") or "sleep"
FAKES = {
    "scontrol": "printf 'here-1\\nhere-2\\n'",
    # The script looks once a second whether something is there.
    "sleep": f"exec {SLEEP} 0.05",
    # It notes its process, drops its own options, and becomes the command.
    "srun": 'echo $$ >>"$STEPS"; while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
}
NO_RAY = {
    # A head that listens and does nothing, and workers that do nothing.
    "ray": f'case "$*" in *--head*) exec "$PYTHON" -m http.server "$PORT";; start*) exec {SLEEP} 600;; esac',
    # What counts the nodes: all are there.
    "python": "exit 0",
}
STUBBORN = """
import os, signal

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
for times in range(2):
    print("told", times, "times", flush=True)
    signal.sigwait([signal.SIGTERM])
for step in open(os.environ["STEPS"]):
    os.kill(int(step), 0)
print("ray is there", flush=True)
os._exit(5)
"""
"""A command that needs to be told twice."""
PATIENCE = 300.0

pytestmark = pytest.mark.usefixtures("processes")


@dataclass
class Slurm:
    """A Slurm of two nodes that are this machine."""

    folder: Path
    port: int
    log: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def fake(self, commands: dict[str, str]) -> None:
        """Put shell scripts first on the path."""
        for name, text in commands.items():
            script = self.folder / "bin" / name
            script.write_text(f"#!/bin/sh\n{text}\n")
            script.chmod(0o755)

    def submit(self, *command: str, join_seconds: int = 60) -> subprocess.Popen[bytes]:
        """Run the script as the first node of a job would."""
        path = [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        environment = {
            "PATH": os.pathsep.join(path),
            "HOME": str(self.folder),
            "PYTHON": sys.executable,
            "PORT": str(self.port),
            "STEPS": str(self.folder / "steps"),
            "HEAD_IP": "127.0.0.1",
            "JOIN_SECONDS": str(join_seconds),
            "SLURM_JOB_ID": str(self.port - 20000),
            "SLURM_JOB_NODELIST": "here-[1-2]",
            "SLURM_CPUS_PER_TASK": "1",
        }
        with self.log.open("ab") as log:
            job = subprocess.Popen(["bash", str(SCRIPT), *command], env=environment, stdout=log, stderr=log)  # noqa: S607
        self.running.append(job)
        return job

    def said(self) -> str:
        """What the job wrote."""
        return self.log.read_text(encoding="utf-8")

    def steps(self) -> list[int]:
        """The processes of the steps."""
        return [int(line) for line in (self.folder / "steps").read_text().split()]


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    """A Slurm whose next job has a number that makes a free port; what its jobs leave is removed."""
    (tmp_path / "bin").mkdir()
    made = Slurm(tmp_path, free_port(), tmp_path / "log")
    made.fake(FAKES)
    yield made
    for job in made.running:
        if job.poll() is None:
            job.kill()
            job.wait()
            for step in made.steps():
                if psutil.pid_exists(step):
                    os.kill(step, signal.SIGKILL)
    shutil.rmtree(f"/tmp/ray-{made.port - 20000}", ignore_errors=True)  # noqa: S108 - the script's own choice


def free_port() -> int:
    """A port of those that the script chooses from."""
    for port in range(20000 + os.getpid() % 5000, 30000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")


def until(holds: Callable[[], bool], job: subprocess.Popen[bytes]) -> None:
    """Wait for something while a job runs."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert job.poll() is None, "the job has ended"
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)


def test_the_script_is_bash() -> None:
    """Bash parses it."""
    assert subprocess.run(["bash", "-n", str(SCRIPT)], check=False).returncode == 0  # noqa: S607


def test_the_time_limit_leaves_time_to_commit() -> None:
    """The batch script alone is sent SIGTERM two minutes ahead of it."""
    assert "\n#SBATCH --signal=B:TERM@120\n" in SCRIPT.read_text(encoding="utf-8")


def test_the_exit_code_is_that_of_the_command(slurm: Slurm) -> None:
    """The command knows where Ray is and that it wants a token; its code comes out, and the steps have ended."""
    slurm.fake(NO_RAY)
    job = slurm.submit("sh", "-c", 'echo "$RAY_ADDRESS $RAY_AUTH_MODE $RAY_USAGE_STATS_ENABLED"; exit 7')
    assert job.wait(PATIENCE) == 7, slurm.said()
    assert f"127.0.0.1:{slurm.port} token 0\n" in slurm.said()
    assert len(slurm.steps()) == 2
    assert not any(psutil.pid_exists(step) for step in slurm.steps())


def test_sigterm_reaches_the_command_and_its_code_comes_out(slurm: Slurm) -> None:
    """However often it is sent; Ray is there until the command has ended of its own."""
    slurm.fake(NO_RAY)
    job = slurm.submit(sys.executable, "-c", STUBBORN)
    for begun in ("told 0 times", "told 1 times"):
        until(lambda begun=begun: begun in slurm.said(), job)  # type: ignore[misc]
        job.send_signal(signal.SIGTERM)
    assert job.wait(PATIENCE) == 5, slurm.said()
    assert "ray is there" in slurm.said()
    assert not any(psutil.pid_exists(step) for step in slurm.steps())


def test_sigterm_before_the_command_ends_the_job(slurm: Slurm) -> None:
    """A job that is still waiting for its nodes ends at once, and runs nothing."""
    slurm.fake({**NO_RAY, "python": f'echo $$ >>"$STEPS"; echo counting; exec {SLEEP} 600'})
    job = slurm.submit("echo", "ran")
    until(lambda: "counting" in slurm.said(), job)
    job.send_signal(signal.SIGTERM)
    assert job.wait(PATIENCE) == 143
    assert "ran" not in slurm.said()
    assert not any(psutil.pid_exists(step) for step in slurm.steps())


@pytest.mark.parametrize(
    ("commands", "seconds", "complaint"),
    [
        ({"timeout": "exit 124"}, 60, "not all of 2 nodes joined within 60 s: here-1 here-2"),
        ({"ray": f"[ $1 = get-auth-token ] || exec {SLEEP} 600"}, 1, "no answer at 127.0.0.1:"),
        ({"ray": "[ $1 = get-auth-token ]"}, 60, "Ray's head has ended"),
        ({"ray": "exit 1"}, 60, "no token for Ray"),
    ],
)
def test_a_ray_that_does_not_come_is_an_error(
    slurm: Slurm, commands: dict[str, str], seconds: int, complaint: str
) -> None:
    """Missing nodes, a head that is silent or ends, and no token: the job fails within its bound and says why."""
    slurm.fake({**NO_RAY, **commands})
    assert slurm.submit("echo", "ran", join_seconds=seconds).wait(PATIENCE) == 1
    assert complaint in slurm.said()
    assert "ran" not in slurm.said()


def test_what_counts_the_nodes_has_the_time_that_is_left(slurm: Slurm) -> None:
    """It is ended when the head and the nodes have had theirs."""
    slurm.fake({**NO_RAY, "timeout": 'echo "given $1 s"; exit 124'})
    assert slurm.submit("echo", "ran", join_seconds=600).wait(PATIENCE) == 1
    given = re.search(r"^given (\d+) s$", slurm.said(), re.MULTILINE)
    assert given is not None
    assert 600 - PATIENCE < int(given[1]) <= 600


def test_a_job_without_a_command_is_an_error(slurm: Slurm) -> None:
    """Nothing is started for nothing."""
    assert slurm.submit().wait(PATIENCE) == 1
    assert "give the command to run" in slurm.said()
    assert not (slurm.folder / "steps").exists()


@pytest.mark.usefixtures("clusters", "soak")
def test_a_run_on_two_nodes_is_stopped_and_goes_on(slurm: Slurm) -> None:
    """A real Ray with a token: SIGTERM stops a run resumably, with its code; the same job again completes it."""
    artifacts = slurm.folder / "artifacts"
    command = ["data-designer", "create", str(ROOT / "examples" / "product_reviews.py"), "-n", "600", "-d", "mine"]
    command += ["-o", str(artifacts), "--set", "executor=ray", "--set", "buffer_size=20", "--resume", "if_possible"]
    job = slurm.submit(*command)
    until(lambda: any(artifacts.rglob("*.parquet")), job)
    job.send_signal(signal.SIGTERM)
    assert job.wait(PATIENCE) == 1, slurm.said()
    assert "2 of 2 nodes joined" in slurm.said()
    assert re.search(r"  data-designer resume \S*artifacts/mine$", slurm.said(), re.MULTILINE)
    assert slurm.submit(*command).wait(PATIENCE) == 0, slurm.said()
    assert "600 of 600 records" in slurm.said()
    assert not any(psutil.pid_exists(step) for step in slurm.steps())
