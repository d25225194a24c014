"""Captions of charts: a model is shown pictures beside the seed file, and what it says is held against the figures.

    data-designer create examples/captions.py --num-records 24 -d captions --simulate

`charts/charts.csv` names the pictures and the figures that they were drawn from. Without `--simulate` it asks NVIDIA's
endpoint and needs NVIDIA_API_KEY. An unchanged Data Designer script.
"""

import re
from pathlib import Path

import pandas as pd

import data_designer.config as dd

CHARTS = Path(__file__).parent / "charts" / "charts.csv"

CAPTION = """\
Describe this {{ chart }} chart {{ form }}, for {{ audience }}.

- Say what it shows and what stands out. Interpret no further than the chart goes.
- Every number that you name must be legible in the chart."""

JUDGE = """\
This caption was written for the chart: {{ caption }}

The chart was drawn from these figures: {{ title }}. {{ figures }}"""


def numbers_are_shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether each number that a caption names is one of the chart's."""
    verdicts = []
    for caption, figures in zip(rows["caption"].astype(str), rows["figures"].astype(str), strict=True):
        shown = set(re.findall(r"\d+", figures))
        invented = [number for number in re.findall(r"\d+", caption.replace(",", "")) if number not in shown]
        verdicts.append({"is_valid": not invented, "invented": invented})
    return pd.DataFrame(verdicts)


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="eye",
                model="nvidia/nemotron-3-nano-omni-30b-a3b-reasoning",
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=0.6, top_p=0.95, max_tokens=1500, max_parallel_requests=8
                ),
            )
        ]
    )
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(CHARTS)))
    builder.add_column(
        name="form",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["in one sentence", "in three sentences", "as a headline"], "weights": [3, 2, 1]},
    )
    builder.add_column(
        name="audience",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["readers of a newspaper", "somebody who cannot see it"], "weights": [1, 2]},
        # A headline is no alternative text.
        conditional_params={"form == 'as a headline'": {"values": ["readers of a newspaper"]}},
    )
    # Only files below the folder of the seed file, or of the dataset, are ever read because a cell names them.
    shown = [dd.ImageContext(column_name="picture")]
    builder.add_column(
        name="caption", column_type="llm-text", model_alias="eye", prompt=CAPTION, multi_modal_context=shown
    )
    builder.add_column(
        name="numbers",
        column_type="validation",
        target_columns=["caption", "figures"],
        validator_type="local_callable",
        validator_params={"validation_function": numbers_are_shown},
    )
    builder.add_column(
        name="verdict",
        column_type="llm-judge",
        model_alias="eye",
        prompt=JUDGE,
        multi_modal_context=shown,
        skip=dd.SkipConfig(when="{{ not numbers.is_valid }}"),
        scores=[
            dd.Score(
                name="truth",
                description="Do the figures bear the caption out?",
                options={2: "all of it", 1: "its main claim", 0: "no"},
            ),
            dd.Score(
                name="use",
                description="Would it do instead of the chart?",
                options={2: "yes", 1: "in part", 0: "hardly"},
            ),
        ],
    )
    return builder
