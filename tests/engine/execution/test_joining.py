"""A run that begins in this process and is joined by a cluster: before, while and after it makes its rows."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.engine.execution.virtual_cluster import Cluster, FarReplica, Server, busiest
from tests.fakes import model, provider
from tests.fault_injection.files import FaultyFiles
from tests.plans import metadata_of, texts

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution import joining as of_joining
from data_designer.engine.execution.assembly import OpenExecutor, Run, execute
from data_designer.engine.execution.budget import budget_allocator_of
from data_designer.engine.execution.driver import RunReport
from data_designer.engine.execution.joining import Held, JoiningExecutor
from data_designer.engine.execution.observation import Standing
from data_designer.engine.execution.recording import Dataset, Recording, replica_name
from data_designer.engine.execution.replica import Replica
from data_designer.engine.protocol.cpu_time import CpuTime
from data_designer.engine.protocol.executor import ValuesGoneError
from data_designer.engine.protocol.messages import CommitJob, Summary, TaskSummary
from data_designer.engine.protocol.parcels import Parcel, Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.shape import replica_numbers
from data_designer.errors import DataDesignerRuntimeError
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry
from data_designer.values import ChatResponse, Request, Response, Usage

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]

BATCH = 10
RECORDS = 200
SLOTS = 8


class Echo(Server):
    """Its replies say what was asked, so that they are the same whoever asks."""

    async def answer(self, model: str, by: str, request: Request) -> Response:
        """Answer."""
        await super().answer(model, by, request)
        prompt: str = request.messages[-1]["content"][0]["text"]
        return ChatResponse(f"<{prompt}>", usage=Usage(requests=1, input_tokens=3, output_tokens=30))


class Near(Cluster):
    """The executor of this process: its replicas are there at once."""

    def __init__(self, run: Run, server: Server) -> None:
        super().__init__(run, server, None)
        self.stages: set[int] = set()
        self.writes = 0

    async def start_replica(self, number: int, alias: str, epoch: int) -> Replica:
        """Start one, called `here`."""
        plan = self._run.plan
        recording = Recording(self._run.dataset, plan.geometry, replica_name(number, epoch))
        made = Replica(plan, alias, _Asked(self._server, plan.pools[alias].model.model, "here"), recording, 0.002)
        self._exits.push_async_callback(made.close)
        return made

    async def run_task(self, parcel: Parcel, values: Sequence[Values]) -> tuple[TaskSummary, Values]:
        """Take note."""
        self.stages.add(parcel.stage)
        return await super().run_task(parcel, values)

    async def write(self, job: CommitJob, values: Sequence[Values]) -> Receipt:
        """Count."""
        self.writes += 1
        return await super().write(job, values)


@dataclass(frozen=True, slots=True)
class _Asked:
    server: Server
    model: str
    by: str

    async def ask(self, request: Request) -> Response:
        """Ask the server."""
        return await self.server.answer(self.model, self.by, request)


@dataclass(eq=False)
class Box:
    """Values where the cluster has them."""

    content: Values


@dataclass
class BoxedReplica:
    """A replica of the cluster."""

    inner: FarReplica
    node = "there"

    async def submit(self, parcel: Parcel, *boxes: Box) -> None:
        """Give it rows."""
        await self.inner.submit(parcel, *(box.content for box in boxes))

    async def collect(self, acknowledged: int) -> tuple[Summary, Box]:
        """Wait for finished rows."""
        summary, values = await self.inner.collect(acknowledged)
        return summary, Box(values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Far:
    """A cluster that may join, and what it is to do wrong."""

    run: Run
    server: Server
    after: float = 3.0
    """Seconds that it takes to open."""
    fails: Exception | None = None
    """Why it does not open."""
    breaks_after: float | None = None
    """Seconds after it has opened until it is gone."""
    name = "Far"
    awaited = "Far to come up"
    opening = "starting Far"
    opened = closed = puts = gets = tasks = writes = 0
    lost: set[int] = field(default_factory=set)

    @asynccontextmanager
    async def open(self, first: int) -> AsyncIterator[OpenExecutor[Box]]:
        """Open it."""
        await asyncio.sleep(self.after)
        if self.fails is not None:
            raise self.fails
        self.opened += 1
        try:
            async with Cluster(self.run, self.server, None) as self.cluster:
                replicas = {first + n: alias for n, alias in replica_numbers(self.run.plan, cpus=2).items()}
                async with self._while_there():
                    yield OpenExecutor(self, replicas, 1 << 62, cpus=2)
        finally:
            self.closed += 1

    @asynccontextmanager
    async def _while_there(self) -> AsyncIterator[None]:
        if self.breaks_after is None:
            yield
            return
        try:
            async with asyncio.timeout(self.breaks_after):
                yield
        except TimeoutError as error:
            raise DataDesignerRuntimeError("Far is gone") from error

    async def put(self, values: Sequence[Values]) -> list[Box]:
        """Bring values there."""
        self.puts += len(values)
        await asyncio.sleep(0.01)
        return [Box(one) for one in values]

    async def get(self, ref: Box) -> Values:
        """Bring values here."""
        self.gets += 1
        await asyncio.sleep(0.01)
        return ref.content

    async def start_replica(self, number: int, alias: str, epoch: int) -> BoxedReplica:
        """Start one."""
        return BoxedReplica(await self.cluster.start_replica(number % 2, alias, epoch))

    async def run_task(self, parcel: Parcel, boxes: Sequence[Box]) -> tuple[TaskSummary, Box]:
        """Do CPU work."""
        self.tasks += 1
        await asyncio.sleep(0.05)
        summary, values = await self.cluster.run_task(parcel, [box.content for box in boxes])
        return summary, Box(values)

    async def write(self, job: CommitJob, boxes: Sequence[Box]) -> Receipt:
        """Write a batch."""
        self.writes += 1
        return await self.cluster.write(job, [box.content for box in boxes])

    async def nodes(self) -> None:
        """Nothing is known of any."""


@dataclass
class Scene:
    """A dataset, the server that is asked for it, and who makes it."""

    server: Server = field(default_factory=Echo)
    store: Store = field(default_factory=lambda: Store(Path("d"), FaultyFiles(random.Random(0))))
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the cluster."""
    is_sure: bool = True
    cap: int | None = None
    """Of requests in flight to all models together."""
    events: list[ev.Event] = field(default_factory=list)

    async def make(self, declared: dd.DataDesignerConfigBuilder, records: int = RECORDS, **run: Any) -> RunReport:
        """Make the dataset, and hold every step of the scheduler to its rules."""
        given = dd.RunConfig(buffer_size=BATCH, **run)
        known = {"p": provider("http://x/v1", max_parallel_requests=self.cap)}
        geometry = Geometry(records, BATCH)
        plan = compile_plan(declared.build(), known, given, geometry, seed=1, kinds=KINDS)
        lock = self.store.take()
        resume_point = self.store.resume_point(plan.geometry)
        spending = budget_allocator_of(plan, self.store, resume_point)
        dataset = Dataset(self.store.files, lock.number)
        run_ = Run(plan, dataset, self.store.publish, {}, None, [self._see], spending, resume_point)
        self.far = Far(run_, self.server, **self.settings)
        self._drivers: list[Any] = []
        try:
            report = await execute(run_, self._opened(run_), self._drivers.append)
        finally:
            self.store.write_metadata(metadata_of(lock.number))
            lock.release()
        self._drivers[0].scheduler.check_invariants()
        return report

    def _see(self, event: Any) -> None:
        self.events.append(event)
        if self._drivers:
            self._drivers[0].scheduler.check_invariants()

    @asynccontextmanager
    async def _opened(self, run: Run) -> AsyncIterator[OpenExecutor[Held[Box]]]:
        async with Near(run, self.server) as self.near:
            executor = JoiningExecutor(run, self.near, self.far, is_sure=self.is_sure)
            async with executor.opened(1 << 62) as opened:
                yield opened

    def rows(self) -> pd.DataFrame:
        """What was made."""
        receipts = sorted(self.store.receipts(), key=lambda receipt: receipt.batch)
        names = [file.path for receipt in receipts for file in receipt.files if file.path.startswith("parquet-files/")]
        tables = [pd.read_parquet(BytesIO(self.store.files.read(name))) for name in names]
        return pd.concat(tables, ignore_index=True)

    @property
    def asked_here(self) -> list[bool]:
        """For each request, whether it came from this process."""
        return [one.by == "here" for one in self.server.asked]


