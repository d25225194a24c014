"""Makes a dataset at an endpoint that fails in one way after the other, and compares with what an ideal engine needs.

    python tests/benchmarks/faults.py                                all scenarios, ours on Ray and Data Designer
    python tests/benchmarks/faults.py --only outage --sides ours     one of them, ours alone
    python tests/benchmarks/faults.py --cells 400 --peer-cells 400 --latency 0.02 --outage-after 1 --outage-seconds 5

The endpoint is the simulated model in a process of its own, which counts; each side runs in a process of its own and
is killed when it takes `--limit` seconds longer than the ideal. Rows are counted on the disk, so what a killed side
had committed counts. Writes `faults.json`, and the drivers' words under `logs`, into the output folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import faults_drive
import pyarrow.parquet as pq
from accounting import RESULT
from endpoint import HOME, Endpoint
from kills import SIDES, Side, _started

from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

PEER = "data-designer"
_STOPPED_EARLY = "Early shutdown was triggered"
"""What Data Designer logs where it left rows undone."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all scenarios share."""

    latency: float = 0.2
    """Mean seconds of a request."""
    slots: int = 64
    timeout: int = 2
    """Seconds after which a request that hangs is given up."""
    outage_after: float = 10.0
    outage_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked of which endpoint."""

    cells: int
    model: SimulatedModel
    allowed: int
    """Requests in flight that the endpoint answers."""
    slots: int
    """Requests in flight that the user asks for."""
    kind: str = "text"
    timeout: int = 120

    @property
    def ideal_seconds(self) -> float:
        """What an engine needs that keeps every allowed slot full while there is work, and is told of no limit.

        A try holds a slot for the latency, or for the alias's timeout where it hangs, and succeeds with the
        probability p that nothing goes wrong, so a cell holds one for (seconds a try) / p on average; the cells share
        the slots evenly. Latencies are taken as their mean, and the last requests as if the others' slots were still
        in use. Where the key is revoked the ideal ends with the last answer. Where the endpoint slows down, the tries
        after that point hold their slots so much longer. An outage that begins before the end is waited for; what it
        cuts off is not counted, nor is any back-off.
        """
        model = self.model
        try_seconds = model.hang_rate * self.timeout + (1 - model.hang_rate) * model.latency
        faults = (model.hang_rate, model.reset_rate, model.error_rate, model.malformed_rate)
        success = 1.0
        for rate in faults:
            success *= 1 - rate
        cells = self.cells if model.revoked_after is None else min(self.cells, model.revoked_after)
        tries = cells / success
        slow = 0.0 if model.slow_after is None else max(0.0, tries - model.slow_after)
        seconds = (tries + slow * (model.slow_factor - 1)) * try_seconds / self.allowed
        is_cut = model.outage_after is not None and seconds > model.outage_after
        return seconds + (model.outage_seconds if is_cut else 0)

    def command(self, side: Side, url: str, folder: Path) -> list[str]:
        """The driver's command line; `-P` keeps the benchmarks' modules out of its imports."""
        options = {"url": url, "distribution": side.distribution, "records": self.cells, "kind": self.kind}
        options |= {"slots": self.slots, "timeout": self.timeout}
        given = [f"--{name}={value}" for name, value in options.items()]
        home = ["env", f"DATA_DESIGNER_HOME={folder / 'home'}"]
        return [*home, str(side.python), "-P", faults_drive.__file__, str(folder), *given, *side.options]


def scenarios(settings: Settings, cells: int) -> dict[str, Scenario]:
    """Name to scenario."""
    model = SimulatedModel(latency=settings.latency, jitter=0.5)
    calm = Scenario(cells, model, settings.slots, settings.slots)

    def at(**changes: Any) -> Scenario:
        return replace(calm, model=replace(model, **changes))

    # A run that is shorter than that is hit half-way.
    outage_after = min(settings.outage_after, calm.ideal_seconds / 2)
    return {
        "calm": calm,
        "rejects": replace(at(reject_above=settings.slots, retry_after=1), slots=4 * settings.slots),
        "errors": at(error_rate=0.02),
        "resets": at(reset_rate=0.01),
        "hangs": replace(at(hang_rate=0.05), timeout=settings.timeout),
        "malformed": replace(at(malformed_rate=0.1), kind="structured"),
        "outage": at(outage_after=outage_after, outage_seconds=settings.outage_seconds),
        "revoked": at(revoked_after=cells // 2),
        "slow": at(slow_after=cells // 2, slow_factor=10),
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one side made of one scenario."""

    scenario: str
    side: str
    version: str
    cells: int
    generated: int
    rejected: dict[str, int]
    """Kind to count; Data Designer does not say the kind."""
    ended: str
    """How the driver ended."""
    said: str | None
    """Why the run ended early, in the engine's words."""
    wall_seconds: float
    """Of `create`, the engine's start included."""
    ideal_seconds: float
    allowed: int
    counted: dict[str, Any] = field(default_factory=dict)
    """All that the server counted."""

    @property
    def unfinished(self) -> int:
        """Rows that were neither made nor rejected."""
        return self.cells - self.generated - sum(self.rejected.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the figures that follow from the others."""
        return {
            **asdict(self),
            "unfinished": self.unfinished,
            "requests": self.counted["requests"],
            "in_flight_share": self.counted["mean_in_flight"] / self.allowed,
            "wall_ratio": self.wall_seconds / self.ideal_seconds,
            "span_ratio": self.counted["span"] / self.ideal_seconds,
        }


@dataclass(frozen=True, slots=True)
class _Course:
    """How a driver's run went."""

    status: int | None
    """With which it ended by itself; None where it was killed."""
    seconds: float
    words: str
    rows: int

    @property
    def result(self) -> dict[str, Any]:
        """What the driver said of itself; empty where it did not get so far."""
        results = [line.removeprefix(RESULT) for line in self.words.splitlines() if line.startswith(RESULT)]
        found: dict[str, Any] = json.loads(results[-1]) if results else {}
        return found

    @property
    def ended(self) -> str:
        """In words."""
        if self.status is None:
            return "did not end"
        if self.status or not self.result:
            return f"crashed ({self.status})"
        return "raised" if self.result["raised"] else "ended"


def _run(command: Sequence[str], folder: Path, log: Path, limit: float) -> _Course:
    began = time.perf_counter()
    with log.open("w") as words, _started(command, folder, words) as process:
        try:
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        seconds = time.perf_counter() - began
    return _Course(status, seconds, log.read_text(errors="replace"), _rows(folder))


def _rows(folder: Path) -> int:
    """Committed rows whose cell is there."""
    files = (folder / faults_drive.DATASET / "parquet-files").glob("*.parquet")
    cells = (pq.read_table(file, columns=[faults_drive.CELL]).column(0) for file in files)
    return sum(len(column) - column.null_count for column in cells)


def _rejected(course: _Course, cells: int) -> dict[str, int]:
    found: dict[str, int] | None = course.result.get("rejected")
    if found is not None or course.ended != "ended" or _STOPPED_EARLY in course.words:
        return found or {}
    return {"dropped": cells - course.rows} if course.rows < cells else {}


def measure(name: str, scenario: Scenario, side: Side, log: Path, limit: float) -> Outcome:
    """Let one side make the dataset.

    Args:
        name: of the scenario.
        scenario: what is asked of which endpoint.
        side: who is asked.
        log: where the driver's words go.
        limit: seconds beyond the ideal after which it is killed.
    """
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary,
        SimulatedServerProcess(scenario.model) as url,
    ):
        folder = Path(temporary)
        course = _run(scenario.command(side, url, folder), folder, log, limit + scenario.ideal_seconds)
        counted = Endpoint(url, is_mock=False)._ask("/stats", "GET")["total"]
    result = course.result
    return Outcome(
        scenario=name,
        side=side.distribution,
        version=result.get("version", ""),
        cells=scenario.cells,
        generated=course.rows,
        rejected=_rejected(course, scenario.cells),
        ended=course.ended,
        said=result.get("said") or (None if result else course.words[-400:]),
        wall_seconds=result.get("seconds", course.seconds),
        ideal_seconds=scenario.ideal_seconds,
        allowed=scenario.allowed,
        counted=counted,
    )


