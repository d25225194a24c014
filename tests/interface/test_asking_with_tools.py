"""Functions whose models call tools: what comes of it, what is kept, and what is refused."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.fakes import designer, model, numbered, told
from tests.tool_server import called, provider, wait_for_none

import data_designer.config as dd
from data_designer.interface import DataDesignerGenerationError, DatasetCreationResults

pytestmark = pytest.mark.usefixtures("processes")

RECORDS, TURNS, AT_ONCE = 12, 2, 2
MODEL = f"sim?tool_turns={TURNS}&tool_calls={AT_ONCE}"
CALLS = RECORDS * TURNS * AT_ONCE
"""Of each of two models."""
REQUESTS = RECORDS * (TURNS + 1)
ASKS: Any = {"required_columns": ["n"], "side_effect_columns": ["roles"], "model_aliases": ["a", "b"]}


def roles(*traces: Any) -> str:
    """Who spoke in some conversations."""
    return " ".join(message.role for trace in traces for message in trace)


@dd.custom_column_generator(**ASKS)
def waiting(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
    """Two models, one after the other, each of which calls tools."""
    first, one = models["a"].generate(f"first {row['n']}", tool_alias="tools")
    second, other = models["b"].generate(f"second {row['n']}", tool_alias="tools")
    return {**row, "x": first + second, "roles": roles(one, other)}


@dd.custom_column_generator(**ASKS)
async def awaiting(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
    """The same on the loop, at the same time."""
    (first, one), (second, other) = await asyncio.gather(
        models["a"].agenerate(f"first {row['n']}", tool_alias="tools"),
        models["b"].agenerate(f"second {row['n']}", tool_alias="tools"),
    )
    return {**row, "x": first + second, "roles": roles(one, other)}


@dd.custom_column_generator(**ASKS)
def together(df: pd.DataFrame, generator_params: None, models: dict[str, Any]) -> pd.DataFrame:
    """The same for a batch, from threads."""

    def said(alias: str, prompts: list[str]) -> list[Any]:
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(lambda prompt: models[alias].generate(prompt, tool_alias="tools"), prompts))

    one, other = said("a", [f"first {n}" for n in df["n"]]), said("b", [f"second {n}" for n in df["n"]])
    df["x"] = [first + second for (first, _), (second, _) in zip(one, other, strict=True)]
    df["roles"] = [roles(first, second) for (_, first), (_, second) in zip(one, other, strict=True)]
    return df


WAYS: dict[str, Callable[..., Any]] = {"waiting": waiting, "awaiting": awaiting, "together": together}
ways = pytest.mark.parametrize("way", WAYS)


def declared(function: Callable[..., Any], **config: Any) -> dd.DataDesignerConfigBuilder:
    """A column of a function, and a tool config."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[model("a", MODEL), model("b", MODEL)],
        tool_configs=[dd.ToolConfig(**{"tool_alias": "tools", "providers": ["tools"], "timeout_sec": 30.0, **config})],
    )
    builder.with_seed_dataset(numbered())
    whole = function is together
    strategy = dd.GenerationStrategy.FULL_COLUMN if whole else dd.GenerationStrategy.CELL_BY_CELL
    return builder.add_column(
        dd.CustomColumnConfig(name="x", generator_function=function, generation_strategy=strategy)
    )


def make(url: str, path: Path, folder: Path, way: str, resume: str = "never", **run: Any) -> DatasetCreationResults:
    """The dataset, with a server that adds."""
    run = {"buffer_size": 4, **run}
    return designer(url, path, [provider(folder, "add")], **run).create(
        declared(WAYS[way]), num_records=RECORDS, dataset_name="d", resume=resume
    )


def asked(url: str) -> int:
    """Requests that the models got."""
    return len(told(url, "log"))


@ways
def test_models_of_functions_call_tools(simulated: str, tmp_path: Path, way: str) -> None:
    """Each call is made once, stands in the trace, and counts under the column and its alias."""
    results = make(simulated, tmp_path, tmp_path, way)
    turn = ["assistant", *["tool"] * AT_ONCE]
    once = ["user", *turn * TURNS, "assistant"]
    made = results.load_dataset()
    assert set(made["roles"]) == {" ".join(2 * once)}
    assert len(called(tmp_path)) == 2 * CALLS
    assert asked(simulated) == 2 * REQUESTS
    used = {name: one.usage for name, one in results.outcomes.columns.items()}
    assert {name: (one.requests, one.tool_calls, one.tool_turns) for name, one in used.items()} == {
        "x": (REQUESTS, CALLS, RECORDS * TURNS),
        "x (b)": (REQUESTS, CALLS, RECORDS * TURNS),
    }
    assert wait_for_none(tmp_path) == []


@ways
def test_a_run_that_is_resumed_calls_nothing_again(simulated: str, tmp_path: Path, way: str) -> None:
    """A budget of requests stops the run; with a larger one it goes on, and comes to the same rows."""
    whole = make(simulated, tmp_path / "whole", tmp_path, way).load_dataset()
    earlier, before = asked(simulated), len(called(tmp_path))
    with suppress(DataDesignerGenerationError):  # No record may be whole.
        make(simulated, tmp_path, tmp_path, way, budget=dd.Budget(requests=REQUESTS))
    assert 0 < len(called(tmp_path)) - before < 2 * CALLS
    results = make(simulated, tmp_path, tmp_path, way, "always", budget=dd.Budget(requests=2 * REQUESTS))
    assert results.load_dataset().equals(whole)
    assert len(called(tmp_path)) - before == 2 * CALLS
    assert asked(simulated) - earlier == 2 * REQUESTS


def test_an_alias_that_is_not_declared_is_named_with_those_that_are(simulated: str, tmp_path: Path) -> None:
    """By the reason of the row: what a function says is known when it runs."""

    @dd.custom_column_generator(required_columns=["n"], model_aliases=["a"])
    def wrong(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
        row["x"] = models["a"].generate("p", tool_alias="tool")[0] if row["n"] else "fine"
        return row

    run = designer(simulated, tmp_path, [provider(tmp_path, "add")], disable_early_shutdown=True)
    results = run.create(declared(wrong), num_records=2)
    [reason] = results.load_rejected()["message"]
    assert (
        "raised MCPConfigurationError for record 1: tool alias 'tool' is not declared; tool configs: 'tools'" in reason
    )
    assert called(tmp_path) == []


def test_a_server_that_is_not_given_is_named_before_anything_is_asked(simulated: str, tmp_path: Path) -> None:
    """Any tool config may be the one that a function names."""
    with pytest.raises(DataDesignerGenerationError, match="names provider 'other', which is not given"):
        designer(simulated, tmp_path, [provider(tmp_path, "add")]).create(
            declared(waiting, providers=["other"]), num_records=2
        )
    assert asked(simulated) == 0


def test_tools_decide_what_a_function_comes_to(tmp_path: Path) -> None:
    """A dataset is not resumed with others, and a function that asks no model has none."""

    def prints(**config: Any) -> object:
        return declared(waiting, **config).build().fingerprint()

    assert prints() == prints(timeout_sec=1.0)
    assert prints() != prints(allow_tools=["add"])
