"""Tool-use traces: a clerk of a shop looks orders up before answering, and each conversation is kept with its calls.

    python examples/shop_answers.py 20

Tool servers are given to `DataDesigner`, so this one is a script; commands know those of the home folder. Its server,
which could be any that speaks MCP, is this very file. Its models are simulated: `simulated` is ours, name another
provider to use real ones; the rest is an unchanged Data Designer script.
"""

import os
import sys
from typing import Literal

import data_designer.config as dd
from data_designer.interface import DataDesigner

CLERK = "sim-clerk?tool_turns=2"
"""It calls tools in two turns, then answers."""
ORDERS = {
    "B-1041": {"item": "kettle", "euros": 39, "state": "delivered", "days_ago": 6},
    "B-1042": {"item": "lamp", "euros": 25, "state": "on its way", "days_ago": 2},
    "B-1043": {"item": "chair", "euros": 120, "state": "delivered", "days_ago": 45},
    "B-1044": {"item": "shelf", "euros": 84, "state": "lost", "days_ago": 12},
}

MCP_PROVIDERS = [
    dd.LocalStdioMCPProvider(
        name="shop",
        command=sys.executable,
        args=[__file__, "serve"],
        # A server sees little of our environment; this one has to find the packages that we find.
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
]

QUESTION = """\
You are {{ customer.first_name }}, {{ customer.age }}, and a customer of a furniture shop. Write one short question
about your order {{ order }}: {{ concern }}. You are {{ mood }}."""

ANSWER = """\
A customer writes about order {{ order }}: {{ question }}

Look up what you need before you answer. Promise nothing that a tool did not tell you."""


def serve() -> None:
    """Be the tool server."""
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("shop", log_level="ERROR")

    @server.tool()
    def find_order(order_id: str) -> str:
        """What was ordered, what it cost, and where it is."""
        order = ORDERS.get(order_id)
        if order is None:
            return f"there is no order {order_id}"
        return f"{order_id}: {order['item']}, {order['euros']} euros, {order['state']}, {order['days_ago']} days ago"

    @server.tool()
    def refund(order_id: str, reason: Literal["broken", "late", "disliked"]) -> str:
        """What of an order's price would be paid back, by the rules of the shop."""
        order = ORDERS.get(order_id)
        if order is None:
            return f"there is no order {order_id}"
        is_due = reason != "disliked" or order["days_ago"] <= 30  # type: ignore[operator]
        return f"{order['euros'] if is_due else 0} euros"

    server.run()


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="customer", model="sim-customer", provider="simulated"),
            dd.ModelConfig(alias="clerk", model=CLERK, provider="simulated"),
        ],
        tool_configs=[
            dd.ToolConfig(
                tool_alias="shop",
                providers=["shop"],
                allow_tools=["find_order", "refund"],
                max_tool_call_turns=4,
                timeout_sec=10,
            )
        ],
    )
    builder.add_column(name="order", column_type="sampler", sampler_type="category", params={"values": [*ORDERS]})
    builder.add_column(
        name="customer", column_type="sampler", sampler_type="person_from_faker", params={"age_range": [18, 80]}
    )
    builder.add_column(
        name="concern",
        column_type="sampler",
        sampler_type="category",
        params={
            "values": ["where it is", "it arrived broken", "you want to give it back", "the invoice"],
            "weights": [4, 3, 2, 1],
        },
    )
    builder.add_column(
        name="mood",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["polite", "brief"]},
        conditional_params={"concern == 'it arrived broken'": {"values": ["angry", "polite"], "weights": [2, 1]}},
    )
    builder.add_column(name="question", column_type="llm-text", model_alias="customer", prompt=QUESTION)
    builder.add_column(
        name="answer",
        column_type="llm-text",
        model_alias="clerk",
        system_prompt="You are a clerk of a furniture shop.",
        prompt=ANSWER,
        tool_alias="shop",
        with_trace="all_messages",
    )
    return builder


def main() -> None:
    """Make a dataset and show the conversation of its first record."""
    designer = DataDesigner(mcp_providers=MCP_PROVIDERS)
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    results = designer.create(load_config_builder(), num_records=records, dataset_name="shop_answers")
    for message in results.load_dataset()["answer__trace"][0]:
        for call in message.get("tool_calls") or ():
            print(f"{message['role']:>9}: calls {call['function']['name']}({call['function']['arguments']})")
        for block in message["content"]:
            if block["text"]:
                print(f"{message['role']:>9}: {block['text']}")
    print(f"{results.count_records()} records in {results.artifact_storage.base_dataset_path}")


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
