"""A few records, whole, to be looked at one after another."""

from dataclasses import dataclass

from data_designer.interface.report.facts import Facts
from data_designer.interface.report.room import Room
from data_designer.interface.report.section import Section
from data_designer.interface.report.texts import Text, shown

_ROOM = 1_500_000
MOST_COLUMNS = 150
_DRAWN = ("sampler", "seed-dataset")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a record."""

    column: str
    kind: str
    """Its column's, where that is declared."""
    value: Text


@dataclass(frozen=True, slots=True)
class Card:
    """A record."""

    index: int
    cells: tuple[Cell, ...]
    more: int
    """Columns that are left out."""


@dataclass(frozen=True, slots=True)
class Cards:
    """Some records, in order."""

    cards: tuple[Card, ...]
    of: int
    """How many there are in the dataset."""
    problem: str


def section(facts: Facts) -> Section:
    """The first records: what models wrote before what was drawn, and whole fields last."""
    room = Room(_ROOM)
    kinds, code = facts.kinds, {str(one["name"]) for one in facts.columns if one.get("code_lang")}
    cards = []
    for index, record in facts.sample.records:
        if room.left <= 0:
            break
        names = _in_order(record, kinds)[:MOST_COLUMNS]
        cells = [Cell(name, kinds.get(name, ""), room.fit(shown(record[name], is_code=name in code))) for name in names]
        cards.append(Card(index, tuple(cells), len(record) - len(cells)))
    return Section("records", "Records", Cards(tuple(cards), facts.totals.generated, facts.sample.problem))


def _in_order(record: dict[str, object], kinds: dict[str, str]) -> list[str]:
    def rank(name: str) -> int:
        kind = kinds.get(name, "")
        if name not in kinds:
            return 3 if "__" in name else 1
        if kind in _DRAWN:
            return 2 if isinstance(record[name], dict | list) else 1
        return 0

    return sorted(record, key=rank)
