"""How the work went on: records and cells by time, and the batches one after another."""

from dataclasses import dataclass
from functools import reduce
from operator import add

from data_designer.engine.protocol.slot_time import RunAccounts, Sample
from data_designer.interface.figures import count, seconds, size
from data_designer.interface.report.batch_line import BatchLine
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.plots import Plot, Series, Tick, count_ticks, stacked, time_ticks
from data_designer.interface.report.section import Section

_MOST_RATES = 60


@dataclass(frozen=True, slots=True)
class Timeline:
    """Plots over time and over batches."""

    records: Plot | None
    cells: Plot | None
    batches: Plot | None
    writing: Plot | None
    width: int
    """Batches of a bar."""
    facts: tuple[tuple[str, str], ...]
    legend: tuple[tuple[str, str], ...]
    """Class and name of what batches are made of."""
    recorded: bool


def section(facts: Facts) -> Section:
    """The timeline."""
    accounts, line = facts.accounts, facts.batches
    there = [bar for bar in line.bars if bar.committed]
    listed = (
        ("Batches", count(sum(bar.committed for bar in there))),
        ("Files", size(sum(bar.bytes for bar in there))),
        ("Writing them", seconds(sum(bar.writing for bar in there))),
    )
    batches = _batches(line) if there else None
    return Section(
        "timeline",
        "Timeline",
        Timeline(
            None if accounts is None else _rate(accounts, "records"),
            None if accounts is None else _rate(accounts, "cells"),
            batches,
            _writing(line) if there else None,
            line.width,
            listed if there else (),
            tuple((one.kind, one.label) for one in _kinds(line) if any(one.values)),
            accounts is not None,
        ),
    )


def edges_of(samples: tuple[Sample, ...]) -> list[float]:
    """Where samples begin, and where the last one ends."""
    return [*(one.at for one in samples), samples[-1].at + samples[-1].seconds]


def _fewer(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Samples that are long enough for a rate."""
    each = -(-len(samples) // _MOST_RATES) or 1
    return tuple(reduce(add, samples[place : place + each]) for place in range(0, len(samples), each))


def _rate(accounts: RunAccounts, what: str) -> Plot | None:
    samples = _fewer(tuple(one for one in accounts.timeline if one.seconds > 0))
    if not samples:
        return None
    rates = [getattr(one, what) / one.seconds for one in samples]
    if not any(rates):
        return None
    edges = edges_of(samples)
    return stacked(
        f"{what.capitalize()} a second over {seconds(edges[-1])}: at most {max(rates):.1f}",
        edges,
        [Series("bar", "", rates)],
        max(rates),
        time_ticks(edges[-1] - edges[0], seconds),
    )


def _kinds(line: BatchLine) -> list[Series]:
    bars = line.bars
    return [
        Series("whole", "generated", [bar.whole / bar.width for bar in bars]),
        Series("nulled", "with a null for a cell that failed", [bar.null_filled / bar.width for bar in bars]),
        Series("rejected", "rejected", [bar.rejected / bar.width for bar in bars]),
        Series("unfinished", "left undone", [bar.unfinished / bar.width for bar in bars]),
    ]


def _batches(line: BatchLine) -> Plot:
    kinds = _kinds(line)
    most = max(map(sum, zip(*(one.values for one in kinds), strict=True)))
    return stacked("Records by batch", _edges(line), kinds, most, _ticks(line))


def _writing(line: BatchLine) -> Plot | None:
    each = [bar.writing / bar.committed if bar.committed else 0.0 for bar in line.bars]
    if len(each) < 2 or not max(each):
        return None
    label = f"Seconds to write a batch: at most {seconds(max(each))}"
    return stacked(label, _edges(line), [Series("bar", "", each)], max(each), _ticks(line))


def _edges(line: BatchLine) -> list[float]:
    return [*(float(bar.first) for bar in line.bars), float(line.bars[-1].last + 1)]


def _ticks(line: BatchLine) -> tuple[Tick, ...]:
    return count_ticks(0, line.bars[-1].last + 1, count)
