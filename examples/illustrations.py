"""Illustrations: an image of a described scene, a drawing after that image, a text about both, and their judge.

    data-designer create examples/illustrations.py --num-records 20 -d illustrations --simulate

Images are files below the dataset's folder, `images/<column>/`; cells hold their paths. Without `--simulate` it asks
OpenRouter and needs OPENROUTER_API_KEY. An unchanged Data Designer script.
"""

import data_designer.config as dd

ANIMALS = {
    "water": ["a heron", "an otter", "a kingfisher"],
    "wood": ["a fox", "a jay", "a dormouse"],
    "town": ["a pigeon", "a hedgehog", "a black cat"],
}

PHOTO = """\
A photograph of {{ animal }} {{ place }}, {{ light }}, shot at {{ focal_length }} mm.
Natural colours, no text, no border."""

DRAWING = """\
The same scene as {{ technique }}: the same animal, the same pose, the same place. Leave out what does not matter."""


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="painter",
                # Models of an images route draw too, but are shown no image to draw after.
                model="google/gemini-2.5-flash-image",
                provider="openrouter",
                inference_parameters=dd.ImageInferenceParams(
                    max_parallel_requests=4, extra_body={"modalities": ["image", "text"]}
                ),
            ),
            dd.ModelConfig(
                alias="critic",
                model="nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free",
                provider="openrouter",
                inference_parameters=dd.ChatCompletionInferenceParams(temperature=0.3, max_parallel_requests=8),
            ),
        ]
    )
    builder.add_column(
        name="habitat",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*ANIMALS], "weights": [3, 3, 1]},
    )
    builder.add_column(
        name="animal",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "habitat", "values": ANIMALS},
    )
    builder.add_column(
        name="place",
        column_type="sampler",
        sampler_type="subcategory",
        params={
            "category": "habitat",
            "values": {
                "water": ["at a mountain stream", "in the reeds"],
                "wood": ["on a mossy trunk", "in the first snow"],
                "town": ["on a window sill", "under a street lamp"],
            },
        },
    )
    builder.add_column(
        name="light",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["at dawn", "at noon", "in fog", "at night"], "weights": [3, 2, 2, 1]},
        conditional_params={"place == 'under a street lamp'": {"values": ["at night", "in fog"], "weights": [4, 1]}},
    )
    builder.add_column(
        name="focal_length", column_type="sampler", sampler_type="category", params={"values": [35, 85, 400]}
    )
    builder.add_column(
        name="technique",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["an ink drawing", "a woodcut", "a watercolour"]},
    )
    builder.add_column(name="photo", column_type="image", model_alias="painter", prompt=PHOTO)
    builder.add_column(
        name="drawing",
        column_type="image",
        model_alias="painter",
        prompt=DRAWING,
        multi_modal_context=[dd.ImageContext(column_name="photo")],
    )
    both = [dd.ImageContext(column_name="photo"), dd.ImageContext(column_name="drawing")]
    builder.add_column(
        name="caption",
        column_type="llm-text",
        model_alias="critic",
        prompt="Say in one sentence what {{ technique }} leaves out of the photograph that stands before it.",
        multi_modal_context=both,
    )
    builder.add_column(
        name="verdict",
        column_type="llm-judge",
        model_alias="critic",
        prompt="The first image is to show {{ animal }} {{ place }}; the second is to be {{ technique }} of it.",
        multi_modal_context=both,
        scores=[
            dd.Score(
                name="subject",
                description="Does the first image show what it is to show?",
                options={2: "the animal and the place", 1: "one of the two", 0: "neither"},
            ),
            dd.Score(
                name="likeness",
                description="Is the second one the same scene?",
                options={2: "the same pose and place", 1: "the same animal", 0: "another scene"},
            ),
        ],
    )
    return builder