_HEADINGS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "scenario": lambda one: one["scenario"],
    "side": lambda one: one["side"],
    "asked": lambda one: str(one["cells"]),
    "generated": lambda one: str(one["generated"]),
    "rejected": lambda one: ", ".join(f"{count} {kind}" for kind, count in one["rejected"].items()) or "0",
    "unfinished": lambda one: str(one["unfinished"]),
    "requests": lambda one: str(one["requests"]),
    "in flight/allowed": lambda one: f"{one['in_flight_share']:.2f}",
    "wall s": lambda one: f"{one['wall_seconds']:.1f}",
    "ideal s": lambda one: f"{one['ideal_seconds']:.1f}",
    "wall/ideal": lambda one: f"{one['wall_ratio']:.2f}",
    "span/ideal": lambda one: f"{one['span_ratio']:.2f}",
    "": lambda one: one["ended"],
}
"""Column of the table to what stands in it; the span is from the server's first request to its last."""


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a run, under headings."""
    found = [one.to_dict() for one in outcomes]
    lines = [list(_HEADINGS), *([show(one) for show in _HEADINGS.values()] for one in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{x:>{width}}" for x, width in zip(line, widths, strict=True)) for line in lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    standard = Settings()
    parser.add_argument("--only", nargs="+", choices=scenarios(standard, 1), help="scenarios; all, when not given")
    parser.add_argument("--sides", nargs="+", choices=["ours", PEER], default=["ours", PEER])
    parser.add_argument("--executor", choices=["ray", "inline"], default="ray", help="of ours")
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--peer-cells", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=standard.latency, help="mean seconds of a request")
    parser.add_argument("--slots", type=int, default=standard.slots)
    parser.add_argument("--timeout", type=int, default=standard.timeout, help="of the alias, where requests hang")
    parser.add_argument("--outage-after", type=float, default=standard.outage_after)
    parser.add_argument("--outage-seconds", type=float, default=standard.outage_seconds)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds a run may take beyond the ideal")
    parser.add_argument("--out", type=Path, default=Path("artifacts") / "benchmarks")
    return parser.parse_args()


def _measured(args: argparse.Namespace, logs: Path) -> Iterator[Outcome]:
    """Every scenario, the sides alternating."""
    settings = Settings(args.latency, args.slots, args.timeout, args.outage_after, args.outage_seconds)
    sides = {"ours": (SIDES[args.executor], args.cells), PEER: (SIDES[PEER], args.peer_cells)}
    for name in args.only or scenarios(settings, args.cells):
        for side_name in args.sides:
            side, cells = sides[side_name]
            if side.python.is_file():
                log = logs / f"faults-{name}-{side_name}.log"
                yield measure(name, scenarios(settings, cells)[name], side, log, args.limit)
            else:
                print(f"{side_name} is not installed in {HOME}", file=sys.stderr)


def main() -> None:
    """Measure the scenarios that were asked for."""
    args = _arguments()
    logs = (args.out / "logs").resolve()
    logs.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for one in _measured(args, logs):
        outcomes.append(one)
        print(f"{one.scenario} {one.side}: {one.ended} after {one.wall_seconds:.1f} s; {one.said or ''}", flush=True)
        (args.out / "faults.json").write_text(json.dumps([done.to_dict() for done in outcomes], indent=1))
    print(f"\nlatency {args.latency * 1000:g} ms +- 50 %, {args.slots} slots, on {os.cpu_count()} cores")
    print(table(outcomes))


if __name__ == "__main__":
    main()
