"""Conversations on Ray: the replica of the first alias has those of the others ask."""

from pathlib import Path

import pandas as pd
import pytest
from tests.fakes import told

import data_designer.config as dd
from data_designer.interface import DataDesigner

pytestmark = pytest.mark.usefixtures("local_ray")

TURNS, RECORDS = 4, 40


def made(url: str, path: Path, executor: str) -> pd.DataFrame:
    """Dialogues of two roles with models of their own; each reply takes a while."""
    models = [
        dd.ModelConfig(
            alias=alias,
            model=f"{alias}?latency=0.3",
            provider="sim",
            inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=4),
        )
        for alias in ("one", "two")
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(
        name="talk",
        column_type="llm-conversation",
        roles=[
            {"name": "asker", "model_alias": "one", "prompt": "About {{ id }} {{ last }}"},
            {"name": "teller", "model_alias": "two", "prompt": "Answer {{ id }}: {{ last }}"},
        ],
        max_turns=TURNS,
    )
    designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="sim", endpoint=url)])
    run = {"replicas_per_model": 2} if executor == "ray" else {}
    designer.set_run_config(dd.RunConfig(seed=1, executor=executor, buffer_size=20, **run))
    return designer.create(builder, num_records=RECORDS).load_dataset()


def test_dialogues_of_two_models_come_out_as_in_one_process(simulated: str, tmp_path: Path) -> None:
    """Every turn is asked once, of the model of its role, within the slots of each."""
    on_ray = made(simulated, tmp_path / "ray", "ray")
    models = told(simulated, "stats")["models"]
    assert {name.partition("?")[0]: one["requests"] for name, one in models.items()} == {
        "one": TURNS // 2 * RECORDS + 1,
        "two": TURNS // 2 * RECORDS + 1,
    }
    assert all(one["peak_in_flight"] <= 4 for one in models.values())
    assert on_ray.equals(made(simulated, tmp_path / "inline", "inline"))
