"""Types of columns by their values, and the type that holds what several hold."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from data_designer.columns.arrow_types import all_fit, fits, inferred, unified

STRUCT = pa.struct([("a", pa.int64()), ("b", pa.string())])


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        ([None, None], pa.null()),
        (["a", None], pa.string()),
        ([True, None], pa.bool_()),
        ([1, -(2**63)], pa.int64()),
        ([1, 2**64 - 1], pa.uint64()),
        ([-1, 2**63], None),
        ([10**20], None),
        ([1, 0.5], pa.float64()),
        ([2**53 + 1, 0.5], None),
        ([True, 1], None),
        (["a", 1], None),
        ([[1], [], None], pa.list_(pa.int64())),
        ([[], []], pa.list_(pa.null())),
        ([[1], ["a"]], None),
        ([{"a": 1, "b": "x"}, {"b": None, "a": 2}], STRUCT),
        ([{"a": 1}, {"a": 1, "b": 2}], None),
        ([{}], None),
        ([b"a"], pa.binary()),
        ([Decimal("1.5"), Decimal("10.25")], pa.decimal128(4, 2)),
        ([dt.date(2024, 1, 5)], pa.date32()),
        ([dt.datetime(2024, 1, 5)], pa.timestamp("us")),  # noqa: DTZ001
        ([dt.datetime(2024, 1, 5, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        ([dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 5, tzinfo=dt.UTC)], None),  # noqa: DTZ001
        ([dt.time(10)], pa.time64("us")),
        ([dt.time(10, tzinfo=dt.UTC)], None),
        ([dt.timedelta(1)], pa.duration("us")),
        ([dt.date(2024, 1, 5), "soon"], None),
    ],
)
def test_the_type_of_some_values(values: list[Any], arrow: pa.DataType | None) -> None:
    """One that holds all of them as they are, or none."""
    assert inferred(values) == arrow


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pa.null(), pa.string(), pa.string()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.int64(), pa.string(), None),
        (pa.int64(), pa.uint64(), None),
        (None, pa.string(), None),
        (pa.list_(pa.null()), pa.list_(pa.string()), pa.list_(pa.string())),
        (pa.list_(pa.int64()), pa.list_(pa.string()), None),
        (pa.struct([("a", pa.null())]), pa.struct([("a", pa.bool_())]), pa.struct([("a", pa.bool_())])),
        (pa.struct([("a", pa.int64())]), pa.struct([("b", pa.int64())]), None),
        (pa.decimal128(4, 2), pa.decimal128(5, 3), pa.decimal128(5, 3)),
        (pa.decimal128(38, 0), pa.decimal128(38, 38), pa.decimal256(76, 38)),
        (pa.decimal256(76, 0), pa.decimal128(38, 38), None),
    ],
)
def test_the_type_of_two_files(one: pa.DataType | None, other: pa.DataType | None, both: pa.DataType | None) -> None:
    """It holds what either holds, in whatever order they come."""
    assert unified(one, other) == both
    assert unified(other, one) == both


@pytest.mark.parametrize(
    ("arrow", "good", "bad"),
    [
        (pa.string(), ["a", None], [1, b"a"]),
        (pa.int64(), [1, 2**63 - 1], [2**63, 1.0, True, "1"]),
        (pa.float64(), [0.5, 1, 2**53], [2**53 + 1, True, "0.5"]),
        (pa.bool_(), [True], [1, "true"]),
        (pa.list_(pa.int64()), [[], [1, None]], [[1.5], 1, ["a"]]),
        (STRUCT, [{"a": 1, "b": None}], [{"a": 1}, {"a": 1, "b": "x", "c": 2}, {"a": 2**63, "b": "x"}, "a"]),
        (pa.decimal128(38, 2), [Decimal("1.5")], [Decimal("1.555"), 1.5]),
    ],
)
def test_whether_a_value_fits(arrow: pa.DataType, good: list[Any], bad: list[Any]) -> None:
    """Only what comes back as it was."""
    holds = fits(arrow)
    assert [holds(value) for value in good] == [True] * len(good)
    assert [holds(value) for value in bad] == [False] * len(bad)
    column_holds = all_fit(arrow)
    assert column_holds([*good, None])
    assert [column_holds([*good, value]) for value in bad] == [False] * len(bad)


SINGLE = pa.list_(pa.float32())


@pytest.mark.parametrize(
    ("arrow", "value", "does"),
    [
        (SINGLE, [0.5, -2.0], True),
        (SINGLE, [], True),
        (SINGLE, None, True),
        (SINGLE, [0.1], False),
        (SINGLE, [1], False),
        (SINGLE, [1e300], False),
        (SINGLE, [None], False),
        (SINGLE, 0.5, False),
        (pa.list_(pa.float32(), 2), [0.5, 1.5], True),
        (pa.list_(pa.float32(), 2), None, True),
        (pa.list_(pa.float32(), 2), [0.5], False),
    ],
)
def test_a_vector_fits_numbers_of_32_bits(arrow: pa.DataType, value: object, does: bool) -> None:
    """Where it comes back as it was."""
    assert fits(arrow)(value) is does


def test_vectors_of_other_lengths_have_room_in_lists() -> None:
    """As where `dimensions` were not said at first."""
    assert unified(pa.list_(pa.float32(), 2), pa.list_(pa.float32(), 2)) == pa.list_(pa.float32(), 2)
    assert unified(pa.list_(pa.float32(), 2), pa.list_(pa.float32(), 3)) == SINGLE
    assert unified(SINGLE, pa.list_(pa.float64())) == pa.list_(pa.float64())