def chain(*, rate: int | None = None) -> dd.DataDesignerConfigBuilder:
    """A sampler, two texts of a model each, the second about the first, and an expression of both."""
    more: dict[str, Any] = {} if rate is None else {"requests_per_minute": rate}
    models = [model(alias, max_parallel_requests=SLOTS, **more) for alias in ("one", "two")]
    made = texts(models, a=("one", "{{ id }}"), b=("two", "{{ a }}"))
    made.add_column(name="c", column_type="expression", expr="{{ a }} {{ b }}")
    return made


def made(scene: Scene, in_virtual_time: InVirtualTime, **run: Any) -> Scene:
    """Make the chain, to its end."""

    async def scenario() -> None:
        report = await scene.make(chain(), **run)
        assert report.stop_reason is None

    in_virtual_time(scenario())
    assert sum(receipt.generated for receipt in scene.store.receipts()) == RECORDS
    return scene


@pytest.mark.parametrize("after", [0.0, 3.0, 6.0])
def test_a_run_that_is_joined_makes_what_one_process_makes(after: float, in_virtual_time: InVirtualTime) -> None:
    """No request is sent twice, never more are in flight than there are slots, and in the end none comes from here."""
    alone = made(Scene(settings={"after": 1e9}), in_virtual_time)
    joined = made(Scene(settings={"after": after}), in_virtual_time)
    pd.testing.assert_frame_equal(joined.rows(), alone.rows())
    assert len(joined.server.asked) == 2 * RECORDS
    assert max(joined.server.peak.values()) == SLOTS
    assert joined.asked_here[0]
    assert not any(joined.asked_here[-SLOTS:])
    assert joined.near.writes
    assert joined.far.writes
    assert joined.far.puts, "nothing that was made here was needed there"
    assert (joined.far.opened, joined.far.closed) == (1, 1)


