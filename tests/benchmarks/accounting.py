"""Runs a command and counts what it and every process it starts use, those that have ended included."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_V1 = Path("/sys/fs/cgroup/cpuacct")
_V2 = Path("/sys/fs/cgroup")
_POLL_SECONDS = 0.1
_POLLS_A_WALK = 5
"""The kernel walks all pages of a process to tell its proportional size."""
RESULT = "RESULT "
"""What a driver prints before its JSON result."""


class CommandFailedError(Exception):
    """The command ended with an error; its last lines are the message."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command used, its processes together."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Largest sum of resident sizes (RSS); pages that processes share, such as libraries, are counted in each."""
    peak_shared_bytes: int
    """Largest sum of proportional sizes (PSS): a page that n processes share counts 1/n in each."""
    result: dict[str, Any] = field(default_factory=dict)
    """What the command said of itself."""
    began: float = 0.0
    """When it was started, in seconds since the epoch."""


class _Group:
    """The kernel's account of a group of processes: a cgroup of version 1 or 2."""

    def __init__(self) -> None:
        root = _V1 if _V1.is_dir() else _V2
        self.path = root / f"benchmark-{os.getpid()}-{time.monotonic_ns()}"
        self.path.mkdir()
        if not (self.path / "cgroup.procs").is_file():
            self.path.rmdir()
            raise OSError("no cgroup can be made here")

    def cpu_seconds(self) -> float:
        version_1 = self.path / "cpuacct.usage"
        if version_1.is_file():
            return int(version_1.read_text()) / 1e9
        used = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(used["usage_usec"]) / 1e6

    def processes(self) -> list[int]:
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def enter(self, command: Sequence[str]) -> list[str]:
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh", *command]


class _Tree:
    """The same account from looking at processes now and then, where no cgroup can be made: a little too low."""

    def __init__(self) -> None:
        self._seen: dict[psutil.Process, float] = {}

    def cpu_seconds(self) -> float:
        self.processes()
        return sum(self._seen.values())

    def processes(self) -> list[int]:
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                self._seen[process] = sum(process.cpu_times()[:2])
            except psutil.Error:
                continue
            found.append(process.pid)
        return found

    def enter(self, command: Sequence[str]) -> list[str]:
        return list(command)


@contextmanager
def _account() -> Iterator[_Group | _Tree]:
    try:
        group = _Group()
    except OSError:
        yield _Tree()
        return
    try:
        yield group
    finally:
        for _ in range(100):
            if not group.processes():
                break
            time.sleep(_POLL_SECONDS)
        group.path.rmdir()


def _resident(processes: Sequence[int]) -> int:
    total = 0
    for pid in processes:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue
    return total


def _proportional(processes: Sequence[int]) -> int:
    """Source: Linux, Documentation/filesystems/proc.rst, `smaps_rollup`."""
    total = 0
    for pid in processes:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # It has ended, or this is no Linux.
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def run(command: Sequence[str], log: Path, environment: dict[str, str], limit: float = 1800.0) -> Cost:
    """Run a command to its end.

    Args:
        command: what to run; a line it prints that starts with `RESULT` holds its result as JSON.
        log: where its output goes.
        environment: variables besides those of this process.
        limit: seconds after which it is killed.

    Raises:
        CommandFailedError: it failed or took too long.
    """
    with _account() as account, log.open("w") as output:
        started = time.perf_counter()
        began = time.time()
        process = subprocess.Popen(
            account.enter(command),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | environment | {"BENCHMARK_BEGAN": repr(began)},
        )
        peak = shared = looks = 0
        while process.poll() is None:
            peak = max(peak, _resident(account.processes()))
            if looks % _POLLS_A_WALK == 0:
                shared = max(shared, _proportional(account.processes()))
            looks += 1
            if time.perf_counter() - started > limit:
                process.kill()
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - started
        while account.processes() and time.perf_counter() - started < seconds + 10:
            time.sleep(_POLL_SECONDS)
        cpu = account.cpu_seconds()
    text = log.read_text(errors="replace")
    if process.returncode:
        raise CommandFailedError(f"{' '.join(command)} ended with {process.returncode}:\n{text[-1000:]}")
    results = [line.removeprefix(RESULT) for line in text.splitlines() if line.startswith(RESULT)]
    return Cost(seconds, cpu, peak, shared, json.loads(results[-1]) if results else {}, began)
