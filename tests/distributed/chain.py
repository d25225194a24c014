"""What nodes and hosts make together: samplers, a function, two models in a chain, and an expression."""

from typing import Any

import data_designer.config as dd

SLOTS = 12
"""Of each model."""


def declared(provider: str, settings: str = "") -> dd.DataDesignerConfigBuilder:
    """Columns of the models `one` and `two` of a provider, whose names may end with settings of the simulated model."""

    @dd.custom_column_generator(required_columns=["kind"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "doubled": row["kind"] * 2}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS)
    models = [
        dd.ModelConfig(alias=alias, model=f"{alias}{settings}", provider=provider, inference_parameters=params)
        for alias in ("one", "two")
    ]
    built = dd.DataDesignerConfigBuilder(model_configs=models)
    built.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["x", "y"]})
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="doubled", generator_function=doubled))
    built.add_column(name="text", column_type="llm-text", prompt="About {{ doubled }} {{ id }}", model_alias="one")
    built.add_column(name="more", column_type="llm-text", prompt="On {{ text }}", model_alias="two")
    built.add_column(name="label", column_type="expression", expr="{{ kind }}: {{ more }}")
    return built
