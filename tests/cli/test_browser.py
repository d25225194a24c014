"""Records are looked through with single keys, on a screen of any size, which is left as it was."""

import io
import os
import pty
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pytest

from data_designer.cli.browser import Browsing, browse, record_lines
from data_designer.cli.keys import has_keys, single_keys
from data_designer.interface.display import Layout, SampleDisplay

LINES, PAGE = 50, 20


def pressed(*keys: str, count: int = 4) -> Browsing:
    """Where somebody is who has pressed some keys."""
    browsing = Browsing(count)
    for key in keys:
        browsing.press(key, LINES, PAGE)
    return browsing


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ((), 0),
        (("n",), 1),
        (("right", "enter"), 2),
        (("p",), 3),
        (("n",) * 4, 0),
        (("n", "left"), 0),
        (("end",), 3),
        (("n", "home"), 0),
        (("g", "3", "enter"), 2),
        (("g", "2", "backspace", "4", "enter"), 3),
        (("g", "9", "9", "enter"), 3),
        (("g", "0", "enter"), 0),
        (("n", "g", "enter"), 1),
        (("n", "g", "3", "escape"), 1),
        (("x", "", "é"), 0),
    ],
)
def test_keys_lead_to_records(keys: Sequence[str], index: int) -> None:
    """The next, the one before, the first, the last, or the one of a number; after the last comes the first."""
    browsing = pressed(*keys)
    assert (browsing.index, browsing.typed, browsing.ended) == (index, None, False)


@pytest.mark.parametrize(
    ("keys", "top"),
    [
        (("down",), 1),
        (("up",), 0),
        (("page down",), PAGE),
        ((" ",), PAGE),
        (("page down",) * 5, LINES - PAGE),
        (("page down", "page up", "up"), 0),
        (("down", "n"), 0),
    ],
)
def test_keys_scroll_what_is_longer_than_the_screen(keys: Sequence[str], top: int) -> None:
    """Between its first and its last line; another record begins at its top."""
    assert pressed(*keys).top == top


@pytest.mark.parametrize("key", ["q", "escape"])
def test_a_key_ends_it(key: str) -> None:
    """While a number is typed it only ends the typing."""
    assert pressed(key).ended
    assert not pressed("g", key).ended


def test_the_last_line_says_where_one_is() -> None:
    """The record of how many, the keys, and the lines where not all fit."""
    assert pressed("n").status(5, PAGE) == "2 of 4  n next, p previous, g go to, q quit"
    assert pressed("down").status(LINES, PAGE).endswith("  lines 2-21 of 50, arrows scroll")
    assert pressed("g", "1", count=1200).status(5, PAGE) == "go to record (1 to 1,200): 1"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal on standard input; gives its other end."""
    near, far = pty.openpty()
    with os.fdopen(far) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield near
    os.close(near)


TYPED = [
    (b"n", "n"),
    (b"\r", "enter"),
    (b"\n", "enter"),
    (b"\x1b[A", "up"),
    (b"\x1bOB", "down"),
    (b"\x1b[6~", "page down"),
    (b"\x1b[1;5C", ""),
    (b"\x1b", "escape"),
    (b"\x7f", "backspace"),
    ("é".encode(), "é"),
    (b"\x04", "q"),
]


@pytest.mark.parametrize(("typed", "key"), TYPED)
def test_a_key_counts_at_once(terminal: int, typed: bytes, key: str) -> None:
    """Without Enter, and however many characters a terminal sends for it."""
    with single_keys() as next_key:
        os.write(terminal, typed)
        assert next_key() == key


def test_keys_that_come_together_are_told_apart(terminal: int) -> None:
    """Somebody holds an arrow."""
    with single_keys() as next_key:
        os.write(terminal, b"\x1b[A\x1b[B\x1b[Bnq")
        assert [next_key() for _ in range(5)] == ["up", "down", "down", "n", "q"]


def test_the_terminal_is_as_it_was(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode, its cursor and its screen, also where what shows a record fails."""
    import sys
    import termios

    before, written = termios.tcgetattr(sys.stdin.fileno()), io.StringIO()
    monkeypatch.setattr("sys.stdout", written)

    def failing(_index: int, _width: int) -> list[str]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        browse(3, failing)
    assert termios.tcgetattr(sys.stdin.fileno()) == before
    assert written.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_a_record_fills_the_screen_and_no_more(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many lines as the terminal has, the last of which says where one is."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "10")

    def lines_of(index: int, width: int) -> list[str]:
        os.write(terminal, b"nq"[index : index + 1])  # Somebody reads it, and goes on.
        return [f"record {index} in {width}"] * (4 + 20 * index)

    browse(2, lines_of)
    first, second = written.getvalue().split("\x1b[H\x1b[2J")[1:]
    assert first.count("record 0 in 60") == 4
    assert second.count("record 1 in 60") == 9
    assert first.count("\n") == second.count("\n") == 9
    assert "1 of 2  n next" in first
    assert "2 of 2  n next, p previous, g go to, q quit  lines 1-9 of 2" in second


def test_a_record_is_lines_of_the_screen_s_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """What models have made comes first; colours are left out where nobody wants them."""
    monkeypatch.setenv("NO_COLOR", "1")
    frame = pd.DataFrame({"drawn": ["tea"], "made": ["word " * 40]})
    lines = record_lines(SampleDisplay(frame, Layout(models=frozenset({"made"}))), 0, 60)
    assert {len(line) for line in lines if line.startswith("│")} == {60}
    text = "\n".join(lines)
    assert text.index("word") < text.index("tea")


def test_keys_are_only_taken_from_somebody(monkeypatch: pytest.MonkeyPatch, terminal: int) -> None:
    """Not where output goes to a file, and not on a terminal that cannot be drawn on."""
    stdout: Any = io.StringIO()
    monkeypatch.setattr("sys.stdout", stdout)
    monkeypatch.setenv("TERM", "xterm")
    assert not has_keys()
    monkeypatch.setattr(stdout, "isatty", lambda: True, raising=False)
    assert has_keys()
    monkeypatch.setenv("TERM", "dumb")
    assert not has_keys()
