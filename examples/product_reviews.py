"""Product reviews: samplers give a product and a customer, a model writes the review, another judges it.

    data-designer create examples/product_reviews.py --num-records 100 -d product_reviews

It also runs as a script. It needs no key and no network: its models are simulated. `simulated` is ours; name another
provider to use real ones, and the rest is an unchanged Data Designer script.
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
    # Prices that one would believe of the thing.
    builder.add_column(
        name="price",
        column_type="sampler",
        sampler_type="uniform",
        params={"low": 15, "high": 80, "decimal_places": 2},
        conditional_params={"category == 'backpacks'": {"low": 40, "high": 240, "decimal_places": 2}},
    )
    # Most who write a review are pleased or angry.
    builder.add_column(
        name="stars",
        column_type="sampler",
        sampler_type="category",
        params={"values": [1, 2, 3, 4, 5], "weights": [3, 1, 1, 4, 6]},
    )
    builder.add_column(
        name="style",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["two plain sentences", "a short story", "a list of what is good and bad"]},
        conditional_params={"stars == 1": {"values": ["one angry sentence", "a complaint to the shop"]}},
    )
    builder.add_column(
        name="review",
        column_type="llm-text",
        model_alias="writer",
        system_prompt=(
            "You are {{ customer.first_name }}, {{ customer.age }}, {{ customer.occupation }}. "
            "You write as a customer of a shop does, not as an advertisement."
        ),
        prompt=(
            "Write a review of one of our {{ category }}, made of {{ material }}, that cost you {{ price }} dollars. "
            "You give it {{ stars }} of 5 stars. Write {{ style }}. Do not name the stars."
        ),
    )
    builder.add_column(
        name="summary",
        column_type="llm-structured",
        model_alias="writer",
        prompt="Sum up this review of {{ category }} for the page of a shop: {{ review }}",
        output_format=Summary,
    )
    builder.add_column(
        name="quality",
        column_type="llm-judge",
        model_alias="judge",
        prompt="A customer gave {{ stars }} of 5 stars. Judge the review of {{ category }}: {{ review }}",
        scores=[
            dd.Score(
                name="helpful",
                description="Does it help others to choose?",
                options={1: "not at all", 2: "somewhat", 3: "very much"},
            ),
            dd.Score(
                name="fits",
                description="Do its words fit the stars?",
                options={"yes": "anybody would guess them", "no": "they could be others"},
            ),
        ],
    )
    builder.add_column(name="label", column_type="expression", expr="{{ summary.headline }} ({{ summary.stars }}/5)")
    return builder


if __name__ == "__main__":
    designer = DataDesigner()
    results = designer.create(load_config_builder(), num_records=100, dataset_name="product_reviews")
    results.display_sample_record()
    print(f"{results.count_records()} records in {results.artifact_storage.base_dataset_path}")
