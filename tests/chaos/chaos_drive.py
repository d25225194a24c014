"""Makes one dataset on the Ray that runs already, going on with what is there; `chaos.py` runs and kills this."""

import argparse
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import data_designer.config as dd
from data_designer.interface import DataDesigner

NAME = "chaos"
SEED = 7


class Verdict(BaseModel):
    """A structured answer."""

    label: str
    score: int


@dd.custom_column_generator(required_columns=["kind", "note"])
def shout(row: dict[str, Any]) -> dict[str, Any]:
    """A function of the user."""
    return {**row, "loud": f"{row['kind']}: {row['note'].upper()}"}


def declared(slots: int) -> dd.DataDesignerConfigBuilder:
    """Samplers, then a text column, a function's column and a structured column of another model."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=slots, timeout=30)
    models = [
        dd.ModelConfig(alias=alias, model=alias, provider="p", skip_health_check=True, inference_parameters=params)
        for alias in ("one", "two")
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["x", "y"]})
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(name="note", column_type="llm-text", prompt="About {{ kind }} {{ id }}", model_alias="one")
    builder.add_column(dd.CustomColumnConfig(name="loud", generator_function=shout))
    builder.add_column(
        name="verdict",
        column_type="llm-structured",
        prompt="Judge {{ loud }}",
        model_alias="two",
        output_format=Verdict,
    )
    return builder


def make(args: argparse.Namespace) -> Path:
    """Make the dataset, or what is missing of it."""
    designer = DataDesigner(args.folder, model_providers=[dd.ModelProvider(name="p", endpoint=args.url)])
    replicas = {"replicas_per_model": args.replicas} if args.replicas else {}
    designer.set_run_config(
        dd.RunConfig(buffer_size=args.buffer_size, executor=args.executor, seed=SEED, progress_interval=1.0, **replicas)
    )
    results = designer.create(declared(args.slots), num_records=args.records, dataset_name=NAME, resume="if_possible")
    if results.early_shutdown is not None:
        raise SystemExit(3)
    return results.artifact_storage.base_dataset_path


def parser() -> argparse.ArgumentParser:
    """What one run is told."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("folder", type=Path)
    told.add_argument("--url", required=True)
    told.add_argument("--executor", default="ray")
    told.add_argument("--records", type=int, default=20_000)
    told.add_argument("--buffer-size", type=int, default=500)
    told.add_argument("--slots", type=int, default=64)
    told.add_argument("--replicas", type=int, default=0)
    return told


if __name__ == "__main__":
    make(parser().parse_args())
