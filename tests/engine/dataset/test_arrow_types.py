"""Tables whose types differ, read as one."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from data_designer.engine.dataset.arrow_types import cells_of, concatenated, typed
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


CS = pa.list_(pa.struct([("c", pa.bool_())]))


@pytest.mark.parametrize(
    ("cells", "arrow"),
    [
        (["a", None, "é\U0001f600", ""], pa.string()),
        ([1, -(2**63), None, 2**63 - 1], pa.int64()),
        ([1.5, None, -0.0, float("inf")], pa.float64()),
        ([True, None, False] * 7, pa.bool_()),
        ([True] * 8 + [False], pa.bool_()),
        ([1, 2.5], pa.float64()),
        ([[1], None, [], [2, None]], pa.list_(pa.int64())),
        ([[["a"], None], [[]]], pa.list_(pa.list_(pa.string()))),
        ([{"a": 1, "b": [{"c": True}]}, None, {"a": None, "b": []}], pa.struct([("a", pa.int64()), ("b", CS)])),
        ([{"a": dt.date(2024, 1, 5)}], pa.struct([("a", pa.date32())])),
        ([None, None], pa.struct([("a", pa.int64())])),
        ([], pa.int64()),
    ],
)
def test_an_array_is_the_one_that_arrow_makes(cells: list[Any], arrow: pa.DataType) -> None:
    """Whatever puts it together: same type, same values, same nulls."""
    made, known = typed(cells, arrow), pa.array(cells, arrow)
    made.validate(full=True)
    assert (made.type, made.to_pylist(), made.null_count) == (known.type, known.to_pylist(), known.null_count)
    assert list(map(repr, made.to_pylist())) == list(map(repr, known.to_pylist()))


@pytest.mark.parametrize(("cells", "arrow"), [([2**63], pa.int64()), ([1], pa.string()), (["a"], pa.int64())])
def test_what_does_not_fit_a_type_is_refused(cells: list[Any], arrow: pa.DataType) -> None:
    """As Arrow refuses it, so that the column becomes JSON text."""
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)):
        typed(cells, arrow)
