"""What the receipts of a dataset add up to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from data_designer.engine.profile import Profile, merge_profiles
from data_designer.engine.receipts import Receipt
from data_designer.values import Usage


@dataclass(slots=True)
class Totals:
    """Sums over batches."""

    generated: int = 0
    rejected: int = 0
    complete: int = 0
    """Batches of which no row was left unfinished."""
    files: dict[str, list[str]] = field(default_factory=dict)
    """Folder, relative to the dataset directory, to its files in order of batch."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """Model alias to what was asked."""
    reasons: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Kind of rejection to its count, and the first example."""
    profile: dict[str, Profile] = field(default_factory=dict)
    """Statistics of each column."""


def total(receipts: Iterable[Receipt]) -> Totals:
    """Add up receipts, one at a time: there are as many as batches, and each holds statistics of every column."""
    totals = Totals()
    for receipt in receipts:
        totals.generated += receipt.generated
        totals.rejected += receipt.rejected
        totals.complete += receipt.complete
        for file in receipt.files:
            totals.files.setdefault(file.path.rpartition("/")[0], []).append(file.path)
        for alias, spent in receipt.usage.items():
            totals.usage[alias] = totals.usage.get(alias, Usage()) + spent
        for kind, found in receipt.reasons.items():
            totals.reasons.setdefault(kind, {**found, "count": 0})["count"] += found["count"]
        totals.profile = merge_profiles((totals.profile, receipt.profile))
    return totals
