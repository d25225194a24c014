"""Where replicas are put, and where they find what this process serves."""

from pathlib import Path

import pytest
import ray

import data_designer.config as dd
from data_designer.distributed.cluster import own_address
from data_designer.errors import DataDesignerError
from data_designer.interface import DataDesigner, DatasetCreationResults


def made(url: str, path: Path, **resources: dict[str, float]) -> DatasetCreationResults:
    """A dataset on Ray, with replicas that need something each."""
    built = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="writer", model="m", provider="mine")])
    built.add_column(name="text", column_type="llm-text", model_alias="writer", prompt="hi")
    designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="mine", endpoint=url)])
    designer.set_run_config(dd.RunConfig(executor="ray", replica_resources=resources))
    return designer.create(built, num_records=5, dataset_name="d")


def test_resources_of_an_alias_that_nobody_asks_are_a_mistake(simulated: str, tmp_path: Path) -> None:
    """It is said before a Ray is started, with the aliases that there are."""
    with pytest.raises(
        DataDesignerError, match="replica_resources names the model alias 'wirter', .* did you mean 'writer'"
    ):
        made(simulated, tmp_path, wirter={"near_gpu": 1})


def test_a_replica_is_where_its_resources_are(simulated: str, tmp_path: Path, local_ray: None) -> None:
    """A resource that the first node of every Ray has is asked for, and the run works."""
    results = made(simulated, tmp_path, writer={"node:__internal_head__": 0.001})
    assert results.outcomes.generated == 5


@pytest.mark.parametrize("address", ["", "local", "127.0.0.1:6379", "ray://127.0.0.1:10001"])
def test_a_cluster_of_this_machine_needs_its_loopback_only(
    sockets: None, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Nothing is served where others could ask it, by a process that is not connected to any Ray."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert own_address() == "127.0.0.1"


@pytest.mark.parametrize("address", ["{}:6379", "auto"])
def test_on_a_cluster_a_server_of_the_driver_is_at_the_driver_s_address(
    sockets: None, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """The one that this machine has towards the cluster, which is not the loopback where it has another."""
    own = ray.util.get_node_ip_address()
    monkeypatch.setenv("RAY_ADDRESS", address.format(own))
    assert own_address() == own
