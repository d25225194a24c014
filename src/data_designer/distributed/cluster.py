"""Finds or starts a Ray, which all runs of this process share, and shuts down only what it started."""

import atexit
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import ray
from ray._private import ray_constants

from data_designer.distributed import tokens
from data_designer.distributed.connection import in_use, session
from data_designer.distributed.local_ray import dead_part, kill_local, quiet, shut_down, start_local

LOOPBACK = "127.0.0.1"
_END_SECONDS = 60.0
"""How long a Ray may take to be shut down."""
_LOOK_SECONDS = 0.5
_GIVEN_SECONDS = 5.0
"""How long runs may take to end once a part of Ray has died."""
_SEVERAL = 2
"""Nodes of a cluster whose processes are not all on this machine."""

logger = logging.getLogger(__name__)

_HEARD = "RAY_IGNORE_UNHANDLED_ERRORS"
"""Every error of a task is heard of by its summary; Ray would print it once more for the values beside."""


class _Connection:
    """A connection to Ray that runs share: made for the first of them, ended with the last.

    It is started and shut down by a thread of its own. On Linux the processes of a local Ray end with the thread that
    has started them, and in the main thread Ray would take SIGTERM for itself.

    Args:
        workers: CPU tasks that must be able to run at once on a Ray that is started here.
        before: the one before it, which has to be gone first.
    """

    def __init__(self, workers: int, before: "_Connection | None" = None) -> None:
        self.cpus: Future[int] = Future()
        self.cpus.set_running_or_notify_cancel()  # Whoever awaits it may be cancelled, it may not.
        self.runs = 0
        """How many use it."""
        self._workers = workers
        self._before = before
        self._session: object = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="data-designer-ray", daemon=True)
        # A process may end while it is in use, left by whoever is to leave it.
        atexit.register(self._end_with_process)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Whether it has not come up, or was ended."""
        if not self.cpus.done() or self._over.is_set():
            return self._over.is_set()
        return self.cpus.exception() is not None or self._session is None or session() is not self._session

    @property
    def is_alive(self) -> bool:
        """Whether anything of it is left."""
        return self._thread.is_alive()

    @property
    def is_mine(self) -> bool:
        """Whether what this process is connected to, if anything, is this connection or comes of it."""
        return self.is_alive and session() in (None, self._session)

    def end(self) -> None:
        """End it; one that has not come up ends by itself as soon as it has, and nobody waits for that."""
        self._over.set()
        if self.cpus.done():
            self._thread.join(_END_SECONDS)

    def _end_with_process(self) -> None:
        """The process ends: it is not held up by a Ray that has not come up, of which nothing is left either."""
        self.end()
        if self.is_alive:
            atexit.unregister(ray.shutdown)  # It would wait for what is being killed.
            kill_local()

    def _wait_for_end(self) -> None:
        """Return when it is over. Where a part of it dies, runs see that and end it, unless Ray holds them up."""
        part, left = None, _GIVEN_SECONDS
        while not self._over.wait(_LOOK_SECONDS):
            part = part or dead_part()
            left -= _LOOK_SECONDS if part else 0
            if part and left <= 0:
                logger.error("Ray is gone: %s; it ends this process within a minute, and a resume makes the rest", part)
                kill_local()
                self._over.wait()

    def wait(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _keep(self) -> None:
        """Connect, and shut down what was started or connected when it is over."""
        try:
            if self._before is not None:
                self._before.wait()
                self._before = None
            with tokens.as_before():
                try:
                    cpus = _connect_or_start(self._workers, lambda: not self._over.is_set())
                    self._session = session()
                    if not self._over.is_set():
                        self.cpus.set_result(cpus)
                        self._wait_for_end()
                finally:
                    if session() is self._session:  # Else it is the user's, who has shut this one down.
                        shut_down()
        except BaseException as error:  # noqa: BLE001 - it is raised by whoever awaits the CPUs
            if not self.cpus.done():
                self.cpus.set_exception(error)
        atexit.unregister(self._end_with_process)


_lock = threading.Lock()
_shared: _Connection | None = None


@contextmanager
def connecting(workers: int, *, is_kept: bool = False) -> Iterator["Future[int]"]:
    """Come to be connected to Ray: to one that is initialised already, else at `RAY_ADDRESS`, else to a local one.

    Runs of several threads share what the first of them has connected to or started.

    Args:
        workers: CPU tasks that must be able to run at once on a Ray that is started here.
        is_kept: whether it stays for whoever comes next, until `let_go`.

    Yields what will be the number of CPUs there are, which on a Ray that is started here may be fewer than it was
    told. It raises ConnectionError where there is no Ray at `RAY_ADDRESS`. One that is not awaited is shut down as
    soon as it is there.

    Raises:
        InvalidConfigError: it would be by Ray Client.
    """
    shared = _join(workers)
    try:
        with in_use():
            if shared is None:
                there: Future[int] = Future()
                there.set_result(_cpus())
                yield there
            else:
                yield shared.cpus
    finally:
        if shared is not None:
            _leave(shared, is_kept=is_kept)


def _join(workers: int) -> _Connection | None:
    """The connection that is shared; None where the user has connected this process."""
    global _shared  # noqa: PLW0603 - a process has one connection to Ray
    with _lock:
        before = None
        if _shared is not None and _shared.is_lost:
            before, _shared = _shared, None
            before.end()
        if _shared is None and (not ray.is_initialized() or (before is not None and before.is_mine)):
            _shared = _Connection(workers, before)
        if _shared is not None:
            _shared.runs += 1
        return _shared


def _leave(shared: _Connection, *, is_kept: bool) -> None:
    """End a connection with its last run; it is still there, for who comes next to wait until it has gone."""
    with _lock:
        shared.runs -= 1
        if not shared.runs and not is_kept:
            shared.end()


def let_go() -> None:
    """End a connection that was kept, unless somebody uses it."""
    with _lock:
        if _shared is not None and not _shared.runs:
            _shared.end()


@contextmanager
def connected(workers: int) -> Iterator[int]:
    """Be connected to Ray, as by `connecting`. Yields the number of CPUs there are."""
    with connecting(workers) as cpus:
        yield cpus.result()


def _connect_or_start(workers: int, wanted: Callable[[], bool]) -> int:
    """Connect at `RAY_ADDRESS`, else start a Ray. Gives the number of CPUs there are."""
    os.environ.setdefault(_HEARD, "1")
    # Its handler of SIGTERM, also where it has called the one before, aborts the process three seconds later.
    ray_constants.RAY_DISABLE_FAILURE_SIGNAL_HANDLER = True
    address, own = os.environ.get("RAY_ADDRESS"), os.cpu_count() or 1
    if address:
        _connect(address)
        logger.info("ray=%s", address)
        return _cpus()
    start_local(max(own, workers), wanted)
    if wanted():
        logger.info("ray=local cpus=%d", max(own, workers))
    return own


def _connect(address: str) -> None:
    tokens.give_where_asked(address)
    try:
        with quiet():
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError as error:
        raise ConnectionError(
            f"there is no Ray to be reached at RAY_ADDRESS={address}: {error}; check the address, and where that "
            "cluster uses token authentication (Ray's default) give its token by RAY_AUTH_TOKEN or ~/.ray/auth_token"
        ) from error


def own_address() -> str:
    """The address at which the nodes of the cluster reach this machine; the loopback where it is the only one."""
    address = os.environ.get("RAY_ADDRESS", "")
    if ray.is_initialized():
        if sum(node["Alive"] for node in ray.nodes()) < _SEVERAL:
            return LOOPBACK
        address = ray.get_runtime_context().gcs_address
    if address in ("", "local"):
        return LOOPBACK
    host = address.rpartition("://")[2].rpartition(":")[0]
    if not host:  # `auto`: a Ray that was started on this machine, wherever its other nodes are.
        return str(ray.util.get_node_ip_address())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((host, 1))  # Nothing is sent: it only says by which of its addresses this machine would send.
        return str(way.getsockname()[0])


def _cpus() -> int:
    """CPUs that the cluster says it has, at least one."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def held_bytes_budget() -> int:
    """Bytes of values that open batches may hold: a quarter of the object stores."""
    return int(ray.cluster_resources().get("object_store_memory", 1 << 30)) // 4
