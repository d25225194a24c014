"""Hosts that are network namespaces of this machine: each has an address of its own, and can be cut off."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_PREFIX = f"dd{os.getpid()}-"
_PORT = 6399
PATIENCE = 300.0
"""Seconds after which a host that does not come up is given up."""


def why_not() -> str | None:
    """Why this machine can have no such hosts; None where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    if shutil.which("ip") is None:
        return "the program `ip` is not installed"
    try:
        _ip("netns", "add", f"{_PREFIX}probe")
        _ip("netns", "delete", f"{_PREFIX}probe")
    except subprocess.CalledProcessError as error:
        return f"this machine makes no network namespaces: {error.stderr.strip()}"
    return None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)  # noqa: S607 - the system's own


def address(host: int) -> str:
    """Of a host."""
    return f"10.77.0.{host + 1}"


class Hosts:
    """Some hosts on one network; a Ray head on the first, a node on each of the others."""

    def __init__(self, number: int, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = dict(environment)
        self._logs = logs
        self._number = number
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def ray_address(self) -> str:
        """Of the head."""
        return f"{address(0)}:{_PORT}"

    def start(self) -> None:
        """Make the network, start Ray on every host, and wait until all have joined."""
        for host in range(self._number):
            _ip("netns", "add", f"{_PREFIX}{host}")
            _ip("-n", f"{_PREFIX}{host}", "link", "set", "lo", "up")
        _ip("-n", f"{_PREFIX}0", "link", "add", "bridge", "type", "bridge")
        _ip("-n", f"{_PREFIX}0", "address", "add", f"{address(0)}/24", "dev", "bridge")
        _ip("-n", f"{_PREFIX}0", "link", "set", "bridge", "up")
        for host in range(1, self._number):
            _ip(
                "link",
                "add",
                f"port{host}",
                "netns",
                f"{_PREFIX}0",
                "type",
                "veth",
                "peer",
                "name",
                "net",
                "netns",
                f"{_PREFIX}{host}",
            )
            _ip("-n", f"{_PREFIX}0", "link", "set", f"port{host}", "master", "bridge", "up")
            _ip("-n", f"{_PREFIX}{host}", "address", "add", f"{address(host)}/24", "dev", "net")
            _ip("-n", f"{_PREFIX}{host}", "link", "set", "net", "up")
        ray = Path(sys.executable).parent / "ray"
        common = ["--num-cpus=1", "--block", "--disable-usage-stats", "--object-store-memory=150000000"]
        self.spawn(
            0,
            [
                str(ray),
                "start",
                "--head",
                f"--port={_PORT}",
                f"--node-ip-address={address(0)}",
                "--include-dashboard=false",
                *common,
            ],
        )
        self._joined(0)
        for host in range(1, self._number):
            self.spawn(
                host,
                [str(ray), "start", f"--address={self.ray_address}", f"--node-ip-address={address(host)}", *common],
            )
            self._joined(host)

    def spawn(self, host: int, command: Sequence[str], **options: str) -> "subprocess.Popen[bytes]":
        """Start a program on a host."""
        with (self._logs / f"host{host}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", f"{_PREFIX}{host}", *command],  # noqa: S607 - the system's own
                env={**self._environment, **options},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def words(self) -> str:
        """The ends of what the programs said."""
        return "\n".join(f"{log.name}: {log.read_text()[-800:]}" for log in sorted(self._logs.glob("host*.log")))

    def _joined(self, host: int) -> None:
        """Wait until a host's Ray has started; two that start at once on one file system get into each other's way."""
        until = time.monotonic() + PATIENCE
        while not any("Ray runtime started" in log.read_text() for log in self._logs.glob(f"host{host}-*.log")):
            assert time.monotonic() < until, self.words()
            time.sleep(0.1)

    def cut_off(self, host: int) -> None:
        """Take a host's cable out."""
        _ip("-n", f"{_PREFIX}0", "link", "set", f"port{host}", "down")

    def bring_back(self, host: int) -> None:
        """Put it in again."""
        _ip("-n", f"{_PREFIX}0", "link", "set", f"port{host}", "up")

    def close(self) -> None:
        """End every program and take the network down."""
        for process in self._processes:
            for child in _family(process.pid):
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGKILL)
            process.wait(10)
        for host in range(self._number):
            subprocess.run(["ip", "netns", "delete", f"{_PREFIX}{host}"], check=False, capture_output=True)  # noqa: S607


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def hosts(number: int, environment: Mapping[str, str], logs: Path) -> Iterator[Hosts]:
    """Have so many hosts."""
    some = Hosts(number, environment, logs)
    try:
        some.start()
        yield some
    finally:
        some.close()
