"""Stages: rows run together on a CPU come to what they come to one by one next to a model."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.config.run_config import RunConfig
from data_designer.engine.execution.recording import Recording, RowAsks
from data_designer.engine.execution.stage_runner import CellCounts, StageRunner
from data_designer.engine.protocol.parcels import REJECTED, SKIPPED
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block

CELLS = st.none() | st.integers(-9, 9) | st.floats() | st.text(max_size=3) | st.sampled_from(["7", '{"k": 1}', "[2]"])


def plan() -> Plan:
    """Two samplers, and a chain of expressions that drop, skip and are skipped."""
    made = dd.DataDesignerConfigBuilder()
    for name in "ab":
        made.add_column(name=name, column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="number", column_type="expression", expr="{{ a }}{{ b.k }}", dtype="float")
    made.add_column(
        name="small",
        column_type="expression",
        expr="{{ number }} of {{ a }}",
        skip=dd.SkipConfig(when="{{ number > 3 or b == 'x' }}", value="large"),
    )
    made.add_column(name="after", column_type="expression", expr="{{ small | upper }}: {{ b }}")
    made.add_column(
        name="anyway",
        column_type="expression",
        expr="{{ after }}",
        skip=dd.SkipConfig(when="{{ b > 5 }}"),
        propagate_skip=False,
    )
    return compile_plan(made.build(), {}, RunConfig(), Geometry(1, 1), seed=1, kinds=KINDS)


@pytest.fixture(scope="module")
def runner() -> StageRunner:
    """The expressions alone, since their values are given."""
    compiled = plan()
    stage = compiled.stage_of("anyway")
    return StageRunner(compiled, replace(stage, steps=tuple(step for step in stage.steps if step.kind == "expression")))


def asks(record: int) -> RowAsks:
    """A row that keeps nothing; no expression asks a model."""
    nobody: Any = None
    return RowAsks(nobody, record, Recording(None, Geometry(1, 1), ""), [])


async def one_by_one(runner: StageRunner, columns: dict[str, list[Any]], rows: int) -> list[Any]:
    """What each row comes to next to a model: its values, its skipped columns and why it was rejected."""
    results = []
    for row in range(rows):
        record = {name: values[row] for name, values in columns.items()}
        result = await runner.run_row(record, None, asks(row), CellCounts())
        results.append((None if result.rejected else result.values, result.skipped, result.rejected))
    return results


def together(runner: StageRunner, columns: dict[str, list[Any]], rows: int) -> list[Any]:
    """The same of rows that are run as a block."""
    made = runner.run_block(Block(np.arange(rows), columns)).columns
    skipped, rejected = (made.pop(name, [None] * rows) for name in (SKIPPED, REJECTED))
    return [
        (None if rejected[row] else {name: values[row] for name, values in made.items()}, skipped[row], rejected[row])
        for row in range(rows)
    ]


@examples(300)
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_a_block_comes_to_what_its_rows_come_to(runner: StageRunner, rows: list[Any]) -> None:
    """Values, skips and the reasons of rejected rows are the same; what was given is left as it was."""
    columns = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    given_lists = {name: list(values) for name, values in columns.items()}
    singly = asyncio.run(one_by_one(runner, columns, len(rows)))
    assert repr(together(runner, columns, len(rows))) == repr(singly)
    assert repr(columns) == repr(given_lists)


def test_rows_of_every_fate_keep_their_places(runner: StageRunner) -> None:
    """Rows that are dropped or skipped leave the others' values where they belong."""
    results = together(runner, {"a": [1, "x", 9, 2], "b": [8, 8, 8, "x"]}, 4)
    assert results[0] == (
        {"number": 1.0, "small": "1.0 of 1", "after": "1.0 OF 1: 8", "anyway": None},
        {"anyway"},
        None,
    )
    assert results[1][2].column == "number"
    assert results[2] == (
        {"number": 9.0, "small": "large", "after": None, "anyway": None},
        {"small", "after", "anyway"},
        None,
    )
    assert results[3][1] == {"small", "after", "anyway"}


def test_what_an_awaited_function_raises_rejects_its_row_alone() -> None:
    """Also what would end the loop, or a task of it."""
    odd = {3: KeyboardInterrupt(), 5: SystemExit(2), 7: asyncio.CancelledError()}

    @dd.custom_column_generator(required_columns=["number"])
    async def awaited(row: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        if row["number"] in odd:
            raise odd[row["number"]]
        return {**row, "c": "fine"}

    made = dd.DataDesignerConfigBuilder()
    made.add_column(name="number", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="c", column_type="custom", generator_function=awaited)
    compiled = compile_plan(made.build(), {}, RunConfig(), Geometry(1, 1), seed=1, kinds=KINDS)
    stage = compiled.stage_of("c")
    alone = StageRunner(compiled, replace(stage, steps=tuple(step for step in stage.steps if step.kind == "custom")))
    rows = alone.run_block(Block(np.arange(10, dtype=np.int64), {"number": list(range(10))}))
    reasons = {row: reason.message for row, reason in enumerate(rows.columns[REJECTED]) if reason is not None}
    assert sorted(reasons) == sorted(odd)
    assert all(f"raised {type(odd[row]).__name__} for record {row}" in said for row, said in reasons.items())
    assert [value for row, value in enumerate(rows.columns["c"]) if row not in odd] == ["fine"] * 7
