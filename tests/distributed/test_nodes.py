"""The same dataset on several nodes as in one process, also when nodes are lost, are drained and join."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.distributed.chain import SLOTS, declared
from tests.distributed.driving import Driven, batches, meanwhile
from tests.distributed.head import Head
from tests.distributed.pacing import Pacing

import data_designer.config as dd
from data_designer.errors import ArtifactStorageError
from data_designer.interface import DataDesigner

Endpoint = Callable[..., Any]

RECORDS, BATCH = 160, 20
SOON = 2 * (2 * BATCH + SLOTS)
"""Requests after which a batch is sure to be complete."""
WIDE = 260
"""Slots of a model that has two replicas where there are CPUs for them."""


def make(url: str, path: Path, **run: Any) -> pd.DataFrame:
    """The dataset."""
    designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="mine", endpoint=url)])
    designer.set_run_config(dd.RunConfig(seed=11, buffer_size=BATCH, otel_metrics_port=None, **run))
    return designer.create(declared("mine"), num_records=RECORDS, dataset_name="d").load_dataset()


@pytest.fixture(scope="module")
def undisturbed(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The dataset as one process makes it."""
    with endpoint(Pacing()) as model:
        return make(model.url, tmp_path_factory.mktemp("inline"), executor="inline")


def homes() -> list[str]:
    """The node of each replica that lives."""
    import ray

    actors = ray._private.state.actors()  # the public API needs the dashboard
    return [
        one["Address"]["NodeID"]
        for one in actors.values()
        if one["State"] == "ALIVE" and one["ActorClassName"] == "ReplicaActor"
    ]


def peak(spans: list[tuple[str, float, float]], begins: str) -> int:
    """The most requests that were in flight at once, of those whose prompts begin so."""
    mine = [(arrived, left) for prompt, arrived, left in spans if prompt.startswith(begins)]
    moments = sorted([(arrived, 1) for arrived, _ in mine] + [(left, -1) for _, left in mine])
    now = most = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def test_a_node_that_is_lost_costs_no_row(
    beside: Head, endpoint: Endpoint, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    """Replicas are on all three; one of them is killed with all its processes in the middle."""
    nodes, pace = beside.have(2), Pacing()
    pace.slow_after(SOON)

    def lose(run: Driven) -> None:
        try:
            run.wait(lambda: batches(tmp_path / "d") > 0, "a batch")
            run.wait(lambda: len(set(homes())) == 3, "a replica on each node")
            beside.kill(nodes[0])
        finally:
            pace.hurry()

    with endpoint(pace) as model, meanwhile(lose):
        rows = make(model.url, tmp_path, executor="ray", replicas_per_model=3)
    pd.testing.assert_frame_equal(rows, undisturbed)


def test_a_node_that_is_silent_until_it_is_given_up_costs_no_row(
    beside: Head, endpoint: Endpoint, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    """As one that is cut off and comes back: what it held is done elsewhere, at no time with more than the slots."""
    nodes, pace = beside.have(2), Pacing(seconds=5.0)
    pace.slow_after(SOON)
    silent = nodes[0]

    def silence(run: Driven) -> None:
        try:
            run.wait(lambda: batches(tmp_path / "d") > 0, "a batch")
            run.wait(lambda: silent.name in homes(), "a replica on the node that is to be silent")
            with beside.frozen(silent):
                run.wait(lambda: beside.has_lost(silent), "Ray's word that it is gone")
            run.wait(lambda: silent.process.poll() is not None, "the end of what has come back")
        finally:
            pace.hurry()
            beside.kill(silent)

    with endpoint(pace) as model, meanwhile(silence):
        rows = make(model.url, tmp_path, executor="ray", replicas_per_model=3)
    pd.testing.assert_frame_equal(rows, undisturbed)
    asked = Counter(prompt for prompt in model.prompts if prompt.startswith(("About", "On")))
    assert len(asked) == 2 * RECORDS
    assert asked.total() <= len(asked) + 2 * SLOTS
    assert 0 < peak(model.spans, "About") <= SLOTS
    assert 0 < peak(model.spans, "On") <= SLOTS


def test_a_node_that_is_drained_costs_no_row_and_no_request(
    beside: Head, endpoint: Endpoint, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    """Its replicas leave before it is taken away; nothing is asked twice, and slots stay a cap for all nodes."""
    nodes, pace = beside.have(2), Pacing()
    pace.slow_after(SOON)
    going = nodes[0]

    def drain(run: Driven) -> None:
        try:
            run.wait(lambda: batches(tmp_path / "d") > 0, "a batch")
            run.wait(lambda: going.name in homes(), "a replica on the node that goes")
            beside.drain(going)
            run.wait(lambda: going.name not in homes(), "the leaving of its replicas")
            beside.end(going)
        finally:
            pace.hurry()

    with endpoint(pace) as model, meanwhile(drain):
        rows = make(model.url, tmp_path, executor="ray", replicas_per_model=3)
    pd.testing.assert_frame_equal(rows, undisturbed)
    asked = Counter(prompt for prompt in model.prompts if prompt.startswith(("About", "On")))
    assert (len(asked), set(asked.values())) == (2 * RECORDS, {1})
    assert 0 < peak(model.spans, "About") <= SLOTS
    assert 0 < peak(model.spans, "On") <= SLOTS


def computing(ran: Path, slow: Path) -> dd.DataDesignerConfigBuilder:
    """Prompts that cost CPU for a model with slots for two replicas, and a function that tells where it runs.

    Args:
        ran: a folder in which it leaves the names of nodes.
        slow: a file; while it is there, the function takes longer than the model.
    """

    @dd.custom_column_generator(required_columns=["id"])
    def where(row: dict[str, Any]) -> dict[str, Any]:
        import ray

        (ran / ray.get_runtime_context().get_node_id()).touch()
        if slow.exists():
            time.sleep(0.05)
        return {**row, "where": "there"}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=WIDE)
    model = dd.ModelConfig(alias="wide", model="wide?latency=0.05", provider="mine", inference_parameters=params)
    built = dd.DataDesignerConfigBuilder(model_configs=[model])
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="where", generator_function=where))
    labour = 4 * "{% for a in range(40000) %}{% endfor %}"
    built.add_column(name="text", column_type="llm-text", prompt=labour + "On {{ id }}", model_alias="wide")
    return built


