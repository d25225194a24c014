"""Where replicas are put, and where they find what this process serves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import data_designer.config as dd
from data_designer.errors import DataDesignerError
from data_designer.interface import DataDesigner


def test_resources_of_an_alias_that_nobody_asks_are_a_mistake(tmp_path: Path) -> None:
    """It is said before a Ray is started, with the aliases that there are."""
    built = dd.DataDesignerConfigBuilder(
        model_configs=[dd.ModelConfig(alias="writer", model="m", provider="simulated")]
    )
    built.add_column(name="text", column_type="llm-text", model_alias="writer", prompt="hi")
    designer = DataDesigner(tmp_path)
    designer.set_run_config(dd.RunConfig(executor="ray", replica_resources={"wirter": {"near_gpu": 1}}))
    with pytest.raises(DataDesignerError, match="replica_resources names wirter, .* asks are writer"):
        designer.create(built, num_records=5, dataset_name="d")


@pytest.mark.ray
def test_a_replica_is_where_its_resources_are(tmp_path: Path, local_ray: None) -> None:
    """A resource that the first node of every Ray has is asked for, and the run works."""
    built = dd.DataDesignerConfigBuilder(
        model_configs=[dd.ModelConfig(alias="writer", model="m", provider="simulated")]
    )
    built.add_column(name="text", column_type="llm-text", model_alias="writer", prompt="hi")
    designer = DataDesigner(tmp_path)
    designer.set_run_config(
        dd.RunConfig(executor="ray", replica_resources={"writer": {"node:__internal_head__": 0.001}})
    )
    assert designer.create(built, num_records=5, dataset_name="d").outcomes.generated == 5


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("", "127.0.0.1"),
        ("local", "127.0.0.1"),
        ("127.0.0.1:6379", "127.0.0.1"),
        ("ray://127.0.0.1:10001", "127.0.0.1"),
    ],
)
def test_a_cluster_of_this_machine_needs_its_loopback_only(address: str, own: str) -> None:
    """Nothing is served where others could ask it."""
    assert _own_address_elsewhere(address) == own


def _own_address_elsewhere(address: str) -> str:
    """In a process that is not connected to any Ray."""
    code = "from data_designer.distributed.cluster import own_address; print(own_address())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RAY_ADDRESS": address},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_on_a_cluster_a_server_of_the_driver_is_at_the_driver_s_address() -> None:
    """The one that this machine has towards the cluster, which is not the loopback where it has another."""
    code = "import ray; print(ray.util.get_node_ip_address())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert _own_address_elsewhere(f"{found}:6379") == found
    assert _own_address_elsewhere("auto") == found
