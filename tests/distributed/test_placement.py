"""Where replicas are put."""

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
def test_a_replica_is_where_its_resources_are(tmp_path: Path, local_ray: None) -> None:  # noqa: ARG001 - it is started
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
