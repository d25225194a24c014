"""Finds or starts a Ray, quietly, and shuts down only what it started."""

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray._private import ray_constants, services

from data_designer.errors import InvalidConfigError

LOOPBACK = "127.0.0.1"
_CLIENT = "ray://"
_started: "list[subprocess.Popen[bytes]]" = []
"""Processes of the Ray that was started here."""
_END_SECONDS = 60.0
"""How long a Ray may take to be shut down."""
_GIVEN_UP_SECONDS = 3.0
"""How long it is waited for where it has not come up; what comes up later is shut down then."""
_SEVERAL = 2
"""Nodes of a cluster whose processes are not all on this machine."""

logger = logging.getLogger(__name__)

_QUIET = {
    # Nothing leaves the machine unless the user turned it on.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers run in the environment that the driver runs in.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Workers start when there is work for them, so that none compete with the replicas for the first seconds.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_HEARD = "RAY_IGNORE_UNHANDLED_ERRORS"
"""Every error of a task is heard of by its summary; Ray would print it once more for the values beside."""


@contextmanager
def connecting(workers: int) -> Iterator["Future[int]"]:
    """Come to be connected to Ray: to one that is initialised already, else at `RAY_ADDRESS`, else to a local one.

    It is started and shut down by a thread of its own. On Linux the processes of a local Ray end with the thread that
    has started them, and in the main thread Ray would take SIGTERM for itself.

    Args:
        workers: CPU tasks that must be able to run at once on a Ray that is started here.

    Yields what will be the number of CPUs there are, which on a Ray that is started here may be fewer than it was
    told. It raises ConnectionError where there is no Ray at `RAY_ADDRESS`. One that is not awaited is shut down as
    soon as it is there.

    Raises:
        InvalidConfigError: it would be by Ray Client.
    """
    refuse_client()
    cpus: Future[int] = Future()
    cpus.set_running_or_notify_cancel()  # Whoever awaits it may be cancelled, it may not.
    if ray.is_initialized():
        cpus.set_result(_cpus())
        yield cpus
        return
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(workers, cpus, over), name="data-designer-ray", daemon=True)

    def end() -> None:
        over.set()
        thread.join(_END_SECONDS)

    # A process may end while it is in here, left by whoever is to leave this.
    atexit.register(end)
    thread.start()
    try:
        yield cpus
    finally:
        over.set()
        thread.join(_END_SECONDS if cpus.done() else _GIVEN_UP_SECONDS)
        if not thread.is_alive():
            atexit.unregister(end)


@contextmanager
def connected(workers: int) -> Iterator[int]:
    """Be connected to Ray, as by `connecting`. Yields the number of CPUs there are."""
    with connecting(workers) as cpus:
        yield cpus.result()


def _keep(workers: int, cpus: "Future[int]", over: threading.Event) -> None:
    """Connect, and shut down what was started or connected when it is over."""
    os.environ.setdefault(_HEARD, "1")
    # Its handler of SIGTERM, also where it has called the one before, aborts the process three seconds later.
    ray_constants.RAY_DISABLE_FAILURE_SIGNAL_HANDLER = True
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _connect(address)
        else:
            _start_local(max(os.cpu_count() or 1, workers))
        if not over.is_set():
            logger.info("ray=%s", address or f"local cpus={max(os.cpu_count() or 1, workers)}")
            cpus.set_result(_cpus() if address else os.cpu_count() or 1)
            over.wait()
    except BaseException as error:  # noqa: BLE001 - it is raised by whoever awaits the CPUs
        cpus.set_exception(error)
    finally:
        ray.shutdown()
        _started.clear()


def refuse_client() -> None:
    """Raise InvalidConfigError for Ray Client, whose calls all go over one connection that may break."""
    address = os.environ.get("RAY_ADDRESS", "")
    if address.startswith(_CLIENT) or (ray.is_initialized() and ray.util.client.ray.is_connected()):
        raise InvalidConfigError(
            f"a run cannot be driven by Ray Client ({address or _CLIENT}): run the script on a node of the cluster "
            "with RAY_ADDRESS=HOST:6379, or send it there with `data-designer submit`"
        )


def _connect(address: str) -> None:
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError as error:
        raise ConnectionError(
            f"there is no Ray to be reached at RAY_ADDRESS={address}: {error}; check the address, and where that "
            "cluster uses token authentication (Ray's default) set RAY_AUTH_MODE=token and give its token"
        ) from error


def _start_local(cpus: int) -> None:
    added = {name: value for name, value in _QUIET.items() if name not in os.environ}
    os.environ.update(added)
    try:
        with warnings.catch_warnings(), _grouped_apart():
            # Ray's own deprecations are no user's business.
            warnings.simplefilter("ignore")
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _grouped_apart() -> Iterator[None]:
    """What Ray starts is no part of this process's group, and is kept in `_started`.

    A signal to the group, such as a scheduler's or that of `timeout`, is for this process, which ends Ray when it may.
    """
    popen = services.ConsolePopen
    # Elsewhere Ray itself makes a group, and ends what is in it when this process is gone.
    apart = {"process_group": 0} if sys.platform == "linux" else {}

    def start(*command: Any, **settings: Any) -> Any:
        process = popen(*command, **settings, **apart)
        _started.append(process)
        return process

    services.ConsolePopen = start
    try:
        yield
    finally:
        services.ConsolePopen = popen


def kill_local() -> None:
    """Kill what is there of a Ray that was started here: for a process that ends without shutting it down."""
    import psutil  # Ray's own, where there is no other.

    for process in _started:
        if process.poll() is None:
            one = psutil.Process(process.pid)
            for part in [*one.children(recursive=True), one]:
                with suppress(psutil.NoSuchProcess):
                    part.kill()


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
