"""What a process needs to run a plan's stages and to write its batches; built once a process, used many times."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from data_designer.engine.driver import CommitJob, TaskSummary
from data_designer.engine.events import CellCount
from data_designer.engine.parcels import REJECTED, Parcel, Values, gather
from data_designer.engine.receipts import Receipt
from data_designer.engine.replica import rough_bytes
from data_designer.engine.sink import Sink
from data_designer.engine.stages import StageRunner
from data_designer.plan.model import Plan


@dataclass(slots=True)
class Workplace:
    """One process's CPU side of a plan."""

    plan: Plan
    directory: Path | None
    """The dataset directory; None where nothing is written, as in a preview."""
    seed_table: pa.Table | None = None
    _runners: dict[int, StageRunner] = field(default_factory=dict)
    _sink: Sink | None = None

    def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Run a `local` stage over the rows of a parcel."""
        runner = self._runners.get(parcel.stage)
        if runner is None:
            stage = self.plan.stages[parcel.stage]
            runner = self._runners[parcel.stage] = StageRunner(self.plan, stage, self.seed_table)
        made = runner.run_block(gather(parcel, values, runner.stage.needs))
        reasons = made.columns.get(REJECTED) or [None] * len(made)
        kept = np.array([reason is None for reason in reasons], dtype=np.bool_)
        failures = [reason.column for reason in reasons if reason is not None]
        cells = tuple(CellCount(column, 0, failures.count(column)) for column in sorted(set(failures)))
        return TaskSummary(kept, rough_bytes(made), cells), {parcel.stage: made}

    def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Write a batch's files. Raises OSError where the disk refuses."""
        if self._sink is None:
            assert self.directory is not None, "a preview writes nothing"
            schema = None if self.seed_table is None else self.seed_table.schema
            self._sink = Sink(self.plan, self.directory, schema)
        return self._sink.write(job, values)
