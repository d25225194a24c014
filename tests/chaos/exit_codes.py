"""Stops drivers on Ray by signals, beside busy processes, and prints the exit codes that a scheduler would see.

A driver is the command line or a script; on a Ray of its own or beside a cluster. It is stopped once it has committed
something, while its Ray starts, or twice. Whatever it was and had started must be gone soon after, it must have said
how to go on, and Ray must have said nothing.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import psutil

EXAMPLE = Path(__file__).parents[2] / "examples" / "product_reviews.py"
SCRIPT = """
import importlib.util, sys
import data_designer.config as dd
from data_designer.interface import DataDesigner

example = importlib.util.spec_from_file_location("example", sys.argv[1])
module = importlib.util.module_from_spec(example)
example.loader.exec_module(module)
designer = DataDesigner("artifacts")
designer.set_run_config(dd.RunConfig(executor="ray", buffer_size=20))
made = designer.create(module.load_config_builder(), num_records=int(sys.argv[2]), dataset_name="d")
sys.exit(made.early_shutdown is not None)
"""
"""What a user might write."""
LIMIT = 300.0
"""Seconds after which a driver that does not do what it should is given up."""
GONE = 10.0
"""Seconds that processes may take to be gone after their driver."""
_MARK = "EXIT_CODES_DRIVER"
_OPEN = {"RAY_AUTH_MODE": "disabled"}
_OF_RAY = re.compile(r"^\*\*\* |logging\.cc|rpc_client\.h|Check failed|\(raylet\)|core_worker", re.MULTILINE)
"""What Ray's own words look like."""


@dataclass(frozen=True)
class Ended:
    """How a driver ended."""

    code: int
    seconds: float
    """After the last signal."""
    said: str
    left: tuple[str, ...]
    """Processes of its that are still there."""

    @property
    def complaint(self) -> str:
        """What of it is not as it should be, but for the code."""
        return "; ".join([*(f"left behind: {one}" for one in self.left), *_OF_RAY.findall(self.said)])


def _line(folder: Path, way: str, records: int) -> list[str]:
    if way in ("command", "beside"):
        line = [sys.executable, "-m", "data_designer.cli.main", "create", str(EXAMPLE), "-d", "d"]
        return [*line, "-n", str(records), "--set", "executor=ray", "--set", "buffer_size=20"]
    (folder / "script.py").write_text(SCRIPT if way == "script" else way, encoding="utf-8")
    return [sys.executable, "script.py", str(EXAMPLE), str(records)]


