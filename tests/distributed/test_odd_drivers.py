"""Drivers where Ray does not expect them: in a task that holds every CPU, in two threads, under a shutdown."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from tests.distributed.driving import joined
from tests.distributed.head import Head

import data_designer.config as dd
from data_designer.distributed import local_ray as local
from data_designer.distributed import tokens
from data_designer.distributed.jobs import Jobs
from data_designer.errors import DataDesignerGenerationError
from data_designer.interface import DataDesigner
from data_designer.interface.stored import StoredDataset


def designer(url: str, path: Path) -> DataDesigner:
    """Makes datasets on Ray."""
    made = DataDesigner(path, model_providers=[dd.ModelProvider(name="mine", endpoint=url)])
    made.set_run_config(dd.RunConfig(executor="ray", buffer_size=10, otel_metrics_port=None))
    return made


def declared(model: str = "m") -> dd.DataDesignerConfigBuilder:
    """A sampler and a text."""
    made = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model=model, provider="mine")])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="About {{ id }}")
    return made


def test_a_run_inside_of_a_task_that_holds_every_cpu_makes_its_dataset(
    local_ray: None, simulated: str, tmp_path: Path
) -> None:
    """Its own tasks need no CPU beside those that the task holds."""

    def drive() -> int:
        return designer(simulated, tmp_path).create(declared(), num_records=20).count_records()

    held = int(ray.cluster_resources()["CPU"])
    assert ray.get(ray.remote(num_cpus=held)(drive).remote(), timeout=120) == 20


def test_a_ray_that_is_started_here_listens_on_the_loopback_only(local_ray: None) -> None:
    """Whichever process of it."""
    roots = [psutil.Process(one.pid) for one in local._started if one.poll() is None]
    of_ray = [process for root in roots for process in (root, *root.children(recursive=True))]
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in of_ray
        if process.is_running()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]


def test_a_token_is_given_to_a_cluster_that_asks_for_one(
    beside: Head, simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever drives a run or watches jobs has not said that tokens are used; afterwards that is open again."""
    with tokens.as_before():
        monkeypatch.delenv("RAY_AUTH_MODE")
        with tokens.as_before():  # Ray reads the variable anew, and forgets the token that it has found.
            pass
        assert designer(simulated, tmp_path).create(declared(), num_records=20).count_records() == 20
        assert "RAY_AUTH_MODE" not in os.environ
        with pytest.raises(LookupError, match="there is no job 'none'"):
            Jobs(beside.address).status("none")


def test_runs_of_two_threads_end_with_a_sentence_when_ray_is_shut_down_under_them(
    clusters: None, simulated: str, tmp_path: Path
) -> None:
    """They share what the first has started, and what it was made of is completed without any Ray."""

    def run(name: str) -> Any:
        slow = declared("m?latency=0.2")
        with pytest.raises(DataDesignerGenerationError, match=r"Ray is gone: .* a resume makes the rest"):
            designer(simulated, tmp_path).create(slow, num_records=2000, dataset_name=name)
        return len(StoredDataset.at(tmp_path / name).verify().problems)

    with ThreadPoolExecutor(2) as threads, joined(2) as both:
        ends = [threads.submit(run, name) for name in ("one", "two")]
        assert both.wait(120)
        ray.shutdown()
        assert [end.result(60) for end in ends] == [0, 0]
    assert not ray.is_initialized()
