"""Reading JSON that others wrote: leniently, and never as something else than it says."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.lenient_json import UnholdableError, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\ufeff[1]", [1]),
        ("[-Infinity, Infinity]", [-math.inf, math.inf]),
        ('"a\tb\x00\n"', "a\tb\x00\n"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\uD83D\uDE00 \uD83D"', "\U0001f600 \ufffd"),
        (r'"\ud83dx\ude00"', "\ufffdx\ufffd"),
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d"', "\\\ufffd"),
        (r'{"\ud83d":1}', {"\ufffd": 1}),
        ("9" * 4300, int("9" * 4300)),
        ("12345678901234567890.0", 12345678901234567890.0),
        ("1e308", 1e308),
    ],
    ids=range(12),
)
def test_what_clients_read_is_read(text: str, value: Any) -> None:
    """Integers exactly, and half a pair of surrogates as U+FFFD."""
    assert loads(text) == value


@pytest.mark.parametrize(
    "text",
    ["9" * 4301, "[1e309]", "-1e999", "9" * 400 + ".0", "[" * 100_000, '{"a":' * 50_000],
    ids=lambda text: f"{text[:6]} {len(text)}",
)
def test_what_cannot_be_held_is_refused(text: str) -> None:
    """Instead of becoming infinite, or ending the process."""
    with pytest.raises(UnholdableError):
        loads(text)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[1,]", "nan", "tea"])
def test_what_is_no_json_is_refused_as_that(text: str) -> None:
    """It may still be mended."""
    with pytest.raises(json.JSONDecodeError):
        loads(text)


@examples(100)
@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    """In either spelling of characters that are not ASCII."""
    assert loads(json.dumps(value)) == loads(json.dumps(value, ensure_ascii=False)) == value


@examples(200)
@given(st.text(st.sampled_from(["\\", "u", "d", "D", "8", "3", "e", "0", "c", "x", "n"])))
def test_no_text_has_half_a_pair(text: str) -> None:
    """Wherever escapes begin and end."""
    try:
        found = loads(f'"{text}"')
    except json.JSONDecodeError:
        return
    found.encode()
