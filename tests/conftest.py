"""What tests share: tiers, a simulated model, a counting endpoint and an object storage on the loopback, and a Ray."""

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from tests.loopback import forgetful
from tests.object_server import Bucket, FaultyWay, environment, faulty_way, object_server
from tests.tiers import Guard, Tier, tier_of

_GUARD = Guard()
sys.addaudithook(_GUARD)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Mark each test with its tier, and run the cheap tiers first, whatever order others give.

    So no test finds a Ray that another has left. Tests of one Ray stay in one process, where several run tests.
    """
    for item in items:
        tier = tier_of(item)
        item.add_marker(tier.mark)
        if tier >= Tier.RAY:
            item.add_marker(pytest.mark.xdist_group(_cluster_of(item)))
    yield
    items.sort(key=lambda item: (tier_of(item), _cluster_of(item) if tier_of(item) >= Tier.RAY else ""))


def _cluster_of(item: pytest.Item) -> str:
    names: list[str] = getattr(item, "fixturenames", [])
    return next((name for name in ("local_ray", "head") if name in names), item.nodeid.partition("::")[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Let a test do only what its fixtures say that it does."""
    with _GUARD.watching(tier_of(item)):
        yield


@pytest.fixture(scope="session")
def sockets() -> None:
    """Lets a test use sockets of the loopback."""


@pytest.fixture(scope="session")
def processes() -> None:
    """Lets a test start processes."""


@pytest.fixture(scope="session")
def clusters() -> None:
    """Lets a test start a Ray, or several."""


@pytest.fixture(scope="session")
def soak() -> None:
    """Lets a test take many minutes: only `make soak` runs it."""


@dataclass
class Reply:
    """What the endpoint does with one request."""

    text: str = "fine"
    status: int = 200
    seconds: float = 0.0


@dataclass
class CountingEndpoint:
    """An OpenAI-compatible endpoint that counts, and answers as a test tells it to."""

    behave: Callable[[str], Reply]
    url: str = ""
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    """(prompt, arrival, departure) of each request, on the machine's monotonic clock."""
    in_flight: int = 0
    peak: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    endpoint: ClassVar[Any] = None


@contextmanager
def serve(behave: Callable[[str], Reply]) -> Iterator[CountingEndpoint]:
    """Run a counting endpoint."""
    endpoint = CountingEndpoint(behave)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            """Answer a chat completion."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = next(m for m in body["messages"] if m["role"] == "user")["content"][0]["text"]
            arrived = time.monotonic()
            with endpoint.lock:
                endpoint.prompts.append(user)
                endpoint.bodies.append(body)
                endpoint.in_flight += 1
                endpoint.peak = max(endpoint.peak, endpoint.in_flight)
            reply = endpoint.behave(user)
            time.sleep(reply.seconds)
            with endpoint.lock:
                endpoint.in_flight -= 1
                endpoint.spans.append((user, arrived, time.monotonic()))
            self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            message = {"role": "assistant", "content": reply.text}
            good = {
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2},
            }
            data = json.dumps(good if reply.status == 200 else {"error": {"message": reply.text}}).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

    server = _Server(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def endpoint(sockets: None) -> Callable[[Callable[[str], Reply]], Any]:
    """Start counting endpoints, each as a context manager."""
    return serve


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Processes that tests start can be interrupted, even where whoever runs the tests ignores Ctrl-C for them."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the home files of whoever runs it."""
    monkeypatch.setenv("DATA_DESIGNER_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture(scope="session")
def local_ray(clusters: None) -> Iterator[None]:
    """A Ray of this machine, started once for all tests that need one."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from data_designer.distributed.cluster import connected

        with connected(4):
            yield


@pytest.fixture(scope="session")
def _simulated_model(sockets: None) -> Iterator[str]:
    """The simulated model in a thread of this process."""
    started: "Future[str]" = Future()
    ended = threading.Event()

    async def run() -> None:
        from data_designer.models.simulated import SimulatedModel, start_simulated

        server = await start_simulated(SimulatedModel(), log=True)
        started.set_result(server.url)
        await asyncio.to_thread(ended.wait)
        await server.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    yield started.result(30)
    ended.set()
    thread.join()


@pytest.fixture
def simulated(_simulated_model: str) -> str:
    """Address of the simulated model, which has been asked for nothing yet."""
    return forgetful(_simulated_model)


@pytest.fixture(scope="session")
def storage(processes: None) -> Iterator[str]:
    """An object storage of this machine, started once for all tests that need one; its URL."""
    with object_server() as url:
        yield url


@pytest.fixture
def bucket(storage: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of the test's own, to which the environment leads."""
    for name, value in environment(storage).items():
        monkeypatch.setenv(name, value)
    return Bucket.made(storage)


@pytest.fixture
def way(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyWay]:
    """A way to the bucket that fails as it is told; the environment leads along it."""
    with faulty_way(bucket.server) as faulty:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty.url)
        yield faulty
