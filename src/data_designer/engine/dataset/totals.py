"""What the receipts of a dataset add up to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from data_designer.engine.dataset.profile import merge_profiles
from data_designer.engine.protocol.receipt import BatchFile, FailureCount, Receipt, added
from data_designer.engine.protocol.spending import Spending, summed
from data_designer.errors import ArtifactStorageError
from data_designer.plan.profile import Profile

Examples = dict[str, dict[str, BatchFile]]
"""Folder to a file of each schema that its files have, by the schema's digest."""


@dataclass(slots=True)
class Totals:
    """Sums over batches."""

    generated: int = 0
    rejected: int = 0
    complete: int = 0
    """Batches of which no row was left unfinished."""
    files: dict[str, list[str]] = field(default_factory=dict)
    """Folder, relative to the dataset directory, to its files in order of batch."""
    examples: Examples = field(default_factory=dict)
    null_filled: int = 0
    """Of those generated."""
    spent: dict[str, Spending] = field(default_factory=dict)
    """Column to what its cells cost."""
    reasons: dict[str, FailureCount] = field(default_factory=dict)
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
        totals.null_filled += receipt.null_filled
        _refuse_imbalance(receipt)
        for file in receipt.files:
            totals.files.setdefault(file.folder, []).append(file.path)
            totals.examples.setdefault(file.folder, {}).setdefault(file.schema, file)
        totals.spent = summed((totals.spent, receipt.spent))
        for kind, found in receipt.reasons.items():
            totals.reasons[kind] = added(totals.reasons[kind], found) if kind in totals.reasons else found
        totals.profile = merge_profiles((totals.profile, receipt.profile))
    return totals


def _refuse_imbalance(receipt: Receipt) -> None:
    """Raise ArtifactStorageError where a record is neither generated nor rejected nor unfinished, or more than one."""
    unfinished = sum(stop - start for start, stop in receipt.unfinished)
    found = receipt.generated + receipt.rejected + unfinished
    if found != receipt.requested or receipt.null_filled > receipt.generated:
        raise ArtifactStorageError(
            f"batch {receipt.batch} does not add up: of {receipt.requested} records {receipt.generated} are generated, "
            f"{receipt.rejected} rejected and {unfinished} unfinished; please report this"
        )
