"""A shop's answers: the model looks prices and stock up with tools before it answers, and the trace shows how.

Run it with `python examples/shop_answers.py 12`. It needs no key and no network: its model is simulated, and its tool
server, which any MCP server could be, is this very file.
"""

import os
import sys

import data_designer.config as dd
from data_designer.interface import DataDesigner

MODEL = "sim-clerk?tool_turns=2&latency=0.05"
"""It calls tools in two turns, then answers."""
PRICES = {"kettle": 39, "lamp": 25, "chair": 120}

MCP_PROVIDERS = [
    dd.LocalStdioMCPProvider(
        name="shop",
        command=sys.executable,
        args=[__file__, "serve"],
        # A server sees little of our environment; this one has to find the packages that we find.
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
]


def serve() -> None:
    """Be the tool server."""
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("shop", log_level="ERROR")

    @server.tool()
    def price(item: str) -> str:
        """Price of an item in euros."""
        return f"{item}: {PRICES.get(item, 'not sold here')}"

    @server.tool()
    def in_stock(item: str, amount: int) -> bool:
        """Whether so many of an item are there."""
        return item in PRICES and amount < 10

    server.run()


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[dd.ModelConfig(alias="clerk", model=MODEL, provider="simulated")],
        tool_configs=[dd.ToolConfig(tool_alias="shop", providers=["shop"], max_tool_call_turns=4, timeout_sec=10)],
    )
    builder.add_column(
        name="item", column_type="sampler", sampler_type="category", params={"values": [*PRICES, "sofa"]}
    )
    builder.add_column(
        name="question",
        column_type="llm-text",
        model_alias="clerk",
        prompt="Write a customer's question about the price of one or more: {{ item }}",
    )
    builder.add_column(
        name="answer",
        column_type="llm-text",
        model_alias="clerk",
        prompt="Answer the customer; look up what you say. {{ question }}",
        tool_alias="shop",
        with_trace="all_messages",
    )
    return builder


def main() -> None:
    """Make some records and show the conversation of the first."""
    designer = DataDesigner(mcp_providers=MCP_PROVIDERS)
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    results = designer.preview(load_config_builder(), num_records=records)
    assert results.dataset is not None
    for message in results.dataset["answer__trace"][0]:
        called = [call["function"] for call in message.get("tool_calls", [])]
        print(f"{message['role']:>9}: {called or message['content'][0]['text']}")


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
