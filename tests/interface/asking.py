"""A dataset whose custom columns ask models, in every way that there is."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from tests.fakes import designer, model, numbered

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults

SLOTS = 4
"""Requests at once, of each of two models."""
RECORDS = 20
IDEAL = 3 * RECORDS
"""Requests of an undisturbed run: a draft and something better of a function, and a text about it."""
ASKS: Any = {"required_columns": ["n"], "side_effect_columns": ["draft"], "model_aliases": ["a", "b"]}


@dd.custom_column_generator(**ASKS)
def waiting(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
    """Two models, one after the other, in a thread."""
    draft, _ = models["a"].generate(f"draft row {row['n']}")
    better, _ = models["b"].generate(f"better {draft}")
    return {**row, "draft": draft, "x": better}


@dd.custom_column_generator(**ASKS)
async def awaiting(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
    """The same on the loop."""
    draft, _ = await models["a"].agenerate(f"draft row {row['n']}")
    better, _ = await models["b"].agenerate(f"better {draft}")
    return {**row, "draft": draft, "x": better}


@dd.custom_column_generator(**ASKS)
def together(df: pd.DataFrame, generator_params: None, models: dict[str, Any]) -> pd.DataFrame:
    """The same for a batch, with threads of its own, in whatever order these come to ask."""

    def said(alias: str, prompts: list[str]) -> list[str]:
        with ThreadPoolExecutor(SLOTS) as threads:
            return [text for text, _ in threads.map(models[alias].generate, prompts)]

    df["draft"] = said("a", [f"draft row {n}" for n in df["n"]])
    df["x"] = said("b", [f"better {draft}" for draft in df["draft"]])
    return df


@dd.custom_column_generator(**ASKS)
def on_a_loop_of_its_own(df: pd.DataFrame, generator_params: None, models: dict[str, Any]) -> pd.DataFrame:
    """The same with a loop of its own."""

    async def said(alias: str, prompts: list[str]) -> list[str]:
        return [text for text, _ in await asyncio.gather(*map(models[alias].agenerate, prompts))]

    df["draft"] = asyncio.run(said("a", [f"draft row {n}" for n in df["n"]]))
    df["x"] = asyncio.run(said("b", [f"better {draft}" for draft in df["draft"]]))
    return df


WAYS: dict[str, Callable[..., Any]] = {
    "waiting": waiting,
    "awaiting": awaiting,
    "together": together,
    "on_a_loop_of_its_own": on_a_loop_of_its_own,
}


def declared(way: str, slots: int = SLOTS, **parameters: Any) -> dd.DataDesignerConfigBuilder:
    """A function that asks two models, and a text column of the first of them about what it makes."""
    models = [model(alias, max_parallel_requests=slots, **parameters) for alias in ("a", "b")]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.with_seed_dataset(numbered(40))
    whole = WAYS[way] in (together, on_a_loop_of_its_own)
    strategy = dd.GenerationStrategy.FULL_COLUMN if whole else dd.GenerationStrategy.CELL_BY_CELL
    builder.add_column(dd.CustomColumnConfig(name="x", generator_function=WAYS[way], generation_strategy=strategy))
    return builder.add_column(name="text", column_type="llm-text", model_alias="a", prompt="text about {{ x }}")


def make(
    url: str, path: Path, way: str, resume: str = "never", slots: int = SLOTS, **run: Any
) -> DatasetCreationResults:
    """Make it, or go on with it, in batches of eight."""
    builder = declared(way, slots)
    return designer(url, path, **run).create(builder, num_records=RECORDS, dataset_name="d", resume=resume)


def is_whole(results: DatasetCreationResults) -> bool:
    """Whether everything is there, and says what was answered to what."""
    made = results.load_dataset()
    expected = [f"<text about <better <draft row {n}>>>" for n in range(RECORDS)]
    return [re.sub(r"\s+", " ", text) for text in made["text"]] == expected
