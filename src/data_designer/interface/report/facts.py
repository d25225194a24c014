"""What a report is made of: read from a dataset once, in memory that does not grow with its number of records."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.failures import Failure
from data_designer.engine.dataset.layout import PARQUET, REJECTS
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.run_accounts import read_accounts
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import Totals, total
from data_designer.engine.protocol.receipt import BatchFile, Receipt, indices
from data_designer.engine.protocol.slot_time import RunAccounts
from data_designer.interface.report.batch_line import BatchLine
from data_designer.interface.report.samples import MOST_FILES, MOST_RECORDS, Sample, rejected_of, sample_of
from data_designer.interface.report.state import State, state_of

Conversation = Callable[[int, str], str | None]
"""Gives what was said for the cell of a record, by its index, in a column; None where that was not kept."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a dataset."""

    name: str
    state: State
    metadata: Metadata
    declared: dict[str, Any]
    """The configuration, as JSON data; empty where it cannot be read."""
    totals: Totals
    batches: BatchLine
    accounts: RunAccounts | None
    """None where no run has left any."""
    sample: Sample
    rejected: Sequence[Failure]
    """A few."""
    extras: "Extras"

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The declared columns."""
        return [one for one in self.declared.get("columns") or () if isinstance(one, dict) and "name" in one]

    @property
    def models(self) -> list[dict[str, Any]]:
        """The declared models."""
        return [one for one in self.declared.get("model_configs") or () if isinstance(one, dict) and "alias" in one]

    @property
    def kinds(self) -> dict[str, str]:
        """Column to its type, those of the seed dataset included."""
        declared = {str(one["name"]): str(one.get("column_type", "")) for one in self.columns}
        if not self.declared.get("seed_config"):
            return declared
        others = {name: "seed-dataset" for name in self.totals.profile if "__" not in name}
        return {**others, **declared}

    def declared_first(self, names: Iterable[str]) -> list[str]:
        """Names of columns or models in the order in which they are declared, and then the others."""
        known = [str(one.get("name", one.get("alias"))) for one in (*self.models, *self.columns)]
        places = {name: place for place, name in enumerate(known)}
        return sorted(names, key=lambda name: places.get(name, len(places)))

    @property
    def asks_models(self) -> bool:
        """Whether any column asks a model."""
        return any(one.get("model_alias") for one in self.columns)

    @property
    def not_recorded(self) -> str:
        """What is said where there are no accounts."""
        return "not recorded yet" if self.state.word == "running" else "not recorded"

    @property
    def unpriced(self) -> list[str]:
        """Aliases that were asked and have no price."""
        priced = {one["alias"] for one in self.models if one.get("price") is not None}
        return sorted({one.alias for one in self.totals.spent.values()} - priced)


@dataclass(frozen=True, slots=True)
class Extras:
    """What is not in the dataset's receipts."""

    advice: Sequence[str] | None = None
    """What to change for a faster run, the most effective first; None where nobody has looked."""
    conversation: Conversation | None = None
    made: datetime | None = None
    """When the report was made."""


def facts_of(store: Store, extras: Extras) -> Facts:
    """Read a dataset. Raises ArtifactStorageError where there is none, or its metadata or a receipt are damaged."""
    metadata = store.read_metadata()
    fold = _Fold(BatchLine(metadata.geometry.num_batches))
    totals = total(fold.passing(store.receipts()))
    declared = _declared(store, metadata)
    return Facts(
        store.path.name,
        state_of(store, metadata, totals),
        metadata,
        declared,
        totals,
        fold.batches,
        read_accounts(store.files),
        sample_of(store, fold.first, fold.first_indices, _judges(declared)),
        rejected_of(store, fold.rejects),
        extras,
    )


@dataclass(slots=True)
class _Fold:
    """What is remembered of receipts that pass, besides what they add up to."""

    batches: BatchLine
    first: BatchFile | None = None
    first_indices: list[int] = field(default_factory=list)
    rejects: list[BatchFile] = field(default_factory=list)

    def passing(self, receipts: Iterator[Receipt]) -> Iterator[Receipt]:
        """The receipts without their files, of which there are as many as batches."""
        for receipt in receipts:
            self.batches.add(receipt)
            for file in receipt.files:
                if file.folder == PARQUET and file.rows and self.first is None:
                    self.first = file
                    self.first_indices = list(islice(map(int, indices(receipt.kept)), MOST_RECORDS))
                if file.folder == REJECTS and len(self.rejects) < MOST_FILES:
                    self.rejects.append(file)
            yield replace(receipt, files=())


def _declared(store: Store, metadata: Metadata) -> dict[str, Any]:
    with suppress(OSError, DamagedError, ValueError):
        content = json.loads(store.declaration(metadata.builder_config_sha256))
        declared = content.get("data_designer") if isinstance(content, dict) else None
        if isinstance(declared, dict):
            return declared
    return {}


def _judges(declared: dict[str, Any]) -> list[str]:
    """Columns of scores."""
    columns = declared.get("columns") or ()
    judges = {name for name, kind in KINDS.items() if kind.group == "judge"}
    return [str(one.get("name")) for one in columns if isinstance(one, dict) and one.get("column_type") in judges]
