"""What the tests of models share: a clock that nobody waits for, a model at its seam, requests and aliases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from aiohttp import web

import data_designer.config as dd
from data_designer.errors import ModelError, ModelRateLimitError
from data_designer.plan.model import Pool
from data_designer.values import ChatRequest, ChatResponse, Request, Response, Usage

Result = TypeVar("Result")

REPLY = ChatResponse("fine", usage=Usage(requests=1, input_tokens=3, output_tokens=2))

_TURNS = 20
"""Rounds of the loop after which whoever can go on has gone on."""
_STUCK = 50
"""Times that so many rounds pass without anybody asleep before a test is stuck."""


def request(text: str = "hi", **params: Any) -> Request:
    """One user message."""
    return ChatRequest([{"role": "user", "content": [{"type": "text", "text": text}]}], params)


def pool(
    *urls: str, alias: str = "m", model: str = "org/x", provider: dict[str, Any] | None = None, **params: Any
) -> Pool:
    """An alias at some addresses.

    Args:
        urls: base URLs of its servers.
        alias: its name.
        model: the provider's name of the model.
        provider: further fields of the provider.
        params: inference parameters.
    """
    kind = {"embedding": dd.EmbeddingInferenceParams, "image": dd.ImageInferenceParams}.get(
        params.pop("generation_type", ""), dd.ChatCompletionInferenceParams
    )
    inference = kind(**params)
    where: dict[str, Any] = {"endpoint": urls[0]} if len(urls) == 1 else {"endpoints": list(urls)}
    declared = dd.ModelConfig(alias=alias, model=model, provider="p", inference_parameters=inference)
    return Pool(alias, 4, declared, dd.ModelProvider(name="p", **where, **(provider or {})))


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class VirtualTime:
    """A clock that jumps to the next wake-up whenever nothing else can go on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        """How long each sleep was to be."""
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def clock(self) -> float:
        """The time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        wakeup: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.slept.append(seconds)
        self._sleepers.append((self.now + seconds, len(self.slept), wakeup))
        await wakeup

    async def run(self, *work: Awaitable[Any]) -> list[Any]:
        """Run work to its end, moving the clock whenever all of it sleeps; exceptions are results."""
        gathered = asyncio.ensure_future(asyncio.gather(*work, return_exceptions=True))
        idle = 0
        while not gathered.done():
            await turn()
            idle = 0 if self._wake_next() else idle + 1
            assert idle < _STUCK, "everybody waits for something that nobody does"
        results: list[Any] = gathered.result()
        return results

    def drive(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run one piece of work on a loop of its own; its exception is raised."""

        async def driven() -> Result:
            task = asyncio.ensure_future(work)
            await self.run(task)
            return task.result()

        return asyncio.run(driven())

    def _wake_next(self) -> bool:
        """Move the clock to the next who still sleeps."""
        self._sleepers = sorted((one for one in self._sleepers if not one[2].done()), key=lambda one: one[:2])
        if not self._sleepers:
            return False
        moment, _, wakeup = self._sleepers.pop(0)
        self.now = max(self.now, moment)
        wakeup.set_result(None)
        return True


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt at a request, as a model sees it."""

    request: Request
    at: float
    in_flight: int
    """This one included."""


Verdict = Callable[[Sent], Response | ModelError]
"""What an attempt comes to."""


def scripted(*outcomes: Response | ModelError) -> Verdict:
    """These one after the other; then good replies."""
    left = iter(outcomes)
    return lambda _: next(left, REPLY)


def always(outcome: Response | ModelError) -> Verdict:
    """The same for ever."""
    return lambda _: outcome


@dataclass
class FakeModel:
    """A model at its seam: takes some time, then answers or fails; refusals for want of room come early."""

    time: VirtualTime = field(default_factory=VirtualTime)
    verdict: Verdict = field(default_factory=scripted)
    latency: float = 0.0
    in_flight: int = 0
    peak: int = 0
    asked: list[Sent] = field(default_factory=list)

    @property
    def sent(self) -> list[float]:
        """When each attempt was sent."""
        return [one.at for one in self.asked]

    async def ask(self, request: Request) -> Response:
        """Answer, or fail."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        this = Sent(request, self.time.now, self.in_flight)
        self.asked.append(this)
        try:
            outcome = self.verdict(this)
            if self.latency:
                await self.time.sleep(self.latency / (100 if isinstance(outcome, ModelRateLimitError) else 1))
            if isinstance(outcome, ModelError):
                raise outcome
            return outcome
        finally:
            self.in_flight -= 1


Answer = Callable[[web.Request], web.StreamResponse]


@dataclass
class FakeServer:
    """A server on the loopback that answers every POST as a test tells it to, and remembers what it was sent."""

    answer: Answer
    url: str = ""
    """Base URL, ending in `/v1`."""
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        self.paths.append(request.path)
        self.bodies.append(await request.json())
        self.headers.append(request.headers)
        return self.answer(request)


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[FakeServer]:
    """Run such a server."""
    server = FakeServer(answer)
    app = web.Application()
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    """The same to everybody; text is sent as it is, everything else as JSON."""
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(body=content, status=status, content_type="application/json", headers=named)
