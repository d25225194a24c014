"""What the requests of each column took: seconds and tokens, as histograms."""

from collections.abc import Callable
from dataclasses import dataclass

from data_designer.engine.protocol.distribution import Distribution
from data_designer.interface.figures import count, number, seconds, share
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.plots import Plot, log_histogram
from data_designer.interface.report.section import Section

MOST_COLUMNS = 60
_QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


@dataclass(frozen=True, slots=True)
class Panel:
    """One number of all requests of a column."""

    title: str
    plot: Plot
    quantiles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that asks a model."""

    name: str
    alias: str
    facts: tuple[tuple[str, str], ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Requests:
    """All columns that ask models."""

    columns: tuple[Column, ...]
    more: int
    recorded: bool


def section(facts: Facts) -> Section | None:
    """Latency and tokens of each column; nothing where no model was asked."""
    if facts.accounts is None:
        return (
            Section("requests", "Latency and tokens", Requests((), 0, recorded=False)) if facts.totals.spent else None
        )
    asked = {name: one for name, one in facts.accounts.columns.items() if one.alias is not None}
    if not asked:
        return None
    columns = []
    for name in facts.declared_first(asked)[:MOST_COLUMNS]:
        one, spent = asked[name], facts.totals.spent.get(name)
        listed = [("Cells", count(one.cells)), ("Failed", count(one.failed))]
        if spent is not None and spent.first_pass is not None:
            listed.append(("First pass", share(spent.first_pass, spent.cells)))
        panels = (
            *_panel("Latency", one.latency, seconds),
            *_panel("Tokens in", one.input_tokens, number),
            *_panel("Tokens out", one.output_tokens, number),
        )
        columns.append(Column(name, one.alias or "", tuple(listed), panels))
    more = max(0, len(asked) - MOST_COLUMNS)
    return Section("requests", "Latency and tokens", Requests(tuple(columns), more, recorded=True))


def _panel(title: str, numbers: Distribution, written: Callable[[float], str]) -> tuple[Panel, ...]:
    if not numbers:
        return ()
    found = {name: numbers.quantile(part) for name, part in _QUANTILES}
    said = ", ".join(f"{name} {written(at)}" for name, at in found.items())
    marks = {"p50": found["p50"], "p99": found["p99"]}
    plot = log_histogram(f"{title}: {said}", numbers.bins(), written, marks)
    listed = [(name, written(at)) for name, at in found.items()]
    return (Panel(title, plot, (*listed, ("max", written(numbers.largest)))),)
