"""What each column was asked for, and what that cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from data_designer.engine.protocol.spending import Spending
from data_designer.interface.figures import count, share, usd
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.section import NOTHING, Section
from data_designer.interface.report.texts import named

MOST_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A column, or all of them."""

    column: str
    alias: str
    figures: tuple[str, ...]
    """In the order of `HEADS`."""
    percent: float = 0.0
    """Of the whole cost, or of all tokens where nothing has a price; for its bar."""


HEADS = ("Requests", "Failed", "First pass", "Tokens in", "Cached", "Tokens out", "Reasoning", "Cost")
_RARE = frozenset({"Failed", "Cached", "Reasoning"})
"""Left out where there are none."""


@dataclass(frozen=True, slots=True)
class Costs:
    """A table."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row
    more: int
    unpriced: str


def section(facts: Facts) -> Section | None:
    """What each column cost; nothing where no model was asked."""
    spent = facts.totals.spent
    if not spent:
        return None
    unpriced = set(facts.unpriced)
    ranked = sorted(spent.items(), key=lambda item: -_weight(item[1]))
    whole = Spending("")
    for one in spent.values():
        whole += one
    rows = [_row(name, one, _weight(one) / (_weight(whole) or 1.0), unpriced) for name, one in ranked[:MOST_COLUMNS]]
    priced = any(one.alias not in unpriced for one in spent.values())
    total = Row("All", "", _figures(whole, usd(whole.usd) if priced else NOTHING))
    some = [place for place, head in enumerate(HEADS) if head not in _RARE or total.figures[place] != "0"]
    table = Costs(
        tuple(HEADS[place] for place in some),
        tuple(_narrowed(row, some) for row in rows),
        _narrowed(total, some),
        max(0, len(ranked) - MOST_COLUMNS),
        named(sorted(unpriced)),
    )
    return Section("cost", "Requests and cost", table)


def _narrowed(row: Row, places: Sequence[int]) -> Row:
    return replace(row, figures=tuple(row.figures[place] for place in places))


def _weight(one: Spending) -> float:
    return one.usd + 1e-12 * (one.usage.input_tokens + one.usage.output_tokens)


def _row(name: str, one: Spending, part: float, unpriced: set[str]) -> Row:
    return Row(name, one.alias, _figures(one, NOTHING if one.alias in unpriced else usd(one.usd)), 100 * part)


def _figures(one: Spending, cost: str) -> tuple[str, ...]:
    usage = one.usage
    return (
        count(usage.requests + usage.failed_requests),
        count(usage.failed_requests),
        NOTHING if one.first_pass is None else share(one.first_pass, one.cells),
        count(usage.input_tokens),
        count(usage.cached_tokens),
        count(usage.output_tokens),
        count(usage.reasoning_tokens),
        cost,
    )
