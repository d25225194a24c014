"""How a run stands at one moment: what a panel, a line, a notebook or another process shows of it. As JSON, too."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AliasState:
    """One model alias at one moment."""

    model: str
    slots: int
    """Its `max_parallel_requests`."""
    in_flight: int = 0
    limit: int = 0
    """Requests that may be in flight now: fewer than `slots` while the endpoint refuses more, or none is up."""
    requests_per_second: float = 0.0
    """Answered, over the last seconds."""
    latency: float | None = None
    """Seconds: the median of those that were answered; None before the first."""
    failed_requests: int = 0


@dataclass(frozen=True, slots=True)
class ColumnState:
    """One column at one moment, over all runs of the dataset."""

    alias: str | None
    """The model's; None where it asks none."""
    total: int
    """Cells that there will be at most."""
    done: int = 0
    """That finished, whatever came of them."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment. Seconds are from its start unless they say otherwise."""

    dataset: str
    state: str
    """`starting`, `running`, `stopping`, `ended` or `stopped`."""
    at: float
    """Seconds since the epoch."""
    elapsed: float
    target: int
    """Records that there are to be."""
    generated: int
    rejected: int
    done: float
    """Share of the work that is done, by cells of all columns, from 0 to 1."""
    seconds_left: float | None = None
    """Expected; None while that is not known."""
    usd: float | None = None
    """Spent so far; None where a model that was asked has no price."""
    input_tokens: int = 0
    output_tokens: int = 0
    reasons: tuple[str, ...] = ()
    """What holds it up, a line each, the most important first; nothing where nothing does."""
    aliases: Mapping[str, AliasState] = field(default_factory=dict)
    columns: Mapping[str, ColumnState] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Snapshot":
        """From JSON data. Raises KeyError or TypeError where it is none of this."""
        aliases = {alias: AliasState(**one) for alias, one in data["aliases"].items()}
        columns = {column: ColumnState(**one) for column, one in data["columns"].items()}
        return cls(**{**data, "reasons": tuple(data["reasons"]), "aliases": aliases, "columns": columns})
