"""How calls of functions ask: under what each thing is kept that they have asked or called."""

import asyncio
from collections.abc import Callable
from typing import Any

import pandas as pd
from tests.fakes import model
from tests.plans import compiled

import data_designer.config as dd
from data_designer.engine.dataset.journal import Key, request_digest
from data_designer.engine.execution.asking import FunctionAsks, FunctionRunner
from data_designer.engine.protocol.peers import NoPeers
from data_designer.plan.model import Plan
from data_designer.values import ToolCall, ToolRequest, ToolResponse


@dd.custom_column_generator(required_columns=["n"], model_aliases=["a"])
def asking(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
    """It is not called here."""
    return row


def plan() -> Plan:
    """Of one column of a function that asks a model."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a")])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1]})))
    builder.add_column(name="n", column_type="expression", expr="1")
    builder.add_column(dd.CustomColumnConfig(name="x", generator_function=asking))
    return compiled(builder, 1)


class Row:
    """Keeps under what each call would be kept."""

    record = 7

    def __init__(self) -> None:
        self.keys: list[tuple[Key, str]] = []

    async def call(self, _: str, request: ToolRequest, key_of: Callable[[ToolRequest], Key]) -> ToolResponse:
        """Call nothing."""
        for call in request.calls:
            one = ToolRequest(request.alias, (call,))
            self.keys.append((key_of(one), request_digest(one)))
        return ToolResponse(())


def test_the_same_call_in_two_turns_is_kept_twice_whatever_is_called_beside_it() -> None:
    """What it came to the second time may be something else."""
    one, other = ToolCall("add", {"a": 1}, 0), ToolCall("add", {"a": 2}, 1)

    async def scenario() -> Row:
        declared = plan()
        [step] = [step for step in declared.steps if step.name == "x"]
        row = Row()
        asks = FunctionAsks(FunctionRunner(declared, "a", NoPeers()), row, step, "f")  # type: ignore[arg-type]
        for calls in ((one, other), (one,), (one,)):
            await asks.reply("a", ToolRequest("t", calls))
        return row

    row = asyncio.run(scenario())
    assert [key for key, _ in row.keys] == [("f", 7, 0), ("f", 7, 0), ("f", 7, 1), ("f", 7, 2)]
    assert len(set(row.keys)) == 4