class Driver:
    """A driver that makes the example's dataset in a folder, in a process group of its own as a shell would start it.

    Args:
        folder: where it runs.
        way: `command`, `beside` (a command, too), `script`, or what the script says.
        records: how many it is to make, which must be more than it comes to.
        settings: of its environment, beside this process's.
    """

    def __init__(self, folder: Path, way: str, records: int, settings: Mapping[str, str]) -> None:
        self._mark = uuid.uuid4().hex
        self._dataset = folder / "artifacts" / "d"
        self._said = folder / "said"
        line = _line(folder, way, records)
        environment = {**os.environ, "DATA_DESIGNER_HOME": str(folder), _MARK: self._mark, **settings}
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                line, cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
            )

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something while it runs."""
        deadline = time.monotonic() + LIMIT
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"code={self.process.poll()} before it could be stopped:\n{self.said()}")
            time.sleep(0.02)

    def has_committed(self) -> bool:
        """Whether a batch is on disk."""
        return any(self._dataset.glob("receipts/*.json"))

    def starts_ray(self) -> bool:
        """Whether the first process of its Ray is there."""
        return any("gcs_server" in one for one in self.processes())

    def is_stopping(self) -> bool:
        """Whether it has said that it was asked to stop."""
        return "] stopping: " in self.said()

    def said(self) -> str:
        """What it has written."""
        return self._said.read_text(encoding="utf-8")

    def processes(self) -> tuple[str, ...]:
        """The commands of all processes that are it, or come of it."""
        return tuple(" ".join(one.cmdline()[:3]) for one in psutil.process_iter() if self._is_its(one))

    def _is_its(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def signal(self, number: int) -> None:
        """Signal its process group, as a terminal does, and `timeout`, and many a scheduler."""
        os.killpg(self.process.pid, number)

    def kill_part(self, name: str) -> None:
        """Kill a process of its Ray by what it is called, as the kernel does where memory runs out."""
        for one in psutil.process_iter():
            if self._is_its(one) and one.name() == name:
                one.kill()

    def ended(self) -> Ended:
        """Wait until it has ended, and a little for what it leaves; that is killed."""
        began = time.monotonic()
        code = self.process.wait(LIMIT)
        seconds = time.monotonic() - began
        deadline = time.monotonic() + GONE
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.kill()
        return Ended(code, seconds, self.said(), left)

    def kill(self) -> None:
        """Kill it, and whatever comes of it."""
        for one in filter(self._is_its, psutil.process_iter()):
            one.kill()
        self.process.wait()


@contextmanager
def driver(folder: Path, way: str, records: int, settings: Mapping[str, str]) -> Iterator[Driver]:
    """A driver of which nothing is left at the end, whatever happens."""
    started = Driver(folder, way, records, settings)
    try:
        yield started
    finally:
        started.kill()


# --- many times ----------------------------------------------------------------------------------------------


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Processes that do nothing but take the CPUs."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A Ray that others have started; its address."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    line = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    line += ["--object-store-memory=150000000", "--include-dashboard=false", "--disable-usage-stats"]
    with (folder / "cluster").open("w") as said:
        head = subprocess.Popen(line, env={**os.environ, **_OPEN}, stdout=said, stderr=said, start_new_session=True)
    try:
        while "Ray runtime started" not in (folder / "cluster").read_text(encoding="utf-8"):
            assert head.poll() is None
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        head.terminate()
        head.wait()


def stopped(started: Driver, number: int, when: str) -> Ended:
    """Stop a driver by a signal, while it `runs` or `starts`, or `twice`."""
    started.until(started.starts_ray if when == "starts" else started.has_committed)
    started.signal(number)
    if when == "twice":
        started.until(started.is_stopping)
        started.signal(number)
    return started.ended()


def expected(way: str, when: str) -> frozenset[int]:
    """The codes that are ours, and Python's own where a script lets the interrupt through."""
    if when == "runs":
        return frozenset({1})
    if way == "script":
        return frozenset({-signal.SIGINT, 1})
    return frozenset({130 if when == "twice" else 1})


def main() -> None:
    """Run as the command line says; exit code 1 where a code is not as it should be."""
    # Where whoever runs this in the background has Ctrl-C ignored, drivers would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each")
    parser.add_argument("--load", type=int, default=8, help="busy processes beside it")
    parser.add_argument("--ways", default="command,beside,script", help="of: command, beside (a cluster), script")
    parser.add_argument("--signals", default="TERM,INT")
    parser.add_argument("--when", default="runs", help="of: runs, starts, twice")
    parser.add_argument("--records", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each, whatever `times` says")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Nothing of it is left behind either.
    ways, whens = given.ways.split(","), given.when.split(",")
    good = True
    for way, name, when in product(ways, given.signals.split(","), whens):
        good = _round(way, name, when, given) and good
    sys.exit(0 if good else 1)


def _round(way: str, name: str, when: str, given: argparse.Namespace) -> bool:
    number = signal.Signals[f"SIG{name}"]
    codes: Counter[int] = Counter()
    longest, complaints = 0.0, list[str]()
    with tempfile.TemporaryDirectory() as folder, _settings(way, Path(folder)) as settings, busy(given.load):
        until = time.monotonic() + given.seconds
        for turn in range(given.times):
            if time.monotonic() > until:
                break
            place = Path(folder) / str(turn)
            place.mkdir()
            with driver(place, way, given.records, settings) as started:
                end = stopped(started, number, when)
            codes[end.code] += 1
            longest = max(longest, end.seconds)
            if end.complaint or end.code not in expected(way, when):
                complaints.append(f"code={end.code} {end.complaint}\n{end.said}")
    said = " ".join(f"{code}:{count}" for code, count in sorted(codes.items()))
    print(f"{way:8} SIG{name:5} {when:7} codes {said:12} longest {longest:.1f} s", *complaints, sep="\n", flush=True)
    return not complaints


@contextmanager
def _settings(way: str, folder: Path) -> Iterator[dict[str, str]]:
    if way == "beside":
        with cluster(folder) as address:
            yield {"RAY_ADDRESS": address, **_OPEN}
    else:
        yield {}


if __name__ == "__main__":
    main()
