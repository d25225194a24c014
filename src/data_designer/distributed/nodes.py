"""The nodes of the cluster: their CPUs, which of these are free, and which nodes are about to leave."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import ray

from data_designer.engine.protocol.nodes import Nodes


def look() -> Nodes | None:
    """What Ray knows of its nodes; None while it does not answer. It blocks, so call it in a thread."""
    try:
        leaving = frozenset(_draining()())
        alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    except Exception:  # noqa: BLE001 - whatever keeps Ray from answering, the run goes on without it
        return None
    cpus = {name: int(resources.get("CPU", 0)) for name, resources in alive.items() if name not in leaving}
    lacks = ""
    with suppress(Exception):  # What is said of a wait is not worth more than the look itself.
        lacks = lacking(sum(resources.get("CPU", 0) for resources in alive.values()), _free(), _queued)
    return Nodes(cpus, leaving, lacks)


def lacking(cpus: float, free: float, queued: Callable[[], int]) -> str:
    """What keeps work that asks for a CPU from being placed, and what helps; nothing where there is room.

    Args:
        cpus: that there are.
        free: the most that are free on one node.
        queued: gives how many tasks and actors wait for some, of whatever run; is called where that matters.
    """
    if not cpus:
        return "this Ray has no CPU at all: start it with some (num_cpus), or let nodes with CPUs join"
    if free >= 1 or not (number := queued()):
        return ""
    return (
        f"no CPU of this Ray is free: all {cpus:g} are held by tasks and actors, and {number} more wait for one; end "
        "some of them, have them hold fewer (num_cpus), or let nodes join"
    )


def _free() -> float:
    nodes: dict[str, dict[str, float]] = ray._private.state.available_resources_per_node()  # noqa: SLF001
    return max((resources.get("CPU", 0.0) for resources in nodes.values()), default=0.0)


def _queued() -> int:
    """How many tasks and actors ask for CPUs that nobody has given them, of whatever run."""
    usage = ray._private.worker.global_worker.gcs_client.get_all_resource_usage()  # noqa: SLF001
    load = usage.resource_usage_data.resource_load_by_shape.resource_demands
    queued = (
        one.num_ready_requests_queued + one.num_infeasible_requests_queued for one in load if one.shape.get("CPU")
    )
    return sum(map(int, queued))


def _draining() -> Callable[[], Mapping[str, int]]:
    """Gives the nodes that an autoscaler has said it will take away, to when; none where Ray has no word for that.

    Ray's libraries ask the same way, and its public API has no other.
    """
    state = ray._private.state.state  # noqa: SLF001
    return getattr(state, "get_draining_nodes", dict)