def test_it_is_said_while_another_process_is_being_opened(in_virtual_time: InVirtualTime) -> None:
    """To whoever looks at how the run stands, until it is there."""
    scene = made(Scene(settings={"after": 3.0}), in_virtual_time)
    said = [event.opening for event in scene.events if isinstance(event, Standing)]
    assert said.index("starting Far") < said.index("", said.index("starting Far"))
    assert set(said) == {"", "starting Far"}
    assert said[-1] == ""


def test_no_slot_is_idle_for_long_while_they_move(in_virtual_time: InVirtualTime) -> None:
    """They move in steps: the run takes hardly longer than in one process."""
    took = []
    for after in (1e9, 5.0):

        async def scenario(after: float = after) -> None:
            began = asyncio.get_running_loop().time()
            await Scene(Echo(latency=4.0), settings={"after": after}).make(chain())
            took.append(asyncio.get_running_loop().time() - began)

        in_virtual_time(scenario())
    assert took[1] < 1.1 * took[0]


def test_a_run_that_is_over_first_does_not_wait(in_virtual_time: InVirtualTime) -> None:
    """Who would have joined is not opened, and told so."""

    async def scenario() -> None:
        began = asyncio.get_running_loop().time()
        await scene.make(chain())
        assert asyncio.get_running_loop().time() - began < 100

    scene = Scene(settings={"after": 200.0})
    in_virtual_time(scenario())
    assert scene.far.opened == scene.far.closed == 0
    assert all(scene.asked_here)


def test_one_that_cannot_join_ends_the_run_that_needs_it(in_virtual_time: InVirtualTime) -> None:
    """What is complete is committed, and nothing is asked again by a run that goes on with it."""
    scene = Scene(settings={"after": 3.0, "fails": ConnectionError("nobody there")})

    async def scenario() -> None:
        with pytest.raises(ConnectionError, match="nobody there"):
            await scene.make(chain())

    in_virtual_time(scenario())
    assert 0 < sum(receipt.generated for receipt in scene.store.receipts()) < RECORDS
    scene.settings = {"after": 1e9}
    made(scene, in_virtual_time)
    assert len(scene.server.asked) == 2 * RECORDS


def test_one_that_is_lost_ends_the_run(in_virtual_time: InVirtualTime) -> None:
    """With its words; a run that goes on asks again only what was under way there."""
    scene = Scene(settings={"after": 1.0, "breaks_after": 4.0})

    async def scenario() -> None:
        with pytest.raises(DataDesignerRuntimeError, match="Far is gone"):
            await scene.make(chain())

    in_virtual_time(scenario())
    assert scene.far.closed == 1
    scene.settings = {"after": 1e9}
    made(scene, in_virtual_time)
    assert len(scene.server.asked) <= 2 * RECORDS + 2 * SLOTS


