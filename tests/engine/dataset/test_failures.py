"""Cells that failed: their tables, and how tables of one batch go together."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.engine.dataset.failures import (
    Failure,
    count_kinds,
    failures_of,
    failures_table,
    merged_failures,
    records_of,
)
from data_designer.values import Reason

TEXTS = st.text(max_size=20)
FAILURES = st.builds(
    Failure,
    st.integers(0, 9),
    st.builds(Reason, st.sampled_from(["KindA", "KindB", "KindC"]), TEXTS, TEXTS, TEXTS | st.none()),
    st.integers(0, 100),
    st.floats(0, 10) | st.none(),
    TEXTS | st.none(),
)
SOME = st.lists(FAILURES, max_size=20)


def failure(record: int, message: str = "no", kind: str = "Kind", column: str = "x") -> Failure:
    """A cell that failed."""
    return Failure(record, Reason(kind, message, column))


def rows(*numbers: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Record indices."""
    return np.array(numbers, dtype=np.int64)


def table(*failures: Failure) -> pa.Table | None:
    """A table, or none where nothing failed."""
    return failures_table(failures) if failures else None


@given(SOME.filter(bool))
def test_a_table_holds_everything_in_order_of_record(failures: list[Failure]) -> None:
    """What is written is read back as it was; cells of one record stay in their order."""
    assert failures_of(failures_table(failures)) == sorted(failures, key=lambda one: one.record)


def test_columns_have_their_types_even_where_all_is_null() -> None:
    """Tables of batches without prices, replies or seeds go together with others."""
    made = failures_table([failure(3)])
    assert {field.name: str(field.type) for field in made.schema} == {
        "record_index": "int64",
        "column": "string",
        "kind": "string",
        "message": "string",
        "last_reply": "string",
        "attempts": "int64",
        "usd": "double",
        "seed": "string",
    }
    whole = failures_table([Failure(4, Reason("K", "m", "x", "a reply"), 2, 0.5, "{}")])
    assert pa.concat_tables([made, whole]).num_rows == 2


def test_a_record_that_was_made_since_is_failed_no_more() -> None:
    """What the old table tells of it is forgotten; where nothing is left there is no table."""
    left = merged_failures(table(failure(1), failure(2)), None, rows(2))
    assert left is not None
    assert failures_of(left) == [failure(1)]
    assert merged_failures(table(failure(2)), None, rows(2)) is None
    assert merged_failures(None, None, rows()) is None


def test_of_a_record_that_failed_again_the_later_failure_counts() -> None:
    """All cells of the old table go, whichever column failed now."""
    old = table(failure(1, "first", column="x"), failure(1, "first", column="y"), failure(3, "other"))
    merged = merged_failures(old, table(failure(1, "again", column="z")), rows())
    assert merged is not None
    assert failures_of(merged) == [failure(1, "again", column="z"), failure(3, "other")]


def test_a_null_filled_record_is_made_and_told_of() -> None:
    """Its new failures stand though it was made: only those of before are forgotten."""
    merged = merged_failures(table(failure(1, "rejected")), table(failure(1, "null")), rows(1))
    assert merged is not None
    assert failures_of(merged) == [failure(1, "null")]


@given(SOME, SOME, st.sets(st.integers(0, 9)))
def test_merged_tables_tell_of_each_record_from_one_side(
    old: list[Failure], new: list[Failure], made: set[int]
) -> None:
    """What is told of a record is all that one of the tables tells of it, the later one first."""
    merged = merged_failures(table(*old), table(*new), rows(*made))
    for record in range(10):
        told = [one for one in (failures_of(merged) if merged else ()) if one.record == record]
        later = [one for one in new if one.record == record]
        earlier = [] if record in made else [one for one in old if one.record == record]
        assert told == (later or earlier)


def test_kinds_are_counted_with_the_first_example() -> None:
    """One example of record, column and message a kind."""
    found = count_kinds([failure(5, "a", "K1"), failure(6, "b", "K2", "y"), failure(7, "c", "K1", "z")])
    assert found == {
        "K1": {"count": 2, "column": "x", "record": 5, "message": "a", "columns": {"x": 1, "z": 1}},
        "K2": {"count": 1, "column": "y", "record": 6, "message": "b", "columns": {"y": 1}},
    }


@pytest.mark.parametrize("length", [500, 501, 100_000])
def test_an_example_is_no_longer_than_a_line_may_be(length: int) -> None:
    """Receipts stay small whatever models say; the table has the whole message."""
    long = failure(1, "m" * length)
    assert len(count_kinds([long])["Kind"]["message"]) == 500
    assert failures_of(failures_table([long])) == [long]


def test_records_of_a_table_are_named_once() -> None:
    """A record of which two cells failed is one record."""
    assert records_of(table(failure(4), failure(2), failure(4, column="y"))).tolist() == [2, 4]
    assert records_of(None).tolist() == []
