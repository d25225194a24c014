"""Looking through a dataset: what each key does, and what the last line says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from data_designer.cli.viewing import Viewing


@dataclass
class Fakes:
    """Records of which some were rejected and some hold a text."""

    count: int = 1000
    gone: Sequence[int] = (3, 17, 500)
    texts: dict[str, Sequence[int]] = field(default_factory=lambda: {"lamp": (5, 40)})
    interrupted: bool = False

    def __len__(self) -> int:
        return self.count

    def rejected(self, start: int, *, backwards: bool = False) -> Iterator[int]:
        """Those from one on."""
        if backwards:
            return iter([one for one in reversed(self.gone) if one <= start])
        return iter([one for one in self.gone if one >= start])

    def holding(self, text: str, start: int) -> Iterator[int]:
        """Those from one on."""
        if self.interrupted:
            raise KeyboardInterrupt
        return iter([one for one in self.texts.get(text, ()) if one >= start])

    def failed_columns(self, record: int) -> list[str]:
        """The second column fails."""
        return ["judge"] if record in self.gone else []


def viewing(*keys: str, records: Fakes | None = None, index: int = 0) -> Viewing:
    """One who has pressed some keys, before a screen of 20 lines and records of 50."""
    one = Viewing(records or Fakes(), ["review", "judge"], index)
    for key in keys:
        one.press(key, lines=50, page=20)
    return one


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        (["n", "right", "enter"], 3),
        (["n", "p"], 0),
        (["p"], 999),
        (["end", "n"], 0),
        (["end", "home"], 0),
        (["g", "1", "7", "enter"], 17),
        (["g", "1", "7", "backspace", "enter"], 1),
        (["g", "9", "9", "9", "9", "9", "enter"], 999),
        (["g", "5", "escape", "n"], 1),
        (["g", "enter", "n"], 1),
        (["g", "x", "2", "enter"], 2),
        (["/", *"lamp", "enter"], 5),
        (["/", *"lamp", "enter", "/", "enter"], 40),
        (["/", *"nothing", "enter"], 0),
        (["/", "enter"], 0),
        (["/", *"lamp", "escape"], 0),
        (["r"], 3),
        (["r", "n", "n", "n"], 500),
        (["r", "n", "p"], 3),
        (["r", "n", "r", "n"], 18),
        (["r", "g", "8", "enter", "n"], 9),
    ],
)
def test_keys_lead_to_records(keys: list[str], index: int) -> None:
    """Next and previous wrap around; a number beyond the last record is the last; an empty search repeats the last."""
    assert viewing(*keys).index == index


def test_rejected_records_before_this_one_are_found_too() -> None:
    """Where none is left after this one, the first of all is shown; where there is none, that is said."""
    assert viewing("r", index=600).index == 3
    none = viewing("r", records=Fakes(gone=()))
    assert (none.only_rejected, none.notice) == (False, "no record was rejected")
    assert "no further rejected record" in viewing("r", "n", "n", "n").status(1, 20, 80)
    assert viewing("r", "n", "n", "n", "up").notice == ""


def test_c_leads_through_the_cells_of_a_record_those_that_failed_first() -> None:
    """After the last cell the record is shown again; Escape goes back to it, and then ends."""
    assert [viewing(*["c"] * times).column for times in range(4)] == [None, "review", "judge", None]
    assert viewing("c", index=17).column == "judge"
    assert viewing("c", "n").column == "review"
    back = viewing("c", "escape")
    assert (back.column, back.ended) == (None, False)
    assert viewing("escape").ended
    assert viewing("c", "q").ended
    nobody = Viewing(Fakes(), [])
    nobody.press("c", 1, 20)
    assert nobody.notice == "no model is asked for any column"


def test_long_records_are_scrolled_and_the_next_one_begins_at_its_top() -> None:
    """Never beyond the last line, never before the first."""
    assert [viewing(*keys).top for keys in (["down"], ["page down"], [" ", " "], ["up"], ["page down", "page up"])] == [
        1, 20, 30, 0, 0,
    ]  # fmt: skip
    assert viewing("down", "n").top == 0


def test_a_search_can_be_ended() -> None:
    """Ctrl-C during a search ends that, and not the looking."""
    one = viewing("/", *"lamp", "enter", records=Fakes(interrupted=True))
    assert (one.index, one.ended, one.notice) == (0, False, "the looking was ended")
    assert viewing("/", *"lamp").looks("enter")
    assert viewing("r").looks("n")
    assert not viewing().looks("n")
    assert viewing().looks("r")
    assert not viewing("r").looks("r")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_last_line_fits_the_screen(width: int) -> None:
    """Which record, how many lines, and every key, in words where there is room."""
    large = Viewing(Fakes(count=100_000_000), ["review"], 99_999_999, only_rejected=True)
    for lines in (10, 1000):
        line = large.status(lines, 20, width)
        assert len(line) < width or lines == 1000
        assert line.startswith("99,999,999 of 100,000,000, only rejected")
    assert "n next, p previous" in Viewing(Fakes(), ["review"]).status(10, 20, 120)
    assert viewing().status(10, 20, 60).endswith("n p g / r c q")
    assert viewing("c").status(10, 20, 60).endswith("n p c esc q")


def test_what_is_typed_is_on_the_last_line() -> None:
    """With what may be typed."""
    assert viewing("g", "1").status(10, 20, 80) == "go to record (0 to 999): 1"
    assert viewing("/", "é").status(10, 20, 80) == "search for: é"
    assert viewing("/", *"lamp", "enter", "/").status(10, 20, 80) == "search for:  (Enter: 'lamp' again)"
