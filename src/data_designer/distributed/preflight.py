"""Whether every node can do its part, seen before anything is asked: it has the dataset's files, and the code."""

import asyncio
from collections.abc import Mapping

import ray
from ray import ObjectRef, cloudpickle
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data_designer.columns.plugin_columns import plugin_violations
from data_designer.config.column_configs import BUILT_IN_COLUMNS
from data_designer.distributed.executor import in_thread, within
from data_designer.engine.dataset.files import try_out
from data_designer.engine.execution.recording import Dataset
from data_designer.errors import ArtifactStorageError, CodeDoesNotTravelError, DataDesignerError
from data_designer.plan.model import Plan

_PATIENCE = 20.0
"""Seconds in which a node has to answer; one that does not is busy or going, and is not what this looks for."""


def _trouble(dataset: Dataset, packed: bytes, address: str) -> DataDesignerError | None:
    """What a node has against a plan and the dataset that its run has locked; None where there is nothing."""
    if lacking := _lacking(packed):
        return CodeDoesNotTravelError(
            f"node {address} cannot make what is planned: {lacking}; install there what is installed here"
        )
    try:
        if dataset.is_reached():
            try_out(dataset.files, ray.get_runtime_context().get_node_id())
            return None
        trouble = "what the driver has written is not there"
    except OSError as error:
        trouble = str(error)
    return ArtifactStorageError(
        f"node {address} does not reach the dataset {dataset.files}: {trouble}; give an artifact_path that every "
        "node reads and writes: a folder that they share, or s3://…"
    )


def _lacking(packed: bytes) -> str | None:
    """What this process has not got of the code that a plan needs; None where it has all."""
    try:
        plan: Plan = cloudpickle.loads(packed)
    except (ImportError, AttributeError) as error:  # The second where another version of a package is installed.
        return str(error)
    of_plugins = [column for column in plan.config.columns if type(column) not in BUILT_IN_COLUMNS]
    return next((message for column in of_plugins for message in plugin_violations(column)), None)


_trouble_there = ray.remote(num_cpus=0, max_retries=0)(_trouble)


async def check_nodes(dataset: Dataset, packed: bytes) -> None:
    """Make sure that all nodes of the cluster see the same files, and have the packages that a plan needs.

    Raises:
        ArtifactStorageError: a node does not see them; it is named.
        CodeDoesNotTravelError: a node has not got a package; both are named.
    """
    nodes = [node for node in await in_thread(ray.nodes) if node["Alive"]]
    if len(nodes) > 1:  # A node by itself is the one that the driver is on.
        plan = ray.put(packed)
        await asyncio.gather(*(_check(node, dataset, plan) for node in nodes))


async def _check(node: Mapping[str, str], dataset: Dataset, plan: ObjectRef) -> None:
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    task = _trouble_there.options(scheduling_strategy=there)
    try:
        answer = task.remote(dataset, plan, node["NodeManagerAddress"])
        trouble = await within(_PATIENCE, asyncio.wrap_future(answer.future()))
    except RayTaskError as error:
        raise error.cause from None
    except (TimeoutError, RayError):
        return
    if trouble is not None:
        raise trouble
