"""What the cells of a column cost, and how often the first reply was good."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from data_designer.values import Usage


@dataclass(frozen=True, slots=True)
class Spending:
    """Sums over the cells of one column. Adds up."""

    alias: str
    """The model's."""
    usage: Usage = field(default_factory=Usage)
    cells: int = 0
    """Cells for which a model was asked."""
    first_pass: int | None = 0
    """Of these, cells that took the first reply; None where a value takes several by design."""
    usd: float = 0.0
    """By the prices at the time; 0 where the model has none."""
    failed: int = 0
    """Of the cells, those that came to nothing; earlier versions did not count them."""

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            self.alias,
            self.usage + other.usage,
            self.cells + other.cells,
            None if self.first_pass is None or other.first_pass is None else self.first_pass + other.first_pass,
            self.usd + other.usd,
            self.failed + other.failed,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Spending":
        """From JSON data."""
        return cls(**{**data, "usage": Usage(**data["usage"])})


def summed(parts: Iterable[Mapping[str, Spending]]) -> dict[str, Spending]:
    """Column by column."""
    total: dict[str, Spending] = {}
    for part in parts:
        for column, spent in part.items():
            total[column] = total[column] + spent if column in total else spent
    return total


def by_alias(spent: Mapping[str, Spending]) -> dict[str, Usage]:
    """Model alias to what was asked."""
    usage: dict[str, Usage] = {}
    for one in spent.values():
        usage[one.alias] = usage.get(one.alias, Usage()) + one.usage
    return usage
