"""Models for scripts: asked outside of a run, as functions of custom columns ask them inside."""

import asyncio
import itertools
import random
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from data_designer.engine.models.facade import ModelFacade
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.plan.model import Pool
from data_designer.values import Request, Response

if TYPE_CHECKING:
    from data_designer.models.retry import Caller

_PATIENCE, _FIRST_PATIENCE = 60.0, 10.0
"""Seconds for which a model may fail, and one that has never answered."""
_CLOSE_SECONDS = 2.0


def script_models(pools: Mapping[str, Pool], keys: Mapping[str, str | None]) -> dict[str, ModelFacade]:
    """Something to ask for each pool. Nothing is opened before the first request.

    Args:
        pools: by alias.
        keys: alias to the key of its provider.
    """
    desk = _Desk(pools, keys)
    return {alias: ModelFacade(pool, _Asker(desk, alias)) for alias, pool in pools.items()}


@dataclass(slots=True)
class _Opened:
    """A loop in a thread, and connections that live on it."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    exits: ExitStack = field(default_factory=ExitStack)
    models: AsyncExitStack = field(default_factory=AsyncExitStack)
    callers: "dict[str, Caller]" = field(default_factory=dict)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.loop.run_forever, name="data-designer-models", daemon=True)

    def close(self) -> None:
        """Close the connections and end the thread, from whichever thread this is called."""
        if threading.current_thread() is self.thread:
            threading.Thread(target=self.close, daemon=True).start()
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self.models.aclose(), self.loop).result(_CLOSE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_CLOSE_SECONDS)
        if not self.thread.is_alive():
            self.loop.close()
        self.exits.close()


class _Desk:
    """Takes requests of a script's threads and loops. What it opens is closed with it, or at the end of the process."""

    def __init__(self, pools: Mapping[str, Pool], keys: Mapping[str, str | None]) -> None:
        self._pools, self._keys = dict(pools), dict(keys)
        self._opening = threading.Lock()
        self._opened: _Opened | None = None
        self._seed = random.getrandbits(63)
        self._numbers = itertools.count()

    def submitted(self, alias: str, request: Request) -> "Future[Response]":
        """A reply that is on its way."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
        sampling = ParameterSampling(self._pools[alias], self._seed)
        if sampling:
            request = request.with_params(sampling.params("", next(self._numbers), 0))
        return asyncio.run_coroutine_threadsafe(self._opened.callers[alias].ask(request), self._opened.loop)

    def _open(self) -> _Opened:
        opened = _Opened()
        weakref.finalize(self, _Opened.close, opened)
        simulated = [a for a, pool in self._pools.items() if pool.provider.is_simulated and not pool.provider.endpoint]
        if simulated:
            self._simulate(simulated, opened.exits)
        opened.thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(opened), opened.loop).result()
        return opened

    def _simulate(self, aliases: list[str], exits: ExitStack) -> None:
        from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

        url = exits.enter_context(SimulatedServerProcess(SimulatedModel(seed=0)))
        for alias in aliases:
            pool = self._pools[alias]
            provider = pool.provider.model_copy(update={"endpoint": url})
            self._pools[alias] = replace(pool, provider=provider)

    async def _connect(self, opened: _Opened) -> None:
        from data_designer.models.admission.request_admission import RequestAdmission
        from data_designer.models.admission.slots import Slots
        from data_designer.models.model import DEFAULT_TIMEOUT
        from data_designer.models.opening import open_model
        from data_designer.models.retry import Caller, CallerOptions
        from data_designer.models.wires import greeting

        for alias, pool in self._pools.items():
            options = CallerOptions(
                patience=_PATIENCE,
                first_patience=_FIRST_PATIENCE,
                timeout=float(pool.params.timeout or DEFAULT_TIMEOUT),
                greets=pool.is_greeted,
                greeting=greeting(pool),
            )
            model = await opened.models.enter_async_context(open_model(pool, self._keys[alias]))
            admission = RequestAdmission(Slots(pool.slots))
            opened.callers[alias] = Caller(model, admission, options, rng=random.Random(self._seed))


class _Asker:
    """How a facade asks."""

    def __init__(self, desk: _Desk, alias: str) -> None:
        self._desk = desk
        self._alias = alias

    def ask(self, request: Request) -> Response:
        """Wait for a reply."""
        return self._desk.submitted(self._alias, request).result()

    async def aask(self, request: Request) -> Response:
        """Get a reply."""
        return await asyncio.wrap_future(self._desk.submitted(self._alias, request))
