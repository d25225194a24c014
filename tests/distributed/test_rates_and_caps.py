"""Limits hold over the processes of a Ray, by the count of the server that is asked.

What exactly they allow is shown in virtual time, in tests/engine/scheduling/test_rates_and_caps.py.
"""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import data_designer.config as dd
from data_designer.interface import DataDesigner, DatasetCreationResults

pytestmark = pytest.mark.usefixtures("local_ray")

SLOTS, CAP = 8, 6
"""Of each of two aliases, and of their provider."""
RECORDS = 30
PACED, FREE = "paced?rate_window=1", "free?latency=0.3"


def two_columns() -> dd.DataDesignerConfigBuilder:
    """A column of each alias, of which one may ask five times a second."""
    made = dd.DataDesignerConfigBuilder()
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    for model, rate in ((PACED, 300), (FREE, None)):
        alias = model.partition("?")[0]
        params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS, requests_per_minute=rate)
        made.add_model_config(
            dd.ModelConfig(alias=alias, model=model, provider="p", inference_parameters=params, skip_health_check=True)
        )
        made.add_column(name=f"by_{alias}", column_type="llm-text", model_alias=alias, prompt="about {{ id }}")
    return made


def make(url: str, path: Path, requests: int) -> DatasetCreationResults:
    """What a budget allows of the dataset, with two replicas of each alias; or what is left of it."""
    provider = dd.ModelProvider(name="p", endpoint=url, max_parallel_requests=CAP)
    designer = DataDesigner(path, model_providers=[provider], auto_configure_logging=False)
    budget = dd.Budget(requests=requests)
    designer.set_run_config(dd.RunConfig(executor="ray", seed=1, buffer_size=10, replicas_per_model=2, budget=budget))
    return designer.create(two_columns(), num_records=RECORDS, dataset_name="d", resume="if_possible")


def stats(url: str) -> dict[str, Any]:
    """What the server counted."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        counted: dict[str, Any] = json.loads(reply.read())
    return counted


def test_a_cap_a_rate_and_a_budget_hold_over_processes(simulated: str, tmp_path: Path) -> None:
    """Four replicas keep all three together; with a larger budget the rest is made, and nothing is paid twice."""
    stopped = make(simulated, tmp_path, 55)
    assert "of 55 requests" in (stopped.early_shutdown or "")
    assert stats(simulated)["total"]["requests"] <= 55
    resumed = make(simulated, tmp_path, 2 * RECORDS)
    assert resumed.outcomes.generated == RECORDS
    counted = stats(simulated)
    assert counted["total"]["requests"] == 2 * RECORDS
    assert counted["total"]["peak_in_flight"] <= CAP
    # A second holds ten, and more where they are held up on their way; all of them where nobody holds them back.
    assert counted["models"][PACED]["peak_requests_in_window"] <= 20