def test_a_node_that_joins_gets_what_the_others_are_too_slow_for(beside: Head, simulated: str, tmp_path: Path) -> None:
    """CPU tasks, and a replica where the one there is needs all of its CPU; never more requests than slots."""
    beside.have(0)
    ran, slow = tmp_path / "ran", tmp_path / "slow"
    ran.mkdir()

    def help_and_stop(run: Driven) -> None:
        try:
            run.wait(lambda: batches(tmp_path / "d") > 0, "a batch")
            node = beside.join().name
            run.wait(lambda: node in homes() and len(homes()) > 1, "a replica on the node that has joined")
            slow.touch()
            run.wait((ran / node).exists, "a task on the node that has joined")
            slow.unlink()
        finally:
            run.interrupt()  # There are more records than there is time for.

    designer = DataDesigner(tmp_path, model_providers=[dd.ModelProvider(name="mine", endpoint=simulated)])
    few = {"buffer_size": BATCH, "max_concurrent_row_groups": 2 * WIDE // BATCH}
    designer.set_run_config(dd.RunConfig(seed=11, executor="ray", otel_metrics_port=None, **few))
    with meanwhile(help_and_stop):
        results = designer.create(computing(ran, slow), num_records=100_000, dataset_name="d")
    assert results.load_dataset()["id"].is_unique
    with urllib.request.urlopen(simulated.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        models = json.loads(reply.read())["models"]
    assert [0 < one["peak_in_flight"] <= WIDE for one in models.values()] == [True]


def why_no_mounts() -> str | None:
    """Why this machine gives no process a file system of its own; None where it does."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "this needs root and the program `unshare`"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip() or None


@pytest.mark.skipif(why_no_mounts() is not None, reason=f"no node can have files of its own: {why_no_mounts()}")
def test_a_node_that_does_not_share_the_folder_is_named_before_anything_is_made(
    beside: Head, endpoint: Endpoint, tmp_path: Path
) -> None:
    """Its batches would be missing, and nobody would know where they are."""
    apart = tmp_path / "apart"
    apart.mkdir()
    mount = f"mount -t tmpfs none '{apart}' && exec \"$@\""
    node = beside.join("unshare", "--mount", "sh", "-c", mount, "sh")
    try:
        with (
            endpoint(Pacing()) as model,
            pytest.raises(ArtifactStorageError, match="what the driver has written is not there") as caught,
        ):
            make(model.url, apart, executor="ray")
    finally:
        beside.end(node)
    assert len(model.prompts) == 2  # greetings
    assert f"does not reach the dataset {apart / 'd'}" in str(caught.value)
