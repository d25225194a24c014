"""Runs a prepared plan: in this process, which Ray may join, on an event loop of its own, and stops when asked."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from data_designer.columns.registry import KINDS
from data_designer.config.models import ModelProvider
from data_designer.distributed.joining import Ray, let_go, part_of_ray, refuse
from data_designer.engine.dataset.large_cells import brought, remove_brought
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution.assembly import Publish, Run, Started, Stoppable, execute
from data_designer.engine.execution.budget import budget_allocator_of
from data_designer.engine.execution.driver import DRAIN_SECONDS, RunReport
from data_designer.engine.execution.in_process import in_process
from data_designer.engine.execution.joining import joining
from data_designer.engine.execution.observation import Observer
from data_designer.engine.execution.recording import Dataset
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import Values
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.errors import ModelUnsupportedCapabilityError, RayGoneError
from data_designer.interface.compile import CompileContext, PreparedPlan, key_of
from data_designer.interface.open import OpenDataset
from data_designer.interface.outcomes import how_to_resume
from data_designer.interrupts import LEFT, sigterm_interrupts, uninterrupted
from data_designer.models.capability_probe import Known, find_forms
from data_designer.models.preflight import check_pools
from data_designer.models.request_spans import parent_span
from data_designer.plan.columns import tools_used
from data_designer.plan.compile import with_native, with_tools
from data_designer.plan.model import Plan
from data_designer.terminal import visible
from data_designer.tools.caller import limits_of
from data_designer.tools.host import ToolHost
from data_designer.tools.server import ToolServer

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

SKIP_HEALTH_CHECKS = "DATA_DESIGNER_SKIP_MODEL_HEALTH_CHECKS"
Result = TypeVar("Result")

_LEAVE_SECONDS = 3.0
"""How long a run that is left may take to close what it has opened."""


@contextmanager
def with_simulated_models(plan: Plan, host: str = "127.0.0.1") -> Iterator[Plan]:
    """The plan with an address for the simulated model, which serves for as long as the context lasts.

    Args:
        plan: the plan.
        host: the address of this machine at which it is asked.
    """
    simulated = [alias for alias, pool in plan.pools.items() if pool.provider.is_simulated]
    if not any(not plan.pools[alias].provider.endpoint for alias in simulated):
        yield plan
        return
    from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

    with SimulatedServerProcess(SimulatedModel(seed=plan.seed % (1 << 32)), host=host) as url:
        pools = dict(plan.pools)
        for alias in simulated:
            address = url if pools[alias].model is not None else f"{url}/validate"
            provider = pools[alias].provider.model_copy(update={"endpoint": address})
            pools[alias] = replace(pools[alias], provider=provider)
        yield replace(plan, pools=pools)


@contextmanager
def _ready(prepared: PreparedPlan, known: Known, host: str = "127.0.0.1") -> Iterator[tuple[Plan, ToolHost | None]]:
    """The plan with an address for every model, the form in which each constrains its replies, and the tools of each.

    Beside it, what calls tools in this process.
    """
    with with_simulated_models(prepared.plan, host) as reachable, _with_tools(prepared, reachable) as (plan, tools):
        in_json = {step.pool for step in plan.steps if KINDS[step.kind].in_json}
        pools = [plan.pools[alias] for alias in sorted(in_json) if plan.pools[alias].chat.structured_output != "prompt"]
        if pools:
            asked = [(pool, prepared.keys[pool.alias]) for pool in pools]
            forms = on_own_loop(lambda _: find_forms(asked, known))
            for alias, form in forms.items():
                logger.info("model=%s structured_output=%s", alias, form or "prompt")
            yield with_native(plan, forms), tools
        else:
            yield plan, tools


@contextmanager
def _with_tools(prepared: PreparedPlan, plan: Plan) -> Iterator[tuple[Plan, ToolHost | None]]:
    """The plan with what its tools are, as their servers say; that they are there is seen before a model is asked."""
    used = tools_used(plan.config, KINDS)
    if not used:
        yield plan, None
        return
    host = ToolHost(prepared.tool_servers, limits_of(plan.run))
    try:
        found = on_own_loop(lambda _: host.tool_sets(used))
        for alias, tools in found.items():
            logger.info("tools=%s: %s", alias, ", ".join(map(visible, tools.names)) or "none")
        yield with_tools(plan, found), host
    finally:
        host.close()


@contextmanager
def one_ray(plan: Plan) -> Iterator[None]:
    """Lets the runs inside share one Ray, where there may be several of them."""
    try:
        yield
    finally:
        if _has_further_runs(plan):
            let_go()


def _has_further_runs(plan: Plan) -> bool:
    return plan.run.on_row_failure == "refill"


def create(opened: OpenDataset, observers: Sequence[Observer], publish: Publish, known: Known) -> RunReport:
    """Make what is left of a dataset: run its plan to the end and write its batches.

    Args:
        opened: the dataset.
        observers: are shown what happens.
        publish: makes a written batch visible; called in threads.
        known: what was found out about endpoints before.
    """
    try:
        with sigterm_interrupts():
            return _create(opened, observers, publish, known)
    except KeyboardInterrupt:
        logger.warning("interrupted; %s", how_to_resume(opened.store.path))
        raise
    except RayGoneError as error:
        raise RayGoneError(f"{error}; {how_to_resume(opened.store.path)}") from error


def _create(opened: OpenDataset, observers: Sequence[Observer], publish: Publish, known: Known) -> RunReport:
    store, prepared, resume_point = opened.store, opened.prepared, opened.resume_point
    part = part_of_ray(prepared.plan)
    if part != "none":
        refuse(prepared.plan)
    with (
        _ready(prepared, known, _own_address() if part == "sure" else "127.0.0.1") as (plan, tools),
        _in_reach(prepared, store, is_far=part == "sure" and _may_be_a_cluster()) as seed_table,
    ):
        run = Run(
            plan,
            Dataset(store.files, store.run, opened.column_cache),
            publish,
            prepared.keys,
            seed_table,
            observers,
            budget_allocator_of(plan, store, resume_point, opened.spent),
            resume_point,
            tools,
        )
        check = partial(_check_models, plan, prepared.keys)
        if part == "none":
            return on_own_loop(lambda started: execute(run, in_process(run, check), started))
        ray = Ray(run, is_kept=_has_further_runs(plan))
        return on_own_loop(lambda started: execute(run, joining(run, check, ray, is_sure=part == "sure"), started))


@contextmanager
def _in_reach(prepared: PreparedPlan, store: Store, *, is_far: bool) -> "Iterator[pa.Table | None]":
    """The seed's table, with its large cells in the dataset where the machines of a cluster are to read them."""
    if not is_far:
        yield prepared.seed_table
        return
    try:
        yield brought(prepared.seed_table, store.files)
    finally:
        remove_brought(store.files)


