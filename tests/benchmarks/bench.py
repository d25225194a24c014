"""Measures the engine beside a bare client, beside the bound, and beside its peers where they are installed.

    python tests/benchmarks/bench.py                     the short form: overhead and saturation
    python tests/benchmarks/bench.py --full --peers      everything, three alternating runs each

Every claim is a ratio of figures that were measured side by side: runs of all sides alternate, so that what the
machine does meanwhile happens to all of them. Figures are medians; spread is (largest - smallest) / median. Writes
`results.json` and `results.png` into the output folder.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from pathlib import Path

from accounting import CommandFailedError, Cost, run
from bound import median_bound
from endpoint import HOME, SHARED, Behaviour, Counted, Endpoint, endpoint

HERE = Path(__file__).resolve().parent
PEERS = {"raw": "raw", "data_designer": "data-designer", "sdg_hub": "sdg-hub"}
"""Peer to the name of its virtual environment in `../shared/bench`; `raw` is a loop around aiohttp."""
_MOST_OF_PEERS = 12_000
"""Records beyond which a peer would take too long."""
_KINDS_OF_PEERS = {"text": "text", "diamond": "chain", "structured": "structured"}


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured: a kind of `drive.py`, its models and its slots."""

    kind: str
    records: int
    slots: int
    first: Behaviour = field(default_factory=Behaviour)
    second: Behaviour | None = None


