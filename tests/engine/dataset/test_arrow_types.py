"""Tables whose types differ, read as one."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from data_designer.engine.dataset.arrow_types import cells_of, concatenated
from data_designer.engine.dataset.schema import Tables


@pytest.mark.parametrize(
    "parts",
    [
        [[1, 2], [0.5]],
        [[None], ["a"], [None]],
        [[{"a": None}], [{"a": [1]}], [{"a": [None]}]],
        [[{"a": 1}], [{"a": 1, "b": 2}]],
        [["a"], [1], [{"b": 2}], [None]],
        [[2**53 + 1], [0.5]],
        [[10**30], [1]],
    ],
)
def test_tables_of_different_types_one_after_the_other(parts: list[list[Any]]) -> None:
    """Every cell is what it was, whatever the others are."""
    table = concatenated([Tables({}).table({"c": cells}) for cells in parts])
    assert cells_of(table["c"], table.schema.field("c")) == [cell for cells in parts for cell in cells]


def test_a_column_that_changes_is_stored_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """What has no common type with what came before is JSON text, and what JSON lacks is said to be text, once."""
    tables = Tables({"n": pa.int64()})
    assert tables.table({"n": [1], "c": [dt.date(2024, 1, 5)]}).schema.types == [pa.int64(), pa.date32()]
    assert not caplog.messages
    for _ in range(2):
        table = tables.table({"n": ["a"], "c": [1, dt.date(2024, 1, 5)][:1]})
        assert [cells_of(table[name], table.schema.field(name)) for name in ("n", "c")] == [["a"], [1]]
    tables.table({"n": [1], "c": [dt.date(2024, 1, 5)]})
    tables.table({"n": [1], "c": [dt.date(2024, 1, 5)]})
    assert [message for message in caplog.messages if "column=c" in message] == [caplog.messages[0]]
