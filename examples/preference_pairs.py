"""Preference pairs: two models answer the same message, a judge that does not know who wrote what says which is better.

    data-designer create examples/preference_pairs.py --num-records 50 -d preference_pairs --simulate

Pairs come in the form that trainers of DPO take, in `processors-files/dpo/`. Without `--simulate` it asks the endpoints
of NVIDIA and OpenAI and needs NVIDIA_API_KEY and OPENAI_API_KEY. An unchanged Data Designer script.
"""

import data_designer.config as dd

WISHES = {
    "Writing": ["a hard email to a colleague", "a toast for a birthday", "a shorter version of a paragraph"],
    "Advice": ["a decision between two jobs", "a plan for a first marathon", "a quarrel with a neighbour"],
    "Explanation": ["how a heat pump works", "why the sky is dark at night", "what inflation does to savings"],
}

MESSAGE = """\
You are {{ user.first_name }}, {{ user.age }} years old, {{ user.occupation }}. You ask an assistant for help with
{{ wish }}. Write your message as you would type it: {{ manner }}. Invent the facts that the assistant needs."""

COMPARE = """\
A user wrote: {{ message }}

Answer A: {{ answer_a }}

Answer B: {{ answer_b }}

Which answer would the user rather have? Length is no merit in itself, and neither is the order of the two."""


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias=alias,
                model=model,
                provider=provider,
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=temperature, max_tokens=800, max_parallel_requests=8
                ),
            )
            for alias, model, provider, temperature in (
                ("small", "nvidia/nemotron-3-nano-30b-a3b", "nvidia", 1.0),
                ("large", "nvidia/nemotron-3-super-120b-a12b", "nvidia", 0.6),
                ("judge", "gpt-4.1", "openai", 0.0),
            )
        ]
    )
    builder.add_column(
        name="kind",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*WISHES], "weights": [3, 2, 2]},
    )
    builder.add_column(
        name="wish", column_type="sampler", sampler_type="subcategory", params={"category": "kind", "values": WISHES}
    )
    builder.add_column(
        name="user", column_type="sampler", sampler_type="person_from_faker", params={"age_range": [18, 75]}
    )
    builder.add_column(
        name="manner",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["in one line", "politely and at length", "as one who thinks aloud"], "weights": [3, 2, 1]},
    )
    # Judges prefer what they read first, so a coin decides which answer that is.
    builder.add_column(name="large_is_a", column_type="sampler", sampler_type="bernoulli", params={"p": 0.5})

    builder.add_column(name="message", column_type="llm-text", model_alias="small", prompt=MESSAGE)
    for alias in ("small", "large"):
        builder.add_column(
            name=f"answer_of_{alias}",
            column_type="llm-text",
            model_alias=alias,
            system_prompt="You are a helpful assistant. You answer what was asked, briefly and concretely.",
            prompt="{{ message }}",
        )
    for name, first, second in (("answer_a", "large", "small"), ("answer_b", "small", "large")):
        builder.add_column(
            name=name,
            column_type="expression",
            expr=f"{{% if large_is_a == 1 %}}{{{{ answer_of_{first} }}}}"
            f"{{% else %}}{{{{ answer_of_{second} }}}}{{% endif %}}",
            drop=True,
        )
    builder.add_column(
        name="verdict",
        column_type="llm-judge",
        model_alias="judge",
        prompt=COMPARE,
        scores=[
            dd.Score(
                name="better",
                description="The better answer; one has to be chosen",
                options={"A": "the user would rather have A", "B": "the user would rather have B"},
            ),
            dd.Score(
                name="margin",
                description="How much better it is",
                options={
                    3: "the other one is wrong, or misses the point",
                    2: "both help, and the user would see at once why",
                    1: "a matter of taste",
                },
            ),
        ],
    )
    builder.add_column(
        name="winner",
        column_type="expression",
        expr="{% if (verdict.better.score == 'A') == (large_is_a == 1) %}large{% else %}small{% endif %}",
    )
    for name, best, other in (("chosen", "large", "small"), ("rejected", "small", "large")):
        builder.add_column(
            name=name,
            column_type="expression",
            expr=f"{{% if winner == 'large' %}}{{{{ answer_of_{best} }}}}"
            f"{{% else %}}{{{{ answer_of_{other} }}}}{{% endif %}}",
        )
    builder.add_processor(
        dd.SchemaTransformProcessorConfig(
            name="dpo",
            template={
                "prompt": [{"role": "user", "content": "{{ message }}"}],
                "chosen": [{"role": "assistant", "content": "{{ chosen }}"}],
                "rejected": [{"role": "assistant", "content": "{{ rejected }}"}],
                "margin": "{{ verdict.margin.score }}",
            },
        )
    )
    return builder