def _may_be_a_cluster() -> bool:
    """Whether Ray may have other machines than this one."""
    return bool(os.environ.get("RAY_ADDRESS")) or "ray" in sys.modules


def _own_address() -> str:
    """Where the replicas, wherever they are, reach a server that this process starts."""
    if not _may_be_a_cluster():
        return "127.0.0.1"
    from data_designer.distributed.cluster import own_address

    return own_address()


Keep = Callable[[Plan, CommitJob, Sequence[Values]], Receipt]


def preview(prepared: PreparedPlan, observers: Sequence[Observer], keep: Keep, known: Known) -> RunReport:
    """Run a plan in this process; `keep` takes each batch instead of a disk."""
    with _ready(prepared, known) as (plan, tools):
        budget_allocator = budget_allocator_of(plan, None, ResumePoint())
        run = Run(plan, None, _published, prepared.keys, prepared.seed_table, observers, budget_allocator, tools=tools)
        executor = in_process(run, partial(_check_models, plan, prepared.keys), partial(keep, plan))
        return on_own_loop(lambda started: execute(run, executor, started))


def _published(receipt: Receipt) -> Receipt:
    """What nobody else reads need not be made visible."""
    return receipt


def check_models(prepared: PreparedPlan) -> None:
    """Ask every model of a plan for a sign of life, and every server of tools for its tools."""
    with with_simulated_models(prepared.plan) as reachable, _with_tools(prepared, reachable) as (plan, _):
        on_own_loop(lambda _: _check_models(plan, prepared.keys))


