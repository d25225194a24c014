"""How values are distributed, in the printed form of a dataset's statistics: common values, scores, verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from data_designer.config.analysis.column_statistics import (
    GeneralColumnStatistics,
    LLMJudgedColumnStatistics,
    SamplerColumnStatistics,
    ValidationColumnStatistics,
)
from data_designer.terminal import as_it_is

_SHOWN_VALUES = 8
"""Most common values that are shown of a column."""
_SHORTEST = 8
"""Characters that a name and a value have at least."""
_FIXED = 7 + 6 + 4 * 3 + 1
"""Columns of the terminal that counts, shares and lines take."""
_WIDE = 72
"""Columns of the terminal from which on there are bars."""
_BAR = 12
"""Characters of a bar that stands for all of a column's values."""


@dataclass(frozen=True, slots=True)
class _Column:
    """What is shown of one column, or of one score of it."""

    words: tuple[str, ...]
    """Its name, and what else is said beside its first values."""
    counts: Mapping[str, int]


def distribution_tables(statistics: Sequence[GeneralColumnStatistics], width: int, filled: str) -> Iterator[Table]:
    """A table of the most common values, one of scores, and one of verdicts, where there are any.

    Args:
        statistics: of the columns that are shown.
        width: of the terminal, in characters.
        filled: what a bar is made of; the terminal has to be able to show it.
    """
    found: dict[str, list[_Column]] = {"Most common values": [], "Judge scores": [], "Verdicts": []}
    for one in statistics:
        found["Most common values"].append(_Column((one.column_name,), dict(_common(one))))
        found["Judge scores"] += _scores(one)
        found["Verdicts"].append(_Column((one.column_name,), dict(_verdicts(one))))
    for title, columns in found.items():
        shown = [column for column in columns if column.counts]
        if shown:
            yield _table(title, shown, width, filled)


def _scores(one: GeneralColumnStatistics) -> Iterator["_Column"]:
    if isinstance(one, LLMJudgedColumnStatistics):
        for name, counts in (one.score_counts or {}).items():
            mean = one.score_means.get(name)
            yield _Column((one.column_name, name, *(() if mean is None else (f"mean {mean:.2f}",))), counts)


def _common(one: GeneralColumnStatistics) -> Iterator[tuple[str, int]]:
    if isinstance(one, SamplerColumnStatistics) and one.distribution_type == "numerical":
        return
    ranked = list((one.most_common or {}).items())
    yield from ranked[:_SHOWN_VALUES]
    others = one.num_records - one.num_null - sum(count for _, count in ranked[:_SHOWN_VALUES])
    if ranked and others > 0:
        yield f"({_others_of(one.num_unique - min(len(ranked), _SHOWN_VALUES))})", others


def _others_of(number: int) -> str:
    return "1 other value" if number == 1 else f"{number} other values"


def _verdicts(one: GeneralColumnStatistics) -> Iterator[tuple[str, int]]:
    if isinstance(one, ValidationColumnStatistics) and isinstance(one.num_valid_records, int) and one.num_records:
        valid, invalid = one.num_valid_records, one.num_invalid_records
        yield "valid", valid
        yield "not valid", one.num_records - one.num_null - valid if invalid is None else invalid
        others = one.num_null if invalid is None else one.num_records - valid - invalid
        if others > 0:
            yield "no verdict", others


def _table(title: str, columns: Sequence[_Column], width: int, filled: str) -> Table:
    bar = _BAR if width >= _WIDE else 0
    left = width - _FIXED - (bar + 3 if bar else 0)
    longest = max(len("column"), *(len(word) for column in columns for word in column.words))
    named = min(longest, max(_SHORTEST, left // 2))
    table = Table(title=title)
    table.add_column("column", overflow="fold", min_width=min(_SHORTEST, longest), max_width=named)
    table.add_column("value", no_wrap=True, overflow="ellipsis", max_width=max(_SHORTEST, left - named))
    table.add_column("records", justify="right", no_wrap=True, min_width=7)
    table.add_column("share", justify="right", no_wrap=True, min_width=6)
    if bar:
        table.add_column("", no_wrap=True, min_width=bar)
    for column in columns:
        whole = sum(column.counts.values()) or 1
        for place, (value, count) in enumerate(column.counts.items()):
            share, word = count / whole, column.words[place] if place < len(column.words) else ""
            drawn = filled * (max(1, round(share * bar)) if count else 0)
            cells = (as_it_is(word), as_it_is(" ".join(value.split())), f"{count:,}", f"{share:.1%}", drawn)
            table.add_row(*cells[: len(table.columns)])
        table.add_section()
    return table
