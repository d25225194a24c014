"""What differs between two configurations: a line each, with the column, the field, what it was and what it is."""

from typing import Any

import pytest

from data_designer.interface.differences import _changes, change

LONG = "Write a review of {{ product }} for a customer who is {{ age }} years old and likes {{ colour }} things. "


def column(name: str = "review", **fields: Any) -> dict[str, Any]:
    """A column as it is stored."""
    return {"name": name, "prompt": "p", **fields}


CHANGED: dict[str, tuple[Any, Any, list[str]]] = {
    "a field": ([column()], [column(prompt="q")], ['column \'review\', prompt: "p" -> "q"']),
    "a field that was not given": (
        [column(skip=None)],
        [column(skip={"when": "{{ a }}", "value": None})],
        ["column 'review', skip.when: nothing -> \"{{ a }}\""],
    ),
    "a column more": ([column()], [column(), column("judge")], ["column 'judge': is new"]),
    "a column less": ([column(), column("judge")], [column("judge")], ["column 'review': is gone"]),
    "another order": ([column("a"), column("b")], [column("b"), column("a")], ["columns: another order"]),
    "several": (
        [column(drop=False)],
        [column(prompt="q", drop=True)],
        ['column \'review\', prompt: "p" -> "q"', "column 'review', drop: false -> true"],
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_each_difference_is_a_line(what: str) -> None:
    """By the names of columns."""
    before, now, expected = CHANGED[what]
    assert list(_changes({"columns": before}, {"columns": now})) == expected


def test_of_long_texts_the_part_that_differs_is_shown() -> None:
    """However long they are, and wherever it is."""
    said = change(f"{LONG}Be kind.{LONG}", f"{LONG}Be rude.{LONG}")
    before, _, now = said.partition(" -> ")
    assert "Be kind." in before
    assert "Be rude." in now
    assert said.startswith("…")
    assert len(said) < 200
    assert change(LONG, f"{LONG}More.").endswith('More."')


def test_of_long_lists_what_has_gone_and_come_is_shown() -> None:
    """And their order, where that is all."""
    before: list[Any] = [f"value {number}" for number in range(100)]
    assert change(before, [*before[1:], "tea"]) == '1 gone ("value 0"); 1 new ("tea")'
    assert change(before, before[::-1]) == "another order"
