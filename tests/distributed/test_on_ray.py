"""The same data on Ray as in one process, whatever dies."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from pydantic import BaseModel
from tests.counting import Reply
from tests.distributed.driving import Driven, batches, joined, meanwhile
from tests.distributed.pacing import Pacing
from tests.loopback import forgetful
from tests.replies import Gathering

import data_designer.config as dd
from data_designer.engine.protocol.slot_time import Account
from data_designer.interface import DataDesigner

pytestmark = pytest.mark.usefixtures("local_ray")

Endpoint = Callable[..., Any]

VERDICT = '```json\n{"label": "good", "score": 1}\n```'
"""A structured answer that fits."""


class Verdict(BaseModel):
    """A structured answer."""

    label: str
    score: int


def declared(held: Path, slots: int, model: str) -> dd.DataDesignerConfigBuilder:
    """Samplers, a custom column, a chain of a text and a structured column, and an expression.

    Args:
        held: a file; while it is there, the custom column is not done.
        slots: of each model.
        model: how each behaves.
    """

    @dd.custom_column_generator(required_columns=["kind"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        while held.exists():
            time.sleep(0.01)
        return {**row, "doubled": row["kind"] * 2}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=slots)
    models = [
        dd.ModelConfig(alias=alias, model=f"{alias}?{model}", provider="sim", inference_parameters=params)
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
    return builder


def made(url: str, path: Path, records: int, *, slots: int = 16, model: str = "", **run: Any) -> pd.DataFrame:
    """A dataset of that declaration."""
    designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="sim", endpoint=url)])
    designer.set_run_config(dd.RunConfig(**{"seed": 11, **run}))
    return designer.create(declared(path / "held", slots, model), num_records=records).load_dataset()


def kill(title: str) -> bool:
    """Kill a process of this Ray, and of no other, whose title begins so; says whether there was one."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if " ".join(process.cmdline()).startswith(title):
                process.kill()
                return True
    return False


def test_same_seed_same_data_whatever_the_executor_workers_and_batches(simulated: str, tmp_path: Path) -> None:
    """Inline and Ray, batches of 25 and 100, 1 and 4 workers, 1 and 3 replicas: the same rows, in the same order."""
    ways = {
        "a": {"executor": "inline", "buffer_size": 100},
        "b": {"executor": "inline", "buffer_size": 25, "non_inference_max_parallel_workers": 1},
        "c": {"executor": "ray", "buffer_size": 25, "replicas_per_model": 3},
    }
    model = "malformed_rate=0.05&error_rate=0.02"
    inline, *others = (
        made(forgetful(simulated), tmp_path / name, 100, model=model, **run) for name, run in ways.items()
    )
    assert len(inline) == 100
    for other in others:
        pd.testing.assert_frame_equal(inline, other)


def test_every_slot_second_is_accounted_for(endpoint: Endpoint, tmp_path: Path) -> None:
    """From before Ray joins to after the last row: slots ask at least for as long as the server has their requests."""
    run = {"executor": "ray", "buffer_size": 20, "replicas_per_model": 2, "seed": 1}
    with endpoint(lambda _: Reply(VERDICT, seconds=0.1)) as counted, joined():
        designer = DataDesigner(tmp_path, model_providers=[dd.ModelProvider(name="sim", endpoint=counted.url)])
        designer.set_run_config(dd.RunConfig(**run))
        accounts = designer.create(declared(tmp_path / "held", 4, ""), num_records=200).accounts
    assert accounts is not None
    assert accounts.executor == "ray"
    for one in accounts.aliases.values():
        assert sum(one.seconds.values()) == pytest.approx(one.slot_seconds, rel=0.01)
    spans = sum(end - begin for prompt, begin, end in counted.spans if prompt.startswith(("About", "Judge")))
    assert sum(one.seconds[Account.ASKING] for one in accounts.aliases.values()) >= 0.99 * spans
    assert {name: one.cells for name, one in accounts.columns.items()} == dict.fromkeys(
        ("kind", "id", "doubled", "text", "verdict"), 200
    )
    assert accounts.columns["text"].latency.count == 200


def test_slots_hold_across_replicas_by_the_servers_own_count(endpoint: Endpoint, tmp_path: Path) -> None:
    """Three replicas an alias share 10 slots: the server sees 10 requests of an alias at once, and never more."""
    full = Gathering(10, {"About": "a text", "Judge": VERDICT})
    with endpoint(full) as counted:
        run = {"executor": "ray", "buffer_size": 50, "replicas_per_model": 3}
        rows = made(counted.url, tmp_path, 200, slots=10, **run)
    assert len(rows) == 200
    assert full.most == {"About": 10, "Judge": 10}


def test_a_relative_folder_means_the_drivers(simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers write where the driver's relative artifact path leads, not where they happen to run."""
    monkeypatch.chdir(tmp_path)
    assert len(made(simulated, Path("here"), 20, executor="ray")) == 20
    assert (tmp_path / "here" / "dataset" / "metadata.json").is_file()


def verdict(prompt: str) -> str:
    """A reply that fits the text column and the structured one."""
    made = {"label": sha256(prompt.encode()).hexdigest(), "score": len(prompt)}
    return f"```json\n{json.dumps(made)}\n```"


def test_killed_replicas_and_workers_cost_no_row_and_double_none(endpoint: Endpoint, tmp_path: Path) -> None:
    """A CPU worker in a task, then two replicas with requests: the rows of an undisturbed run, each once."""
    pace, held = Pacing(verdict), tmp_path / "disturbed" / "held"

    def disturb(run: Driven) -> None:
        try:
            run.wait(lambda: kill("ray::_work"), "a worker")
            held.unlink()
            run.wait(lambda: batches(tmp_path / "disturbed" / "dataset") > 0, "a batch")
            for _ in range(2):
                before = len(model.prompts)
                run.wait(lambda before=before: len(model.prompts) > before, "a request")
                run.wait(lambda: kill("ray::ReplicaActor"), "a replica")
        finally:
            held.unlink(missing_ok=True)
            pace.hurry()

    with endpoint(pace) as model:
        calm = made(model.url, tmp_path / "calm", 120, executor="inline", buffer_size=20)
        held.parent.mkdir()
        held.touch()
        pace.slow_after(len(calm))
        with meanwhile(disturb):
            disturbed = made(
                model.url, tmp_path / "disturbed", len(calm), executor="ray", buffer_size=20, replicas_per_model=2
            )
    pd.testing.assert_frame_equal(calm, disturbed)
