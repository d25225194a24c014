"""Orders that a service judges: rows go to it in batches, verdicts with a score come back.

    data-designer create examples/validated_orders.py --num-records 100 -d validated_orders

It needs no network: the service is simulated, which is ours. Put the address of another one in its place, and it is an
unchanged Data Designer script.
"""

import data_designer.config as dd
from data_designer.interface import DataDesigner

SERVICE = "simulated"

ANSWER = {
    "type": "object",
    "properties": {
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "is_valid": {"type": "boolean"},
                    "score": {"type": "integer", "minimum": 0, "maximum": 100},
                },
                "required": ["is_valid", "score"],
            },
        }
    },
}


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[dd.ModelConfig(alias="writer", model="sim-writer?latency=0.02", provider="simulated")]
    )
    builder.add_column(name="order", column_type="sampler", sampler_type="uuid", params={"short_form": True})
    builder.add_column(
        name="pieces", column_type="sampler", sampler_type="uniform", params={"low": 1, "high": 9}, convert_to="int"
    )
    builder.add_column(
        name="note",
        column_type="llm-text",
        model_alias="writer",
        prompt="A note to order {{ order }}: {{ pieces }} pieces.",
    )
    builder.add_column(
        name="verdict",
        column_type="validation",
        target_columns=["order", "pieces", "note"],
        validator_type="remote",
        validator_params=dd.RemoteValidatorParams(endpoint_url=SERVICE, output_schema=ANSWER, max_parallel_requests=8),
        batch_size=20,
    )
    builder.add_column(name="score", column_type="expression", expr="{{ verdict.score }}", dtype="int")
    return builder


if __name__ == "__main__":
    designer = DataDesigner()
    results = designer.create(load_config_builder(), num_records=100, dataset_name="validated_orders")
    results.display_sample_record()
    print(f"{results.count_records()} records in {results.artifact_storage.base_dataset_path}")
