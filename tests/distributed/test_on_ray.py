"""The same data on Ray as in one process, whatever dies."""

import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from pydantic import BaseModel

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


class Verdict(BaseModel):
    """A structured answer."""

    label: str
    score: int


def declared(url: str, slots: int = 16) -> tuple[dd.DataDesignerConfigBuilder, dd.ModelProvider]:
    """Samplers, a custom column, a chain of a text and a structured column, and an expression."""

    @dd.custom_column_generator(required_columns=["kind"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.005)  # long enough for a CPU task to be met running
        return {**row, "doubled": row["kind"] * 2}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=slots)
    models = [
        dd.ModelConfig(alias=alias, model=alias, provider="sim", inference_parameters=params)
        for alias in ("one", "two")
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["x", "y"]})
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(dd.CustomColumnConfig(name="doubled", generator_function=doubled))
    builder.add_column(name="text", column_type="llm-text", prompt="About {{ kind }} {{ id }}", model_alias="one")
    builder.add_column(
        name="verdict",
        column_type="llm-structured",
        prompt="Judge {{ text }} and {{ doubled }}",
        model_alias="two",
        output_format=Verdict,
    )
    builder.add_column(name="label", column_type="expression", expr="{{ verdict.label }}: {{ verdict.score }}")
    return builder, dd.ModelProvider(name="sim", endpoint=url)


def made(url: str, path: Path, records: int, *, slots: int = 16, **run: Any) -> pd.DataFrame:
    """A dataset of that declaration."""
    builder, provider = declared(url, slots)
    designer = DataDesigner(path, model_providers=[provider])
    designer.set_run_config(dd.RunConfig(**{"seed": 11, **run}))
    return designer.create(builder, num_records=records).load_dataset()


def stats(url: str) -> dict[str, Any]:
    """What the server counted."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        counted: dict[str, Any] = json.loads(reply.read())
    return counted


def kill(name: str, times: int) -> int:
    """Kill processes of Ray whose title begins with a name, one after another; says how many died."""
    killed = 0
    deadline = time.monotonic() + 20
    while killed < times and time.monotonic() < deadline:
        for process in psutil.process_iter(["cmdline"]):
            title = " ".join(process.info["cmdline"] or ())
            if title.startswith(name):
                process.kill()
                killed += 1
                threading.Event().wait(0.5)
                break
        threading.Event().wait(0.05)
    return killed


def test_same_seed_same_data_whatever_the_executor_workers_and_batches(tmp_path: Path) -> None:
    """Inline and Ray, batches of 25 and 100, 1 and 4 workers, 1 and 3 replicas: the same rows, in the same order."""
    model = SimulatedModel(malformed_rate=0.05, error_rate=0.02)
    with SimulatedServerProcess(model) as url:
        inline = made(url, tmp_path / "a", 100, executor="inline", buffer_size=100)
        small = made(url, tmp_path / "b", 100, executor="inline", buffer_size=25, non_inference_max_parallel_workers=1)
        ray = made(url, tmp_path / "c", 100, executor="ray", buffer_size=25, replicas_per_model=3)
    assert len(inline) == 100
    pd.testing.assert_frame_equal(inline, small)
    pd.testing.assert_frame_equal(inline, ray)


def test_slots_hold_across_replicas_by_the_servers_own_count(tmp_path: Path) -> None:
    """Three replicas an alias share 10 slots: the server never sees more than 10 requests of an alias at once."""
    with SimulatedServerProcess(SimulatedModel(latency=0.02, jitter=0.5)) as url:
        rows = made(url, tmp_path, 300, slots=10, executor="ray", buffer_size=50, replicas_per_model=3)
        counted = stats(url)
    assert len(rows) == 300
    assert counted["models"]["one"]["peak_in_flight"] == 10
    assert counted["models"]["two"]["peak_in_flight"] == 10


def test_a_relative_folder_means_the_drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers write where the driver's relative artifact path leads, not where they happen to run."""
    monkeypatch.chdir(tmp_path)
    with SimulatedServerProcess(SimulatedModel()) as url:
        rows = made(url, Path("here"), 20, executor="ray")
    assert len(rows) == 20
    assert (tmp_path / "here" / "dataset" / "metadata.json").is_file()


def test_killed_replicas_and_workers_cost_no_row_and_double_none(tmp_path: Path) -> None:
    """Replicas and CPU workers killed in the middle of a run: the rows of an undisturbed run, each once."""
    model = SimulatedModel(latency=0.15, jitter=0.3)
    with SimulatedServerProcess(model) as url:
        calm = made(url, tmp_path / "calm", 300, executor="inline", buffer_size=50)
        killed: list[int] = []
        killers = [
            threading.Thread(target=lambda: killed.append(kill("ray::ReplicaActor", 2))),
            threading.Thread(target=lambda: killed.append(kill("ray::_work", 1))),
        ]
        for killer in killers:
            killer.start()
        disturbed = made(url, tmp_path / "disturbed", 300, executor="ray", buffer_size=50, replicas_per_model=2)
        for killer in killers:
            killer.join()
    assert sorted(killed) == [1, 2]
    pd.testing.assert_frame_equal(calm, disturbed)
