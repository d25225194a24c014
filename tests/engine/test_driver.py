"""The driver, with hands that only take notes."""

import asyncio
from collections.abc import Sequence

import numpy as np

import data_designer.config as dd
from data_designer.config.run_config import RunConfig
from data_designer.engine.driver import CommitJob, Driver, TaskSummary
from data_designer.engine.parcels import Parcel, Values
from data_designer.engine.receipts import Receipt
from data_designer.engine.replica import Summary
from data_designer.engine.scheduler import Scheduler
from data_designer.engine.shape import shape_of
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan


def plan() -> Plan:
    """A sampler and a text column of a model with four slots."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=4)
    model = dd.ModelConfig(alias="m", model="m", provider="p", inference_parameters=params)
    made = dd.DataDesignerConfigBuilder(model_configs=[model])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="{{ id }}")
    providers = {"p": dd.ModelProvider(name="p", endpoint="http://localhost:1")}
    return compile_plan(made.build(), providers, RunConfig(), Geometry(100, 100), seed=1)


class Notes:
    """Hands and replica in one: rows are taken and never finished."""

    def __init__(self) -> None:
        self.grants: list[int] = []
        self.has_rows = asyncio.Event()
        self.has_no_slots = asyncio.Event()

    async def start_replica(self, number: int, alias: str, epoch: int) -> "Notes":  # noqa: ARG002 - the protocol's
        """It is its own replica."""
        return self

    async def grant(self, slots: int) -> None:
        """Take note."""
        self.grants.append(slots)
        if not slots:
            self.has_no_slots.set()

    async def submit(self, parcel: Parcel, values: Sequence[Values]) -> None:  # noqa: ARG002 - the protocol's
        """Take the rows."""
        self.has_rows.set()

    async def collect(self, acknowledged: int) -> tuple[Summary, Values]:  # noqa: ARG002 - the protocol's
        """Nothing ever finishes; without slots nothing is under way either."""
        await self.has_no_slots.wait()
        self.has_no_slots.clear()
        return Summary(1, (), None, drained=True), {}

    def is_gone(self) -> bool:
        """It lives."""
        return False

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:  # noqa: ARG002
        """Reject the first row, so that there is something to commit."""
        return TaskSummary(np.arange(len(parcel)) > 0, 0), {}

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """No row is complete."""
        assert not len(job.kept), values
        return Receipt(job.batch, requested=100, generated=0, rejected=1, files=(), unfinished=((1, 100),))

    def hold(self, values: Values) -> Values:
        """Values are their own reference."""
        return values


def test_a_run_that_is_stopped_takes_every_slot_back() -> None:
    """What a replica holds and has not started is not paid for after a stop."""

    async def scenario() -> list[int]:
        compiled, notes = plan(), Notes()
        driver: Driver[Values] = Driver(
            compiled, Scheduler(shape_of(compiled)), notes, {0: "m"}, publish=lambda receipt: receipt
        )
        running = asyncio.create_task(driver.run())
        await notes.has_rows.wait()
        driver.stop("enough")
        report = await running
        assert report.stop_reason == "enough"
        return notes.grants

    assert asyncio.run(scenario()) == [4, 0]
