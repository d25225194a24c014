"""Functions of the user that ask models: where they run, and how what they ask reaches a replica of its alias.

A function that is `async def` is awaited on the replica's loop. Any other runs in a thread: it waits there for its
replies, and holds up no loop. A slot is held by a request only, never by a function, so that functions which wait for
each other's models cannot block each other.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from data_designer.columns.custom import CustomCellProgram
from data_designer.engine.dataset.journal import JournalError, Key, request_digest
from data_designer.engine.execution.daemon_threads import DaemonThreads
from data_designer.engine.execution.peer_requests import PeerRequests
from data_designer.engine.execution.recording import Ask, RowAsks
from data_designer.engine.models.facade import ModelFacade
from data_designer.engine.protocol.peers import PeerRequest, Peers
from data_designer.errors import DataDesignerRuntimeError, ModelError, Outage
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.plan.model import Plan, Pool, Step, asked_beside, beside
from data_designer.values import ChatRequest, Drop, Outcome, Reason, Request, Response, ToolRequest

Result = TypeVar("Result")

_MOST_THREADS = 1024
"""Functions that are not `async def` and run at once in a process; a thread costs memory, even one that waits."""
_THREADS_AHEAD = 4
"""Beyond one for each slot: so many functions may compute while the others wait for replies."""


class PeerOutageError(Exception):
    """A model that another replica asks is down. That one says so, and the run ends: nothing comes of the row here."""


class Models(dict[str, ModelFacade]):
    """What a function is given as `models`."""

    def __missing__(self, alias: str) -> ModelFacade:
        raise KeyError(f"{alias!r} is none of the column's model_aliases: {', '.join(self) or 'it has none'}")


class FunctionRunner:
    """What the functions of one replica share: threads, the loop, the way to other aliases.

    Args:
        plan: the plan.
        alias: the replica's.
        peers: replicas of other aliases.
    """

    def __init__(self, plan: Plan, alias: str, peers: Peers) -> None:
        self.loop = asyncio.get_running_loop()
        self.alias = alias
        self.peers = PeerRequests(peers)
        self.tools = plan.tools
        self._pools = plan.pools
        self._seed = plan.seed
        self._draws: dict[str, ParameterSampling] = {}
        self._threads = DaemonThreads(_threads_of(plan, alias), f"data-designer-functions-{alias}")

    def pool(self, alias: str) -> Pool:
        """An alias's pool."""
        return self._pools[alias]

    def draws(self, alias: str) -> ParameterSampling:
        """What draws the parameters of an alias's requests."""
        if alias not in self._draws:
            self._draws[alias] = ParameterSampling(self._pools[alias], self._seed)
        return self._draws[alias]

    async def in_thread(self, call: Callable[[], Result]) -> Result:
        """Call what may wait for replies."""
        context = contextvars.copy_context()
        return await self.loop.run_in_executor(self._threads, partial(context.run, call))

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _threads_of(plan: Plan, alias: str) -> int:
    """As many as keep all slots busy that the functions of a replica ask through."""
    asked = {alias, *asked_beside(plan).get(alias, ())}
    return min(sum(plan.pools[one].slots for one in asked) + _THREADS_AHEAD, _MOST_THREADS)


