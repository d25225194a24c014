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

from data_designer.steps.decoding import decoded, decoded_fields
from data_designer.steps.exact import Exact


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("1.50", 1.5),
        ("1e5", 100000.0),
        (" 7 ", 7),
        ("-2", -2),
        ("00123", "00123"),
        ("0x10", "0x10"),
        ("true", True),
        ("True", "True"),
        ("null", None),
        ("", ""),
        (" ", " "),
        ('{"k":1}', {"k": 1}),
        ('{"k":1', '{"k":1'),
        ("{not json}", "{not json}"),
        ("[1, 2]", [1, 2]),
        ('"quoted"', "quoted"),
        ('"said" she', '"said" she'),
        ("2024 was a year", "2024 was a year"),
        ("٣", "٣"),
        ({"a": "1", "b": ["2", {"c": "null"}]}, {"a": 1, "b": [2, {"c": None}]}),
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
        (np.array(["1", "x"]), [1, "x"]),
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


def test_text_of_no_number_becomes_no_number() -> None:
    """The text `NaN` is JSON to Python, so it is a number that prints as it is written."""
    assert math.isnan(decoded("NaN"))


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
    """Numbers, words, texts, lists and objects are found, space around them or not."""
    assert decoded(f"{before}{json.dumps(value)}{after}") == value


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
