"""Conversations between a customer and a support agent, as lists of messages for fine-tuning.

Each role is played by a model of its own and has its own prompt; the customer ends the conversation.

    data-designer create examples/support_dialogues.py -n 20 -f jsonl

It needs no key and no network: its models are simulated. Name another provider to use real ones.
"""

import data_designer.config as dd

CUSTOMER = """\
{% if turn == 1 %}You have a problem with your {{ product }}: it {{ trouble }}. You are {{ mood }}.
Write your first message to the support of its maker. One or two sentences.
{% else %}The agent says: {{ last }}

Answer as the customer. Once the problem is solved, say goodbye and end with [END].
{% endif %}"""

AGENT = """\
The customer says: {{ last }}

Answer as the agent: one question or one step to try at a time."""


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """The declaration."""
    models = [
        dd.ModelConfig(
            alias=alias,
            model=model,
            provider="simulated",
            inference_parameters=dd.ChatCompletionInferenceParams(temperature=heat, max_tokens=400),
        )
        for alias, model, heat in (
            ("customers", "meta/llama-3.1-8b-instruct", 1.0),
            ("agents", "nvidia/llama-3.3-nemotron-super-49b-v1", 0.5),
        )
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    choices = {
        "product": ["kettle", "bicycle", "router"],
        "trouble": ["makes a noise", "does not start", "stops after a minute"],
        "mood": ["calm", "in a hurry", "annoyed"],
    }
    for name, values in choices.items():
        builder.add_column(name=name, column_type="sampler", sampler_type="category", params={"values": values})
    return builder.add_column(
        name="dialogue",
        column_type="llm-conversation",
        roles=[
            dd.ConversationRole(name="customer", model_alias="customers", prompt=CUSTOMER, stop_word="[END]"),
            dd.ConversationRole(
                name="agent",
                model_alias="agents",
                system_prompt="You are the support of the maker of a {{ product }}. You are brief and kind.",
                prompt=AGENT,
            ),
        ],
        max_turns=6,
        system_message="You are the support of the maker of a {{ product }}.",
    )