class FunctionAsks:
    """How one call of a function asks. What was answered before is not asked again.

    A request is known again by what it says, and by how often the same was asked before it by the same call. So it
    does not matter in which order threads and tasks of the function come to ask.
    """

    def __init__(self, runner: FunctionRunner, row: RowAsks, step: Step, fingerprint: str) -> None:
        self.outage: BaseException | None = None
        """Why there is no reply for anybody, where that was met: whatever the function makes of it."""
        self.models = Models(
            {
                alias: ModelFacade(runner.pool(alias), _Asker(self, alias), runner.tools)
                for alias in (step.pool, *step.asks)
            }
        )
        self._runner = runner
        self._row = row
        self._step = step
        self._fingerprint = fingerprint
        self._counts: dict[tuple[str, str], int] = {}
        self._waiting: set[Future[Response]] = set()
        self._is_over = False

    def recall(self) -> None:
        """Account for what was asked before, where the function is not called again since its result is known."""
        self._row.recall(self._step.name, self._fingerprint)
        for alias in self._step.asks:
            self._row.recall(beside(self._step.name, alias), beside(self._fingerprint, alias))

    # --- from threads and loops of the function ------------------------------------------------------------

    def wait(self, alias: str, request: Request) -> Response:
        """Get a reply in a thread."""
        if _running_loop() is self._runner.loop:
            raise RuntimeError(
                "an `async def` function must not wait: use `await models[...].agenerate(...)`, or the twin of "
                "whatever else it calls that begins with `a`"
            )
        return self._submitted(alias, request).result()

    async def reply(self, alias: str, request: Request) -> Response:
        """Get a reply on whatever loop."""
        if _running_loop() is self._runner.loop:
            return await self._reply(alias, request)
        return await asyncio.wrap_future(self._submitted(alias, request))

    def _submitted(self, alias: str, request: Request) -> "Future[Response]":
        self._refuse_if_over()
        waiting = asyncio.run_coroutine_threadsafe(self._reply(alias, request), self._runner.loop)
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        return waiting

    def close(self) -> None:
        """The call is over: nothing is asked for it any more, and threads of it that wait are told."""
        self._is_over = True
        for waiting in list(self._waiting):
            waiting.cancel()

    def _refuse_if_over(self) -> None:
        if self._is_over:
            raise DataDesignerRuntimeError(f"column '{self._step.name}': the call that asks for this is over")

    # --- on the replica's loop -----------------------------------------------------------------------------

    async def _reply(self, alias: str, request: Request) -> Response:
        self._refuse_if_over()
        own = alias == self._runner.alias
        name = self._fingerprint if own else beside(self._fingerprint, alias)
        column = self._step.name if own else beside(self._step.name, alias)
        try:
            if isinstance(request, ToolRequest):
                return await self._row.call(
                    column, request, lambda one: (name, self._row.record, self._ordinal(alias, one)[1])
                )
            digest, ordinal = self._ordinal(alias, request)
            if draws := self._runner.draws(alias):
                request = request.with_params(draws.params(f"{name} {digest}", self._row.record, ordinal))
            return await self._row.ask(
                column,
                (name, self._row.record, ordinal),
                request,
                None if own else partial(_of_peer, self._runner, alias, column),
            )
        except (Outage, PeerOutageError, JournalError) as error:
            self.outage = error
            raise

    def _ordinal(self, alias: str, request: Request) -> tuple[str, int]:
        digest = request_digest(request)
        ordinal = self._counts.get((alias, digest), 0)
        self._counts[alias, digest] = ordinal + 1
        return digest, ordinal


async def _of_peer(runner: FunctionRunner, alias: str, column: str, key: Key, request: Request) -> Response:
    """The reply that a replica of another alias gets."""
    answer = await runner.peers.ask(alias, PeerRequest(key, column, request))
    if isinstance(answer.error, Outage):
        raise PeerOutageError(alias)
    if answer.error is not None:
        raise answer.error
    assert answer.response is not None
    return answer.response


def ask_several(runner: FunctionRunner, row: RowAsks, step: Step, fingerprint: str) -> Ask:
    """How an exchange asks whose requests say which of the step's aliases is asked."""
    ordinal = -1

    async def ask(request: Request) -> Response:
        nonlocal ordinal
        ordinal += 1
        alias = request.alias if isinstance(request, ChatRequest) else ""
        own = alias in ("", runner.alias)
        name, column = (fingerprint, step.name) if own else (beside(fingerprint, alias), beside(step.name, alias))
        if draws := runner.draws(alias or runner.alias):
            request = request.with_params(draws.params(name, row.record, ordinal))
        elsewhere = None if own else partial(_of_peer, runner, alias, column)
        return await row.ask(column, (name, row.record, ordinal), request, elsewhere)

    return ask


class _Asker:
    """How a facade asks for one call of a function."""

    def __init__(self, asks: FunctionAsks, alias: str) -> None:
        self._asks = asks
        self._alias = alias

    def ask(self, request: Request) -> Response:
        """Wait for a reply."""
        return self._asks.wait(self._alias, request)

    async def aask(self, request: Request) -> Response:
        """Get a reply."""
        return await self._asks.reply(self._alias, request)


async def cell_of(
    program: CustomCellProgram, record: dict[str, object], asks: FunctionAsks, index: int, runner: FunctionRunner
) -> Outcome:
    """What a function makes of a record.

    Raises:
        Outage: a model is down that this replica asks.
        PeerOutageError: another one is.
        JournalError: a reply could not be kept.
    """
    result: object = None
    raised: BaseException | None = None
    try:
        if program.is_async:
            result = await program.call(record, asks.models)
        else:
            result = await runner.in_thread(lambda: program.call(record, asks.models))
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        raised = error
    finally:
        asks.close()
    if asks.outage is not None:
        raise asks.outage
    if raised is None:
        return program.finish(record, result, index)
    try:
        return program.failed(raised, index)
    except ModelError as error:
        return Drop(Reason(type(error).__name__, str(error)))


def is_cancelled() -> bool:
    """Whether this task is to end; without that a CancelledError is what a function raised of itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
