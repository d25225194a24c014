"""The simulated model: an OpenAI-compatible server on the loopback that answers without a model.

It is the demo's model, the tests' model and the user's dry run. The same prompt gets the same reply, whoever
asks and whenever; it misbehaves as told, by chance that depends only on its seed, the prompt and how often
that prompt was asked before.
"""

import argparse
import asyncio
import hashlib
import math
import re
import subprocess
import sys
import time
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from data_designer.models.chance import Chance
from data_designer.models.instances import Instances

_LANGUAGE = re.compile(r"fence[^\n]*?\b(?:labelled|tagged|named|language|with)?[^\n`]*?`([a-z+]+)`", re.IGNORECASE)
_REMEMBERED = 200_000
"""Prompts whose number of askings is remembered."""
_LOGGED = 50_000
_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """How the simulated model behaves. Any field may be overridden in a model's name: `sim?latency=0.05`."""

    seed: int = 0
    latency: float = 0.0
    """Mean seconds to a reply."""
    jitter: float = 0.0
    """Spread of the latency: a share for `uniform` (0.5 is plus or minus half), sigma for `lognormal`."""
    jitter_kind: str = "uniform"
    error_rate: float = 0.0
    """Share of requests answered with HTTP 500."""
    malformed_rate: float = 0.0
    """Share of replies that do not have the form that was asked for."""
    reset_rate: float = 0.0
    """Share of requests whose connection is closed without an answer."""
    reject_above: int | None = None
    """Answer 429 when more requests than this are in flight."""
    retry_after: float = 1.0
    """Seconds that a 429 asks to wait."""
    output_tokens: int = 40
    """About how long replies in prose are."""

    def __post_init__(self) -> None:
        if self.jitter_kind not in ("uniform", "lognormal"):
            raise ValueError(f"jitter_kind is uniform or lognormal, not '{self.jitter_kind}'")


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    ok: int = 0
    errors: int = 0
    malformed: int = 0
    resets: int = 0
    rate_limited: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    first_at: float | None = None
    last_at: float = 0.0
    area: float = 0.0
    """Integral of the requests in flight over time."""
    changed_at: float = 0.0
    lateness: float = 0.0
    """Seconds by which replies left later than their latency says: how busy the server itself was."""

    def change(self, now: float, by: int) -> None:
        """A request came (+1) or went (-1)."""
        if self.first_at is None:
            self.first_at = self.changed_at = now
        self.area += self.in_flight * (now - self.changed_at)
        self.changed_at = self.last_at = now
        self.in_flight += by
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the mean number in flight between the first request and the last reply."""
        span = self.last_at - (self.first_at or 0.0)
        return {
            **asdict(self),
            "mean_in_flight": self.area / span if span > 0 else 0.0,
            "mean_lateness": self.lateness / self.ok if self.ok else 0.0,
            "span": span,
        }


@dataclass(slots=True)
class _State:
    model: SimulatedModel
    log: deque[dict[str, Any]] | None
    total: _Counts = field(default_factory=_Counts)
    by_model: dict[str, _Counts] = field(default_factory=dict)
    asked: "OrderedDict[bytes, int]" = field(default_factory=OrderedDict)
    named: dict[str, SimulatedModel] = field(default_factory=dict)

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
            known = self.named[name] = _overridden(self.model, name)
        return known


def _overridden(model: SimulatedModel, name: str) -> SimulatedModel:
    """Raises ValueError for a setting that is no number or a spread of no known kind."""
    kinds = {f.name: type(getattr(model, f.name)) for f in fields(model)}
    changes: dict[str, Any] = {}
    for key, value in parse_qsl(name.partition("?")[2]):
        if key in kinds:
            kind = int if key == "reject_above" else kinds[key]
            try:
                changes[key] = kind(value)
            except ValueError:
                raise ValueError(f"model '{name}': {key} is no {kind.__name__}") from None
    return replace(model, **changes)


# --- replies ---------------------------------------------------------------------------------------------


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content or () if isinstance(block, dict))


def _prompt(body: dict[str, Any]) -> tuple[str, str]:
    """System text and first user message: what a reply depends on, so that a restart gets the same one."""
    system, user = "", ""
    for message in body.get("messages", ()):
        if message.get("role") == "system" and not system:
            system = _content(message)
        elif message.get("role") == "user" and not user:
            user = _content(message)
    return system, user


def reply_text(body: dict[str, Any], seed: int, output_tokens: int) -> str:
    """The reply to a request, in the form it asks for: prose, a JSON instance of a schema, or code."""
    system, user = _prompt(body)
    chance = Chance(hashlib.blake2b(f"{seed}\0{system}\0{user}".encode()).digest())
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema", {})
        return orjson.dumps(_instances(orjson.dumps(schema)).make(chance)).decode()
    asked = _schema(user)
    if asked is not None:
        made = asked.make(chance)
        return f"```json\n{orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()}\n```"
    language = _LANGUAGE.search(user)
    if language:
        return f"```{language.group(1)}\n{_code(language.group(1), chance)}\n```"
    return "Hello! How can I help?" if user == "Hello!" else _prose(user, chance, output_tokens)


@lru_cache(maxsize=1000)
def _instances(schema: bytes) -> Instances:
    return Instances(orjson.loads(schema))


def _schema(user: str) -> Instances | None:
    """The JSON schema that the prompt ends with, where it does; earlier mentions of the tag are prose."""
    start = user.rfind("<response_schema>")
    end = user.find("</response_schema>", start)
    if start < 0 or end < 0:
        return None
    try:
        return _instances(user[start + len("<response_schema>") : end].encode())
    except orjson.JSONDecodeError:
        return None


def _code(language: str, chance: Chance) -> str:
    name = "_".join(chance.words(2).split())
    if language == "python":
        return (
            f'def {name}(value: int) -> int:\n    """Return a multiple of the value."""\n'
            f"    return value * {chance.below(90) + 2}"
        )
    if language == "sql":
        return f"SELECT id, name FROM {name} WHERE id > {chance.below(100)}"  # noqa: S608 - it is a reply, not a query
    return f"// {name}\n{name}({chance.below(100)});"


def _prose(user: str, chance: Chance, output_tokens: int) -> str:
    about = re.findall(r"[A-Za-z]{6,}", user[:2000])[:40] or ["this"]
    sentences = []
    length = 0
    while length < output_tokens * 4:
        verb = chance.choice(("brings", "keeps", "shows", "holds"))
        sentence = f"The {chance.words(2)} of {chance.choice(about)} {verb} {chance.words(4)}."
        sentences.append(sentence)
        length += len(sentence) + 1
    return " ".join(sentences)


# --- the server ------------------------------------------------------------------------------------------


class _Draw:
    """Chance of one request: what goes wrong with it, and how long it takes."""

    def __init__(self, model: SimulatedModel, prompt: bytes, ordinal: int) -> None:
        digest = hashlib.blake2b(prompt, salt=ordinal.to_bytes(8), person=(model.seed % (1 << 64)).to_bytes(8)).digest()
        self._draws = [int.from_bytes(digest[i : i + 6]) / (1 << 48) for i in range(0, 30, 6)]
        self.reset = self._draws[0] < model.reset_rate
        self.error = self._draws[1] < model.error_rate
        self.malformed = self._draws[2] < model.malformed_rate
        self.seconds = self._latency(model)

    def _latency(self, model: SimulatedModel) -> float:
        if not model.latency or not model.jitter:
            return model.latency
        if model.jitter_kind == "uniform":
            return model.latency * (1 + model.jitter * (2 * self._draws[3] - 1))
        # Box-Muller; the mean of exp(sigma z) is exp(sigma^2 / 2).
        normal = math.sqrt(-2 * math.log(1 - self._draws[3])) * math.cos(2 * math.pi * self._draws[4])
        return model.latency * math.exp(model.jitter * normal - model.jitter**2 / 2)


_STATE = web.AppKey("state", _State)


async def _content_of(request: web.Request) -> bytes:
    """The body of a request; nothing where the client went away, as one that is killed does."""
    try:
        return await request.read()
    except ConnectionError:
        return b""


async def _chat(request: web.Request) -> web.StreamResponse:
    state = request.app[_STATE]
    arrived = time.monotonic()
    try:
        body = _read(await _content_of(request))
        name = str(body.get("model", ""))
        model = state.behaviour(name)
    except ValueError as error:
        return _refusal(400, str(error))
    # Kept for the whole request, so that one that outlasts a reset is not subtracted from the new counts.
    counted = (state.total, state.by_model.setdefault(name, _Counts()))
    for some in counted:
        some.requests += 1
        some.change(arrived, 1)
    try:
        return await _answer(request, model, body, counted)
    finally:
        left = time.monotonic()
        for some in counted:
            some.change(left, -1)
        if state.log is not None:
            user = _prompt(body)[1]
            state.log.append({"model": name, "arrived": arrived, "left": left, "user": user[:200]})


def _read(content: bytes) -> dict[str, Any]:
    """The request's body. Raises ValueError for one that is no chat completion request."""
    body = orjson.loads(content)
    if isinstance(body, dict):
        messages = body.get("messages")
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            return body
    raise ValueError("the body must be an object with a list of messages")


