"""Whether every node reads and writes the dataset's files, seen before anything is asked."""

import asyncio
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data_designer.engine.files import Files
from data_designer.engine.lock import lock_name
from data_designer.engine.recording import Dataset
from data_designer.errors import ArtifactStorageError

_PATIENCE = 60.0
"""Seconds in which a node has to answer; one that does not is busy or going, and is not what this looks for."""


def _trouble(files: Files, run: int) -> str | None:
    """What a node has against the dataset that a run has locked; None where there is nothing."""
    probe = f".{ray.get_runtime_context().get_node_id()}.probe"
    try:
        if not files.exists(lock_name(run)):
            return "what the driver has written is not there"
        files.write(probe, b"")
        files.remove(probe)
    except OSError as error:
        return str(error)
    return None


_trouble_there: Any = ray.remote(num_cpus=0, max_retries=0)(_trouble)


async def check_reach(dataset: Dataset) -> None:
    """Make sure that all nodes of the cluster see the same files.

    Raises:
        ArtifactStorageError: a node does not; it is named.
    """
    nodes = [node for node in await asyncio.to_thread(ray.nodes) if node["Alive"]]
    if len(nodes) > 1:  # A node by itself is the one that the driver is on.
        await asyncio.gather(*(_check(node, dataset) for node in nodes))


async def _check(node: dict[str, Any], dataset: Dataset) -> None:
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    answer = _trouble_there.options(scheduling_strategy=there).remote(dataset.files, dataset.run)
    try:
        trouble = await asyncio.to_thread(ray.get, answer, timeout=_PATIENCE)
    except RayTaskError as error:
        trouble = f"{type(error.cause).__name__}: {error.cause}"
    except (GetTimeoutError, RayError):
        return
    if trouble is not None:
        raise ArtifactStorageError(
            f"node {node['NodeManagerAddress']} does not reach the dataset {dataset.files}: {trouble}; give an "
            "artifact_path that every node reads and writes: a folder that they share, or s3://…"
        )
