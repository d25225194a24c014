"""The table of a dataset's columns: what each was asked, how it went, and what it cost."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from data_designer.engine.protocol.spending import Spending
from data_designer.interface import figures
from data_designer.interface.outcomes import RunOutcomes
from data_designer.terminal import cell_length, visible

_UNKNOWN = "-"
_SHORTEST_NAME = 8
GAP = 2
"""Characters between two columns of the table."""
_LAST_TO_GO = ("requests", "model")
"""What a narrow table goes without, in this order."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the table, as text."""

    title: str
    cells: tuple[str, ...]
    total: str = ""
    is_name: bool = False
    """Whether it may be cut short; the others are numbers, at the right."""
    width: int = 0
    """Characters that it is given."""

    @property
    def natural_width(self) -> int:
        """Characters that it needs to be whole; a title of two words has two lines."""
        return max(cell_length(visible(text)) for text in (*self.title.split(" "), *self.cells, self.total))


def fields_of(outcomes: RunOutcomes) -> list[Field]:
    """The whole table: a row for each column that asked a model, or of which cells failed; empty without any."""
    spent, failed = outcomes.columns, _failed(outcomes)
    names = list(dict.fromkeys([*spent, *(failed or {})]))
    if not names:
        return []

    def each(text: Callable[[Spending], str]) -> tuple[str, ...]:
        return tuple(text(spent[name]) if name in spent else "" for name in names)

    known = failed is not None
    rejected = "failed" if outcomes.null_filled else "rejected"
    fields = [
        Field("column", tuple(names), "total", is_name=True),
        Field("model", each(lambda one: one.alias), is_name=True),
        Field("ok", each(lambda one: figures.count(one.cells - one.failed) if known else _UNKNOWN)),
        Field(rejected, tuple(figures.count((failed or {}).get(name, 0)) if known else _UNKNOWN for name in names)),
        Field("first pass", each(_first_pass)),
        Field("requests", each(lambda one: figures.count(_sent([one]))), figures.count(_sent(spent.values()))),
        Field("tokens in/out", each(lambda one: _tokens([one])), _tokens(spent.values())),
    ]
    if outcomes.usd is not None:
        fields.append(Field("cost", each(lambda one: figures.usd(one.usd)), figures.usd(outcomes.usd)))
    return fields


def fitted(fields: Sequence[Field], width: int) -> list[Field]:
    """The table with widths that fit: names are cut short first, then what matters least goes."""
    left = list(fields)
    for gone in (None, *_LAST_TO_GO):
        left = [field for field in left if field.title != gone]
        names = [field for field in left if field.is_name]
        numbers = sum(field.natural_width for field in left if not field.is_name)
        room = width - numbers - GAP * (len(left) - 1)
        if room >= sum(min(_SHORTEST_NAME, field.natural_width) for field in names):
            break
    widths = _shared(max(room, len(names)), [field.natural_width for field in names])
    return [replace(field, width=widths.pop(0) if field.is_name else field.natural_width) for field in left]


def _shared(room: int, wanted: Sequence[int]) -> list[int]:
    """Room divided so that those that want little get it, and the others equal shares."""
    given = [0] * len(wanted)
    for place in sorted(range(len(wanted)), key=lambda place: wanted[place]):
        given[place] = min(wanted[place], (room - sum(given)) // given.count(0))
    return given


def _failed(outcomes: RunOutcomes) -> dict[str, int] | None:
    """Column to its cells that failed and are not made; None where an earlier version has not counted them so."""
    failed: dict[str, int] = {}
    for found in outcomes.reasons.values():
        if "columns" not in found:
            return None
        for name, count in found["columns"].items():
            failed[name] = failed.get(name, 0) + count
    return failed


def _first_pass(one: Spending) -> str:
    return "" if one.first_pass is None else figures.share(one.first_pass, one.cells).replace(" ", "")


def _sent(some: Iterable[Spending]) -> int:
    return sum(one.usage.requests + one.usage.failed_requests for one in some)


def _tokens(some: Iterable[Spending]) -> str:
    usages = [one.usage for one in some]
    total_in, total_out = sum(one.input_tokens for one in usages), sum(one.output_tokens for one in usages)
    return f"{figures.compact(total_in)}/{figures.compact(total_out)}"
