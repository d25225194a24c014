"""What a driver knows of the machines: where the most CPU is left."""

import pytest

from data_designer.engine.protocol.nodes import Nodes


@pytest.mark.parametrize(
    ("cpus", "homes", "emptiest"),
    [
        ({"a": 1, "b": 1}, ["a"], "b"),
        ({"a": 1, "b": 1}, ["a", "b", "b"], "a"),
        ({"a": 8, "b": 1}, ["a", "a", "b"], "a"),
        ({"a": 0, "b": 1}, ["b", "b"], "b"),
        ({"a": 0}, [], None),
    ],
)
def test_a_replica_goes_where_the_most_cpu_is_left(
    cpus: dict[str, int], homes: list[str], emptiest: str | None
) -> None:
    """By the replicas for each CPU; never where there is none, as on the head of many clusters."""
    nodes = Nodes(cpus)
    assert nodes.emptiest(homes) == emptiest
    assert nodes.all_cpus == sum(cpus.values())
