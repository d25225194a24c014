"""Makes one dataset, going on with what is there already, and prints what came of it; `kills.py` runs and kills this.

It uses the public API that ours and Data Designer share, and imports nothing else, so either can run it.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import data_designer.config as dd
from data_designer.interface import DataDesigner

PROMPTS = {
    "note": "Write a short note about {{ topic }} for order {{ id }}.",
    "reply": "Answer the note of order {{ id }}: {{ note }}",
}
"""Text column to its prompt; the second waits for the first, and no two rows ask the same."""
_TOPICS = ["books", "garden tools", "lamps", "headphones", "kitchen knives", "bicycles", "tents", "board games"]


def _builder(slots: int) -> dd.DataDesignerConfigBuilder:
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=slots, timeout=120)
    model = dd.ModelConfig(
        alias="writer", model="simulated", provider="p", skip_health_check=True, inference_parameters=params
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.add_column(name="topic", column_type="sampler", sampler_type="category", params={"values": _TOPICS})
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    for name, prompt in PROMPTS.items():
        builder.add_column(name=name, column_type="llm-text", model_alias="writer", prompt=prompt)
    return builder


def make(args: argparse.Namespace) -> dict[str, int | str]:
    """Make the dataset, or what is missing of it."""
    provider = dd.ModelProvider(name="p", endpoint=args.url, provider_type="openai", api_key="none")
    designer = DataDesigner(artifact_path=args.folder, model_providers=[provider])
    ours = {"executor": args.executor} if args.executor else {}
    designer.set_run_config(dd.RunConfig(buffer_size=args.buffer_size, otel_metrics_port=None, **ours))
    builder = _builder(args.slots)
    results = designer.create(builder, num_records=args.records, dataset_name="kills", resume="if_possible")
    complete = results.load_dataset().dropna(subset=["id", *PROMPTS])
    return {
        "version": version(args.distribution),
        "dataset": results.artifact_storage.resolved_dataset_name,
        "rows": len(complete),
        "distinct": complete["id"].nunique(),
    }


def main() -> None:
    """Make one dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--distribution", required=True, help="the installed package whose version is told")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--buffer-size", type=int, default=200)
    parser.add_argument("--executor", help="of ours only")
    print("RESULT " + json.dumps(make(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()
