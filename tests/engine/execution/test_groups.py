"""Rows that are asked for in groups: the same groups whoever asks and however often, each kept under its first row."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.fault_injection.files import FaultyFiles
from tests.plans import compiled

import data_designer.config as dd
from data_designer.engine.dataset.journal import read_replay
from data_designer.engine.execution.recording import Dataset, Recording, replica_name
from data_designer.engine.execution.replica import Replica
from data_designer.engine.protocol.parcels import FAILED, REJECTED, Parcel, Source, Values
from data_designer.engine.protocol.rows import Replays
from data_designer.errors import ModelNotFoundError
from data_designer.plan.model import Plan
from data_designer.values import Block, HttpRequest, HttpResponse, Request, Response, Usage

BATCH, SIZE = 10, 4
GROUPS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
ALIAS = "validator:v"


def plan(**more: Any) -> Plan:
    """A sampler, and a service that judges it."""
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(
        name="v",
        column_type="validation",
        target_columns=["id"],
        validator_type="remote",
        validator_params={"endpoint_url": "http://h/x", "max_parallel_requests": 2, "max_retries": 0},
        batch_size=SIZE,
        **more,
    )
    return compiled(made, 100, BATCH)


@dataclass
class Service:
    """Judges rows; refuses requests that hold one of some."""

    refused: str = ""
    asked: list[list[Any]] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0

    async def ask(self, request: Request) -> Response:
        """Answer."""
        assert isinstance(request, HttpRequest)
        rows = [row["id"] for row in request.body["data"]]  # type: ignore[attr-defined]
        self.asked.append(rows)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if self.refused in rows:
            raise ModelNotFoundError("not here", status=404)
        return HttpResponse({"data": [{"is_valid": True, "of": row} for row in rows]}, usage=Usage(requests=1))


@dataclass
class Place:
    """A disk, and the replicas that come and go beside it."""

    plan: Plan = field(default_factory=plan)
    files: FaultyFiles = field(default_factory=lambda: FaultyFiles(random.Random(0)))
    epochs: int = 0

    @asynccontextmanager
    async def replica(self, service: Service) -> AsyncIterator[Replica]:
        """Another incarnation, with two slots."""
        self.epochs += 1
        recording = Recording(Dataset(self.files, run=1), self.plan.geometry, replica_name(0, self.epochs))
        replica = Replica(self.plan, ALIAS, service, recording, linger=0.0)
        try:
            await replica.grant(2)
            yield replica
        finally:
            await replica.close()


def parcel(rows: Sequence[int], replays: Replays = ()) -> tuple[Parcel, Values]:
    """Rows to be judged, and the values that travel along."""
    indices = np.array(rows, dtype=np.int64)
    source = Source(0, np.zeros(len(rows), dtype=np.int64), np.arange(len(rows)))
    block = Block(indices, {"id": [f"id{row}" for row in rows]})
    return Parcel(1, indices, 1, (source,), replays), {0: block}


async def collected(replica: Replica, number: int) -> dict[int, dict[str, Any]]:
    """What so many rows came to."""
    found: dict[int, dict[str, Any]] = {}
    last = 0
    while len(found) < number:
        summary, values = await replica.collect(last)
        last = summary.number
        for part in summary.finished:
            block = values[part.stage]
            for place, row in enumerate(block.rows.tolist()):
                found[row] = {name: cells[place] for name, cells in block.columns.items()}
    return found


def named(groups: Sequence[Sequence[int]]) -> list[list[str]]:
    """Groups as the service sees them."""
    return [[f"id{row}" for row in group] for group in groups]


def test_groups_follow_the_records_whatever_the_order_of_the_rows() -> None:
    """Each row gets its own verdict; no more requests than slots are in flight; a message that comes twice is one."""

    async def scenario() -> None:
        service = Service()
        async with Place().replica(service) as replica:
            shuffled = random.Random(1).sample(range(BATCH), BATCH)
            await replica.submit(*parcel(shuffled))
            await replica.submit(*parcel(shuffled))
            found = await collected(replica, BATCH)
        assert sorted(service.asked) == named(GROUPS)
        assert service.peak <= 2
        assert all(found[row]["v"] == {"is_valid": True, "of": f"id{row}"} for row in range(BATCH))

    asyncio.run(scenario())


def test_what_was_answered_is_not_asked_again() -> None:
    """By another incarnation, of all rows or of the groups that are left."""

    async def scenario() -> None:
        place, before, after = Place(), Service(), Service()
        async with place.replica(before) as replica:
            await replica.submit(*parcel(range(BATCH)))
            await collected(replica, BATCH)
        assert len(read_replay(place.files, [0])) == len(GROUPS)
        async with place.replica(after) as replica:
            await replica.submit(*parcel(range(SIZE, BATCH), replays=((0, 1),)))
            found = await collected(replica, BATCH - SIZE)
        assert after.asked == []
        assert found[9]["v"] == {"is_valid": True, "of": "id9"}

    asyncio.run(scenario())


def test_a_refused_group_stays_with_nulls_and_says_why() -> None:
    """Its rows are kept, each with the reason; what it cost stands with its first row."""

    async def scenario() -> None:
        service = Service(refused="id5")
        async with Place().replica(service) as replica:
            await replica.submit(*parcel(range(BATCH)))
            found = await collected(replica, BATCH)
        for row in range(BATCH):
            is_refused = row in GROUPS[1]
            assert (found[row]["v"]["is_valid"] is None) == is_refused
            reasons = found[row].get(FAILED) or ()
            assert [(one.kind, one.column) for one in reasons] == [("RemoteValidationError", "v")] * is_refused
            assert found[row].get(REJECTED) is None

    asyncio.run(scenario())


def test_what_is_made_of_a_verdict_next_to_it_is_made_too() -> None:
    """An expression runs where the verdict is."""

    async def scenario() -> None:
        made = dd.DataDesignerConfigBuilder(model_configs=[])
        for column in plan().config.columns:
            made.add_column(column)
        made.add_column(name="said", column_type="expression", expr="{{ v.of | upper }}")
        place = Place(compiled(made, 100, BATCH))
        async with place.replica(Service()) as replica:
            await replica.submit(*parcel(range(BATCH)))
            found = await collected(replica, BATCH)
        assert [found[row]["said"] for row in range(BATCH)] == [f"ID{row}" for row in range(BATCH)]

    asyncio.run(scenario())
