"""Evolved instructions: school questions are made harder step by step, solved, and marked where that went well.

    data-designer create examples/evolved_instructions.py --num-records 40 -d evolved_instructions --simulate

The method is Evol-Instruct's (Xu et al. 2023). The questions in `gsm8k_questions.jsonl` are the first 24 of the test
set of GSM8K (Cobbe et al. 2021, MIT licence). Without `--simulate` it asks NVIDIA's endpoint and needs NVIDIA_API_KEY.
An unchanged Data Designer script.
"""

from difflib import SequenceMatcher
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, Field

import data_designer.config as dd

QUESTIONS = Path(__file__).with_name("gsm8k_questions.jsonl")

EVOLVE = """\
Question: {question}

Rewrite this question so that it becomes {how}, and stays one that can be answered by arithmetic.

- Change no more than that. Keep it to at most two sentences more than it has now.
- All numbers that the answer needs must be given, and the answer must be a number.
- Write the new question only. Do not solve it."""

SOLVE = """\
Solve this question. Do every calculation in a step of its own.

{{ evolved }}"""

COMPARE = """\
A question for pupils was made harder. Compare the two.

Before: {{ question }}

After: {{ evolved }}

Solution of the new one: {{ solution }}"""


class Solution(BaseModel):
    """A worked solution."""

    steps: list[str] = Field(min_length=1, max_length=8)
    answer: float


def is_evolved(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is no question, is a copy, or has grown beyond measure: Evol-Instruct's elimination."""
    verdicts = []
    for before, after in zip(rows["question"].astype(str), rows["evolved"].astype(str), strict=True):
        likeness = round(SequenceMatcher(None, before, after).ratio(), 2)
        faults = {
            "it asks nothing": "?" not in after,
            "it is a copy": likeness > 0.95,
            "it is too long": len(after) > 1200,
        }
        found = [fault for fault, is_there in faults.items() if is_there]
        verdicts.append({"is_valid": not found, "faults": found, "likeness": likeness})
    return pd.DataFrame(verdicts)


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="author",
                model="nvidia/nemotron-3-nano-30b-a3b",
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(temperature=1.0, max_parallel_requests=8),
            ),
            dd.ModelConfig(
                alias="solver",
                model="nvidia/nemotron-3-super-120b-a12b",
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=0.2, max_tokens=4096, max_parallel_requests=8
                ),
            ),
        ]
    )
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(QUESTIONS)))
    builder.add_column(
        name="strategy",
        column_type="sampler",
        sampler_type="category",
        params={
            "values": [
                "one that needs one more step of reasoning",
                "one with a further condition that has to be met",
                "more concrete, with named things instead of general ones",
                "one in a wholly different setting, such as astronomy or a kitchen",
            ],
            "weights": [4, 3, 2, 2],
        },
    )
    builder.add_column(
        name="rounds", column_type="sampler", sampler_type="category", params={"values": [1, 2], "weights": [3, 2]}
    )
    builder.add_column(
        name="once",
        column_type="llm-text",
        model_alias="author",
        prompt=EVOLVE.format(how="{{ strategy }}", question="{{ question }}"),
    )
    builder.add_column(
        name="twice",
        column_type="llm-text",
        model_alias="author",
        prompt=EVOLVE.format(how="one that needs one more step of reasoning", question="{{ once }}"),
        skip=dd.SkipConfig(when="{{ rounds == 1 }}"),
    )
    # It has to be there where the second round was skipped, so it takes no part in that.
    builder.add_column(
        name="evolved",
        column_type="expression",
        expr="{% if rounds == 1 %}{{ once }}{% else %}{{ twice }}{% endif %}",
        propagate_skip=False,
    )
    builder.add_column(
        name="elimination",
        column_type="validation",
        target_columns=["question", "evolved"],
        validator_type="local_callable",
        validator_params={"validation_function": is_evolved},
    )
    builder.add_column(
        name="solution",
        column_type="llm-structured",
        model_alias="solver",
        prompt=SOLVE,
        output_format=Solution,
        skip=dd.SkipConfig(when="{{ not elimination.is_valid }}"),
    )
    builder.add_column(
        name="comparison",
        column_type="llm-judge",
        model_alias="solver",
        prompt=COMPARE,
        scores=[
            dd.Score(
                name="harder",
                description="Is the new question harder?",
                options={2: "yes, it needs more thought", 1: "longer, but no harder", 0: "easier, or the same"},
            ),
            dd.Score(
                name="solvable",
                description="Is there exactly one answer, and is all that it needs given?",
                options={"yes": "one answer", "ambiguous": "several readings", "no": "something is missing"},
            ),
        ],
    )
    builder.add_column(
        name="is_kept",
        column_type="expression",
        dtype="bool",
        expr="{{ elimination.is_valid and comparison.harder.score > 0 and comparison.solvable.score != 'no' }}",
        propagate_skip=False,  # what was eliminated is not kept
    )
    builder.add_processor(dd.DropColumnsProcessorConfig(name="working_columns", column_names=["once", "twice"]))
    return builder
