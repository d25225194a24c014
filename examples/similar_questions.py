"""Questions and their vectors: a model writes questions and further wordings of each, another gives both vectors.

    data-designer create examples/similar_questions.py --num-records 200 -d similar_questions

It needs no key and no network: its models are simulated. `simulated` is ours; name another provider to use real ones.
The rest is an unchanged Data Designer script.
"""

from pydantic import BaseModel, Field

import data_designer.config as dd
from data_designer.interface import DataDesigner

WRITER = "sim-writer?latency=0.05"
EMBEDDER = "sim-embedder?latency=0.1"


class Wordings(BaseModel):
    """Other ways to ask."""

    questions: list[str] = Field(min_length=2, max_length=4)


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="writer",
                model=WRITER,
                provider="simulated",
                inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=16),
            ),
            dd.ModelConfig(
                alias="embedder",
                model=EMBEDDER,
                provider="simulated",
                # Each request holds texts of up to 100 records.
                inference_parameters=dd.EmbeddingInferenceParams(dimensions=64, max_parallel_requests=2),
            ),
        ]
    )
    builder.add_column(
        name="topic",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["gardening", "astronomy", "cooking"]},
    )
    builder.add_column(
        name="question",
        column_type="llm-text",
        model_alias="writer",
        prompt="Ask one short question about {{ topic }}.",
    )
    builder.add_column(
        name="others",
        column_type="llm-structured",
        model_alias="writer",
        prompt="Ask in other words: {{ question }}",
        output_format=Wordings,
    )
    builder.add_column(name="wordings", column_type="expression", expr="{{ others.questions }}")
    builder.add_column(
        name="question_vector", column_type="embedding", target_column="question", model_alias="embedder"
    )
    # A list gives a vector for each of its items.
    builder.add_column(
        name="wording_vectors", column_type="embedding", target_column="wordings", model_alias="embedder"
    )
    return builder


def main() -> None:
    """Make a small dataset and show one record."""
    results = DataDesigner().create(load_config_builder(), num_records=50, dataset_name="similar-questions")
    results.display_sample_record(0)


if __name__ == "__main__":
    main()