WORKLOADS = {
    "W0": Workload("text", 12_000, 64),
    "W1": Workload("text", 20_000, 256, Behaviour(latency=0.2, spread=0.5)),
    "W2": Workload("diamond", 5_000, 64, Behaviour("m1", latency=0.1), Behaviour("m2", latency=0.3)),
    "W3": Workload("text", 4_000, 256, Behaviour(latency=0.2, spread=0.5, capacity=64)),
    "W4": Workload("text", 5_000, 64, Behaviour(latency=0.05, spread=0.5, errors=0.02, resets=0.01)),
    "W5": Workload("structured", 4_000, 64, Behaviour(latency=0.05, spread=0.5, malformed=0.1)),
    "W6": Workload("growth", 100_000, 64),
    "W7": Workload("text", 8_000, 1024, Behaviour(latency=1.0)),
    "T": Workload("tail", 5_000, 64, Behaviour(latency=0.2, spread=1.3108)),
    "C": Workload("cpu", 160_000, 64),
    "C1": Workload("drawn", 160_000, 64),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run."""

    side: str
    workload: str
    records: int
    cost: Cost
    counted: Counted | None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Cells a second from the first request to the last reply."""
        return self.counted.requests / self.counted.seconds if self.counted and self.counted.seconds else 0.0


class Bench:
    """Runs workloads on sides and remembers every run."""

    def __init__(self, server: Endpoint, out: Path) -> None:
        self.server = server
        self.out = out
        self.runs: list[Run] = []

    def measure(self, side: str, name: str, records: int | None = None, **options: str) -> Run | None:
        """Run a workload once; None where the side failed, which is printed."""
        workload = WORKLOADS[name]
        count = records or workload.records
        command = self._command(side, workload, count, options)
        self.server.reset()
        log = self.out / "logs" / f"{side}-{name}-{count}-{len(self.runs)}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            cost = run(command, log, _environment(self.server.url, log.with_suffix("")))
        except CommandFailedError as error:
            print(f"{name} {side} failed: {error}", file=sys.stderr)
            return None
        counted = None if workload.kind in ("cpu", "drawn") else self.server.counted()
        done = Run(side, name, count, cost, counted, options)
        self.runs.append(done)
        print(_line(done), flush=True)
        self.save()
        return done

    def _command(self, side: str, workload: Workload, records: int, options: dict[str, str]) -> list[str]:
        models = [self.server.model(workload.first)]
        if workload.second is not None:
            models.append(self.server.model(workload.second))
        second = ["--model2", models[1]] if len(models) > 1 else []
        if side in PEERS:
            return self.peer(side, _KINDS_OF_PEERS[workload.kind], records, models[0], workload.slots, second)
        kind = side if side in ("bare", "plain") else workload.kind
        extra = [part for option, value in options.items() for part in (f"--{option.replace('_', '-')}", value)]
        driver = [sys.executable, str(HERE / "drive.py"), kind, str(records), "--url", self.server.url]
        return [*driver, "--model", models[0], *second, "--slots", str(workload.slots), *extra]

    def peer(
        self, side: str, kind: str, records: int, model: str, slots: int = 64, second: Sequence[str] = ()
    ) -> list[str]:
        """The command that makes a dataset with a peer."""
        python = str(HOME / "venvs" / PEERS[side] / "bin" / "python")
        folder = self.out / "peers" / side
        folder.mkdir(parents=True, exist_ok=True)
        port = self.server.url.split(":")[2].split("/")[0]
        script = str(SHARED / "peers" / f"{side}.py")
        client = ["--opt", "client=aiohttp"] if side == "raw" else []
        positional = [kind, str(records), model, str(slots)]
        return [python, script, *positional, *second, *client, "--port", port, "--out", str(folder)]

    def save(self) -> None:
        """Write what was measured so far."""
        content = [asdict(one) | {"rate": one.rate} for one in self.runs]
        (self.out / "results.json").write_text(json.dumps(content, indent=1))

    def values(
        self, side: str, name: str, value: Callable[[Run], float], records: int | None = None, **options: str
    ) -> list[float]:
        """A figure of every run of a side on a workload."""
        return [
            value(one)
            for one in self.runs
            if (one.side, one.workload) == (side, name)
            and one.records == (records or WORKLOADS[name].records)
            and one.options == options
        ]


def _environment(url: str, folder: Path) -> dict[str, str]:
    quiet = ("NEMO_TELEMETRY_ENABLED", "TELEMETRY_ENABLED", "TOKENIZERS_PARALLELISM")
    return {
        **dict.fromkeys(quiet, "false"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": url,
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "HOME": str(folder),
    }


def _line(one: Run) -> str:
    options = "".join(f" {name}={value}" for name, value in one.options.items())
    line = f"  {one.workload} {one.side}{options} n={one.records}: {one.cost.seconds:.1f} s, "
    line += f"CPU {one.cost.cpu_seconds:.2f} s, peak {one.cost.peak_bytes / 1e6:.0f} MB "
    line += f"({one.cost.peak_shared_bytes / 1e6:.0f} with shared pages counted once)"
    if one.counted is None:
        return line
    return f"{line}, {one.rate:.0f}/s, in flight {one.counted.mean_in_flight:.1f} (peak {one.counted.peak_in_flight})"


def shown(values: Sequence[float], digits: int = 2) -> str:
    """Median and spread."""
    if not values:
        return "not measured"
    middle = statistics.median(values)
    if len(values) == 1:
        return f"{middle:.{digits}f} (1 run)"
    spread = (max(values) - min(values)) / middle if middle else 0.0
    return f"{middle:.{digits}f} (spread {spread:.0%}, {len(values)} runs)"


def slope(bench: Bench, side: str, name: str, few: int, many: int) -> list[float]:
    """Milliseconds of CPU a record between two sizes, start-up dropping out: run by run."""
    low = bench.values(side, name, lambda one: one.cost.cpu_seconds, few)
    high = bench.values(side, name, lambda one: one.cost.cpu_seconds, many)
    return [1000 * (b - a) / (many - few) for a, b in zip(low, high, strict=False)]


def overhead(bench: Bench, sides: Sequence[str], repeats: int, sizes: Sequence[int]) -> dict[str, str]:
    """W0: CPU a cell as a slope, and cells a second."""
    for _ in range(repeats):
        for records in sizes:
            for side in sides:
                if records <= _MOST_OF_PEERS or side not in PEERS:
                    bench.measure(side, "W0", records)
    table = {}
    for few, many in ((1000, 6000), (2000, 12_000), (2000, 22_000)):
        for side in sides:
            if values := slope(bench, side, "W0", few, many):
                table[f"W0 CPU ms a cell, {few} to {many}, {side}"] = shown(values, 3)
    largest = max(size for size in sizes if size <= _MOST_OF_PEERS)
    for side in sides:
        rates = bench.values(side, "W0", attrgetter("rate"), largest)
        table[f"W0 cells/s at {largest}, first request to last reply, {side}"] = shown(rates, 0)
        walls = bench.values(side, "W0", lambda one: one.records / one.cost.seconds, largest)
        table[f"W0 cells/s at {largest}, start-up included, {side}"] = shown(walls, 0)
    return table


def against_bound(bench: Bench, names: Sequence[str], repeats: int, records: int | None = None) -> dict[str, str]:
    """W1, W2, T, W7: mean in flight and seconds, each over that of a dispatcher without overhead."""
    for _ in range(repeats):
        for name in names:
            bench.measure("ours", name, records)
    table = {}
    for name in names:
        count = records or WORKLOADS[name].records
        ideal = median_bound(name, count)
        flight, seconds, peaks = (
            bench.values("ours", name, attrgetter(f"counted.{field}"), count)
            for field in ("mean_in_flight", "seconds", "peak_in_flight")
        )
        label = f"{name} n={count}"
        shares = [value / ideal.mean_in_flight for value in flight]
        table[f"{label} mean in flight / bound's ({ideal.mean_in_flight:.1f})"] = shown(shares, 3)
        table[f"{label} seconds / bound's ({ideal.seconds:.1f})"] = shown(
            [value / ideal.seconds for value in seconds], 3
        )
        table[f"{label} peak in flight"] = shown(peaks, 0)
    return table


def faults(bench: Bench, sides: Sequence[str], repeats: int) -> dict[str, str]:
    """W3, W4, W5: seconds and rows at an endpoint that misbehaves."""
    table = {}
    for name in ("W3", "W4", "W5"):
        for _ in range(repeats):
            for side in sides:
                bench.measure(side, name)
        for side in sides:
            seconds = bench.values(side, name, attrgetter("counted.seconds"))
            rows = bench.values(side, name, lambda one: one.cost.result.get("rows") or 0)
            flight = bench.values(side, name, lambda one: one.counted.mean_in_flight if one.counted else 0.0)
            table[f"{name} seconds, {side}"] = shown(seconds, 1)
            table[f"{name} mean in flight / slots, {side}"] = shown([n / WORKLOADS[name].slots for n in flight], 3)
            table[f"{name} rows of {WORKLOADS[name].records}, {side}"] = shown(rows, 0)
    return table


def growing(bench: Bench, few: int, many: int, repeats: int) -> dict[str, str]:
    """W6: CPU a record and the driver's memory, at many records over few."""
    for _ in range(repeats):
        bench.measure("ours", "W6", few)
    bench.measure("ours", "W6", many)

    def per_thousand(one: Run) -> float:
        return 1000 * one.cost.cpu_seconds / one.records

    def driver(one: Run) -> float:
        return one.cost.result["driver_bytes"] / 1e6

    low, high = bench.values("ours", "W6", per_thousand, few), bench.values("ours", "W6", per_thousand, many)
    small, large = bench.values("ours", "W6", driver, few), bench.values("ours", "W6", driver, many)
    return {
        f"W6 CPU s per 1,000 records at {few}": shown(low, 3),
        f"W6 CPU s per 1,000 records at {many}": shown(high, 3),
        f"W6 at {many} / at {few}": f"{statistics.median(high) / statistics.median(low):.3f}",
        f"W6 driver's peak MB at {few}": shown(small, 0),
        f"W6 driver's peak MB at {many}": shown(large, 0),
    }


def processors(bench: Bench, repeats: int) -> dict[str, str]:
    """C: records a second with one worker and with two; without the validation, beside numpy, jinja2 and pyarrow."""
    for _ in range(repeats):
        for workers in ("1", "2"):
            bench.measure("ours", "C", workers=workers)
        bench.measure("ours", "C1", executor="inline", workers="1")
        bench.measure("plain", "C1")

    def seconds(one: Run) -> float:
        return float(one.cost.result["seconds"])

    def own_cpu(one: Run) -> float:
        return float(one.cost.result["cpu_seconds"])

    def steady(one: Run) -> float:
        return seconds(one) - one.cost.result["first_file_after"]

    table = {}
    for label, value in (("", seconds), (" after the first file", steady)):
        one, two = (bench.values("ours", "C", value, workers=workers) for workers in ("1", "2"))
        table[f"C seconds{label}, 1 worker"] = shown(one, 1)
        table[f"C seconds{label}, 2 workers"] = shown(two, 1)
        table[f"C 2 workers / 1 worker, records a second{label}"] = shown(
            [a / b for a, b in zip(one, two, strict=True)]
        )
    cpu = bench.values("ours", "C", attrgetter("cost.cpu_seconds"), workers="1")
    ours = bench.values("ours", "C1", own_cpu, executor="inline", workers="1")
    plain = bench.values("plain", "C1", own_cpu)
    return table | {
        "C CPU seconds, 1 worker": shown(cpu, 1),
        "C1 CPU seconds in one process": shown(ours, 2),
        "C1 CPU seconds, plain numpy, jinja2 and pyarrow": shown(plain, 2),
        "C1 in one process / plain, CPU": shown([a / b for a, b in zip(ours, plain, strict=False)]),
    }


def batch_sizes(bench: Bench, repeats: int) -> dict[str, str]:
    """The guide's tables: what batch sizes and slots do to the rate, the memory and the first file."""
    sizes = ("100", "500", "1000", "2000", "5000")
    for _ in range(repeats):
        for size in sizes:
            bench.measure("ours", "W0", 20_000, buffer_size=size)
    for _ in range(repeats):
        for slots in ("4", "16"):
            bench.measure("ours", "W1", 400, slots=slots)
    four, sixteen = (bench.values("ours", "W1", attrgetter("rate"), 400, slots=slots) for slots in ("4", "16"))
    ratios = [many / few for few, many in zip(four, sixteen, strict=True)]
    table = {"cells/s with 16 slots / with 4, 200 ms model": shown(ratios)}
    for size in sizes:
        for label, value in _BATCH_FIGURES.items():
            figures = bench.values("ours", "W0", value, 20_000, buffer_size=size)
            table[f"buffer_size={size} {label}"] = shown(figures, 1)
    return table


_BATCH_FIGURES: dict[str, Callable[[Run], float]] = {
    "cells/s": lambda one: one.rate,
    "peak MB, all processes": lambda one: one.cost.peak_bytes / 1e6,
    "peak MB, shared pages counted once": lambda one: one.cost.peak_shared_bytes / 1e6,
    "seconds to the first file": lambda one: one.cost.result["first_file_after"] or 0.0,
}


_IMPORTS = {
    "import pandas, pydantic": "import pandas, pydantic",
    "import pydantic, one model": "import pydantic; type('M', (pydantic.BaseModel,), {})",
    "import data_designer.config, all names": "import data_designer.config as dd; [getattr(dd, n) for n in dir(dd)]",
    "import the interface": "from data_designer.interface import DataDesigner",
}
_ENDING = "; import json, os, time; print('RESULT', json.dumps({'seconds': time.time() - float(os.environ['%s'])}))"
_FIRST_REQUEST = "script start to first request at the server"


def startup(bench: Bench, sides: Sequence[str], repeats: int) -> dict[str, str]:
    """S: imports, the first preview row, the first request, and ten records on a Ray that runs already."""
    script = [sys.executable, str(HERE / "drive.py")]
    name = bench.server.model(Behaviour())
    asking = ["--url", bench.server.url, "--model", name]
    commands = {
        **{label: [sys.executable, "-c", code + _ENDING % "BENCHMARK_BEGAN"] for label, code in _IMPORTS.items()},
        "first preview row": [*script, "first", "1", *asking],
        "create 10 records on a running Ray": [*script, "warm", "10", *asking],
    }
    commands |= {
        f"{_FIRST_REQUEST}, {executor}": [*script, "begin", "1000", *asking, "--executor", executor]
        for executor in ("inline", "auto", "ray")
    }
    if "data_designer" in sides:
        commands[f"{_FIRST_REQUEST}, data_designer"] = bench.peer("data_designer", "text", 1000, name)
    costs: dict[str, list[Cost]] = {label: [] for label in commands}
    seconds: dict[str, list[float]] = {label: [] for label in commands}
    for _ in range(repeats):
        for label, command in commands.items():
            bench.server.reset()
            cost = run(command, bench.out / "startup.log", _environment(bench.server.url, bench.out))
            costs[label].append(cost)
            at_server = bench.server.counted().first_at - cost.began if _FIRST_REQUEST in label else cost.seconds
            seconds[label].append(float(cost.result.get("seconds", at_server)))
    pairs = zip(seconds["first preview row"], seconds["import pandas, pydantic"], strict=True)
    table = {f"S seconds, {label}": shown(values) for label, values in seconds.items()}
    table |= {f"S CPU seconds, {label}": shown([cost.cpu_seconds for cost in found]) for label, found in costs.items()}
    return table | {"S first preview row above the imports": shown([a - b for a, b in pairs])}


def plot(table: dict[str, str], bench: Bench, path: Path) -> None:
    """Draw CPU seconds over records on W0, a line a side."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for side in sorted({one.side for one in bench.runs if one.workload == "W0" and not one.options}):
        sizes = sorted({one.records for one in bench.runs if (one.side, one.workload) == (side, "W0")})
        points = [(n, bench.values(side, "W0", lambda one: one.cost.cpu_seconds, n)) for n in sizes]
        known = [(n, statistics.median(values)) for n, values in points if values]
        axes.plot(*zip(*known, strict=True), marker="o", label=side)
    axes.set(xlabel="records, one text cell each", ylabel="CPU seconds, all processes", title="W0: no latency")
    axes.legend()
    figure.savefig(path, dpi=120)
    print(f"{len(table)} figures; {path}")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="everything; an hour on two cores")
    parser.add_argument("--only", nargs="+", help="parts: overhead bound faults growth cpu startup batches")
    parser.add_argument("--peers", action="store_true", help="run the peers beside ours where they are installed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", help="records of the overhead part")
    parser.add_argument("--out", type=Path, default=Path("artifacts") / "benchmarks")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    peers = [peer for peer, name in PEERS.items() if args.peers and (HOME / "venvs" / name).is_dir()]
    full = args.full or bool(args.only)
    with endpoint() as server:
        bench = Bench(server, args.out.resolve())
        sides = ["ours", "bare", *peers]
        parts: dict[str, Callable[[], dict[str, str]]] = {
            "overhead": lambda: overhead(bench, sides, args.runs, args.sizes or (1000, 2000, 6000, 12_000, 22_000)),
            "bound": lambda: against_bound(bench, ("W1", "W2", "T", "W7"), args.runs),
            "faults": lambda: faults(bench, ["ours", *(peer for peer in peers if peer != "raw")], args.runs),
            "growth": lambda: growing(bench, 100_000, 1_000_000, args.runs),
            "cpu": lambda: processors(bench, args.runs),
            "startup": lambda: startup(bench, sides, args.runs),
            "batches": lambda: batch_sizes(bench, args.runs),
        }
        short: dict[str, Callable[[], dict[str, str]]] = {
            "overhead": lambda: overhead(bench, ["ours", "bare"], 1, (1000, 6000)),
            "bound": lambda: against_bound(bench, ("W1",), 1, 5000),
        }
        chosen = {name: part for name, part in parts.items() if name in (args.only or parts)} if full else short
        table: dict[str, str] = {}
        for part in chosen.values():
            table |= part()
        print(f"\non {os.cpu_count()} cores, endpoint: {'nginx mock' if server.is_mock else 'simulated model'}")
        for label, figure in table.items():
            print(f"{label:<70} {figure}")
        (args.out / "table.json").write_text(json.dumps(table, indent=1))
        if any(one.workload == "W0" and not one.options for one in bench.runs):
            plot(table, bench, args.out / "results.png")


if __name__ == "__main__":
    main()
