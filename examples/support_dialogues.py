"""Support dialogues with personas: customers and agents, each played by a model, as lists of messages for fine-tuning.

    data-designer create examples/support_dialogues.py --num-records 30 -d support_dialogues --simulate -f jsonl

Every customer is a person with an age, a town and an occupation, whose mood depends on how long the trouble has lasted;
the customer ends the dialogue. Conversation columns are ours: the original has none. Without `--simulate` it asks
NVIDIA's endpoint and needs NVIDIA_API_KEY.
"""

import data_designer.config as dd

TROUBLES = {
    "kettle": ["switches itself off before the water boils", "smells of plastic", "leaks at the handle"],
    "bicycle": ["brakes with a squeal", "loses its chain uphill", "was delivered without pedals"],
    "router": ["drops the connection every evening", "cannot be reached after an update"],
}

PERSONA = """\
You are {{ customer.first_name }} {{ customer.last_name }}, {{ customer.age }}, {{ customer.occupation }}, from \
{{ customer.city }}. You are {{ mood }}, and you write {{ writing }}. You are a customer and stay one: you do not know \
the solution, and you answer only what you are asked."""

CUSTOMER = """\
{% if turn == 1 %}Your {{ product }} {{ trouble }}, for {{ days }} days now.
Write your first message to the support of its maker, in one or two sentences.
{% else %}The agent says: {{ last }}

Write what you say to that, in one or two sentences. Once the problem is solved, say goodbye and end with [END].
{% endif %}"""

AGENT = """\
The customer says: {{ last }}

Reply with one question, or with one step to try."""


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias=alias,
                model=model,
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=temperature, max_tokens=400, max_parallel_requests=8
                ),
            )
            for alias, model, temperature in (
                ("customers", "nvidia/nemotron-3-nano-30b-a3b", 1.0),
                ("agents", "nvidia/nemotron-3-super-120b-a12b", 0.5),
            )
        ]
    )
    builder.add_column(
        name="product",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*TROUBLES], "weights": [2, 1, 3]},
    )
    builder.add_column(
        name="trouble",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "product", "values": TROUBLES},
    )
    builder.add_column(
        name="customer",
        column_type="sampler",
        sampler_type="person_from_faker",
        params={"locale": "en_US", "age_range": [18, 85]},
    )
    # Most write soon, some late.
    builder.add_column(
        name="days",
        column_type="sampler",
        sampler_type="scipy",
        params={"dist_name": "geom", "dist_params": {"p": 0.25}},
        convert_to="int",
    )
    builder.add_column(
        name="mood",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["calm", "curious", "in a hurry"], "weights": [3, 1, 2]},
        conditional_params={"days > 5": {"values": ["annoyed", "resigned", "angry"], "weights": [3, 2, 1]}},
    )
    builder.add_column(
        name="writing",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["correctly", "without capitals", "with typing errors"], "weights": [3, 2, 1]},
    )
    return builder.add_column(
        name="dialogue",
        column_type="llm-conversation",
        roles=[
            dd.ConversationRole(
                name="customer",
                model_alias="customers",
                system_prompt=PERSONA,
                prompt=CUSTOMER,
                stop_word="[END]",
            ),
            dd.ConversationRole(
                name="agent",
                model_alias="agents",
                system_prompt="You are the support of the maker of a {{ product }}. You are brief and kind, and you "
                "promise nothing that you cannot keep.",
                prompt=AGENT,
            ),
        ],
        max_turns=8,
        system_message="You are the support of the maker of a {{ product }}.",
    )
