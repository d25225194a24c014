"""Makes one dataset at an endpoint that may misbehave, and prints what came of it; `faults.py` runs this.

It uses the public API that ours and Data Designer share, and imports nothing else, so either can run it.
"""

import argparse
import json
import re
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import data_designer.config as dd
from data_designer.errors import DataDesignerError
from data_designer.interface import DataDesigner

CELL = "cell"
"""The column that the model makes."""
DATASET = "faults"
_TOPICS = ["books", "garden tools", "lamps", "headphones", "kitchen knives", "bicycles", "tents", "board games"]
_FIELDS: dict[str, Any] = {
    "title": {"type": "string"},
    "score": {"type": "integer"},
    "summary": {"type": "string"},
    "tags": {"type": "array", "items": {"type": "string"}},
}
_SCHEMA = {"type": "object", "properties": _FIELDS, "required": list(_FIELDS)}
_REJECTED = re.compile(r"failed=(\d+) kind=(\S+)")
_LONGEST = 400


def _builder(args: argparse.Namespace) -> dd.DataDesignerConfigBuilder:
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=args.slots, timeout=args.timeout)
    model = dd.ModelConfig(
        alias="writer", model="simulated", provider="p", skip_health_check=True, inference_parameters=params
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.add_column(name="topic", column_type="sampler", sampler_type="category", params={"values": _TOPICS})
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    # No two rows ask the same, so each is drawn by itself.
    column = {"name": CELL, "model_alias": "writer", "prompt": "Write one record about {{ topic }} for order {{ id }}."}
    if args.kind == "structured":
        builder.add_column(column_type="llm-structured", output_format=_SCHEMA, **column)
    else:
        builder.add_column(column_type="llm-text", **column)
    return builder


def _outcomes(designer: DataDesigner, args: argparse.Namespace) -> dict[str, Any]:
    """What the engine itself says became of the rows; of those that it rejected only ours says why."""
    try:
        results = designer.create(_builder(args), num_records=args.records, dataset_name=DATASET)
    except DataDesignerError as error:
        rejected = {kind: int(count) for count, kind in _REJECTED.findall(str(error))}
        said = f"{type(error).__name__}: {error}"
        return {"raised": True, "said": said[:_LONGEST], "rejected": rejected}
    outcomes = getattr(results, "outcomes", None)
    rejected = {kind: found["count"] for kind, found in outcomes.reasons.items()} if outcomes else None
    said = getattr(results, "early_shutdown", None)
    return {"raised": False, "said": said and said[:_LONGEST], "rejected": rejected}


def make(args: argparse.Namespace) -> dict[str, Any]:
    """Make the dataset, or as much of it as can be had."""
    provider = dd.ModelProvider(name="p", endpoint=args.url, provider_type="openai", api_key="none")
    designer = DataDesigner(artifact_path=args.folder, model_providers=[provider])
    ours = {"executor": args.executor} if args.executor else {}
    designer.set_run_config(dd.RunConfig(otel_metrics_port=None, **ours))
    started = time.perf_counter()
    outcomes = _outcomes(designer, args)
    return {"version": version(args.distribution), "seconds": time.perf_counter() - started, **outcomes}


def main() -> None:
    """Make one dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--distribution", required=True, help="the installed package whose version is told")
    parser.add_argument("--kind", choices=["text", "structured"], default="text")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--timeout", type=int, default=120, help="seconds until a request is given up")
    parser.add_argument("--executor", help="of ours only")
    print("RESULT " + json.dumps(make(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()
