"""What templates see of a cell's value."""

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.columns.templating.decoding import decoded, decoded_fields
from data_designer.columns.templating.exact import Exact
from data_designer.columns.templating.scalar_text import ScalarText, said


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("00123", "00123"),
        ("0x10", "0x10"),
        ("True", "True"),
        ("", ""),
        (" ", " "),
        ('{"k":1}', {"k": 1}),
        ('{"k":1', '{"k":1'),
        ("{not json}", "{not json}"),
        ("[1, 2]", [1, 2]),
        ('"quoted"', '"quoted"'),
        ('"said" she', '"said" she'),
        ("2024 was a year", "2024 was a year"),
        ("٣", "٣"),
        ({"a": "x", "b": ['{"c": 2}']}, {"a": "x", "b": [{"c": 2}]}),
        ('{"a": "1"}', {"a": "1"}),
        ({2: 2, None: 3, True: 4}, {"2": 2, "null": 3, "true": 4}),
        (math.nan, None),
        (Decimal("1.5"), Exact("1.5")),
        (Decimal("sNaN"), None),
        (timedelta(minutes=1), 60.0),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (timedelta(days=100_000, microseconds=1), Exact("8640000000.000001")),
        (pd.Timedelta(1, "ns"), 1e-09),
        (np.timedelta64(-(2**62) - 1, "ns"), Exact("-4611686018.427387905")),
        (np.timedelta64(1, "Y"), "1 years"),
        (b"caf\xc3\xa9", "café"),
        (b"\x89PNG\xff", "iVBOR/8="),
        ({3}, [3]),
        ((1, "2"), [1, 2]),
        (np.int64(3), 3),
        (np.float64("nan"), None),
        (np.array(["y", "x"]), ["y", "x"]),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(90, "s"), 90.0),
        (pd.Timestamp("2024-01-02"), "2024-01-02T00:00:00"),
        (pd.NaT, None),
        (pd.NA, None),
    ],
)
def test_values_become_json_types_and_json_text_is_decoded(value: Any, seen: Any) -> None:
    """Each kind of value has one form that templates see."""
    result = decoded(value)
    assert result == seen
    assert type(result) is type(seen)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.50", 1.5),
        ("1e5", 100000.0),
        (" 7 ", 7),
        ("-2", -2),
        ("9007199254740993", 9007199254740993),
        ("true", True),
        ("null", None),
        ("-Infinity", -math.inf),
    ],
)
def test_text_that_says_a_number_or_a_word_stays_the_text_and_says_it(text: str, value: Any) -> None:
    """At any depth; what it says is read when it is asked for."""
    for seen in (decoded(text), decoded({"a": [text]})["a"][0], decoded(np.array([text]))[0]):
        assert type(seen) is ScalarText
        assert str(seen) == text
        assert said(seen) == value
        assert type(said(seen)) is type(value)


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "9" * 5000])
def test_json_that_python_cannot_hold_stays_text(text: str) -> None:
    """Too deep nesting and too long integers are no reason to fail."""
    assert decoded(text) == text


def test_the_value_itself_is_left_alone() -> None:
    """Decoding makes a new value."""
    value = {"a": ["1"]}
    decoded(value)
    assert value == {"a": ["1"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SPACES = st.text(" \t\n\r", max_size=2)


@given(JSON, SPACES, SPACES)
def test_all_json_text_is_decoded_whatever_it_begins_with(value: Any, before: str, after: str) -> None:
    """Lists and objects are found, space around them or not, and of the rest what is a number or a word."""
    text = f"{before}{json.dumps(value)}{after}"
    assert said(decoded(text)) == (text if isinstance(value, str) else value)
    assert isinstance(value, dict | list) or str(decoded(text)) == text


@given(
    st.dictionaries(st.sampled_from(["k", "l", "1", 1, "null", None]), JSON) | JSON,
    st.frozensets(st.sampled_from(["k", "1", "null"])),
)
def test_some_fields_are_decoded_as_all_are(value: Any, fields: frozenset[str]) -> None:
    """Reading a key of it gives the same as reading it of the whole value."""
    whole, part = decoded(value), decoded_fields(value, fields)
    if isinstance(whole, dict):
        assert {key: part[key] for key in fields & part.keys()} == {key: whole[key] for key in fields & whole.keys()}
    else:
        assert part == whole
