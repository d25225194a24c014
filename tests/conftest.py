"""What tests share: tiers, a simulated model, a counting endpoint and an object storage on the loopback, and a Ray."""

import asyncio
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future

import pytest
from tests import properties  # noqa: F401 - its profile holds for every test
from tests.counting import Endpoint, serve
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
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, Tier, str]:
    """Tests of the Ray that this process has come last of all: nobody else is to find it."""
    tier = tier_of(item)
    return "local_ray" in _fixtures(item), tier, _cluster_of(item) if tier >= Tier.RAY else ""


def _cluster_of(item: pytest.Item) -> str:
    names = _fixtures(item)
    return next((name for name in ("local_ray", "head") if name in names), item.nodeid.partition("::")[0])


def _fixtures(item: pytest.Item) -> list[str]:
    names: list[str] = getattr(item, "fixturenames", [])
    return names


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Let its fixtures do only what the test says that it does."""
    with _GUARD.watching(tier_of(item)):
        yield


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


@pytest.fixture(scope="session")
def endpoint(sockets: None) -> Endpoint:
    """Start counting endpoints, each as a context manager."""
    return serve


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Processes that tests start can be interrupted, even where whoever runs the tests ignores Ctrl-C for them."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_ray_of_others(request: pytest.FixtureRequest) -> None:
    """No run picks up a Ray that an earlier test has started in this process; one that came too late is waited for."""
    ray, cluster = sys.modules.get("ray"), sys.modules.get("data_designer.distributed.cluster")
    if cluster is not None and cluster._shared is not None and cluster._shared.is_lost:
        cluster._shared.wait()
    assert ray is None or "local_ray" in request.fixturenames or not ray.is_initialized()


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
    started: Future[str] = Future()
    ended = threading.Event()

    async def run() -> None:
        from data_designer.simulated_model.server import SimulatedModel, start_simulated

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
