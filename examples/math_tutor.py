"""A math tutor: each question of a seed file is rewritten, solved in steps, and checked.

    data-designer create examples/math_tutor.py --num-records 12 -d math_tutor -- examples/math_questions.jsonl

Any file of rows with a `question` and an `answer` will do. It needs no key and no network: its model is simulated, and
now and then fails or answers nonsense as real ones do. `simulated` is ours; the rest is an unchanged script.
"""

import sys
from pathlib import Path

from pydantic import BaseModel, Field

import data_designer.config as dd
from data_designer.interface import DataDesigner

QUESTIONS = Path(__file__).with_name("math_questions.jsonl")
MODEL = "sim-tutor?latency=0.05&jitter=0.5&malformed_rate=0.02&error_rate=0.01"


class Solution(BaseModel):
    """A worked solution."""

    steps: list[str] = Field(min_length=1)
    result: int


def load_config_builder(params: dd.DataDesignerScriptParams) -> dd.DataDesignerConfigBuilder:
    """Declare the dataset; the first argument names the seed file."""
    questions = params.argv[0] if params.argv else str(QUESTIONS)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="tutor",
                model=MODEL,
                provider="simulated",
                inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=32),
            )
        ]
    )
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=questions))
    builder.add_column(
        name="rewritten",
        column_type="llm-text",
        model_alias="tutor",
        prompt="Rewrite this question for a ten-year-old, keeping all numbers: {{ question }}",
    )
    builder.add_column(
        name="solution",
        column_type="llm-structured",
        model_alias="tutor",
        prompt="Solve step by step: {{ rewritten }}",
        output_format=Solution,
    )
    builder.add_column(
        name="expected", column_type="expression", expr="{{ (answer | string).split('####')[-1] | trim }}"
    )
    builder.add_column(
        name="is_right",
        column_type="expression",
        dtype="bool",
        expr="{{ (solution.result | string) == expected | string }}",
    )
    return builder


if __name__ == "__main__":
    script = dd.DataDesignerScriptParams(tuple(sys.argv[1:]))
    results = DataDesigner().create(load_config_builder(script), num_records=12, dataset_name="math_tutor")
    results.display_sample_record()
    print(f"{results.count_records()} records in {results.artifact_storage.base_dataset_path}")
