"""A record is shown as it is in the dataset, whatever is in it."""

import datetime as dt
import io
import sys
from collections.abc import Mapping
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from data_designer.interface.display import Layout, SampleDisplay

WIDE = {"display_width": 200}


def shown(values: Mapping[str, Any], layout: Layout | None = None, processed: Any = None) -> str:
    """What is printed of a record."""
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in values.items()})
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        SampleDisplay(frame, layout or Layout(), processed).show(0, **WIDE)
    return stream.getvalue()


TEXTS = [
    "slack says :smile: and [bold]more[/bold]",
    "[/red] closes what was never opened",
    "[link=https://example.com]here[/link] \\[escaped]",
    "http://localhost:8000 is 'quoted' and 12.5 True None",
    "<b>&amp;</b> {{ n }} {x} %s",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_shown_as_it_is(text: str) -> None:
    """No markup, no emoji codes, no colours: in values, names of columns, titles, traces, code and verdicts."""
    layout = Layout({f"v {text}": "verdict", f"j {text}": "judge"}, {"c": "python"})
    record = {
        text: text,
        "c": text,
        f"v {text}": {"is_valid": text, text: 1},
        f"j {text}": {text: {"score": text}},
        f"{text}__trace": [{"content": "x"}],
        "nested": {"k": [text]},
    }
    said = shown(record, layout, {f"p {text}": [{text: text}]})
    for one in (f"Validation: v {text}", f"LLM-as-a-Judge: j {text}", f"Trace: {text}__trace", f"Outputs: p {text}"):
        assert one in said
    assert said.count(text) >= 12


def test_nothing_that_is_shown_steers_the_terminal() -> None:
    """Control characters, overrides and halves of emoji are escapes."""
    said = shown({"a\x1b[2J": "\x1b[31m\u202e\x9b \ud83d", "c": "\x1b[2J"}, Layout(languages={"c": "python"}))
    assert r"\x1b[31m\u202e\x9b \ud83d" in said
    assert said.count(r"\x1b[2J") == 2
    assert not {"\x1b", "\u202e", "\x9b"} & set(said)


class Sulking:
    """A value that cannot even be printed."""

    def __repr__(self) -> str:
        """Raise."""
        raise RuntimeError("no")


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    return 1 if levels == 0 else [deep(levels - 1)]


def ring() -> list[Any]:
    """A list that holds itself."""
    made: list[Any] = []
    made.append(made)
    return made


ODD: dict[str, tuple[Any, str]] = {
    "NaN": (float("nan"), "null"),
    "missing": (pd.NA, "null"),
    "infinite": (float("inf"), "Infinity"),
    "a number of 20 digits": (12345678901234567890, "12345678901234567890"),
    "a number of too many digits": (10**5000, "0x"),
    "bytes": (b"\xff\x00", "\\xff"),
    "keys that are no text": ({1: "x", b"k": "y", None: 2}, '"1": "x"'),
    "a decimal": (Decimal("1.10"), "1.10"),
    "a date": (dt.date(2024, 2, 29), "2024-02-29"),
    "300 levels": (deep(300), "…"),
    "a ring": (ring(), "…"),
    "half an emoji in a list": (["\ud83d"], "ud83d"),
    "what cannot be printed": (Sulking(), "<Sulking that cannot be shown>"),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("group", ["generated", "code", "verdict", "judge"])
def test_no_value_hides_its_record(what: str, group: Any) -> None:
    """Whatever a value is, it and the others are shown."""
    value, expected = ODD[what]
    layout = Layout(languages={"odd": "python"}) if group == "code" else Layout({"odd": group})
    said = shown({"odd": value, "other": "tea"}, layout)
    assert "tea" in said
    if group == "generated":
        assert expected in said


def test_numbers_of_several_types_keep_theirs() -> None:
    """An integer beside a float is shown without a point."""
    frame = pd.DataFrame({"i": [27], "f": [31.6]})
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        SampleDisplay(frame, Layout()).show(0, **WIDE)
    assert "27.0" not in stream.getvalue()


def test_a_service_without_standard_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nowhere to show anything."""
    monkeypatch.setattr("sys.stdout", None)
    SampleDisplay(pd.DataFrame({"a": [1]}), Layout()).show(0)


def widths(columns: int, given: Mapping[str, Any]) -> set[int]:
    """Widths of the lines of a table on a terminal of so many columns."""
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setattr("sys.stdout", stream)
        SampleDisplay(pd.DataFrame({"a": ["word " * 99]}), Layout()).show(0, **given)
    return {len(line) for line in stream.getvalue().splitlines() if line.startswith("│")}


@pytest.mark.parametrize(("columns", "width"), [(60, 60), (80, 80), (110, 110), (200, 110), (10, 40)])
def test_a_record_is_as_wide_as_a_narrow_terminal(columns: int, width: int) -> None:
    """Unless it is told how wide; a wide terminal is not filled."""
    assert widths(columns, {}) == {width}
    assert widths(columns, {"display_width": 97}) == {97}


PERSON = {"customer": {f"field_{n}": f"value {n} of a person" for n in range(20)}}
MADE = Layout({"grade": "judge", "n": "seed"}, {"code": "python"}, frozenset({"review", "code", "grade"}))


def test_what_models_have_made_comes_before_everything_that_is_drawn() -> None:
    """In the table of generated columns; the twenty fields of a person are a few."""
    said = shown({**PERSON, "review": "a fine kettle"}, MADE)
    assert said.index("a fine kettle") < said.index("field_0")
    assert "… 14 more fields" in said
    assert "field_19" not in said


def test_a_record_opens_with_what_models_have_made_where_that_is_wished() -> None:
    """Code and judgements included, and seeds after all of them."""
    record = {"n": "seeded", **PERSON, "review": "a fine kettle", "code": "x = 1", "grade": {"style": {"score": 3}}}
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in record.items()})
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        SampleDisplay(frame, MADE).show(0, models_first=True, whole=True, **WIDE)
    said = stream.getvalue()
    places = [said.index(text) for text in ("a fine kettle", "x = 1", '"score": 3', "field_0", "field_19", "seeded")]
    assert places == sorted(places)


def test_media_are_shortened() -> None:
    """Nobody reads megabytes of base64, as cells or inside traces; a long text is no medium."""
    image, story = "iVBORw0KGgo" + "A" * 100_000, "long story " * 150
    trace = [{"role": "user", "content": [{"type": "image", "source": {"data": image}}]}]
    text = shown({"images": [image], "uri": f"data:image/png;base64,{image}", "story": story, "x__trace": trace})
    assert text.count("... (100,011 characters)") == 2
    assert "... (100,033 characters)" in text
    assert text.count("story") >= 150
    assert len(text) < 20_000


def test_images_are_shown_by_name_or_by_size() -> None:
    """Those of a dataset by their files, those of a preview by their bytes; what is null or markup as it is."""
    layout = Layout({"photo": "media", "none": "media"}, read=lambda name: name.encode())
    said = shown({"photo": ["images/photo/0-0.png", "images/photo/[red]0-1.png"], "none": None}, layout)
    assert "Images" in said
    assert "images/photo/0-0.png" in said
    assert "images/photo/[red]0-1.png" in said
    said = shown({"photo": ["iVBORw0KGgo=" * 100]}, Layout({"photo": "media"}))
    assert "an image of 900 bytes" in said
    assert "iVBOR" not in said


def test_notebooks_show_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the record, those that can be read; a terminal of IPython shows none."""
    pictures: list[bytes] = []
    notebook = ModuleType("IPython")
    display = ModuleType("IPython.display")
    shell = SimpleNamespace(kernel=object())
    notebook.get_ipython = lambda: shell  # type: ignore[attr-defined]
    display.Image = lambda data: data  # type: ignore[attr-defined]
    display.display = pictures.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    shown({"photo": ["aGk=", "no base64"], "text": "x"}, Layout({"photo": "media"}))
    assert pictures == [b"hi"]

    def read(name: str) -> bytes:
        if name == "gone":
            raise FileNotFoundError(name)
        return name.encode()

    shown({"photo": ["gone", "there"]}, Layout({"photo": "media"}, read=read))
    assert pictures == [b"hi", b"there"]
    del shell.kernel
    shown({"photo": ["aGk="]}, Layout({"photo": "media"}))
    assert len(pictures) == 2
