"""Product reviews: samplers give a product and a customer, a model writes the review, another judges it.

Run it with `data-designer create examples/product_reviews.py -n 100`, or as a script. It needs no key and no
network: its models are simulated. Name another provider to use real ones.
"""

from pydantic import BaseModel, Field

import data_designer.config as dd
from data_designer.interface import DataDesigner

WRITER = "sim-writer?latency=0.05&jitter=0.5"
JUDGE = "sim-judge?latency=0.08&jitter=0.5"


class Summary(BaseModel):
    """What a shop shows of a review."""

    headline: str
    stars: int = Field(ge=1, le=5)
    pros: list[str]


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    parallel = dd.ChatCompletionInferenceParams(max_parallel_requests=16)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="writer", model=WRITER, provider="simulated", inference_parameters=parallel),
            dd.ModelConfig(alias="judge", model=JUDGE, provider="simulated", inference_parameters=parallel),
        ]
    )
    builder.add_column(
        name="category",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["kettles", "lamps", "backpacks"], "weights": [2, 1, 1]},
    )
    builder.add_column(
        name="material",
        column_type="sampler",
        sampler_type="subcategory",
        params={
            "category": "category",
            "values": {
                "kettles": ["steel", "glass"],
                "lamps": ["brass", "paper"],
                "backpacks": ["canvas", "nylon"],
            },
        },
    )
    builder.add_column(name="customer", column_type="sampler", sampler_type="person_from_faker", params={})
    builder.add_column(
        name="price",
        column_type="sampler",
        sampler_type="uniform",
        params={"low": 10, "high": 90, "decimal_places": 2},
    )
    builder.add_column(
        name="review",
        column_type="llm-text",
        model_alias="writer",
        system_prompt="You write as a customer of a shop.",
        prompt=(
            "Write a review of {{ category }} made of {{ material }} that cost {{ price }} dollars, "
            "as {{ customer.first_name }}, {{ customer.age }} years old."
        ),
    )
    builder.add_column(
        name="summary",
        column_type="llm-structured",
        model_alias="writer",
        prompt="Sum up this review: {{ review }}",
        output_format=Summary,
    )
    builder.add_column(
        name="quality",
        column_type="llm-judge",
        model_alias="judge",
        prompt="Judge this review of {{ category }}: {{ review }}",
        scores=[
            dd.Score(
                name="helpful",
                description="Does it help others to choose?",
                options={1: "not at all", 2: "somewhat", 3: "very much"},
            )
        ],
    )
    builder.add_column(name="label", column_type="expression", expr="{{ summary.headline }} ({{ summary.stars }}/5)")
    return builder


if __name__ == "__main__":
    designer = DataDesigner()
    results = designer.create(load_config_builder(), num_records=100, dataset_name="product_reviews")
    results.display_sample_record()
    print(f"{results.count_records()} records in {results.artifact_storage.base_dataset_path}")
