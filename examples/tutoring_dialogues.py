"""Tutoring dialogues: a pupil with a misconception and a tutor speak in turn, and a judge says what the pupil learned.

    data-designer create examples/tutoring_dialogues.py --num-records 30 -d tutoring_dialogues --simulate

Each turn is a column, so turns can be steered one by one, and dialogues are two or three rounds long: an unchanged Data
Designer script. Where a model may end the dialogue itself, see `support_dialogues.py`. Without `--simulate` it asks
NVIDIA's endpoint and needs NVIDIA_API_KEY.
"""

import data_designer.config as dd

MISCONCEPTIONS = {
    "Mathematics": [
        "multiplying always makes a number larger",
        "a longer decimal is a larger number",
        "a fraction with a larger denominator is larger",
    ],
    "Physics": ["heavy things fall faster", "a thing that moves needs a force that keeps it moving"],
    "Biology": ["plants get their mass from the soil", "evolution is what an animal wants to become"],
}

PUPIL = """\
You are {{ pupil.first_name }}, a pupil of {{ pupil.age }} in {{ pupil.city }}. You are {{ temper }}.
You believe that {{ misconception }}. You write as pupils chat: short, without lists, and you never lecture."""

TUTOR = """\
You are a tutor of {{ subject }}. You never give the answer away before the third message. You ask one question at a
time, and you stay with what the pupil has just said. At most four sentences."""

FIRST = "Write your first message to your tutor: a question from your homework in which your belief gets in your way."

SO_FAR = "The conversation so far:\n\n"
ONE = "Pupil: {{ pupil_1 }}"
TWO = ONE + "\n\nTutor: {{ tutor_1 }}"
THREE = TWO + "\n\nPupil: {{ pupil_2 }}"
FOUR = THREE + "\n\nTutor: {{ tutor_2 }}"
SHORT = "{{ rounds == 2 }}"
FIVE = FOUR + "\n\nPupil: {{ pupil_3 }}"


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    chat = dd.ChatCompletionInferenceParams(temperature=0.9, max_tokens=500, max_parallel_requests=8)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias=alias, model=model, provider="nvidia", inference_parameters=chat)
            for alias, model in (
                ("pupils", "nvidia/nemotron-3-nano-30b-a3b"),
                ("tutors", "nvidia/nemotron-3-super-120b-a12b"),
            )
        ]
    )
    builder.add_column(
        name="subject",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*MISCONCEPTIONS], "weights": [3, 2, 1]},
    )
    builder.add_column(
        name="misconception",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "subject", "values": MISCONCEPTIONS},
    )
    builder.add_column(
        name="pupil",
        column_type="sampler",
        sampler_type="person_from_faker",
        params={"locale": "en_GB", "age_range": [10, 16]},
    )
    builder.add_column(
        name="temper",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["eager", "shy", "in a hurry", "sure of being right"], "weights": [3, 2, 2, 2]},
    )
    # Whoever is sure of being right takes longer.
    builder.add_column(
        name="rounds",
        column_type="sampler",
        sampler_type="category",
        params={"values": [2, 3], "weights": [2, 1]},
        conditional_params={"temper == 'sure of being right'": {"values": [3]}},
    )

    turns = [
        ("pupil_1", FIRST, None),
        ("tutor_1", f"{SO_FAR}{ONE}\n\nReply to the pupil: find out how they think.", None),
        ("pupil_2", f"{SO_FAR}{TWO}\n\nReply to the tutor. You still hold on to your belief.", None),
        ("tutor_2", f"{SO_FAR}{THREE}\n\nReply to the pupil: give an example in which the belief fails.", None),
        ("pupil_3", f"{SO_FAR}{FOUR}\n\nReply to the tutor. You begin to doubt your belief.", SHORT),
        ("tutor_3", f"{SO_FAR}{FIVE}\n\nReply to the pupil: let them say what is right, and confirm it.", SHORT),
    ]
    for name, prompt, skipped in turns:
        is_pupil = name.startswith("pupil")
        builder.add_column(
            name=name,
            column_type="llm-text",
            model_alias="pupils" if is_pupil else "tutors",
            system_prompt=PUPIL if is_pupil else TUTOR,
            prompt=prompt,
            skip=dd.SkipConfig(when=skipped) if skipped else None,
            drop=True,
        )

    builder.add_column(
        name="transcript",
        column_type="expression",
        expr=FOUR + "{% if rounds == 3 %}\n\nPupil: {{ pupil_3 }}\n\nTutor: {{ tutor_3 }}{% endif %}",
        propagate_skip=False,
    )
    builder.add_column(
        name="lesson",
        column_type="llm-judge",
        model_alias="tutors",
        prompt="Judge this lesson. The pupil believes that {{ misconception }}.\n\n{{ transcript }}",
        scores=[
            dd.Score(
                name="guidance",
                description="Did the tutor let the pupil find the answer?",
                options={3: "by questions alone", 2: "with strong hints", 1: "the tutor told it"},
            ),
            dd.Score(
                name="pupil",
                description="Does the pupil talk as a pupil of that age does?",
                options={3: "throughout", 2: "mostly", 1: "it is an adult who talks"},
            ),
        ],
    )
    # A template has the same shape for each record: the first two rounds, which every dialogue has.
    builder.add_processor(
        dd.SchemaTransformProcessorConfig(
            name="chat",
            template={
                "messages": [
                    {"role": "system", "content": "You are a tutor of {{ subject }}."},
                    {"role": "user", "content": "{{ pupil_1 }}"},
                    {"role": "assistant", "content": "{{ tutor_1 }}"},
                    {"role": "user", "content": "{{ pupil_2 }}"},
                    {"role": "assistant", "content": "{{ tutor_2 }}"},
                ]
            },
        )
    )
    return builder
