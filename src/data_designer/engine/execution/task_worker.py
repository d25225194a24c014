"""What a process needs to run a plan's stages and to write its batches; built once a process, used many times."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from data_designer.engine.dataset.journal import Recorder
from data_designer.engine.dataset.sink import Sink
from data_designer.engine.execution.recording import Dataset, ReplayCache, Results
from data_designer.engine.execution.replica import rough_bytes
from data_designer.engine.execution.stage_runner import StageRunner
from data_designer.engine.execution.tracing import block_tracing
from data_designer.engine.protocol.messages import CommitJob, TaskSummary
from data_designer.engine.protocol.parcels import FAILED, REJECTED, Parcel, Values, gather
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.rows import CellCount
from data_designer.plan.model import Plan


@dataclass(slots=True)
class TaskWorker:
    """One process's CPU side of a plan."""

    plan: Plan
    dataset: Dataset | None
    """Where it is written; None where nothing is, as in a preview."""
    seed_table: pa.Table | None = None
    _runners: dict[int, StageRunner] = field(default_factory=dict)
    _sink: Sink | None = None
    _replays: ReplayCache | None = None

    def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Run a `local` stage over the rows of a parcel."""
        began = time.perf_counter()
        runner = self._runners.get(parcel.stage)
        if runner is None:
            stage = self.plan.stages[parcel.stage]
            runner = self._runners[parcel.stage] = StageRunner(self.plan, stage, self.seed_table)
        results = self._results(parcel) if runner.calls_users else None
        tracing = block_tracing(self.plan, int(parcel.rows[0])) if len(parcel) else None
        made = runner.run_block(gather(parcel, values, runner.stage.needs), results, tracing=tracing)
        if results is not None:
            results.written()
        reasons = made.columns.get(REJECTED) or [None] * len(made)
        kept = np.array([reason is None for reason in reasons], dtype=np.bool_)
        failures = [reason.column for reason in reasons if reason is not None]
        failures += [reason.column for some in made.columns.get(FAILED) or () for reason in some or ()]
        cells = tuple(CellCount(column, 0, failures.count(column)) for column in sorted(set(failures)))
        traces = () if tracing is None else tuple(tracing.done)
        summary = TaskSummary(kept, rough_bytes(made), cells, time.perf_counter() - began, traces=traces)
        return summary, {parcel.stage: made}

    def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Write a batch's files. Raises OSError where the disk refuses, or is not that of the driver."""
        if self._sink is None:
            assert self.dataset is not None, "a preview writes nothing"
            if not self.dataset.is_reached():
                raise FileNotFoundError(f"{os.uname().nodename} does not reach the dataset {self.dataset.files}")
            schema = None if self.seed_table is None else self.seed_table.schema
            self._sink = Sink(self.plan, self.dataset.files, self.dataset.run, schema)
        return self._sink.write(job, values)

    def _results(self, parcel: Parcel) -> Results | None:
        if self.dataset is None:
            return None
        if self._replays is None:
            self._replays = ReplayCache(self.dataset, self.plan.geometry)
        recorder = Recorder(self.dataset.files, self.plan.geometry, self.dataset.writer(f"t{parcel.ticket:09d}"))
        return Results(recorder, self._replays.known(parcel.replays, parcel.rows))
