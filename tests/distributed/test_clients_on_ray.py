"""Clients of the user on Ray: their functions travel to the replicas, and what cannot travel is named."""

import os
import threading
from pathlib import Path

import openai
import pytest
from tests.fakes import told

import data_designer.config as dd
from data_designer.errors import CodeDoesNotTravelError
from data_designer.interface import DataDesigner, DataDesignerGenerationError
from data_designer.plan.model import MakeClient

pytestmark = pytest.mark.usefixtures("local_ray")


def made(make: MakeClient, path: Path, records: int) -> int:
    """How many records a run on Ray makes through a client; each takes a while."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=4)
    asked = dd.ModelConfig(alias="m", model="gpt?latency=0.3", provider="azure", inference_parameters=params)
    builder = dd.DataDesignerConfigBuilder(model_configs=[asked])
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(name="text", column_type="llm-text", prompt="About {{ id }}", model_alias="m")
    designer = DataDesigner(path, clients={"azure": make})
    designer.set_run_config(dd.RunConfig(seed=1, executor="ray", replicas_per_model=2))
    return len(designer.create(builder, num_records=records).load_dataset())


def test_requests_of_replicas_go_through_the_client(simulated: str, tmp_path: Path) -> None:
    """All carry a token of the process that asks: this one until Ray is up, then the replicas."""
    base = simulated.removesuffix("/v1")

    def azure() -> openai.AsyncAzureOpenAI:
        async def token() -> str:
            return f"token-of-{os.getpid()}"

        return openai.AsyncAzureOpenAI(
            azure_endpoint=base, azure_deployment="gpt", api_version="2", azure_ad_token_provider=token
        )

    assert made(azure, tmp_path, 200) == 200
    sent = [str(one["headers"].get("authorization")) for one in told(simulated, "log")]
    assert len(sent) == 201
    assert all(one.startswith("Bearer token-of-") for one in sent)
    assert len(set(sent) - {f"Bearer token-of-{os.getpid()}"}) == 2


def test_what_cannot_travel_is_named(simulated: str, tmp_path: Path) -> None:
    """Such as a lock that the function captures."""
    lock = threading.Lock()

    def locked() -> openai.AsyncOpenAI:
        with lock:
            return openai.AsyncOpenAI(base_url=simulated, api_key="k")

    with pytest.raises(
        DataDesignerGenerationError, match="provider 'azure': client function .*locked captures 'lock'"
    ) as e:
        made(locked, tmp_path, 1)
    assert isinstance(e.value.__cause__, CodeDoesNotTravelError)
