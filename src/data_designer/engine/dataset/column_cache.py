"""Takes columns from the committed files of another dataset, where they would come out the same."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.batch_files import read_table
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.journal import Replay
from data_designer.engine.dataset.layout import DROPPED, PARQUET
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.receipt import Receipt, indices
from data_designer.errors import ArtifactStorageError
from data_designer.object_storage import Location
from data_designer.plan.model import LOCAL, Geometry, Plan, Step


@dataclass(frozen=True, slots=True)
class Part:
    """A column that is taken, with its side effects."""

    names: tuple[str, ...]
    made_of: tuple[str, ...]
    """Fingerprints of other parts: without them it is not taken either, since it belongs to them."""
    whole: bool = False
    """Whether it is made of a whole batch at once, and so taken for a whole batch or not at all."""


@dataclass(frozen=True, slots=True)
class ColumnCache:
    """A dataset from which columns are taken."""

    path: Location
    files: Files
    geometry: Geometry
    parts: Mapping[str, Part]
    """Fingerprint of a column to what is taken, each after those it is made of."""

    def values(self, records: range) -> Replay:
        """What it has of some records, by fingerprint of the column.

        Raises:
            ArtifactStorageError: a receipt or a file is damaged.
            OSError: a file cannot be read.
        """
        known = Replay()
        mine = range(records.start, min(records.stop, self.geometry.num_records))
        if not mine:
            return known
        store = Store(self.path, self.files)
        for batch in np.unique(self.geometry.batches_of(np.array(mine))).tolist():
            try:
                receipt = store.receipt(batch)
                if receipt is not None:
                    self._read(receipt.current, mine, known)
            except ArtifactStorageError as error:
                raise ArtifactStorageError(f"the dataset {self.path}, which is reused: {error}") from error
        self._leave_out(records, known)
        return known

    def _leave_out(self, records: range, known: Replay) -> None:
        """What sees a whole batch is made again where a record of it is not there, and so is what is made of that."""
        left_out: set[str] = set()
        for fingerprint, part in self.parts.items():
            incomplete = part.whole and any(known.result(fingerprint, row) is None for row in records)
            if incomplete or left_out.intersection(part.made_of):
                left_out.add(fingerprint)
        known.drop_results(left_out)

    def _read(self, receipt: Receipt, records: range, known: Replay) -> None:
        rows = indices(receipt.kept).tolist()
        cells: dict[str, list[object]] = {}
        for file in receipt.files:
            if file.folder in (PARQUET, DROPPED):
                cells.update(_columns(read_table(self.files, file)))
        there = cells.keys() - set(receipt.inexact)
        taken: set[str] = set()
        for fingerprint, part in self.parts.items():
            if there.issuperset(part.names) and taken.issuperset(part.made_of):
                taken.add(fingerprint)
                for row, *values in zip(rows, *(cells[name] for name in part.names), strict=True):
                    if row in records:
                        known.put_result(fingerprint, row, values)


def _columns(table: pa.Table) -> dict[str, list[object]]:
    return {field.name: cells_of(table[field.name], field) for field in table.schema}


def reusable(plan: Plan, fingerprints: Mapping[str, str]) -> dict[str, Part]:
    """Columns of a plan that another dataset has, that cost something, and that belong to all they are made of.

    A column counts as the same only if everything it is made of is the same too: is taken itself, or comes out the
    same by itself.

    Args:
        plan: the plan.
        fingerprints: column of the other dataset to its digest.

    Returns:
        Fingerprint of the column to what is taken, each after those it is made of.
    """
    parts: dict[str, Part] = {}
    made_of: dict[str, tuple[str, ...]] = {}
    """Columns that are the same as in the other dataset, to the parts that they depend on."""
    for step in plan.steps:
        if not all(name in made_of for name in step.needs):
            continue
        below = tuple(dict.fromkeys(fingerprint for name in step.needs for fingerprint in made_of[name]))
        if not _costs(step):
            made_of.update(dict.fromkeys(step.makes, below))
        elif fingerprints.get(step.name) == (mine := plan.fingerprints[step.name]):
            parts[mine] = Part(step.makes, below, step.scope == "batch")
            made_of.update(dict.fromkeys(step.makes, (mine,)))
    return parts


def _costs(step: Step) -> bool:
    return step.pool != LOCAL or any(KINDS[step.kind].functions(column) for column in step.configs)