async def _answer(
    request: web.Request, model: SimulatedModel, body: dict[str, Any], counted: tuple[_Counts, _Counts]
) -> web.StreamResponse:
    arrived = time.monotonic()
    if model.reject_above is not None and counted[1].in_flight > model.reject_above:
        _count(counted, "rate_limited")
        return _refusal(429, "too many requests", {"Retry-After": f"{model.retry_after:g}"})
    name = str(body.get("model", ""))
    system, user = _prompt(body)
    prompt = hashlib.blake2b(f"{name}\0{system}\0{user}".encode(), digest_size=16).digest()
    draw = _Draw(model, prompt, request.app[_STATE].ordinal(prompt))
    if draw.seconds:
        await asyncio.sleep(draw.seconds)
    if draw.reset:
        _count(counted, "resets")
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError
    if draw.error:
        _count(counted, "errors")
        return _refusal(500, "simulated internal error")
    try:
        text = reply_text(body, model.seed, model.output_tokens)
    except ValueError as error:
        return _refusal(400, str(error))
    if draw.malformed:
        _count(counted, "malformed")
        text = _broken(text)
    reply = _json(_completion(name, text, len(system) + len(user)))
    _count(counted, "ok")
    _count(counted, "lateness", time.monotonic() - arrived - draw.seconds)
    return reply


