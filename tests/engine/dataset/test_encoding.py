"""What a cell holds of a value from outside, and its JSON text."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.odd_values import KEPT, REFUSED, same
from tests.properties import examples

from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.encoding import (
    UnstorableValueError,
    all_kept,
    cleaned,
    decode_json,
    encode_json,
    is_same,
    json_text,
    json_texts,
    kept,
)
from data_designer.engine.dataset.schema import Tables

TEXT = st.text(max_size=5)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    TEXT,
    st.binary(max_size=4),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(dt.timedelta(days=-9999), dt.timedelta(days=9999)),
    st.sampled_from([given for given, _ in KEPT.values()]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


@pytest.mark.parametrize("name", KEPT)
def test_what_a_cell_holds(name: str) -> None:
    """A value is kept as it is, or becomes what the table of the decision says; what is kept stays so."""
    odd, right = KEPT[name]
    assert same(kept(odd), right)
    assert type(kept(odd)) is type(right)
    assert is_same(kept(kept(odd)), kept(odd))


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_cell_holds(name: str) -> None:
    """It is refused by an error of one class, or of its own: never by the end of the process or of the stack."""
    with pytest.raises((UnstorableValueError, RuntimeError)) as refusal:
        kept(REFUSED[name]())
    assert not isinstance(refusal.value, RecursionError)


@examples(300)
@given(values=st.lists(VALUES, max_size=4))
def test_what_is_kept_comes_back_from_a_table(values: list[Any]) -> None:
    """Whatever cells stand in one column, the table holds them all, and none as another."""
    try:
        cells = [kept(value) for value in values]
    except UnstorableValueError:
        return  # Two keys that are the same text once half an emoji is U+FFFD.
    table = Tables({}).table({"c": cells, "n": range(len(cells))})
    read = cells_of(table["c"], table.schema.field("c"))
    assert all(same(_json_form(cell), _json_form(other)) for cell, other in zip(cells, read, strict=True))


def _json_form(cell: Any) -> Any:
    """Where a column is JSON text, moments, decimals and bytes are text."""
    return decode_json(encode_json(cell))


@examples(300)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, st.lists, max_leaves=5))
def test_json_text_is_read_back_as_it_was(value: Any) -> None:
    """Integers of any size, NaN and Infinity included."""
    cell = kept(value)
    assert is_same(decode_json(encode_json(cell)), cell)


def test_json_text_of_what_json_lacks() -> None:
    """Moments are ISO text, decimals as they print, bytes base64."""
    cell = {
        "at": dt.datetime(2024, 1, 5, 10, 30, tzinfo=dt.UTC),
        "day": dt.date(2024, 1, 5),
        "price": Decimal("1.50"),
        "raw": b"\xff",
    }
    assert decode_json(encode_json(cell)) == {
        "at": "2024-01-05T10:30:00+00:00",
        "day": "2024-01-05",
        "price": "1.50",
        "raw": "/w==",
    }


def test_null_and_nan_are_told_apart() -> None:
    """Inside a value both are written, each as what it is."""
    read = decode_json(encode_json([None, math.nan]))
    assert read[0] is None
    assert math.isnan(read[1])


def test_halves_that_belong_together_become_one_character() -> None:
    """Text in UTF-16 that was cut in the wrong place loses only the half that has no other."""
    assert cleaned("\ud83c\udf75 \ud83d") == "\U0001f375 \ufffd"


@pytest.mark.parametrize("name", KEPT)
def test_a_column_is_kept_as_it_is_only_where_each_of_its_cells_is(name: str) -> None:
    """What is seen at once never contradicts what is looked at cell by cell."""
    given, _ = KEPT[name]
    if all_kept(["a", None, given]):
        assert kept(given) is given


@pytest.mark.parametrize("name", REFUSED)
def test_a_column_with_what_no_cell_holds_is_looked_at_cell_by_cell(name: str) -> None:
    """Halves of emojis in cells beside each other do not make one."""
    assert not all_kept(["a", REFUSED[name](), 1])
    assert not all_kept(["\ud83c", "\udf75"])


def test_plain_columns_are_kept_as_they_are() -> None:
    """Otherwise nothing is gained."""
    assert all_kept(["a", "\U0001f375", None, 1, 2.5, True])


@pytest.mark.parametrize("values", [[1, 2.5, True, -0.0, 1e16, 5e-324], [1, math.nan], [10**20, 1], ["a,b", 1], []])
def test_texts_of_many_values_are_those_of_each(values: list[Any]) -> None:
    """Numbers are written together, and come out as alone."""
    assert json_texts(values) == [json_text(value) for value in values]
