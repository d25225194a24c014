"""Finds or starts a Ray, quietly, and shuts down only what it started."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import ray

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
        ConnectionError: there is no Ray at `RAY_ADDRESS`.
    """
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


def _cpus() -> int:
    """CPUs that the cluster says it has, at least one."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def held_bytes_budget() -> int:
    """Bytes of values that open batches may hold: a quarter of the object stores."""
    return int(ray.cluster_resources().get("object_store_memory", 1 << 30)) // 4
