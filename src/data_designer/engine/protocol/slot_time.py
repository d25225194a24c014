"""Where the time of a run's slots went, and what its columns took: what progress, report and advice read.

Constant in size whatever the number of records, as JSON beside the dataset, one value a run; values of several runs
add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from data_designer.engine.protocol.distribution import Distribution

MOST_SAMPLES = 240
"""Of a timeline. One that would have more is brought down to half as many, each of twice the time."""


class Account(StrEnum):
    """Each slot-second of an alias is in exactly one of them."""

    ASKING = "asking"
    """A request of it is in flight."""
    ENGINE = "engine"
    """Rows are ready for it, and on their way: between driver and replica, being rendered, parsed or written down."""
    STARTUP = "startup"
    """No replica holds it yet, or the one that held it was lost."""
    UPSTREAM = "upstream"
    """The rows that could use it wait for replies of other models. Or rows enough are open, and most wait for these."""
    CPU = "cpu"
    """The rows that could use it wait for work of this side: samplers, functions, validators, a whole batch."""
    STORAGE = "storage"
    """Rows are left, but no further batch is opened: values in memory, or as many open batches as were allowed. Or
    all that is left is to be written."""
    HELD = "held"
    """Requests wait since the endpoint wants fewer (429, Retry-After), or a rate, the budget or a shared cap does."""
    DOWN = "down"
    """Requests wait since the endpoint answers nothing."""
    LAST = "last"
    """There is nothing left for it to do: fewer rows are left than slots."""


@dataclass(frozen=True, slots=True)
class AliasAccounts:
    """One model alias. Adds up, over runs of whatever numbers of slots."""

    model: str = ""
    slots: int = 0
    """Of the latest run."""
    slot_seconds: float = 0.0
    """`slots` times the seconds of the run: what `seconds` sum to."""
    seconds: Mapping[Account, float] = field(default_factory=dict)
    """Slot-seconds by account."""
    requests: int = 0
    """That were answered."""
    failed_requests: int = 0
    refused: int = 0
    """Of those that failed: answered with 429."""
    lowest_limit: int | None = None
    """The fewest requests in flight to which refusals brought it; None where they never did."""

    def __add__(self, other: "AliasAccounts") -> "AliasAccounts":
        limits = [limit for limit in (self.lowest_limit, other.lowest_limit) if limit is not None]
        return AliasAccounts(
            other.model or self.model,
            other.slots or self.slots,
            self.slot_seconds + other.slot_seconds,
            _summed((self.seconds, other.seconds)),
            self.requests + other.requests,
            self.failed_requests + other.failed_requests,
            self.refused + other.refused,
            min(limits, default=None),
        )


@dataclass(frozen=True, slots=True)
class ColumnAccounts:
    """One column that asks a model, or that a CPU task makes. Adds up."""

    alias: str | None
    """The model's; None where it asks none."""
    cells: int = 0
    """That finished, those that failed included; what an earlier run was answered and is replayed is not."""
    failed: int = 0
    latency: Distribution = field(default_factory=Distribution)
    """Seconds from sending a request to its whole reply, of each that was answered."""
    input_tokens: Distribution = field(default_factory=Distribution)
    """Of each request that was answered."""
    output_tokens: Distribution = field(default_factory=Distribution)

    def __add__(self, other: "ColumnAccounts") -> "ColumnAccounts":
        return ColumnAccounts(
            other.alias,
            self.cells + other.cells,
            self.failed + other.failed,
            self.latency + other.latency,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """A stretch of a run."""

    at: float
    """Seconds from the start of the run to its beginning."""
    seconds: float
    """How long it is."""
    cells: int
    """Of columns that ask models, which finished in it."""
    records: int
    """That were committed in it, generated or rejected."""
    slots: Mapping[str, Mapping[Account, float]]
    """Model alias to slot-seconds by account."""

    def __add__(self, later: "Sample") -> "Sample":
        aliases = dict.fromkeys([*self.slots, *later.slots])
        return Sample(
            self.at,
            self.seconds + later.seconds,
            self.cells + later.cells,
            self.records + later.records,
            {alias: _summed((self.slots.get(alias, {}), later.slots.get(alias, {}))) for alias in aliases},
        )


@dataclass(frozen=True, slots=True)
class RunAccounts:
    """One run, or several added up (then the timelines follow each other)."""

    run: int = 0
    """Its number; of several, the latest."""
    began: float = 0.0
    """Seconds since the epoch; of several, when the first of them began."""
    seconds: float = 0.0
    """From its start to its end, or to when this was written."""
    executor: str = ""
    """What took part at the end: `inline` or `ray`."""
    aliases: Mapping[str, AliasAccounts] = field(default_factory=dict)
    columns: Mapping[str, ColumnAccounts] = field(default_factory=dict)
    workers: int = 0
    """CPU tasks that may run at once."""
    worker_seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of CPU tasks by the columns that they made (their names, joined by `, `)."""
    writing_seconds: float = 0.0
    """Of writing batches."""
    timeline: tuple[Sample, ...] = ()

    def __add__(self, later: "RunAccounts") -> "RunAccounts":
        moved = (
            Sample(self.seconds + one.at, one.seconds, one.cells, one.records, one.slots) for one in later.timeline
        )
        return RunAccounts(
            later.run,
            self.began or later.began,
            self.seconds + later.seconds,
            later.executor,
            _added(self.aliases, later.aliases),
            _added(self.columns, later.columns),
            later.workers,
            _summed((self.worker_seconds, later.worker_seconds)),
            self.writing_seconds + later.writing_seconds,
            compact((*self.timeline, *moved)),
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "run": self.run,
            "began": self.began,
            "seconds": self.seconds,
            "executor": self.executor,
            "aliases": {alias: _alias_dict(one) for alias, one in self.aliases.items()},
            "columns": {column: _column_dict(one) for column, one in self.columns.items()},
            "workers": self.workers,
            "worker_seconds": dict(self.worker_seconds),
            "writing_seconds": self.writing_seconds,
            "timeline": [_sample_dict(one) for one in self.timeline],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RunAccounts":
        """From JSON data. Raises KeyError, TypeError or ValueError where it is none of this."""
        fields = {
            "aliases": {alias: _alias_of(one) for alias, one in data["aliases"].items()},
            "columns": {column: _column_of(one) for column, one in data["columns"].items()},
            "timeline": tuple(map(_sample_of, data["timeline"])),
        }
        return cls(**{**data, **fields})


def compact(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """A timeline of `MOST_SAMPLES` at most: where there are more, neighbours are added up."""
    while len(samples) > MOST_SAMPLES:
        pairs = [samples[place : place + 2] for place in range(0, len(samples), 2)]
        samples = tuple(pair[0] + pair[1] if len(pair) > 1 else pair[0] for pair in pairs)
    return samples


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: one[name] + other[name] for name in one if name in other}
    return {**one, **other, **both}


def _summed(parts: Iterable[Mapping[Any, float]]) -> dict[Any, float]:
    total: dict[Any, float] = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, 0.0) + value
    return total


def _alias_dict(one: AliasAccounts) -> dict[str, Any]:
    return {
        "model": one.model,
        "slots": one.slots,
        "slot_seconds": one.slot_seconds,
        "seconds": _plain(one.seconds),
        "requests": one.requests,
        "failed_requests": one.failed_requests,
        "refused": one.refused,
        "lowest_limit": one.lowest_limit,
    }


def _alias_of(data: Mapping[str, Any]) -> AliasAccounts:
    return AliasAccounts(**{**data, "seconds": _accounts_of(data["seconds"])})


def _column_dict(one: ColumnAccounts) -> dict[str, Any]:
    return {
        "alias": one.alias,
        "cells": one.cells,
        "failed": one.failed,
        "latency": one.latency.to_dict(),
        "input_tokens": one.input_tokens.to_dict(),
        "output_tokens": one.output_tokens.to_dict(),
    }


def _column_of(data: Mapping[str, Any]) -> ColumnAccounts:
    sketches = {name: Distribution.from_dict(data[name]) for name in ("latency", "input_tokens", "output_tokens")}
    return ColumnAccounts(**{**data, **sketches})


def _sample_dict(one: Sample) -> dict[str, Any]:
    slots = {alias: _plain(accounts) for alias, accounts in one.slots.items()}
    return {"at": one.at, "seconds": one.seconds, "cells": one.cells, "records": one.records, "slots": slots}


def _sample_of(data: Mapping[str, Any]) -> Sample:
    slots = {alias: _accounts_of(accounts) for alias, accounts in data["slots"].items()}
    return Sample(**{**data, "slots": slots})


def _plain(seconds: Mapping[Account, float]) -> dict[str, float]:
    return {account.value: spent for account, spent in seconds.items()}


def _accounts_of(data: Mapping[str, float]) -> dict[Account, float]:
    return {Account(name): float(seconds) for name, seconds in data.items()}
