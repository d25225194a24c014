"""A Ray that runs as a cluster's head does, and nodes of this machine that join and leave it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tests.loopback import free_port

BIN = Path(sys.executable).parent
PATIENCE = 300.0
"""Seconds after which something that does not come is given up, on a machine that is busy with other things."""
_TRIES = 5
_STARTED = "Ray runtime started"
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A job that is asked to stop may finish what is under way.
    "RAY_JOB_STOP_WAIT_TIME_S": "120",
    # A node that does not answer five times is given up: at once where nobody is there, after 15 seconds where one is.
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "3000",
    # Processes start when there is work for them.
    "RAY_prestart_worker_first_driver": "0",
}
_LESS = ("--include-log-monitor=false", "--object-store-memory=150000000", "--disable-usage-stats")
"""What is left out would be a process more for a machine of two CPUs to start."""


def until(holds: Callable[[], bool], what: str = "what is waited for") -> None:
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.05)


@dataclass(frozen=True)
class Node:
    """One that has joined."""

    name: str
    """Ray's."""
    process: "subprocess.Popen[bytes]"


class Head:
    """A running head of one CPU, and the nodes of one CPU that have joined it.

    Args:
        folder: of its logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[Node] = []
        self._logs = 0
        _have_a_token()
        self.environment = {**os.environ, **_SETTINGS}
        self.environment["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])
        self.environment.pop("RAY_ADDRESS", None)
        port, dashboard = free_port(), free_port()
        self.ray = f"127.0.0.1:{port}"
        """Where nodes and drivers join."""
        self.address = f"http://127.0.0.1:{dashboard}"
        """Where jobs are submitted."""
        # Another Ray of these tests may have the usual ports, and without its agent a head takes no jobs.
        others = ("dashboard-agent-listen", "metrics-export", "ray-client-server", "runtime-env-agent")
        self._options = ["--head", f"--port={port}", f"--dashboard-port={dashboard}", "--no-monitor"]
        self._options += [f"--{name}-port={free_port()}" for name in others]
        # Drivers of jobs look in it for the Ray that is theirs, and find the last one that was started there. The path
        # is short, as paths of sockets are.
        self._own = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self._options.append(f"--temp-dir={self._own}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes jobs."""
        self._process = self._started([], *self._options)
        until(lambda: self._takes_jobs() and bool(self._alive()), "a head that takes jobs")

    def _start(self, before: Sequence[str], *options: str, **variables: str) -> tuple["subprocess.Popen[bytes]", Path]:
        """Run `ray start`, by way of another program where there is one."""
        self._logs += 1
        path = self._folder / f"ray{self._logs}.log"
        start = [str(BIN / "ray"), "start", *options, "--block", "--num-cpus=1", *_LESS]
        with path.open("wb") as log:
            process = subprocess.Popen(
                [*before, *start],
                env={**self.environment, **variables},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return process, path

    def _takes_jobs(self) -> bool:
        from ray.job_submission import JobSubmissionClient

        assert self._process is not None
        assert self._process.poll() is None, "ray start ended"
        with suppress(ConnectionError, RuntimeError):
            return not JobSubmissionClient(self.address).list_jobs()
        return False

    def _alive(self) -> set[str]:
        """Names of the nodes that Ray takes for alive."""
        from ray.core.generated.gcs_pb2 import GcsNodeInfo

        nodes = self._client().get_all_node_info()
        return {name.hex() for name, node in nodes.items() if node.state == GcsNodeInfo.ALIVE}

    def _client(self) -> Any:
        from ray._raylet import GcsClient  # the public API needs a driver

        return GcsClient(address=self.ray)

    def have(self, number: int) -> list[Node]:
        """Have so many nodes besides the head; those that there are stay where they can."""
        while len(self._nodes) > number:
            self.end(self._nodes[-1])
        while len(self._nodes) < number:
            self.join()
        return list(self._nodes)

    def join(self, *before: str, **variables: str) -> Node:
        """Let a node join.

        Args:
            before: a program that is given its command, and starts it.
            variables: of its environment.
        """
        there = self._alive()
        process = self._started(before, f"--address={self.ray}", f"--runtime-env-agent-port={free_port()}", **variables)
        until(lambda: bool(self._alive() - there), "a node")
        self._nodes.append(Node((self._alive() - there).pop(), process))
        return self._nodes[-1]

    def _started(self, before: Sequence[str], *options: str, **variables: str) -> "subprocess.Popen[bytes]":
        """A `ray start` that has started: two that start at once on one file system get into each other's way."""
        said = ""
        for _ in range(_TRIES):
            process, log = self._start(before, *options, **variables)
            until(lambda p=process, log=log: p.poll() is not None or _STARTED in log.read_text(), "a node")  # type: ignore[misc]
            if process.poll() is None:
                return process
            # Ray gives up after thirty seconds, which on a busy machine says nothing of the node.
            said = log.read_text()
        raise AssertionError(said)

    def kill(self, node: Node) -> None:
        """Kill a node with all its processes at once."""
        self._nodes.remove(node)
        for one in _family(node.process):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        node.process.wait()

    def end(self, node: Node) -> None:
        """Take a node away as its operator would, and wait until that is known."""
        self._nodes.remove(node)
        _end(node.process)
        until(lambda: self.has_lost(node), "the end of a node")

    def have_all(self, title: str) -> bool:
        """Whether the head and each node have a process whose title begins so."""
        there = [node.process for node in self._nodes]
        return all(_has(process, title) for process in (self._process, *there) if process is not None)

    def has_lost(self, node: Node) -> bool:
        """Whether Ray takes a node for gone."""
        return node.name not in self._alive()

    @contextmanager
    def frozen(self, node: Node) -> Iterator[None]:
        """Stop all processes of a node for a while, so that it is as silent as one that is cut off."""
        family = _family(node.process)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        try:
            yield
        finally:
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    def drain(self, node: Node) -> None:
        """Announce that a node goes, as an autoscaler does."""
        from ray.core.generated import autoscaler_pb2

        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + PATIENCE) * 1000)
        self._client().drain_node(node.name, reason, "a test", deadline)

    def close(self) -> None:
        """End it and its nodes, and nothing of any other Ray."""
        for node in self._nodes:
            _end(node.process)
        if self._process is not None:
            _end(self._process)
        shutil.rmtree(self._own, ignore_errors=True)


def _have_a_token() -> None:
    """See to it that all Rays of this process, and of those that it starts, use one token, as Ray does by default."""
    from ray._private.authentication import authentication_token_setup as setup

    setup.enable_token_auth_by_default()
    setup.ensure_token_if_auth_enabled()


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _has(process: "subprocess.Popen[bytes]", title: str) -> bool:
    for one in _family(process):
        with suppress(psutil.NoSuchProcess):
            if " ".join(one.cmdline()).startswith(title):
                return True
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a `ray start` and all that it has started."""
    family = _family(process)
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    _, left = psutil.wait_procs(family[1:], 5)
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()


@contextmanager
def running_head(folder: Path) -> Iterator[Head]:
    """Have a head.

    Args:
        folder: of its logs.
    """
    head = Head(folder)
    try:
        head.start()
        yield head
    finally:
        head.close()
