"""Whether accounts of slot time add up to slots times time, and what keeping them costs a cell.

    python tests/benchmarks/slot_accounts.py                      ten workloads inline, on Ray, and over a resume
    python tests/benchmarks/slot_accounts.py --before OTHER/src   CPU a cell beside that of another tree, alternating

Prints Markdown. A figure of the first table is the sum of an alias's accounts divided by its slots times the seconds,
of the alias that is furthest from 1.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import data_designer.config as dd
from data_designer.engine.protocol.slot_time import Account, RunAccounts
from data_designer.interface import DataDesigner
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

_CELLS = 20_000
_ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Workload:
    """Two text columns, the second about the first, each of a model of its own."""

    first: str = "latency=0.05"
    """How its model behaves."""
    second: str = "latency=0.05"
    slots: tuple[int, int] = (16, 16)
    records: int = 600
    limits: dict[str, int] = field(default_factory=dict)
    """Of each model."""
    cap: int | None = None
    """Of the provider."""
    function: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Makes a column that the second model is told of."""
    run: dict[str, Any] = field(default_factory=dict)


@dd.custom_column_generator(required_columns=["a"])
def slow(row: dict[str, Any]) -> dict[str, Any]:
    """Work of a CPU that takes its time."""
    time.sleep(0.02)
    return {**row, "f": row["a"][:10]}


WORKLOADS = {
    "two models": Workload(),
    "a slow first": Workload(slots=(8, 32)),
    "a slow second": Workload(second="latency=0.2"),
    "a heavy tail": Workload("latency=0.05&jitter_kind=lognormal&jitter=1.3", records=1000),
    "429": Workload(second="latency=0.05&reject_above=6"),
    "HTTP 500": Workload("latency=0.05&error_rate=0.1"),
    "an outage": Workload("latency=0.05&outage_after=1&outage_seconds=4"),
    "a shared server": Workload(cap=12),
    "one batch open": Workload(run={"buffer_size": 10, "max_concurrent_row_groups": 1}, records=300),
    "a slow function": Workload(function=slow),
}


def declared(workload: Workload) -> dd.DataDesignerConfigBuilder:
    """Its columns."""
    models = [
        dd.ModelConfig(
            alias=alias,
            model=f"{alias}?{behaves}",
            provider="p",
            skip_health_check=True,
            inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=slots, **workload.limits),
        )
        for alias, behaves, slots in zip("ab", (workload.first, workload.second), workload.slots, strict=True)
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(name="a", column_type="llm-text", model_alias="a", prompt="say {{ id }}")
    about = "a"
    if workload.function is not None:
        builder.add_column(dd.CustomColumnConfig(name="f", generator_function=workload.function))
        about = "f"
    builder.add_column(name="b", column_type="llm-text", model_alias="b", prompt=f"more of {{{{ {about} }}}}")
    return builder


def made(workload: Workload, url: str, executor: str, *, in_two: bool = False) -> RunAccounts:
    """The accounts of a dataset of a workload, made in one run or in two."""
    with tempfile.TemporaryDirectory() as folder:
        provider = dd.ModelProvider(name="p", endpoint=url, api_key="k", max_parallel_requests=workload.cap)
        designer = DataDesigner(Path(folder), model_providers=[provider], auto_configure_logging=False)
        run = {"executor": executor, "seed": 1, "buffer_size": 50, "otel_metrics_port": None, **workload.run}
        if in_two:
            designer.set_run_config(dd.RunConfig(**run, budget={"requests": workload.records}))
            designer.create(declared(workload), num_records=workload.records, dataset_name="d")
        designer.set_run_config(dd.RunConfig(**run))
        resume = dd.ResumeMode.ALWAYS if in_two else dd.ResumeMode.NEVER
        results = designer.create(declared(workload), num_records=workload.records, dataset_name="d", resume=resume)
        accounts = results.accounts
    assert accounts is not None
    return accounts


def furthest(accounts: RunAccounts) -> float:
    """Sum of accounts by slots times seconds, of the alias that is furthest from 1."""
    parts = [sum(one.seconds.values()) / one.slot_seconds for one in accounts.aliases.values()]
    return max(parts, key=lambda part: abs(part - 1))


def shares(accounts: RunAccounts) -> str:
    """What slots did, of each alias, in percent; what is less than one is left out."""
    told = []
    for name, one in accounts.aliases.items():
        parts = {account: 100 * one.seconds.get(account, 0.0) / one.slot_seconds for account in Account}
        told.append(
            f"{name}: " + ", ".join(f"{account.value} {part:.0f}" for account, part in parts.items() if part >= 1)
        )
    return "; ".join(told)


def sums() -> None:
    """Print how the accounts of each workload add up."""
    print("| workload | inline | on Ray | over a resume | slots, inline, % |")
    print("|---|---|---|---|---|")
    for name, workload in WORKLOADS.items():
        found = []
        for executor, in_two in (("inline", False), ("ray", False), ("inline", True)):
            with SimulatedServerProcess(SimulatedModel()) as url:
                found.append(made(workload, url, executor, in_two=in_two))
        figures = [f"{furthest(one):.4f} ({one.seconds:.1f} s)" for one in found]
        print(f"| {name} | {' | '.join(figures)} | {shares(found[0])} |", flush=True)


def cell() -> None:
    """Print the CPU that this process needs for a cell, in microseconds, at a model that answers at once."""
    workload = Workload("", "", (64, 64), _CELLS // 2, run={"buffer_size": 1000})
    with SimulatedServerProcess(SimulatedModel()) as url, tempfile.TemporaryDirectory() as folder:
        provider = dd.ModelProvider(name="p", endpoint=url, api_key="k")
        designer = DataDesigner(Path(folder), model_providers=[provider], auto_configure_logging=False)
        designer.set_run_config(dd.RunConfig(executor="inline", seed=1, otel_metrics_port=None, **workload.run))
        designer.create(declared(workload), num_records=workload.records // 20, dataset_name="warm")
        began = time.process_time()
        designer.create(declared(workload), num_records=workload.records, dataset_name="d")
        print((time.process_time() - began) / _CELLS * 1e6)


def beside(other: Path) -> None:
    """Print CPU a cell of this tree and of another, in alternating runs."""
    trees = {"before": other, "with accounts": Path(__file__).parents[2] / "src"}
    costs: dict[str, list[float]] = {name: [] for name in trees}
    for _ in range(_ROUNDS):
        for name, tree in trees.items():
            command = [sys.executable, __file__, "--cell"]
            done = subprocess.run(
                command, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True, check=True
            )
            costs[name].append(float(done.stdout.split()[-1]))
    print("| tree | CPU a cell, µs, least | median | all runs |")
    print("|---|---|---|---|")
    for name, measured in costs.items():
        figures = ", ".join(f"{one:.1f}" for one in sorted(measured))
        print(f"| {name} | {min(measured):.1f} | {statistics.median(measured):.1f} | {figures} |")


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the source tree beside which CPU a cell is measured")
    parser.add_argument("--cell", action="store_true", help="measure CPU a cell of the tree that is imported")
    given = parser.parse_args()
    if given.cell:
        cell()
    elif given.before:
        beside(given.before)
    else:
        sums()


if __name__ == "__main__":
    main()
