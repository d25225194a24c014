"""A value is shown as far as a reader can take it in, and what is left out is counted."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.interface.cell_text import NONE, OF_MODELS, USUAL, text_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5), inner, max_size=9),
    max_leaves=40,
)


@given(st.lists(JSON, max_size=9) | st.dictionaries(st.text(max_size=5), JSON, max_size=9))
def test_without_limits_a_nested_value_is_its_json(value: Any) -> None:
    """Nothing is left out, but for numbers of a long list."""
    text = text_of(value, NONE)
    if "more numbers" not in text:
        assert json.loads(text) == value


LEFT_OUT = {
    "items of a list": (["word " * 5] * 17, "\n  … 12 more items\n]"),
    "fields of a person": ({f"field_{n}": "some words" for n in range(20)}, "\n  … 14 more fields\n}"),
    "characters of a text": ("x" * 5400, "x… +3,400 characters"),
    "characters of a text inside": ({"a": "x" * 700}, 'x"… +400 characters'),
    "items within fields": ({"tags": ["a long word"] * 8}, "    … 3 more items"),
    "numbers": ([0.5] * 1536, "[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, … 1,528 more numbers]"),
    "numbers of an array": (np.zeros(20), "… 12 more numbers]"),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_is_left_out_is_counted(what: str) -> None:
    """Characters, items, fields, and numbers."""
    value, expected = LEFT_OUT[what]
    assert expected in text_of(value, USUAL)


def test_what_models_make_is_shown_for_longer() -> None:
    """A structured answer of twenty fields is whole."""
    value = {f"field_{n}": "some words" for n in range(20)}
    assert json.loads(text_of(value, OF_MODELS)) == value


def test_what_is_short_is_in_one_line() -> None:
    """A small answer does not take a screen."""
    assert text_of({"stars": 4, "pros": ["warm", "cheap"]}) == '{"stars": 4, "pros": ["warm", "cheap"]}'
    assert text_of("as\nit is :smile:") == "as\nit is :smile:"
