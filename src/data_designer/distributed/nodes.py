"""The nodes of the cluster: their CPUs, and which of them are about to leave."""

from collections.abc import Callable, Mapping

import ray

from data_designer.engine.nodes import Nodes


def look() -> Nodes | None:
    """What Ray knows of its nodes; None while it does not answer. It blocks, so call it in a thread."""
    try:
        leaving = frozenset(_draining()())
        alive = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    except Exception:  # noqa: BLE001 - whatever keeps Ray from answering, the run goes on without it
        return None
    cpus = {name: int(resources.get("CPU", 0)) for name, resources in alive.items() if name not in leaving}
    return Nodes(cpus, leaving)


def _draining() -> Callable[[], Mapping[str, int]]:
    """Gives the nodes that an autoscaler has said it will take away, to when; none where Ray has no word for that.

    Ray's libraries ask the same way, and its public API has no other.
    """
    state = ray._private.state.state  # noqa: SLF001
    return getattr(state, "get_draining_nodes", dict)