@pytest.mark.parametrize("idle", [0.0, 1.0])
def test_one_joins_where_the_run_gains_by_it(
    idle: float, in_virtual_time: InVirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this process is short of CPU while other CPUs are idle."""
    monkeypatch.setattr(of_joining, "CpuMeter", lambda: _Meter(CpuTime(1.0, 1.0)))
    monkeypatch.setattr(of_joining, "IdleMeter", lambda: _Meter(idle))
    scene = made(Scene(Echo(latency=4.0), is_sure=False), in_virtual_time)
    assert scene.far.opened == (1 if idle else 0)


@dataclass(frozen=True)
class _Meter:
    """Always says the same."""

    says: Any

    def take(self, _: float) -> Any:
        """Say it."""
        return self.says


def test_one_that_cannot_join_costs_a_run_that_gains_by_it_nothing(
    in_virtual_time: InVirtualTime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on in this process, and says why."""
    monkeypatch.setattr(of_joining, "CpuMeter", lambda: _Meter(CpuTime(1.0, 1.0)))
    monkeypatch.setattr(of_joining, "IdleMeter", lambda: _Meter(1.0))
    settings = {"fails": ConnectionError("nobody there")}
    scene = made(Scene(Echo(latency=4.0), is_sure=False, settings=settings), in_virtual_time)
    assert all(scene.asked_here)
    assert "Far does not join, the run goes on in this process: nobody there" in caplog.text


def test_a_budget_holds_while_slots_move(in_virtual_time: InVirtualTime) -> None:
    """Whoever asks, no more is asked than may be."""

    async def scenario() -> None:
        report = await scene.make(chain(), budget=dd.Budget(requests=150))
        assert report.stop_reason is not None
        assert report.stop_reason.startswith("the budget is used up")

    scene = Scene(settings={"after": 2.0})
    in_virtual_time(scenario())
    assert 140 <= len(scene.server.asked) <= 150
    assert len(set(scene.asked_here)) == 2


def test_a_rate_holds_while_slots_move(in_virtual_time: InVirtualTime) -> None:
    """By the count of whoever is asked."""

    async def scenario() -> None:
        await scene.make(chain(rate=100))

    scene = Scene(settings={"after": 20.0})
    in_virtual_time(scenario())
    for name in ("one", "two"):
        assert busiest((one.at, 1) for one in scene.server.of(name)) <= 100
    assert len(set(scene.asked_here)) == 2


def test_a_cap_of_several_aliases_holds_while_slots_move(in_virtual_time: InVirtualTime) -> None:
    """And all is made once."""
    scene = Scene(settings={"after": 5.0}, cap=6)
    made(scene, in_virtual_time)
    assert scene.server.peak_of_all == 6
    assert len(scene.server.asked) == 2 * RECORDS
    assert len(set(scene.asked_here)) == 2


def with_function() -> dd.DataDesignerConfigBuilder:
    """A sampler, a function of the user, and a text about what that came to."""

    @dd.custom_column_generator(required_columns=["id"])
    def twice(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "twice": row["id"] * 2}

    declared = texts([model("one", max_parallel_requests=SLOTS)])
    declared.add_column(dd.CustomColumnConfig(name="twice", generator_function=twice))
    declared.add_column(name="a", column_type="llm-text", model_alias="one", prompt="{{ twice }}")
    return declared


@pytest.mark.parametrize("is_sure", [False, True])
def test_functions_of_users_wait_where_another_process_is_sure_to_run_them(
    is_sure: bool, in_virtual_time: InVirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    """For as long as it takes, and it is said; they run in this process only where nothing else is sure to come."""
    caplog.set_level(logging.INFO)
    scene = Scene(is_sure=is_sure, settings={"after": 100.0})

    async def scenario() -> None:
        report = await scene.make(with_function())
        assert report.stop_reason is None

    in_virtual_time(scenario())
    function = next(stage.number for stage in scene.far.run.plan.stages if "twice" in stage.makes)
    assert (function in scene.near.stages) is not is_sure
    assert ("and for Far to come up" in caplog.text) is is_sure


def test_functions_of_users_that_wait_for_one_that_fails_end_with_the_run(in_virtual_time: InVirtualTime) -> None:
    """They do not hold it."""
    scene = Scene(settings={"after": 5.0, "fails": ConnectionError("nobody there")})

    async def scenario() -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError, match="nobody there"):
            await scene.make(with_function())
        assert asyncio.get_running_loop().time() - began < 10

    in_virtual_time(scenario())


def test_an_alias_that_needs_resources_is_asked_from_where_they_are(in_virtual_time: InVirtualTime) -> None:
    """Nobody else may have a way to its endpoint; the other alias is asked from the first moment."""
    scene = Scene(settings={"after": 3.0})
    made(scene, in_virtual_time, replica_resources={"two": {"gpu": 1.0}})
    assert any(one.by == "here" for one in scene.server.of("one"))
    assert not any(one.by == "here" for one in scene.server.of("two"))


def test_values_are_brought_to_the_other_side_once(in_virtual_time: InVirtualTime) -> None:
    """And only those that are needed there; what is gone there is named by its place."""

    async def scenario() -> None:
        await Scene.make(scene, chain())
        far = scene.far
        executor = JoiningExecutor(far.run, scene.near, far, is_sure=True)
        far.puts = far.gets = 0
        ours, theirs = Held[Box](here={}), Held(there=Box({}))
        for _ in range(2):
            assert len(await executor._there([ours, theirs])) == 2
            assert len(await executor._here([ours, theirs])) == 2
        assert (far.puts, far.gets) == (1, 1)

        async def gone(_: Box) -> Values:
            raise ValuesGoneError(0)

        far.get = gone
        with pytest.raises(ValuesGoneError) as lost:
            await executor._here([ours, Held(there=Box({}))])
        assert lost.value.place == 1

    scene = Scene(settings={"after": 1e9})
    in_virtual_time(scenario())
