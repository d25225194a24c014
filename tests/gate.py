"""A gate before the simulated model: it counts what passes, and once it is shut holds what comes."""

import asyncio
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

START_SECONDS = 30.0
VALIDATOR = "validator"
"""The model that requests are of which name none: those to judge rows."""


class Asked(NamedTuple):
    """One thing that a model is asked: a request, or each text or row of one that is about several."""

    model: str
    what: str


class Gate:
    """Lets through a number of requests, and holds all others until it is opened.

    Args:
        most: the number.
        held: requests of one model that are held when `is_held` is set.
    """

    def __init__(self, most: int, held: int) -> None:
        self.url = ""
        """Where the model is, seen from before the gate."""
        self.requests: Counter[str] = Counter()
        """Of each model."""
        self.asked: Counter[Asked] = Counter()
        self.peak: Counter[str] = Counter()
        """Of each model, how many were under way at once."""
        self.is_held = threading.Event()
        self.ended = asyncio.Event()
        """Set when nobody is to come any more."""
        self._under_way: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._most, self._held = most, held
        self._opened = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def pass_through(self, request: web.Request, model: aiohttp.ClientSession) -> web.Response:
        """Count a request, and let it through when it may."""
        content = await request.read()
        body = json.loads(content)
        name = body.get("model", VALIDATOR).partition("?")[0]
        self.requests[name] += 1
        self.asked.update(Asked(name, what) for what in _things(body))
        self._under_way[name] += 1
        self.peak[name] = max(self.peak[name], self._under_way[name])
        try:
            await self._turn(name)
            headers = {"Content-Type": "application/json"}
            async with model.post(request.rel_url, data=content, headers=headers) as reply:
                return web.Response(body=await reply.read(), status=reply.status, content_type="application/json")
        finally:
            self._under_way[name] -= 1

    async def _turn(self, name: str) -> None:
        if self.requests.total() <= self._most or self._opened.is_set():
            return
        self._waiting[name] += 1
        if self._waiting[name] == self._held:
            self.is_held.set()
        await self._opened.wait()

    def open(self) -> None:
        """Let through what is held, and what comes. May be called in any thread, as long as there is the gate."""
        self._call(self._opened.set)

    def end(self) -> None:
        """Let everybody through, and close it behind them."""
        self.open()
        self._call(self.ended.set)

    def _call(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)


def _things(body: dict[str, Any]) -> list[str]:
    parts = body.get("input") or body.get("data") or [{key: body[key] for key in body if key != "model"}]
    return [hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16] for part in parts]


@contextmanager
def gate(simulated: str, most: int = 1_000_000, held: int = 1) -> Iterator[Gate]:
    """Have a gate before the simulated model.

    Args:
        simulated: address of the model.
        most: requests that it lets through before it is shut.
        held: requests of one model that are held when `is_held` is set.
    """
    started: Future[Gate] = Future()

    async def run() -> None:
        here = Gate(most, held)
        async with aiohttp.ClientSession(simulated.removesuffix("/v1")) as model:

            async def post(request: web.Request) -> web.Response:
                return await here.pass_through(request, model)

            app = web.Application(client_max_size=1 << 28)
            app.router.add_post("/{path:.*}", post)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            here.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            started.set_result(here)
            await here.ended.wait()
            await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    here = started.result(START_SECONDS)
    try:
        yield here
    finally:
        here.end()
        thread.join()
