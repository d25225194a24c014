"""Kills the driver again and again while it makes a dataset, and counts what that cost: ours and Data Designer.

    python tests/benchmarks/kills.py                              every side that is installed, killed three times
    python tests/benchmarks/kills.py --sides inline --kills 0     the same run left alone

A simulated endpoint counts the requests. Each time it has counted another share of those an unbroken run makes, the
driver's process group gets SIGKILL and the driver is started again, with `resume="if_possible"`, until it ends by
itself. Requests beyond those of an unbroken run are calls paid again; those in flight at a kill (as many as there
are slots) are lost whoever made them. Writes `kills.json`, and the drivers' words under `logs`, into the output
folder.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import kills_drive
from accounting import RESULT, CommandFailedError
from endpoint import HOME, Endpoint

from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

_POLL_SECONDS = 0.02
_LIMIT_SECONDS = 1800.0
"""How long one start of a driver may take."""


@dataclass(frozen=True, slots=True)
class Side:
    """An engine: the Python it is installed in, its distribution, and the settings that only it has."""

    python: Path
    distribution: str
    options: tuple[str, ...] = ()


_OURS = Path(sys.executable)
SIDES = {
    "ray": Side(_OURS, "data-designer-ray", ("--executor=ray",)),
    "inline": Side(_OURS, "data-designer-ray", ("--executor=inline",)),
    "data-designer": Side(HOME / "venvs" / "data-designer" / "bin" / "python", "data-designer"),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is made, by which model, and how often its driver is killed."""

    records: int
    buffer_size: int
    slots: int
    kills: int
    model: SimulatedModel

    @property
    def ideal(self) -> int:
        """Requests of a run that nothing disturbs."""
        return self.records * len(kills_drive.PROMPTS)

    @property
    def killed_at(self) -> list[int]:
        """Counts of requests at which the driver is killed."""
        return [self.ideal * kill // (self.kills + 1) for kill in range(1, self.kills + 1)]

    def command(self, side: Side, url: str, folder: Path) -> list[str]:
        """The driver's command line; `-P` keeps the benchmarks' modules out of its imports."""
        options = {"url": url, "distribution": side.distribution, "records": self.records}
        options |= {"slots": self.slots, "buffer-size": self.buffer_size}
        given = [f"--{name}={value}" for name, value in options.items()]
        return [str(side.python), "-P", kills_drive.__file__, str(folder), *given, *side.options]


@dataclass(frozen=True, slots=True)
class _Course:
    """How it went: what the server counted, and the seconds from the first start to the last end."""

    requests: int
    requests_at_kills: list[int]
    seconds: float
    seconds_after_last_kill: float
    status: int
    """With which the driver ended by itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one side made, and what it took."""

    side: str
    ideal: int
    records: int
    course: _Course
    version: str
    dataset: str
    """The folder of the final dataset; not the name asked for where the side started afresh."""
    rows: int
    """Rows with every cell."""
    distinct: int

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the figures that follow from the others."""
        return {
            **asdict(self),
            "paid_again": self.course.requests - self.ideal,
            "lost": self.records - self.distinct,
            "doubled": self.rows - self.distinct,
        }


@contextmanager
def _started(command: Sequence[str], folder: Path, log: TextIO) -> Iterator[subprocess.Popen[bytes]]:
    """A driver in a process group of its own, which gets SIGKILL in the end."""
    quiet = {"NEMO_TELEMETRY_ENABLED": "false", "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(folder)}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | quiet,
        cwd=folder,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _asked(process: subprocess.Popen[bytes], server: Endpoint, requests: float) -> bool:
    """Wait until the server has counted so many requests; False where the driver ended before."""
    deadline = time.perf_counter() + _LIMIT_SECONDS
    while process.poll() is None:
        if server.counted().requests >= requests:
            return True
        if time.perf_counter() > deadline:
            raise CommandFailedError(f"the driver took more than {_LIMIT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return False


def _course(command: Sequence[str], folder: Path, log: Path, server: Endpoint, killed_at: Sequence[int]) -> _Course:
    """Start the driver, and again after each kill, until it ends by itself."""
    counts = []
    with log.open("w") as words:
        began = last = time.perf_counter()
        for requests in (*killed_at, math.inf):
            with _started(command, folder, words) as process:
                if not _asked(process, server, requests):
                    break
            last = time.perf_counter()
            counts.append(server.counted().requests)
        ended = time.perf_counter()
    return _Course(server.counted().requests, counts, ended - began, ended - last, process.returncode)


def _result(log: Path, status: int) -> dict[str, Any]:
    text = log.read_text(errors="replace")
    results = [line.removeprefix(RESULT) for line in text.splitlines() if line.startswith(RESULT)]
    if status or not results:
        raise CommandFailedError(f"the driver ended with {status}:\n{text[-1000:]}")
    found: dict[str, Any] = json.loads(results[-1])
    return found


def measure(name: str, scenario: Scenario, log: Path) -> Outcome:
    """Let one side make the dataset under kills. Raises CommandFailedError where its driver fails by itself."""
    # What a killed driver's own processes still write does not keep its folder.
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary,
        SimulatedServerProcess(scenario.model) as url,
    ):
        folder = Path(temporary)
        command = scenario.command(SIDES[name], url, folder)
        course = _course(command, folder, log, Endpoint(url, is_mock=False), scenario.killed_at)
        result = _result(log, course.status)
    return Outcome(name, scenario.ideal, scenario.records, course, **result)


_HEADINGS = ("", "requests", "paid again", "rows", "lost", "doubled", "seconds", "after the last kill")


def _line(one: Outcome) -> tuple[str, ...]:
    found = one.to_dict()
    whole = (one.course.requests, *(found[name] for name in ("paid_again", "rows", "lost", "doubled")))
    seconds = (one.course.seconds, one.course.seconds_after_last_kill)
    return (f"{one.side} ({one.version})", *map(str, whole), *(f"{value:.1f}" for value in seconds))


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a run, under headings."""
    lines = [_HEADINGS, *map(_line, outcomes)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{x:>{width}}" for x, width in zip(line, widths, strict=True)) for line in lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--buffer-size", type=int, default=200)
    parser.add_argument("--slots", type=int, default=32, help="max_parallel_requests of the model")
    parser.add_argument("--latency", type=float, default=0.05, help="mean seconds to a reply")
    parser.add_argument("--jitter", type=float, default=0.5, help="spread of the latency, as a share of it")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--runs", type=int, default=1, help="runs of each side, alternating")
    parser.add_argument("--out", type=Path, default=Path("artifacts") / "benchmarks")
    return parser.parse_args()


def main() -> None:
    """Measure the sides that were asked for, where they are installed."""
    args = _arguments()
    model = SimulatedModel(latency=args.latency, jitter=args.jitter)
    scenario = Scenario(args.records, args.buffer_size, args.slots, args.kills, model)
    sides = [name for name in args.sides if SIDES[name].python.is_file()]
    for name in set(args.sides) - set(sides):
        print(f"{name} is not installed in {HOME}", file=sys.stderr)
    logs = (args.out / "logs").resolve()
    logs.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for run in range(args.runs):
        for name in sides:
            try:
                outcomes.append(measure(name, scenario, logs / f"kills-{name}-{run}.log"))
            except CommandFailedError as error:
                print(f"{name} failed: {error}", file=sys.stderr)
            (args.out / "kills.json").write_text(json.dumps([one.to_dict() for one in outcomes], indent=1))
    print(f"{scenario.records} records, {scenario.ideal} requests unless repeated, {scenario.slots} slots,")
    print(f"killed {scenario.kills} times, on {os.cpu_count()} cores")
    print(table(outcomes))


if __name__ == "__main__":
    main()
