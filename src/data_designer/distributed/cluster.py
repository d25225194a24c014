"""Finds or starts a Ray, quietly, and shuts down only what it started."""

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from data_designer.errors import InvalidConfigError

LOOPBACK = "127.0.0.1"
_CLIENT = "ray://"
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
def connected(workers: int) -> Iterator[int]:
    """Be connected to Ray: to one that is initialised already, else at `RAY_ADDRESS`, else to a local one.

    Args:
        workers: CPU tasks that must be able to run at once on a Ray that is started here.

    Yields the number of CPUs there are, which on a Ray that is started here may be fewer than it was told.

    Raises:
        InvalidConfigError: it would be by Ray Client.
        ConnectionError: there is no Ray at `RAY_ADDRESS`.
    """
    refuse_client()
    if ray.is_initialized():
        yield _cpus()
        return
    os.environ.setdefault(_HEARD, "1")
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _connect(address)
    else:
        _start_local(workers)
    try:
        yield _cpus() if address else os.cpu_count() or 1
    finally:
        ray.shutdown()


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
    logger.info("ray=%s", address)


def _start_local(workers: int) -> None:
    added = {name: value for name, value in _QUIET.items() if name not in os.environ}
    os.environ.update(added)
    try:
        with warnings.catch_warnings():
            # Ray's own deprecations are no user's business.
            warnings.simplefilter("ignore")
            ray.init(
                address="local",
                num_cpus=max(os.cpu_count() or 1, workers),
                include_dashboard=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
    finally:
        for name in added:
            os.environ.pop(name, None)
    logger.info("ray=local cpus=%d", max(os.cpu_count() or 1, workers))


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
