"""Where one driver saturates: what goes through it on a real Ray, and nodes that are only simulated.

    python tests/benchmarks/scaling.py              both parts, some minutes
    python tests/benchmarks/scaling.py messages     what a run on a local Ray sends through its driver
    python tests/benchmarks/scaling.py nodes        10, 100 and 1,000 nodes in virtual time, a replica of 256 slots each

In virtual time the replicas, their latencies (1 s, 50 % up or down) and their reports are simulated; the scheduler is
the real one, and its CPU time is measured.
"""

import argparse
import pickle
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import data_designer.config as dd
from data_designer.engine.execution.observation import Heard
from data_designer.engine.execution.replica import LINGER, linger_of
from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.interface import DataDesigner
from data_designer.interface import run as running
from data_designer.plan.model import LOCAL, Geometry
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

SLOTS = 256
"""Of each simulated replica."""
Figures = dict[str, float]


@dataclass(slots=True)
class Messages:
    """Counts what replicas report. Call it with every observation."""

    reports: int = 0
    bytes: int = 0
    rows: int = 0
    began: float | None = None
    ended: float = 0.0
    cpu: float = 0.0
    """Seconds of the driver's process from the first report to the last."""
    _before: float = 0.0

    def __call__(self, observation: Any) -> None:
        """Take one observation in."""
        if isinstance(observation, Heard) and observation.summary.finished:
            self.reports += 1
            self.bytes += len(pickle.dumps(observation.summary))
            self.ended, used = time.perf_counter(), sum(psutil.Process().cpu_times()[:2])
            if self.began is None:
                self.began, self._before = self.ended, used
            self.cpu = used - self._before
        elif isinstance(observation, ev.RowsDone):
            self.rows += len(observation.rows)


def measure_messages(replicas: int, records: int) -> Figures:
    """One text column at a model that answers at once, on a local Ray."""
    seen, create = Messages(), running.create

    def watched(opened: Any, observers: Sequence[Any], *others: Any) -> Any:
        return create(opened, [*observers, seen], *others)

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=64)
    model = dd.ModelConfig(alias="m", model="m", provider="p", skip_health_check=True, inference_parameters=params)
    built = dd.DataDesignerConfigBuilder(model_configs=[model])
    built.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1e6})
    built.add_column(name="text", column_type="llm-text", model_alias="m", prompt="On {{ n }}")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        SimulatedServerProcess(SimulatedModel()) as url,
    ):
        designer = DataDesigner(Path(folder), model_providers=[dd.ModelProvider(name="p", endpoint=url)])
        run = {"executor": "ray", "replicas_per_model": replicas, "otel_metrics_port": None, "progress_interval": 600}
        designer.set_run_config(dd.RunConfig(**run))
        running.create = watched  # the one way to see what observers see, without one of our own for benchmarks
        try:
            designer.create(built, num_records=records, dataset_name="d")
        finally:
            running.create = create
    seconds = seen.ended - (seen.began or 0.0)
    return {
        "replicas": replicas,
        "cells/s": seen.rows / seconds,
        "reports/s": seen.reports / seconds,
        "cells a report": seen.rows / seen.reports,
        "bytes a record": seen.bytes / seen.rows,
        "driver CPU": seen.cpu / seconds,
        "CPU ms a report": 1000 * seen.cpu / seen.reports,
        "CPU us a cell": 1e6 * seen.cpu / seen.rows,
    }


def measure_nodes(nodes: int, seconds: float, linger: float) -> Figures:
    """A chain of two columns of one model, for about so many seconds at full slots."""
    records = int(nodes * SLOTS * seconds / 2)
    stages = (
        ev.StageShape(LOCAL, False, (), 0),
        ev.StageShape("m", False, (0,), 1),
        ev.StageShape("m", False, (1,), 2),
    )
    shape = ev.Shape(
        stages, {"m": nodes * SLOTS}, geometry=Geometry(records, 10_000), workers=max(4, nodes), replicas={"m": nodes}
    )
    world = World(replicas=nodes, latency=lambda rng, _: rng.uniform(0.5, 1.5), linger=linger)
    simulation = Simulation(shape, world, random.Random(1))
    simulation.timeline.stopwatch = time.process_time
    report = simulation.run()
    return {
        "nodes": nodes,
        "linger ms": linger * 1000,
        "cells": report.executions,
        "slots busy": report.slot_use("m", nodes * SLOTS),
        "cells/s": report.executions / report.seconds,
        "events/s": report.events / report.seconds,
        "us a cell": report.deciding / report.executions * 1e6,
        "us an event": report.deciding / report.events * 1e6,
        "deciding": report.deciding / report.seconds,
    }


def _table(figures: Iterator[Figures]) -> None:
    for number, one in enumerate(figures):
        if not number:
            print("  ".join(f"{name:>15}" for name in one))
        print("  ".join(f"{value:>15.4g}" for value in one.values()), flush=True)


def _messages(records: int) -> Iterator[Figures]:
    yield from (measure_messages(replicas, records) for replicas in (1, 2, 4))


def _nodes(seconds: float, most: int) -> Iterator[Figures]:
    for nodes in (one for one in (10, 100, 1000) if one <= most):
        for linger in dict.fromkeys((LINGER, linger_of(nodes))):
            yield measure_nodes(nodes, seconds, linger)


def main() -> None:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["messages", "nodes"])
    parser.add_argument("--records", type=int, default=40_000, help="of the first part")
    parser.add_argument("--seconds", type=float, default=20.0, help="of virtual time, of the second part")
    parser.add_argument("--most", type=int, default=1000, help="nodes of the second part")
    args = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Figures]]] = {
        "messages": lambda: _messages(args.records),
        "nodes": lambda: _nodes(args.seconds, args.most),
    }
    for name, measure in parts.items():
        if args.part in (None, name):
            print(name)
            _table(measure())


if __name__ == "__main__":
    main()
