"""Texts of others on a page: cut where they are long, and never a secret."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from tests.properties import examples

from data_designer.interface.report.room import Room
from data_designer.interface.report.texts import HIDDEN, LONGEST, clipped, shown, text, without_secrets
from data_designer.terminal import visible


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": "SECRET"},
        {"extra_body": {"nested": [{"auth_token": "SECRET"}]}},
        {"extra_headers": {"X-Anything": "SECRET"}},
        {"headers": {"X-Anything": "SECRET"}},
        {"extra_body": {"innocent": "SECRETabcdefghijklmnop0123"}},
        {"anything": "sk-SECRETabcdefghijklmnop"},
        {"note": "Authorization: Bearer SECRET"},
        {"source": {"path": "https://user:SECRET@host/seeds.csv"}},
        {"source": {"path": "s3://host/x?X-Amz-Signature=SECRET"}},
        {"source": {"token": "SECRET"}},
    ],
    ids=json.dumps,
)
def test_a_secret_is_hidden(settings: dict[str, Any]) -> None:
    """By the name of its field, by where it stands, or by how it looks."""
    assert "SECRET" not in json.dumps(without_secrets(settings))
    assert "SECRET" in json.dumps(settings)


def test_what_is_no_secret_stays() -> None:
    """Settings whose names or values only resemble a secret's."""
    settings = {
        "max_tokens": 512,
        "extra_body": {"top_k": 5, "mode": "fast", "chat_template_kwargs": {"thinking": False}},
        "prompt": "Write about the keyword and its author.",
        "model": "nvidia/nemotron-3-nano-30b-a3b",
        "price": {"input": 0.1},
        "api_key": None,
    }
    assert without_secrets(settings) == settings
    assert without_secrets({"api_key": "x"}) == {"api_key": HIDDEN}


def test_long_values_say_how_long_they_are() -> None:
    """A text by its characters, a list by its items, a dict by its fields; what is short is shown at once."""
    assert shown("short") == text("short")
    assert not shown("short").preview
    assert shown("word " * 1000).note == "5,000 characters"
    assert shown(list(range(1000))).note == "1,000 items"
    person = shown({f"field_{place}": "value" for place in range(20)})
    assert person.note == "20 fields"
    assert person.preview.startswith("field_0: value · field_1: value")
    assert shown({"style": {"score": 3, "reasoning": "because " * 30}}).preview == "style: 3"
    assert shown(None).form == "none"
    assert shown(True).whole == "true"


def test_a_text_is_cut_and_says_so() -> None:
    """Of a book, its beginning is on the page, and how much is not."""
    assert clipped("x" * (LONGEST + 5)).endswith("… (5 further characters are left out)")
    assert clipped("x" * LONGEST) == "x" * LONGEST


@given(st.lists(st.text(st.sampled_from("ab\"'<&\x1b\u202e😀\n"), max_size=400), max_size=20), st.integers(100, 3000))
@examples()
def test_a_part_of_the_page_stays_in_its_room(texts: list[str], size: int) -> None:
    """Whatever characters they are of, texts take no more bytes than there is room for, but for a note each."""
    room = Room(size)
    fitted = [room.fit(text(one)) for one in texts]
    taken = sum(len(escape(visible(one.whole)).encode()) for one in fitted)
    assert taken <= size + 60 * len(texts)
