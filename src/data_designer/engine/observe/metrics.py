"""Metrics: a fold over what happens, and its text form for Prometheus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from data_designer.engine.execution.observation import Heard, Observation
from data_designer.engine.observe.slot_accounts import SlotAccounts
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.models.admission.slots import SlotStatistics
from data_designer.models.retry import CallerStatistics
from data_designer.plan.model import Plan

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured. Names follow Prometheus's conventions."""

    name: str
    kind: Literal["counter", "gauge"]
    labels: Labels
    help: str


CELLS = Metric(
    "data_designer_cells_total", "counter", ("alias", "column", "outcome"), "Cells that a model was asked for."
)
REQUESTS = Metric(
    "data_designer_requests_total", "counter", ("alias", "outcome"), "Requests: answered, or attempts that failed."
)
TOKENS = Metric(
    "data_designer_tokens_total", "counter", ("alias", "kind"), "Tokens; cached are part of input, reasoning of output."
)
ERRORS = Metric(
    "data_designer_errors_total", "counter", ("alias", "kind"), "Attempts at requests that failed, by kind."
)
BATCHES = Metric(
    "data_designer_batches_total", "counter", ("outcome",), "Batches that were committed, complete or partial."
)
RECORDS = Metric("data_designer_records_total", "counter", ("fate",), "Records in committed batches.")
IN_FLIGHT = Metric("data_designer_requests_in_flight", "gauge", ("alias",), "Requests on their way.")
SLOTS = Metric("data_designer_slots", "gauge", ("alias",), "Requests that may be in flight by max_parallel_requests.")
LIMIT = Metric(
    "data_designer_limit", "gauge", ("alias",), "Requests that may be in flight, while an endpoint refuses more."
)
TARGET = Metric("data_designer_records_target", "gauge", (), "Records that are to be made in all.")
SLOT_SECONDS = Metric(
    "data_designer_slot_seconds_total",
    "counter",
    ("alias", "account"),
    "Time of slots, by what they did or waited for.",
)

METRICS = (CELLS, REQUESTS, TOKENS, ERRORS, BATCHES, RECORDS, IN_FLIGHT, SLOTS, LIMIT, TARGET, SLOT_SECONDS)


@dataclass(slots=True)
class Metrics:
    """Adds up what happens in one run. Call it with every observation."""

    plan: Plan
    replaced: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Batches that are there in part to their records generated and rejected, which were counted by an earlier run."""
    accounts: SlotAccounts | None = None
    """Where the time of slots goes; an observer of its own."""
    _counts: dict[tuple[Metric, Labels], float] = field(default_factory=dict)
    _loads: dict[int, tuple[str, SlotStatistics]] = field(default_factory=dict)
    """Replica to its alias and what it has under way."""

    def __call__(self, observation: Observation) -> None:
        """Take one observation in."""
        match observation:
            case Heard():
                self._hear(observation)
            case ev.ReplicaLost(replica=replica):
                self._loads.pop(replica, None)
            case ev.RowsDone(cells=cells) | ev.TaskDone(cells=cells):
                for cell in cells:
                    alias = self.plan.stage_of(cell.column).pool or "local"
                    self._count(CELLS, cell.finished - cell.failed, alias, cell.column, "ok")
                    self._count(CELLS, cell.failed, alias, cell.column, "failed")
            case Receipt():
                self._commit(observation)
            case _:
                pass

    def samples(self) -> Iterator[tuple[Metric, Labels, float]]:
        """Every value as it stands: what, its labels' values, how much."""
        yield from ((metric, labels, value) for (metric, labels), value in list(self._counts.items()))
        loads = list(self._loads.values())
        for alias in self.plan.pools:
            own = [load for known, load in loads if known == alias]
            yield IN_FLIGHT, (alias,), float(sum(load.in_use for load in own))
            yield SLOTS, (alias,), float(sum(load.total for load in own))
            yield LIMIT, (alias,), float(sum(load.limit for load in own))
        for alias, seconds in ({} if self.accounts is None else self.accounts.seconds).items():
            yield from ((SLOT_SECONDS, (alias, account.value), spent) for account, spent in list(seconds.items()))
        yield TARGET, (), float(self.plan.geometry.num_records)

    def exposition(self) -> str:
        """All of them in Prometheus's text format.

        Source: https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
        """
        values: dict[Metric, list[str]] = {metric: [] for metric in METRICS}
        for metric, labels, value in self.samples():
            named = ",".join(f'{name}="{_escaped(text)}"' for name, text in zip(metric.labels, labels, strict=True))
            values[metric].append(f"{metric.name}{f'{{{named}}}' if named else ''} {value:.10g}")
        lines = []
        for metric, own in values.items():
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *own]
        return "\n".join(lines) + "\n"

    def _count(self, metric: Metric, value: float, *labels: str) -> None:
        if value:
            self._counts[metric, labels] = self._counts.get((metric, labels), 0.0) + value

    def _hear(self, heard: Heard) -> None:
        if heard.summary.load is not None:
            self._loads[heard.number] = heard.alias, heard.summary.load
        if heard.summary.statistics is not None:
            self._ask(heard.alias, heard.summary.statistics)

    def _ask(self, alias: str, statistics: CallerStatistics) -> None:
        usage = statistics.usage
        self._count(REQUESTS, usage.requests, alias, "answered")
        self._count(REQUESTS, usage.failed_requests, alias, "failed")
        tokens = {"input": usage.input_tokens, "output": usage.output_tokens}
        tokens |= {"cached": usage.cached_tokens, "reasoning": usage.reasoning_tokens}
        for kind, number in tokens.items():
            self._count(TOKENS, number, alias, kind)
        for kind, number in statistics.errors.items():
            self._count(ERRORS, number, alias, kind)

    def _commit(self, receipt: Receipt) -> None:
        generated, rejected = self.replaced.get(receipt.batch, (0, 0))
        self._count(BATCHES, 1, "partial" if receipt.unfinished else "complete")
        self._count(RECORDS, max(0, receipt.generated - receipt.null_filled - generated), "generated")
        self._count(RECORDS, max(0, receipt.rejected - rejected), "rejected")
        self._count(RECORDS, receipt.null_filled, "null_filled")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
