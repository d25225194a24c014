"""Mending what models break in JSON: what is meant is read, within a bound of work."""

import json
from typing import Any

import pytest

from data_designer.columns.structured.mending import UnmendableError, mended

PEOPLE = [{"name": f"Person {number}", "says": "It's 'so' and \"so\".", "tags": ["a", "b"]} for number in range(150)]
TEXT = json.dumps(PEOPLE, indent=1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1,}', {"a": 1}),
        ("{'a': True, b: None}", {"a": True, "b": None}),
        ('{"a":"tea \\ud83d', {"a": "tea \ufffd"}),
        ("nothing", ""),
        ("", ""),
        (f"{TEXT[:-1]},]", PEOPLE),
        (TEXT.replace(",\n", "\n"), PEOPLE),
    ],
)
def test_what_is_meant_is_read(text: str, value: Any) -> None:
    """Also of long answers; what comes of it are plain values."""
    found = mended(text)
    assert found == value
    assert _is_plain(found)


@pytest.mark.parametrize(
    "text",
    [
        '[{"a":"' * 300,
        '[{"a":"' * 14_000,
        "(" * 5_000,
        '{"a":' + '"' * 50_000,
        '{"a"' + " " * 99_000,
        "[" * 50_000,
        "{'a':" * 20_000,
        "[1," * 40_000,
    ],
    ids=lambda text: f"{text[:6]} {len(text)}",
)
def test_what_would_take_for_ever_is_given_up(text: str) -> None:
    """Or gives what can be saved of it; in either case soon."""
    try:
        assert _is_plain(mended(text))
    except UnmendableError as error:
        assert str(error)  # noqa: PT017 - either way out is fine


def test_the_work_is_what_is_bounded() -> None:
    """An answer of honest size is read, a hostile one of the same size is not."""
    assert len(mended(TEXT.replace('"name"', "name"))) == len(PEOPLE)
    with pytest.raises(UnmendableError, match="too many places"):
        mended(('[{"a":"' * 10_000)[: len(TEXT)])


@pytest.mark.parametrize("number", ["9" * 4301, "1e999", "-1E+400"], ids=range(3))
def test_numbers_are_not_mended_into_others(number: str) -> None:
    """Nor into text."""
    with pytest.raises(UnmendableError, match="too large"):
        mended(f'{{"a":{number},}}')


def _is_plain(value: Any) -> bool:
    match value:
        case dict():
            return all(type(key) is str and _is_plain(item) for key, item in value.items())
        case list():
            return all(map(_is_plain, value))
        case _:
            return type(value) in (str, int, float, bool, type(None))
