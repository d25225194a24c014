"""What progress says while runs are under way, in virtual time: how far, how long still, what holds them up."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from tests.engine.execution.virtual_cluster import Server, Site
from tests.fakes import model
from tests.plans import texts

import data_designer.config as dd
from data_designer.engine.execution.observation import Observation, Observer, Standing
from data_designer.engine.observe.progress import Progress
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.errors import ModelRateLimitError
from data_designer.plan.model import Plan
from data_designer.values import Request, Response

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]
PROVIDER = dd.ModelProvider(name="p", endpoint="http://localhost:1")
SLOTS = 8


class Seen:
    """What progress said of a run, every second and at its end."""

    def __init__(self) -> None:
        self.snapshots: list[tuple[float, Snapshot]] = []
        self.progress: Progress | None = None

    def observers(self, plan: Plan) -> Sequence[Observer]:
        """Progress, and whoever looks at it."""
        self.progress = Progress(plan, clock=asyncio.get_running_loop().time)
        return [self.progress, self._look]

    def _look(self, observation: Observation) -> None:
        now = asyncio.get_running_loop().time()
        before = self.snapshots[-1][0] if self.snapshots else 0.0
        if isinstance(observation, Standing) and (now >= before + 1.0 or not observation.held):
            assert self.progress is not None
            self.snapshots.append((now, self.progress.snapshot()))

    @property
    def shares(self) -> list[float]:
        """Done, each time."""
        return [snapshot.done for _, snapshot in self.snapshots]

    @property
    def reasons(self) -> set[str]:
        """Whatever was said, without numbers."""
        said = {reason for _, snapshot in self.snapshots for reason in snapshot.reasons}
        return {"".join("n" if char.isdigit() else char for char in reason) for reason in said}

    def errors_of_time_left(self, between: tuple[float, float]) -> list[float]:
        """By what factor the time left was too long, or too short, while so much was done."""
        end = self.snapshots[-1][0]
        return [
            (snapshot.seconds_left + 1.0) / (end - at + 1.0)
            for at, snapshot in self.snapshots
            if between[0] <= snapshot.done <= between[1] and snapshot.seconds_left is not None
        ]


def chain() -> dd.DataDesignerConfigBuilder:
    """A sampler; two texts of one model, made without coming back; one of another model."""
    models = [model(alias, max_parallel_requests=SLOTS) for alias in ("a", "b")]
    return texts(models, draft=("a", "{{ id }}"), better=("a", "{{ draft }}"), verdict=("b", "{{ better }}"))


def watched(site: Site, in_virtual_time: InVirtualTime, records: int = 100, **run: Any) -> Seen:
    """What progress says of a run to its end."""
    seen = Seen()
    site.observers = seen.observers

    async def scenario() -> None:
        report = await site.make(chain(), records, PROVIDER, **run)
        assert report.stop_reason is None

    in_virtual_time(scenario())
    return seen


@pytest.mark.parametrize("latency", [0.4, 8.0])
def test_the_share_done_grows_steadily_to_all(latency: float, in_virtual_time: InVirtualTime) -> None:
    """Not in jumps of batches, and never back."""
    seen = watched(Site(Server(latency=latency)), in_virtual_time)
    assert seen.shares == sorted(seen.shares)
    assert seen.shares[-1] == 1.0
    steps = [b - a for a, b in zip(seen.shares[1:], seen.shares[2:], strict=False)]
    assert max(steps) < 0.15


@pytest.mark.parametrize("latency", [0.4, 8.0])
def test_the_time_left_is_about_what_it_comes_to(latency: float, in_virtual_time: InVirtualTime) -> None:
    """Within a third, but for the beginning and the last moments."""
    seen = watched(Site(Server(latency=latency)), in_virtual_time, 200)
    errors = seen.errors_of_time_left((0.2, 0.9))
    assert len(errors) > 10
    assert min(errors) > 0.66
    assert max(errors) < 1.5


def test_a_model_that_is_shared_by_two_columns_of_one_row_counts_each_cell(in_virtual_time: InVirtualTime) -> None:
    """The first of them is done before the row is."""
    seen = watched(Site(Server(latency=8.0)), in_virtual_time)
    ahead = [one.columns["draft"].done - one.columns["better"].done for _, one in seen.snapshots]
    assert max(ahead) > 0
    assert seen.snapshots[-1][1].columns["draft"].done == seen.snapshots[-1][1].columns["better"].done == 100


def test_a_lost_replica_leaves_no_trace_in_what_is_done(in_virtual_time: InVirtualTime) -> None:
    """Its rows are made again, and counted once."""
    seen = watched(Site(Server(), replicas=2, lost_after=5.0), in_virtual_time)
    assert seen.shares[-1] == 1.0
    assert all(column.done <= 100 for _, one in seen.snapshots for column in one.columns.values())


def test_an_outage_is_said_while_it_lasts(in_virtual_time: InVirtualTime) -> None:
    """And the time left is unknown then."""
    seen = watched(Site(Server(down_after=1006.0, up_after=1036.0)), in_virtual_time, outage_patience=600.0)
    assert any(reason.startswith("a: endpoint down for nn s") for reason in seen.reasons)
    assert any("waiting up to nn min" in reason for reason in seen.reasons)
    down = [one for _, one in seen.snapshots if any("endpoint down" in reason for reason in one.reasons)]
    assert {one.seconds_left for one in down} == {None}
    assert not seen.snapshots[-1][1].reasons


class Small(Server):
    """Refuses whatever comes while it has three in flight."""

    async def answer(self, model: str, by: str, request: Request) -> Response:
        """Answer, or refuse."""
        if self.in_flight[model] >= 3:
            raise ModelRateLimitError("no room", 1.0, 429)
        return await super().answer(model, by, request)


def test_refusals_are_said_with_the_limit_that_they_bring(in_virtual_time: InVirtualTime) -> None:
    """And when it may rise again."""
    seen = watched(Site(Small()), in_virtual_time)
    assert "a: nnn, limit n → n, rises again in n s" in seen.reasons
    assert {one.aliases["a"].limit for _, one in seen.snapshots[len(seen.snapshots) // 2 :]} <= {3, 4}
