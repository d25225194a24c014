"""How a run is shown: the panel at any width, lines, JSON, a notebook's HTML."""

import io
import json
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from rich.cells import cell_len

from data_designer.engine.observe.views import notebook, wording
from data_designer.engine.observe.views.json_lines import JsonLinesView
from data_designer.engine.observe.views.lines import LinesView, lines
from data_designer.engine.observe.views.panel import panel
from data_designer.engine.protocol.snapshot import AliasState, ColumnState, Snapshot

REFUSED = "judge: 429, limit 8 → 3, rises again in 12 s"
PLAIN = Snapshot(
    dataset="/data/reviews",
    state="running",
    at=0.0,
    elapsed=75.0,
    target=120,
    generated=57,
    rejected=2,
    done=0.4834,
    seconds_left=14.2,
    usd=0.0123,
    input_tokens=12_345,
    output_tokens=4_100,
    reasons=(REFUSED,),
    aliases={
        "writer": AliasState("gpt", 16, 16, 16, 8.25, 1.9, 0),
        "judge": AliasState("gpt-mini", 8, 3, 3, 2.0, 0.8, 41),
    },
    columns={
        "topic": ColumnState(None, 120, 120),
        "style": ColumnState(None, 120, 120),
        "review": ColumnState("writer", 120, 95, 2),
        "score": ColumnState("judge", 118, 60),
    },
)
MANY = replace(
    PLAIN,
    dataset="s3://bucket/a_dataset_with_a_name_that_is_far_too_long_for_any_panel",
    reasons=(REFUSED,) * 5,
    elapsed=45_296.0,
    seconds_left=40_000.0,
    target=123_456_789,
    aliases={f"a-long-alias-of-a-model-{n}": AliasState("gpt", 256, 250, 256, 812.5, 12.3, 99_999) for n in range(9)},
    columns={f"日本語の列の長い名前_{n}": ColumnState(f"作家{n}", 123_456_789, n, n) for n in range(30)},
)
WIDTHS = [60, 80, 120, 200]


def text(snapshot: Snapshot, width: int, height: int = 20) -> list[str]:
    """The panel's lines, without styles."""
    return ["".join(part for part, _ in line) for line in panel(snapshot, width, height)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("snapshot", [PLAIN, MANY, replace(PLAIN, aliases={}, columns={}, reasons=())])
def test_the_panel_fits(snapshot: Snapshot, width: int) -> None:
    """Twenty lines at most, none wider than the terminal, whatever there is."""
    found = text(snapshot, width)
    assert len(found) <= 20
    assert max(map(cell_len, found)) <= width


@pytest.mark.parametrize("height", range(1, 20))
def test_the_panel_fits_a_low_terminal(height: int) -> None:
    """What holds the run up, and how far it is, come before the tables."""
    found = text(MANY, 80, height)
    assert len(found) <= height
    assert "48 %" in found[0]
    assert height < 4 or found[-1].startswith("▲ ")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_panel_says_how_the_run_stands(width: int) -> None:
    """Share, time, cost, records, columns, models and reasons, at any width."""
    found = "\n".join(text(PLAIN, width))
    for word in ("reviews", "48 %", "1:15", "14 s left", "$0.0123", "57 of 120 records written, 2 rejected"):
        assert word in found
    for words in ("review writer 95/120 2 failed", "score judge 60/118", "topic, style 120/120"):
        line = next(line for line in found.splitlines() if line.startswith(f"{words.split()[0]} "))
        assert [word for word in words.split() if word not in line] == []
    assert f"▲ {REFUSED}" in found
    judge = next(line for line in found.splitlines() if line.startswith("judge"))
    assert judge.split() == ["judge", "3", "3", "8", "2.0/s", "0.80", "s", "41"]


def test_where_there_are_too_many_columns_those_being_made_are_shown() -> None:
    """And how many others there are."""
    columns = {f"done_{n}": ColumnState("m", 10, 10) for n in range(20)}
    columns |= {"now": ColumnState("m", 10, 3)} | {f"later_{n}": ColumnState("m", 10) for n in range(20)}
    found = text(replace(PLAIN, columns=columns), 80)
    shown = [line.split()[0] for line in found if "/10 " in line]
    assert shown[0] == "now"
    assert all(name.startswith("later") for name in shown[1:])
    assert f"… {41 - len(shown)} more" in found


def test_all_of_it_is_said_only_at_the_end() -> None:
    """A cell that is missing is not rounded away."""
    assert (wording.percent(0.9999), wording.percent(1.0), wording.percent(0.29)) == ("99 %", "100 %", "29 %")


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "time left not known"), (0.2, "nearly done"), (14.2, "about 14 s left")]
)
def test_the_time_left_is_as_exact_as_it_is_known(seconds: float | None, words: str) -> None:
    """Nothing is made up."""
    assert wording.time_left(replace(PLAIN, seconds_left=seconds)) == words


def test_lines_hold_several_facts_each_and_fit_with_the_time_before_them() -> None:
    """In any encoding."""
    found = lines(PLAIN)
    assert found == [
        "48 %, 57/120 records, 2 rejected, 1:15, about 14 s left",
        "  $0.0123",
        "columns: review 95/120 (2 failed), score 60/118",
        "in flight: writer 16/16 8.2/s 1.9 s, judge 3/3 2.0/s 0.80 s",
        "! judge: 429, limit 8 -> 3, rises again in 12 s",
    ]
    assert all(len(line) <= 61 for line in lines(replace(MANY, reasons=())) if line.isascii())
    assert "\n".join(found).isascii()


def test_lines_of_a_run_that_does_not_move_come_less_and_less_often() -> None:
    """Until it moves again."""
    said: list[str] = []
    view = LinesView(1.0, said.append)
    shown = []
    for look in range(11):
        before = len(said)
        view.show(replace(PLAIN, done=0.5 if look < 10 else 0.6))
        shown += [look] if len(said) > before else []
    assert shown == [0, 1, 3, 6, 10]


def test_json_lines_are_read_back() -> None:
    """One an interval and one at the end."""
    stream = io.StringIO()
    view = JsonLinesView(stream, 1.0)
    view.show(PLAIN)
    view.close(replace(PLAIN, state="ended"))
    found = [Snapshot.from_dict(json.loads(line)) for line in stream.getvalue().splitlines()]
    assert found == [PLAIN, replace(PLAIN, state="ended")]


def test_a_notebook_shows_names_of_users_as_they_are() -> None:
    """No markup in them counts, and no character that steers."""
    evil = replace(PLAIN, columns={"<b>x</b>\x1b": ColumnState("<i>", 10, 5)}, reasons=("<script>",))
    found = notebook.html(evil)
    assert "&lt;b&gt;x&lt;/b&gt;\\x1b" in found
    assert "<script>" not in found
    assert 'value="0.4834"' in found


class Shell:
    """What stands for IPython, and notes what it is given to display."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, content: str, *, display_id: bool) -> "Shell":
        """Show something, which may be replaced."""
        assert display_id
        self.shown.append(content)
        return self

    def update(self, content: str) -> None:
        """Show something in its place."""
        self.shown[-1] = content


def test_a_notebook_shows_one_piece_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the end."""
    shell, module = Shell(), ModuleType("IPython.display")
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    module.HTML, module.display = str, shell.display  # type: ignore[attr-defined]
    view = notebook.NotebookView()
    view.show(PLAIN)
    view.close(replace(PLAIN, state="ended"))
    assert len(shell.shown) == 1
    assert "(ended)" in shell.shown[0]
