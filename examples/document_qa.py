"""Document QA: questions about the pages of a Parquet file, answered with a quote that is looked up in the page.

    data-designer create examples/document_qa.py --num-records 40 -d document_qa --simulate

Any Parquet file with the columns `document`, `page` and `text` will do: name it after `--`. Without `--simulate` it
asks NVIDIA's endpoint and needs NVIDIA_API_KEY. An unchanged Data Designer script.
"""

from pathlib import Path

import pandas as pd
from pydantic import BaseModel, Field

import data_designer.config as dd

PAGES = Path(__file__).with_name("pages.parquet")


class Answered(BaseModel):
    """A question about a page, and its answer."""

    question: str = Field(description="Makes sense to somebody who does not see the page.")
    answer: str = Field(description="One to three sentences, from the page alone.")
    quote: str = Field(description="One sentence of the page, letter by letter, that proves the answer.")


ASK = """\
You write questions for a test of reading. Page {{ page }} of "{{ document }}":

{{ text }}

Ask one question whose answer is {{ kind }}, as {{ reader }} would ask it. Answer it, and quote the sentence of the
page that proves your answer."""

JUDGE = """\
Judge a question and its answer against the page that they are about.

Page: {{ text }}

Question: {{ asked.question }}

Answer: {{ asked.answer }}"""


def quotes(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether each quote stands on its page, whatever its spaces and line breaks."""
    verdicts = []
    for row in rows.itertuples():
        asked = row.asked if isinstance(row.asked, dict) else {}
        quote, page = (" ".join(str(text).split()) for text in (asked.get("quote", ""), row.text))
        verdicts.append({"is_valid": len(quote) > 10 and quote in page, "place": page.find(quote)})
    return pd.DataFrame(verdicts)


def load_config_builder(params: dd.DataDesignerScriptParams) -> dd.DataDesignerConfigBuilder:
    """Declare the dataset; the first argument names the file of pages."""
    pages = params.argv[0] if params.argv else str(PAGES)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="reader",
                model="nvidia/nemotron-3-nano-30b-a3b",
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(temperature=0.7, max_parallel_requests=8),
            ),
            dd.ModelConfig(
                alias="judge",
                model="nvidia/nemotron-3-super-120b-a12b",
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(temperature=0.0, max_parallel_requests=8),
            ),
        ]
    )
    # Each page once before any is read twice.
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=pages), sampling_strategy=dd.SamplingStrategy.SHUFFLE)
    builder.add_column(
        name="kind",
        column_type="sampler",
        sampler_type="category",
        params={
            "values": ["a fact or a number", "a reason", "a comparison of two things", "the order of some steps"],
            "weights": [4, 3, 2, 1],
        },
    )
    builder.add_column(
        name="reader",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["a newcomer", "an engineer in a hurry", "an auditor"], "weights": [2, 2, 1]},
    )
    builder.add_column(
        name="asked", column_type="llm-structured", model_alias="reader", prompt=ASK, output_format=Answered
    )
    builder.add_column(
        name="quoted",
        column_type="validation",
        target_columns=["asked", "text"],
        validator_type="local_callable",
        validator_params={"validation_function": quotes},
    )
    builder.add_column(
        name="grounding",
        column_type="llm-judge",
        model_alias="judge",
        prompt=JUDGE,
        skip=dd.SkipConfig(when="{{ not quoted.is_valid }}"),  # who invents a quote is judged already
        scores=[
            dd.Score(
                name="support",
                description="Does the page support every claim of the answer?",
                options={
                    "full": "every claim stands on the page",
                    "partial": "the main claim does, something else was added",
                    "none": "the page does not say so",
                },
            ),
            dd.Score(
                name="question",
                description="Is it a question that somebody would ask?",
                options={3: "yes, and it stands by itself", 2: "yes, to who has read the page", 1: "hardly"},
            ),
        ],
    )
    builder.add_column(
        name="is_kept",
        column_type="expression",
        dtype="bool",
        expr="{{ quoted.is_valid and grounding.support.score == 'full' and grounding.question.score >= 2 }}",
        propagate_skip=False,  # who was not judged is not kept
    )
    builder.add_processor(
        dd.SchemaTransformProcessorConfig(
            name="reading_test",
            template={
                "context": "{{ text }}",
                "question": "{{ asked.question }}",
                "answers": [{"text": "{{ asked.answer }}", "quote": "{{ asked.quote }}"}],
                "source": "{{ document }}, page {{ page }}",
                "is_kept": "{{ is_kept }}",
            },
        )
    )
    return builder