def _count(counted: tuple[_Counts, _Counts], what: str, by: float = 1) -> None:
    for some in counted:
        setattr(some, what, getattr(some, what) + by)


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"error": {"message": message}}, status, headers)


def _broken(text: str) -> str:
    """Half a JSON object, or nothing at all where prose was asked for."""
    return text.replace("```", "")[: len(text) // 2] if text.startswith("```") else ""


def _completion(model: str, text: str, prompt_length: int) -> dict[str, Any]:
    asked, answered = -(-prompt_length // 4), -(-len(text) // 4)
    return {
        "id": "simulated",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
    }


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json", headers=headers)


async def _models(_: web.Request) -> web.Response:
    return _json({"object": "list", "data": [{"id": "simulated", "object": "model"}]})


async def _stats(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    models = {name: counts.to_dict() for name, counts in state.by_model.items()}
    return _json({"total": state.total.to_dict(), "models": models})


async def _log(request: web.Request) -> web.Response:
    return _json(list(request.app[_STATE].log or ()))


async def _reset(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    state.total, state.by_model = _Counts(), {}
    state.asked.clear()
    if state.log is not None:
        state.log.clear()
    return _json({})


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
    app[_STATE] = _State(model, deque(maxlen=_LOGGED) if log else None)
    app.router.add_post("/v1/chat/completions", _chat)
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

    def __init__(self, model: SimulatedModel, *, port: int = 0, log: bool = False) -> None:
        options = [f"--{name}={value}" for name, value in asdict(model).items() if value is not None]
        self._command = [
            sys.executable,
            "-m",
            "data_designer.models.simulated",
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
        default = option.default
        kind = int if option.name == "reject_above" else type(default)
        parser.add_argument(f"--{option.name}", type=kind, default=default)
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
