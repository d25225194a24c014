"""Advice that is followed does what it says: bottlenecks that are planted in runs in virtual time.

`tests/benchmarks/advice.py` does the same with real ones.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.fakes import model
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.observe.advice import Advice, advise
from data_designer.engine.observe.bottlenecks.evidence import Bottleneck, Change
from data_designer.engine.observe.slot_accounts import SlotAccounts
from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.slot_time import ColumnAccounts, RunAccounts, Sample
from data_designer.engine.scheduling.shape import shape_of
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.plan.model import Plan

Seconds = Callable[[random.Random], float]
TOKENS = Distribution([100.0])


def about(seconds: float) -> Seconds:
    """A third more or less."""
    return lambda rng: seconds * rng.uniform(0.67, 1.33)


def stretched(median: float, sigma: float) -> Seconds:
    """Lognormal."""
    return lambda rng: median * rng.lognormvariate(0, sigma)


DRAFT, REVIEW = about(0.5), about(0.1)


@dataclass(frozen=True)
class Run:
    """A draft by one model, work on it, and its review by another."""

    draft: Seconds = DRAFT
    review: Seconds = REVIEW
    records: int = 600
    slots: dict[str, int] = field(default_factory=lambda: {"writer": 16, "judge": 16})
    timeout: float = float("inf")
    work: float = 0.0
    """Seconds of a CPU a record."""
    writing: float = 0.001
    """Seconds of the one writer a record."""
    buffer_size: int = 100
    settings: dict[str, Any] = field(default_factory=dict)

    def plan(self) -> Plan:
        """Its plan."""
        models = [model(alias, max_parallel_requests=slots) for alias, slots in self.slots.items()]
        made = texts(models, draft=("writer", "{{ id }}"))

        @dd.custom_column_generator(required_columns=["draft"])
        def work(row: dict[str, Any]) -> dict[str, Any]:
            return row

        made.add_column(dd.CustomColumnConfig(name="worked", generator_function=work))
        made.add_column(name="review", column_type="llm-text", model_alias="judge", prompt="{{ worked }}")
        return compiled(made, self.records, self.buffer_size, **self.settings)

    def seconds(self, column: str, record: int) -> float:
        """How long a cell takes: the same in every run."""
        rng, draw = random.Random(f"{column} {record}"), self.draft if column == "draft" else self.review
        total, seconds = 0.0, draw(rng)
        while seconds > self.timeout:
            total, seconds = total + self.timeout, draw(rng)
        return total + seconds

    def made(self) -> tuple[Plan, RunAccounts]:
        """Run it."""
        plan, asked = self.plan(), dict[str, list[float]]()
        names = {stage.number: stage.makes[0] for stage in plan.stages}

        def cell(stage: int, record: int) -> float:
            seconds = self.seconds(names[stage], record)
            asked.setdefault(names[stage], []).append(seconds)
            return seconds

        world = World(
            cell_seconds=cell,
            task_seconds=0.001,
            row_seconds={number: self.work for number, name in names.items() if name == "worked"},
            commit_seconds=self.writing * self.buffer_size,
            writers=1,
            start_seconds=0.1,
        )
        simulation = Simulation(shape_of(plan), world, random.Random(1))
        accounts = SlotAccounts(plan, lambda: simulation.timeline.now)
        simulation.timeline.watchers.append(accounts)
        simulation.run()
        return plan, self._measured(accounts.read(), asked)

    def _measured(self, read: RunAccounts, asked: dict[str, list[float]]) -> RunAccounts:
        """With what a simulated run does not report."""
        aliases = {"draft": "writer", "review": "judge"}
        return replace(
            read,
            columns={
                name: ColumnAccounts(aliases[name], len(all_of), 0, Distribution(all_of), TOKENS, TOKENS)
                for name, all_of in asked.items()
            },
            worker_seconds={"worked": self.work * self.records},
            writing_seconds=self.writing * self.records,
            timeline=(Sample(0.0, read.seconds, 2 * self.records, self.records, {}),),
        )

    def followed(self, advice: Advice) -> "Run":
        """With what advice says changed."""
        changed = self
        for change in advice.changes:
            changed = changed._with(change)
        return changed

    def _with(self, change: Change) -> "Run":
        match change.setting:
            case "max_parallel_requests":
                return replace(self, slots={**self.slots, change.of: int(change.after or 0)})
            case "num_records":
                return replace(self, records=int(change.after or 0))
            case "timeout":
                return replace(self, timeout=float(change.after or 0))
            case "artifact_path":
                return replace(self, writing=0.0)
            case "the work a record":
                return replace(self, work=0.0)
            case _:
                return replace(self, settings={**self.settings, change.setting: change.after})


FEW = {"writer": 4, "judge": 16}
ONE_WORKER = {"non_inference_max_parallel_workers": 1}
PLANTED = {
    "slots": (Run(slots=FEW), Bottleneck.SLOTS, "writer"),
    "batches": (Run(buffer_size=10, settings={"max_concurrent_row_groups": 1}), Bottleneck.BATCHES, "writer"),
    "cpu": (Run(work=0.1, settings=ONE_WORKER), Bottleneck.CPU, "worked"),
    "tail": (Run(stretched(0.05, 2.2), records=300), Bottleneck.TAIL, "draft"),
    "disk": (Run(writing=0.2, buffer_size=20), Bottleneck.DISK, ""),
    "end": (Run(records=10), Bottleneck.TAIL, ""),
    "slots before the disk": (Run(slots=FEW, writing=0.04, buffer_size=20), Bottleneck.SLOTS, "writer"),
    "batches before the CPU": (
        Run(work=0.01, buffer_size=10, settings={"max_concurrent_row_groups": 1, **ONE_WORKER}),
        Bottleneck.BATCHES,
        "writer",
    ),
    "CPU before the disk": (Run(work=0.15, writing=0.05, settings=ONE_WORKER), Bottleneck.CPU, "worked"),
    "slots before the tail": (Run(slots=FEW, review=stretched(0.1, 1.2)), Bottleneck.SLOTS, "writer"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_was_planted_is_named_and_following_it_does_what_was_foretold(planted: str) -> None:
    """To within a tenth of the time, and at least so much where only a bound is given."""
    run, bottleneck, subject = PLANTED[planted]
    plan, before = run.made()
    first = advise(plan, before, cores=4)[0]
    assert first.bottleneck == bottleneck, str(first)
    assert first.is_worth_saying or first.a_record
    assert subject in ("", first.subject)
    followed = run.followed(first)
    after = followed.made()[1].seconds / followed.records
    measured = 1 - after / (before.seconds / run.records)
    if first.at_most:
        assert 0.05 < measured < first.gain + 0.05
    else:
        assert measured == pytest.approx(first.gain, abs=0.1), str(first)


def test_step_by_step_a_run_gets_faster() -> None:
    """What holds it up changes on the way, from slots to the CPU."""
    run, named, seconds = Run(slots=FEW, work=0.05, settings=ONE_WORKER), list[Bottleneck](), list[float]()
    for _ in range(4):
        plan, read = run.made()
        first = advise(plan, read, cores=2)[0]
        named.append(first.bottleneck)
        seconds.append(read.seconds)
        run = run.followed(first)
    assert named[:3] == [Bottleneck.SLOTS, Bottleneck.SLOTS, Bottleneck.CPU]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[-1] < 0.3 * seconds[0]
