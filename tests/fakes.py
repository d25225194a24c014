"""What tests of runs share: models of one provider, a designer that asks them, a small dataset, and what came of it."""

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.object_storage import Location

NOWHERE = "http://127.0.0.1:9/v1"
"""Where nobody answers."""
USUAL = {"executor": "inline", "seed": 1, "buffer_size": 8, "otel_metrics_port": None}
"""Settings of a run of which nothing else is said."""


def provider(url: str, **more: Any) -> dd.ModelProvider:
    """The provider of all models."""
    return dd.ModelProvider(**{"name": "p", "endpoint": url, "api_key": "k", **more})


def model(
    alias: str, name: str | None = None, *, provider: str = "p", price: dd.Price | None = None, **parameters: Any
) -> dd.ModelConfig:
    """A model, called as its alias is unless told otherwise; it is not greeted, and has four slots."""
    return dd.ModelConfig(
        alias=alias,
        model=name or alias,
        provider=provider,
        price=price,
        skip_health_check=True,
        inference_parameters=dd.ChatCompletionInferenceParams(**parameters),
    )


def designer(url: str, path: Location, tools: Sequence[Any] = (), **run: Any) -> DataDesigner:
    """A designer whose models are at an address: inline, with seed 1, in batches of eight, unless told otherwise."""
    made = DataDesigner(path, model_providers=[provider(url)], mcp_providers=tools, auto_configure_logging=False)
    made.set_run_config(dd.RunConfig(**{**USUAL, **run}))
    return made


def numbered(rows: int = 100, first: int = 0) -> dd.DataFrameSeedSource:
    """Seed rows 0, 1, 2, ..., of which the first may be another."""
    return dd.DataFrameSeedSource(df=pd.DataFrame({"n": [first, *range(1, rows)]}))


def story(*models: dd.ModelConfig) -> dd.DataDesignerConfigBuilder:
    """A chain of texts, each called as its model is: the first about a seed row, all others about the one before."""
    made = dd.DataDesignerConfigBuilder(model_configs=list(models))
    made.with_seed_dataset(numbered())
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    prompt = "row {{ n }}"
    for one in models:
        made.add_column(name=one.alias, column_type="llm-text", model_alias=one.alias, prompt=prompt)
        prompt = f"better {{{{ {one.alias} }}}}"
    return made


def rows(dataset: Path) -> pd.DataFrame:
    """All rows of a dataset on a disk, in order."""
    files = sorted((dataset / "parquet-files").glob("*.parquet"))
    return pd.concat(map(pd.read_parquet, files), ignore_index=True)


def stats(url: str) -> dict[str, Any]:
    """What a simulated model has counted since it was reset, in total and for each model."""
    found: dict[str, Any] = told(url, "stats")
    return found


def counted(url: str, model: str) -> int:
    """How often a simulated model was asked for a model."""
    found = stats(url)["models"].get(model)
    return 0 if found is None else int(found["requests"])


def told(url: str, what: str) -> Any:
    """What a simulated model says of itself."""
    with urllib.request.urlopen(url.replace("/v1", f"/{what}")) as reply:  # noqa: S310 - a loopback address
        return json.loads(reply.read())
