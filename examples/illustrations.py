"""Illustrations: an image of a described animal, a drawing after that image, and a text about both.

Run it with `data-designer create examples/illustrations.py -n 20`, or as a script. It needs no key and no network: its
models are simulated. Name another provider to use real ones.
"""

import data_designer.config as dd
from data_designer.interface import DataDesigner


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    images = dd.ImageInferenceParams(max_parallel_requests=8, extra_body={"size": "64x64"})
    chats = dd.ChatCompletionInferenceParams(max_parallel_requests=16)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="painter", model="sim-painter", provider="simulated", inference_parameters=images),
            dd.ModelConfig(alias="critic", model="sim-critic", provider="simulated", inference_parameters=chats),
        ]
    )
    builder.add_column(
        name="animal", column_type="sampler", sampler_type="category", params={"values": ["a heron", "a fox", "a newt"]}
    )
    builder.add_column(
        name="photo", column_type="image", model_alias="painter", prompt="A photograph of {{ animal }} at dawn."
    )
    builder.add_column(
        name="drawing",
        column_type="image",
        model_alias="painter",
        prompt="The same scene as an ink drawing.",
        multi_modal_context=[dd.ImageContext(column_name="photo")],
    )
    builder.add_column(
        name="caption",
        column_type="llm-text",
        model_alias="critic",
        prompt="Say in one sentence how the drawing differs from the photograph.",
        multi_modal_context=[dd.ImageContext(column_name="photo"), dd.ImageContext(column_name="drawing")],
    )
    return builder


if __name__ == "__main__":
    results = DataDesigner().create(load_config_builder(), num_records=20, dataset_name="illustrations")
    first = results.load_dataset().iloc[0]
    print("photograph:", results.artifact_storage.base_dataset_path / first["photo"][0])
    print("drawing:   ", results.artifact_storage.base_dataset_path / first["drawing"][0])
    print("caption:   ", first["caption"])
