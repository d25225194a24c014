"""Is the advice right, and does following it do what it says: bottlenecks that are planted in real runs.

    python tests/benchmarks/advice.py                  six bottlenecks and four mixtures, about two minutes
    python tests/benchmarks/advice.py --only tail      one of them
    python tests/benchmarks/advice.py --text           and all advice of each

Each is run in this process, with the simulated model in a process of its own; then its first advice is followed, and it
is run again. Ends with status 1 where fewer than nine of ten name what was planted.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import data_designer.config as dd
from data_designer.engine.dataset import sink
from data_designer.engine.dataset.layout import PARQUET
from data_designer.engine.observe.advice import Advice, advise
from data_designer.engine.observe.bottlenecks.evidence import Bottleneck, Change
from data_designer.engine.protocol.slot_time import RunAccounts
from data_designer.interface import DataDesigner
from data_designer.plan.model import Plan
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

CORES = 4
"""That the workers may use: what is slow here sleeps."""
_LEAST_RIGHT = 0.9


@dataclass(frozen=True, slots=True)
class Setup:
    """A pipeline: a draft, a function of it, and its review by another model."""

    records: int = 300
    writer: str = "latency=0.05&jitter=0.3"
    """How the simulated model behaves."""
    reviewer: str | None = None
    slots: dict[str, int] = field(default_factory=lambda: {"writer": 16, "reviewer": 16})
    timeout: dict[str, int] = field(default_factory=dict)
    work: float = 0.0
    """Seconds that the function takes for a record."""
    disk: float = 0.0
    """Seconds that the disk takes for a record."""
    run: dict[str, Any] = field(default_factory=dict)

    def followed(self, advice: Advice) -> "Setup":
        """With what advice says changed."""
        changed = self
        for change in advice.changes:
            changed = changed._with(change)
        return changed

    def _with(self, change: Change) -> "Setup":
        match change.setting:
            case "max_parallel_requests":
                return replace(self, slots={**self.slots, change.of: int(change.after or 0)})
            case "timeout":
                return replace(self, timeout={**self.timeout, change.of: int(change.after or 0)})
            case "num_records":
                return replace(self, records=int(change.after or 0))
            case "artifact_path":
                return replace(self, disk=0.0)
            case "the work a record":
                return replace(self, work=0.0)
            case _:
                return replace(self, run={**self.run, change.setting: change.after})


@dataclass(frozen=True, slots=True)
class Case:
    """Something planted."""

    name: str
    setup: Setup
    bottleneck: Bottleneck
    subject: str = ""
    """Where it matters."""

    def is_named(self, advice: Advice) -> bool:
        """Whether advice names it."""
        return advice.bottleneck == self.bottleneck and self.subject in ("", advice.subject)


_ONE_OPEN = {"max_concurrent_row_groups": 1, "buffer_size": 10}
_ONE_WORKER = {"non_inference_max_parallel_workers": 1}
_CALM, _STEADY = "latency=0.05&jitter=0.3", "latency=0.1&jitter=0.3"
CASES = [
    Case("slots", Setup(writer=_STEADY, slots={"writer": 8}), Bottleneck.SLOTS, "writer"),
    Case("batches", Setup(writer=_STEADY, run=_ONE_OPEN), Bottleneck.BATCHES),
    Case("cpu", Setup(900, reviewer=_CALM, work=0.006, run=_ONE_WORKER), Bottleneck.CPU),
    Case("429", Setup(writer="latency=0.1&reject_above=8", slots={"writer": 32}), Bottleneck.REFUSED),
    Case("tail", Setup(writer="latency=0.2&jitter=2&jitter_kind=lognormal"), Bottleneck.TAIL),
    Case("disk", Setup(disk=0.02, run={"buffer_size": 20}), Bottleneck.DISK),
    Case(
        "slots, 429",
        Setup(
            writer=_STEADY,
            reviewer="latency=0.05&reject_above=6&retry_after=0.5",
            slots={"writer": 4, "reviewer": 16},
        ),
        Bottleneck.SLOTS,
        "writer",
    ),
    Case(
        "batches, cpu",
        Setup(writer=_STEADY, work=0.003, run={**_ONE_OPEN, **_ONE_WORKER}),
        Bottleneck.BATCHES,
    ),
    Case(
        "disk, slots",
        Setup(writer=_STEADY, slots={"writer": 6}, disk=0.005, run={"buffer_size": 20}),
        Bottleneck.SLOTS,
        "writer",
    ),
    Case(
        "feeder, tail",
        Setup(
            writer="latency=0.15&jitter=0.3",
            reviewer="latency=0.05&jitter=1&jitter_kind=lognormal",
            slots={"writer": 8, "reviewer": 16},
        ),
        Bottleneck.SLOTS,
        "writer",
    ),
]
_NAMES = {case.name for case in CASES}


def declared(setup: Setup) -> dd.DataDesignerConfigBuilder:
    """The pipeline."""
    behaviours = {"writer": setup.writer, "reviewer": setup.reviewer}
    models = [
        dd.ModelConfig(
            alias=alias,
            model=f"{alias}?{behaviour}",
            provider="p",
            skip_health_check=True,
            inference_parameters=dd.ChatCompletionInferenceParams(
                max_parallel_requests=setup.slots.get(alias, 16), timeout=setup.timeout.get(alias)
            ),
        )
        for alias, behaviour in behaviours.items()
        if behaviour is not None
    ]
    made = dd.DataDesignerConfigBuilder(model_configs=models)
    made.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1e9})
    made.add_column(name="draft", column_type="llm-text", model_alias="writer", prompt="On {{ n }}")
    last = "draft"
    if setup.work:
        seconds, last = setup.work, "worked"

        @dd.custom_column_generator(required_columns=["draft"])
        def work(row: dict[str, Any]) -> dict[str, Any]:
            time.sleep(seconds)
            return {**row, "worked": row["draft"]}

        made.add_column(dd.CustomColumnConfig(name="worked", generator_function=work))
    if setup.reviewer is not None:
        made.add_column(name="review", column_type="llm-text", model_alias="reviewer", prompt=f"Of {{{{ {last} }}}}")
    return made


@contextmanager
def _slow_disk(seconds: float) -> Iterator[None]:
    """Have a disk that takes so long for a record."""
    stage = sink.stage_tables

    def slowly(files: Any, batch: int, contents: Any) -> Any:
        time.sleep(seconds * contents[PARQUET].num_rows)
        return stage(files, batch, contents)

    sink.stage_tables = slowly
    try:
        yield
    finally:
        sink.stage_tables = stage


def measure(setup: Setup) -> tuple[Plan, RunAccounts, list[Advice], float]:
    """Run a pipeline: its plan, where its time went, the advice, and the seconds of CPU that this took."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedServerProcess(SimulatedModel()) as url,
        _slow_disk(setup.disk),
    ):
        provider = dd.ModelProvider(name="p", endpoint=url)
        designer = DataDesigner(Path(folder), model_providers=[provider], auto_configure_logging=False)
        usual = {"executor": "inline", "seed": 1, "otel_metrics_port": None}
        designer.set_run_config(dd.RunConfig(**{**usual, **setup.run}))
        results = designer.create(declared(setup), num_records=setup.records, dataset_name="d")
        accounts = results.accounts
        assert accounts is not None
        began = time.process_time()
        found = advise(results.plan, accounts, results.outcomes.columns, CORES)
        return results.plan, accounts, found, time.process_time() - began


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case."""

    case: Case
    advice: Sequence[Advice]
    before: float
    """Seconds a record."""
    after: float
    cpu: float
    """Seconds to find the advice."""

    @property
    def is_right(self) -> bool:
        """Whether the first advice names what was planted."""
        return self.case.is_named(self.advice[0])


def see(case: Case) -> Seen:
    """Run a case, follow its first advice, run it again."""
    _, accounts, advice, cpu = measure(case.setup)
    followed = case.setup.followed(advice[0])
    after = measure(followed)[1].seconds / followed.records if advice[0].changes else accounts.seconds
    return Seen(case, advice, accounts.seconds / case.setup.records, after, cpu)


def main() -> None:
    """See all cases, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(_NAMES))
    parser.add_argument("--text", action="store_true", help="print all advice")
    args = parser.parse_args()
    headings = f"{'s before':>8} {'s after':>8} {'foretold':>8} {'measured':>8} CPU s"
    print(f"{'planted':14} {'':5} {'first advice':66} {headings}")
    right = 0
    chosen = [case for case in CASES if args.only in (None, case.name)]
    for case in chosen:
        seen = see(case)
        right += seen.is_right
        first, records = seen.advice[0], case.setup.records
        change = f"{first.bottleneck}: {first.change}"
        foretold = f"{'≥' if first.at_most else ''}{1 - first.gain:.2f}"
        print(
            f"{case.name:14} {'right' if seen.is_right else 'WRONG':5} {change:66} {seen.before * records:8.2f} "
            f"{seen.after * records:8.2f} {foretold:>8} {seen.after / seen.before:8.2f} {seen.cpu:5.2f}",
            flush=True,
        )
        for one in seen.advice if args.text else ():
            print(f"    {one}", flush=True)
    print(f"{right} of {len(chosen)} name what was planted")
    sys.exit(0 if right >= _LEAST_RIGHT * len(chosen) else 1)


if __name__ == "__main__":
    main()
