"""What a node that joins in the middle is worth: the same dataset on one node of one CPU, and on one that gets company.

    python tests/benchmarks/joining.py                    three runs of each, by turns; some minutes
    python tests/benchmarks/joining.py --sleep            where the machine has no two cores to spare

Its one column is a function that computes, so the rate is bound by CPUs; no model is asked. With `--sleep` it only
takes its node's CPU. The rate is that of the last 40 % of the batches, when the second node has long been there.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.cluster_utils import Cluster

import data_designer.config as dd
from data_designer.interface import DataDesigner

BATCH = 20
_LAST = 0.4
"""Share of the batches over which the rate is taken."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a run."""

    nodes: int
    """At its end."""
    seconds: float
    rate: float
    """Records a second, over the last batches."""


def _compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def _declared(seconds: float, work: Callable[[float], None]) -> dd.DataDesignerConfigBuilder:
    @dd.custom_column_generator(required_columns=["id"])
    def computed(row: dict[str, Any]) -> dict[str, Any]:
        work(seconds)
        return {**row, "computed": 1}

    built = dd.DataDesignerConfigBuilder()
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="computed", generator_function=computed))
    return built


@contextmanager
def _cluster() -> Iterator[Callable[[], None]]:
    """A Ray of one node of one CPU; gives what lets another join."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    joined: list[subprocess.Popen[bytes]] = []

    def join() -> None:
        command = [Path(sys.executable).parent / "ray", "start", f"--address={cluster.address}", "--num-cpus=1"]
        joined.append(subprocess.Popen([*command, "--block"], stdout=subprocess.DEVNULL))

    try:
        yield join
    finally:
        ray.shutdown()
        for process in joined:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        cluster.shutdown()


def measure(declared: dd.DataDesignerConfigBuilder, records: int, *, joins: bool) -> Figures:
    """Make the dataset; where another node joins, it does after the first batch."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _cluster() as join:
        receipts = Path(folder) / "d" / "receipts"

        def watch() -> None:
            while not list(receipts.glob("*.json")):
                time.sleep(0.05)
            join()

        if joins:
            threading.Thread(target=watch, daemon=True).start()
        designer = DataDesigner(Path(folder))
        designer.set_run_config(dd.RunConfig(executor="ray", buffer_size=BATCH, otel_metrics_port=None))
        began = time.perf_counter()
        designer.create(declared, num_records=records, dataset_name="d")
        took = time.perf_counter() - began
        written = sorted(one.stat().st_mtime for one in receipts.glob("*.json"))
        last = written[-int(len(written) * _LAST) :]
        nodes = sum(node["Alive"] for node in ray.nodes())
    return Figures(nodes, took, BATCH * (len(last) - 1) / (last[-1] - last[0]))


def main() -> None:
    """Measure, by turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=0.01, help="of CPU a record")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sleep", action="store_true", help="instead of computing")
    args = parser.parse_args()
    found: dict[bool, list[Figures]] = {False: [], True: []}
    for _ in range(args.runs):
        for joins, figures in found.items():
            declared = _declared(args.seconds, time.sleep if args.sleep else _compute)
            figures.append(measure(declared, args.records, joins=joins))
            one = figures[-1]
            print(f"nodes={one.nodes} seconds={one.seconds:.1f} records_per_second={one.rate:.1f}", flush=True)
    rates = [statistics.median(one.rate for one in figures) for figures in found.values()]
    times = [statistics.median(one.seconds for one in figures) for figures in found.values()]
    print(f"rate with the second node / rate without: {rates[1] / rates[0]:.2f}")
    print(f"seconds of the whole run without / with: {times[0] / times[1]:.2f}")


if __name__ == "__main__":
    main()