def list_served_models(provider: ModelProvider, context: CompileContext) -> list[str]:
    """What a provider serves."""
    if provider.is_simulated and not provider.endpoint:
        return ["simulated"]
    if provider.provider_type == "anthropic":
        raise ModelUnsupportedCapabilityError(
            f"provider '{provider.name}' has another API than OpenAI's, by which models are listed"
        )
    from data_designer.models.served_models import served_models

    key, make = key_of(provider, context), context.clients.get(provider.name)
    return on_own_loop(lambda _: served_models(provider, key, make))


def tool_names(server: ToolServer, within: float) -> list[str]:
    """What a server of tools offers.

    Raises:
        MCPError: it cannot be reached, not in time, or refuses.
    """
    host = ToolHost({server.name: server})
    try:
        return [tool.name for tool in on_own_loop(lambda _: host.tools(server.name, within))]
    finally:
        host.close()


async def _check_models(plan: Plan, keys: Mapping[str, str | None]) -> None:
    if os.environ.get(SKIP_HEALTH_CHECKS) == "1":
        return
    pools = [(pool, keys[alias]) for alias, pool in plan.pools.items() if pool.is_greeted]
    if pools:
        await check_pools(pools)


def on_own_loop(work: Callable[[Started], Awaitable[Result]]) -> Result:
    """Run a coroutine on a loop in a thread of its own, so that a running loop (a notebook's) does not matter.

    The first Ctrl-C or SIGTERM lets what is under way finish and be committed; the second leaves at once, and so does
    the first where nothing is asked yet.

    Raises:
        KeyboardInterrupt: it was left. What it was doing was cancelled, and has had a little time to come to its end.
    """
    loop = _OwnLoop(work)
    with sigterm_interrupts():
        try:
            return loop.result()
        except KeyboardInterrupt as interrupt:
            left: BaseException = interrupt
            try:
                if loop.stop(str(interrupt) or "interrupted"):
                    return loop.result()
            except KeyboardInterrupt:
                left = KeyboardInterrupt(LEFT)
            loop.leave()
            raise left from None


class _OwnLoop(Generic[Result]):
    """A coroutine on a loop in a thread of its own."""

    def __init__(self, work: Callable[[Started], Awaitable[Result]]) -> None:
        self._work = work
        self._result: Future[Result] = Future()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[object]] | None = None
        self._driver: Stoppable | None = None
        self._left = threading.Event()
        self._adopt = parent_span()
        self._thread = threading.Thread(target=self._target, name="data-designer", daemon=True)

    def result(self) -> Result:
        """Start it, if that is not done, and wait for its end in short steps: a signal is handled between them."""
        if not self._thread.ident:
            self._thread.start()
        while True:
            try:
                return self._result.result(timeout=0.5)
            except TimeoutError:
                if self._result.done():
                    raise

    def stop(self, reason: str) -> bool:
        """Let what is under way finish; says whether anything is."""
        driver = self._driver
        if driver is None:
            return False
        logger.warning(
            "stopping: no further request is sent; those under way have %.0f s to finish, then what is complete is "
            "committed; once more leaves at once",
            DRAIN_SECONDS,
        )
        self._call(lambda: driver.stop(reason))
        return True

    def leave(self) -> None:
        """Cancel it, and give it a little time to close what it has opened, such as its Ray."""
        with uninterrupted():
            self._left.set()
            self._call(self._cancel)
            self._thread.join(_LEAVE_SECONDS)

    def _call(self, act: Callable[[], object]) -> None:
        if self._running is not None:
            with suppress(RuntimeError):  # It has come to its end.
                self._running[0].call_soon_threadsafe(act)

    def _cancel(self) -> None:
        assert self._running is not None
        self._running[1].cancel()

    def _target(self) -> None:
        try:
            self._adopt()
            self._result.set_result(asyncio.run(self._main()))
        except BaseException as error:  # noqa: BLE001 - it is raised again by the caller's thread
            self._result.set_exception(error)

    async def _main(self) -> Result:
        task = asyncio.current_task()
        assert task is not None
        self._running = (asyncio.get_running_loop(), task)
        if self._left.is_set():
            task.cancel()
        return await self._work(self._started)

    def _started(self, driver: Stoppable) -> None:
        self._driver = driver
