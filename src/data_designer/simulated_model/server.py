"""The simulated model: an OpenAI-compatible server on the loopback that answers without a model.

It is the demo's model, the tests' model and the user's dry run. The same prompt gets the same reply, whoever
asks and whenever, unless requests have a `seed`: then each seed has a reply of its own, by which records of a dataset
differ. It misbehaves as told, at random but by its seed, the prompt and how often that prompt was asked before. It also
answers Anthropic's messages, makes embeddings and pictures, and judges rows as a validator does.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass, field, fields
from typing import NoReturn

import orjson
from aiohttp import web

from data_designer.simulated_model.counts import Allowance, Counted, Counts, Tally, allowances
from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.replies import Reply, prompt_of, reply_to
from data_designer.simulated_model.settings import READERS, SimulatedModel
from data_designer.simulated_model.wires import (
    AnthropicWire,
    Asked,
    EmbeddingsWire,
    ImagesWire,
    OpenAIWire,
    Usage,
    ValidationWire,
    Wire,
)

__all__ = ["SimulatedModel", "SimulatedServer", "SimulatedServerProcess", "serve", "start_simulated"]

_REMEMBERED = 200_000
"""Prompts whose number of askings is remembered."""
_LOGGED = 50_000
_START_SECONDS = 20.0
_SHORTEST_WAIT = 0.1
"""Seconds that a 429 of a rate limit asks to wait at least."""
_POLL_SECONDS = 0.02
"""Between looks at whether a client that gets no answer is still there."""
_REVOKED = "Incorrect API key provided: ***. This key was revoked."


@dataclass(slots=True)
class _State:
    model: SimulatedModel
    log: deque[dict[str, object]] | None
    total: Counts
    by_model: dict[str, Tally] = field(default_factory=dict)
    asked: "OrderedDict[bytes, int]" = field(default_factory=OrderedDict)
    named: dict[str, SimulatedModel] = field(default_factory=dict)
    is_closing: bool = False

    def ordinal(self, prompt: bytes) -> int:
        """How often this prompt was asked before; counts it."""
        before = self.asked.pop(prompt, 0)
        self.asked[prompt] = before + 1
        if len(self.asked) > _REMEMBERED:
            self.asked.popitem(last=False)
        return before

    def behaviour(self, name: str) -> SimulatedModel:
        """How the model of this name behaves."""
        known = self.named.get(name)
        if known is None:
            known = self.named[name] = self.model.named(name)
        return known

    def tally(self, name: str) -> Tally:
        """Where requests to the model of this name are counted."""
        known = self.by_model.get(name)
        if known is None:
            known = self.by_model[name] = Tally(Counts.within(self.behaviour(name).rate_window), self.total)
        return known

    def reset(self) -> None:
        """Forget every request."""
        self.total = Counts.within(self.model.rate_window)
        self.by_model = {}
        self.asked.clear()
        if self.log is not None:
            self.log.clear()


_AZURE = "/openai/deployments/{deployment}"
"""Where Azure has what others have under `/v1`; the body names the model too."""
_STATE = web.AppKey("state", _State)


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request, from its arrival to its answer."""

    request: web.Request
    state: _State
    wire: Wire
    body: dict[str, object]
    name: str
    model: SimulatedModel
    tally: Tally
    """Kept for the whole request, so that one that outlasts a reset is not subtracted from the new counts."""

    async def answer(self) -> web.Response:
        """Answer as the model behaves. Raises ConnectionResetError where the connection is closed instead."""
        arrived = time.monotonic()
        refusal = self._refused_at_once(arrived)
        if refusal is not None:
            return refusal
        prompt = prompt_of(self.body)
        digest = prompt.digest(self.name)
        faults = RequestFaults(self.model, digest, self.state.ordinal(digest))
        seconds = self._seconds(faults)
        if self.model.may_leave_waiting:
            await self._pass(seconds, faults)
        elif seconds:
            await asyncio.sleep(seconds)
        refusal = self._refused_at_last(faults)
        if refusal is not None:
            return refusal
        try:
            reply = reply_to(self.body, prompt, self.model, faults)
        except ValueError as error:
            return self._refusal(400, str(error))
        usage = self._usage(prompt.tokens, reply)
        sent = self.wire.reply(Asked(self.name, self.body, self.model), reply, usage)
        if reply.fault is not None:
            self.tally.count(reply.fault)
        now = time.monotonic()
        self.tally.answered(now, usage.prompt + usage.completion, now - arrived - seconds)
        return _json(sent, headers=self.wire.headers(self._left(now)) if self.model.has_limits else None)

    def _refused_at_once(self, now: float) -> web.Response | None:
        """The refusal that takes no time and is not drawn."""
        model, own = self.model, self.tally.own
        if model.outage_after is not None and model.is_out(self._age(now)):
            self._abort("outages")
        if model.revoked_after is not None and own.ok >= model.revoked_after:
            return self._unauthorized()
        if model.reject_above is not None and own.in_flight > model.reject_above:
            self.tally.count("rate_limited")
            return self._refusal(429, "too many requests", {"Retry-After": f"{model.retry_after:g}"})
        return self._over_limit(now) if model.has_limits else None

    def _over_limit(self, now: float) -> web.Response | None:
        left = self._left(now)
        waits = [one.opens_in for one in left if not one.remaining]
        if not waits:
            self.tally.own.admitted.add(now, 1)
            return None
        self.tally.count("rate_limited")
        wait = {"Retry-After": f"{max(_SHORTEST_WAIT, *waits):g}"}
        return self._refusal(429, "rate limit reached", wait | self.wire.headers(left))

    def _left(self, now: float) -> list[Allowance]:
        return list(allowances(self.model, self.tally.own, now))

    def _refused_at_last(self, faults: RequestFaults) -> web.Response | None:
        """What comes of a request instead of a reply, after the time that this takes."""
        if faults.has("reset"):
            self._abort("resets")
        if faults.has("error"):
            self.tally.count("errors")
            return self._refusal(500, "simulated internal error")
        if self.model.revoked_after is not None and self.tally.own.ok >= self.model.revoked_after:
            return self._unauthorized()
        return None

    def _seconds(self, faults: RequestFaults) -> float:
        model = self.model
        is_slow = model.slow_after is not None and self.tally.own.requests > model.slow_after
        return faults.latency * (model.slow_factor if is_slow else 1)

    async def _pass(self, seconds: float, faults: RequestFaults) -> None:
        """Let time pass: to the reply, until the client has given up, or until an outage cuts the connection."""
        if faults.has("hang"):
            self.tally.count("hangs")
            await self._hang()
        if self.model.outage_after is None:
            await asyncio.sleep(seconds)
            return
        starts_in = self.model.outage_after - self._age(time.monotonic())
        is_cut = 0 <= starts_in < seconds and self.model.outage_seconds > 0
        await asyncio.sleep(starts_in if is_cut else seconds)
        if is_cut:
            self._abort("outages")

    async def _hang(self) -> NoReturn:
        while self.request.transport is not None and not self.state.is_closing:
            if self.model.is_out(self._age(time.monotonic())):
                self._abort("outages")
            await asyncio.sleep(_POLL_SECONDS)
        self._close()

    def _age(self, now: float) -> float:
        """Seconds since the model's first request."""
        first = self.tally.own.first_at
        return 0.0 if first is None else now - first

    def _abort(self, why: Counted) -> NoReturn:
        self.tally.count(why)
        self._close()

    def _close(self) -> NoReturn:
        if self.request.transport is not None:
            self.request.transport.abort()
        raise ConnectionResetError

    def _usage(self, asked: int, reply: Reply) -> Usage:
        model = self.model
        cached = round(asked * model.cached_share) if model.cached_share else 0
        return Usage(asked, reply.tokens + model.reasoning_tokens, cached, model.reasoning_tokens)

    def _unauthorized(self) -> web.Response:
        self.tally.count("unauthorized")
        return self._refusal(401, _REVOKED)

    def _refusal(self, status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
        return _json(self.wire.refusal(status, message), status, headers)


_OPENAI = OpenAIWire()
_EMBEDDINGS = EmbeddingsWire()
_IMAGES = ImagesWire()
_ANTHROPIC = AnthropicWire()
_VALIDATION = ValidationWire()


async def _chat(request: web.Request) -> web.StreamResponse:
    return await _visited(request, _OPENAI)


async def _embeddings(request: web.Request) -> web.StreamResponse:
    return await _visited(request, _EMBEDDINGS)


async def _images(request: web.Request) -> web.StreamResponse:
    return await _visited(request, _IMAGES)


async def _messages(request: web.Request) -> web.StreamResponse:
    return await _visited(request, _ANTHROPIC)


async def _validate(request: web.Request) -> web.StreamResponse:
    return await _visited(request, _VALIDATION)


async def _visited(request: web.Request, wire: Wire) -> web.StreamResponse:
    state = request.app[_STATE]
    arrived = time.monotonic()
    content = await _content_of(request)
    try:
        body = wire.read(content, request.headers)
        name = str(body.get("model", ""))
        visit = _Visit(request, state, wire, body, name, state.behaviour(name), state.tally(name))
    except ValueError as error:
        return _json(wire.refusal(400, str(error)), 400)
    visit.tally.arrive(arrived)
    try:
        return await visit.answer()
    except ConnectionResetError:
        # The connection is gone, so nobody gets this; the server would log an error for what was meant to happen.
        return web.Response(status=503)
    finally:
        left = time.monotonic()
        visit.tally.leave(left)
        if state.log is not None:
            times = {"arrived": arrived, "left": left}
            state.log.append({"model": name, **times, **_logged(request, body, content)})


async def _content_of(request: web.Request) -> bytes:
    """The body of a request; nothing where the client went away, as one that is killed does."""
    try:
        return await request.read()
    except ConnectionError:
        return b""


def _logged(request: web.Request, body: dict[str, object], content: bytes) -> dict[str, object]:
    """What is logged of a request: the beginning of its prompt, and all of it as it came."""
    return {
        "user": prompt_of(body).user[:200],
        "body": orjson.Fragment(content),
        "headers": {header.lower(): value for header, value in request.headers.items()},
    }


def _json(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json", headers=headers)


async def _models(_: web.Request) -> web.Response:
    return _json({"object": "list", "data": [{"id": "simulated", "object": "model"}]})


async def _stats(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    models = {name: tally.own.to_dict() for name, tally in state.by_model.items()}
    return _json({"total": state.total.to_dict(), "models": models})


async def _log(request: web.Request) -> web.Response:
    return _json(list(request.app[_STATE].log or ()))


async def _reset(request: web.Request) -> web.Response:
    request.app[_STATE].reset()
    return _json({})


async def _close(app: web.Application) -> None:
    app[_STATE].is_closing = True


@dataclass(frozen=True, slots=True)
class SimulatedServer:
    """A running server."""

    url: str
    """Base URL, ending in `/v1`."""
    runner: web.AppRunner

    async def close(self) -> None:
        """Stop it."""
        await self.runner.cleanup()


async def start_simulated(
    model: SimulatedModel, *, host: str = "127.0.0.1", port: int = 0, log: bool = False
) -> SimulatedServer:
    """Start the server on the running event loop; port 0 picks a free one. Raises OSError where it is taken."""
    app = web.Application(client_max_size=1 << 28)
    app[_STATE] = _State(model, deque(maxlen=_LOGGED) if log else None, Counts.within(model.rate_window))
    app.on_shutdown.append(_close)
    for base in ("/v1", _AZURE):
        app.router.add_post(f"{base}/chat/completions", _chat)
        app.router.add_post(f"{base}/embeddings", _embeddings)
        app.router.add_post(f"{base}/images/generations", _images)
    app.router.add_post("/v1/messages", _messages)
    app.router.add_post("/v1/validate", _validate)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/stats", _stats)
    app.router.add_get("/log", _log)
    app.router.add_post("/reset", _reset)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=4096)
    await site.start()
    bound = runner.addresses[0][1]
    return SimulatedServer(f"http://{host}:{bound}/v1", runner)


class SimulatedServerProcess:
    """The server in a process of its own, which ends with this one."""

    def __init__(self, model: SimulatedModel, *, host: str = "127.0.0.1", port: int = 0, log: bool = False) -> None:
        settings = {name: value for name, value in asdict(model).items() if value is not None}
        options = [f"--{name}={int(x) if isinstance(x, bool) else x}" for name, x in settings.items()]
        self._command = [
            sys.executable,
            "-m",
            "data_designer.simulated_model.server",
            f"--host={host}",
            f"--port={port}",
            *options,
            *(["--log"] if log else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start it; gives the base URL. Raises OSError where it does not come up."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode().strip()
        if not line:
            self.stop()
            raise OSError("the simulated model did not start; its words are above")
        return line

    def stop(self) -> None:
        """Stop it."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process = None


async def serve(model: SimulatedModel, *, host: str, port: int, log: bool, until_stdin_closes: bool) -> None:
    """Run the server until it is interrupted, or until whoever started it goes away."""
    server = await start_simulated(model, host=host, port=port, log=log)
    print(server.url, flush=True)  # noqa: T201 - the one line that the parent process reads
    try:
        if until_stdin_closes:
            await asyncio.to_thread(sys.stdin.buffer.read)
        else:
            await asyncio.Event().wait()
    finally:
        await server.close()


def main() -> None:
    """Run the server as a program."""
    import signal

    parser = argparse.ArgumentParser(description="An OpenAI-compatible endpoint that needs no model.")
    for option in fields(SimulatedModel):
        parser.add_argument(f"--{option.name}", type=READERS[option.name], default=option.default)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", action="store_true")
    given = vars(parser.parse_args())
    host, port, log = given.pop("host"), given.pop("port"), given.pop("log")
    # Ctrl-C is for whoever started it, which closes standard input when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(SimulatedModel(**given), host=host, port=port, log=log, until_stdin_closes=True))


if __name__ == "__main__":
    main()
