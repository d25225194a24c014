"""Takes columns from the committed files of another dataset, where they would come out the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from data_designer.engine.batch_files import read_table
from data_designer.engine.files import Files
from data_designer.engine.journal import Replay
from data_designer.engine.layout import DROPPED, PARQUET
from data_designer.engine.receipts import Receipt, indices
from data_designer.engine.schema import decode_json, is_json
from data_designer.engine.store import Store
from data_designer.plan.model import LOCAL, Geometry, Plan, Step


@dataclass(frozen=True, slots=True)
class Donor:
    """A dataset from which columns are taken."""

    files: Files
    geometry: Geometry
    columns: Mapping[str, tuple[str, ...]]
    """Fingerprint of a column to its name and those of its side effects."""

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
        store = Store(Path(), self.files)
        for batch in np.unique(self.geometry.batches_of(np.array(mine))).tolist():
            receipt = store.receipt(batch)
            if receipt is not None:
                self._read(receipt.current, mine, known)
        return known

    def _read(self, receipt: Receipt, records: range, known: Replay) -> None:
        rows = indices(receipt.kept).tolist()
        cells: dict[str, list[object]] = {}
        for file in receipt.files:
            if file.path.startswith((f"{PARQUET}/", f"{DROPPED}/")):
                cells.update(_columns(read_table(self.files, file)))
        for fingerprint, names in self.columns.items():
            if all(name in cells for name in names):
                for row, *values in zip(rows, *(cells[name] for name in names), strict=True):
                    if row in records:
                        known.put_result(fingerprint, row, values)


def _columns(table: pa.Table) -> dict[str, list[object]]:
    return {
        field.name: [decode_json(text) for text in table[field.name].to_pylist()]
        if is_json(field)
        else table[field.name].to_pylist()
        for field in table.schema
    }


def reusable(plan: Plan, fingerprints: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Columns of a plan that another dataset has and that cost something to make.

    Args:
        plan: the plan.
        fingerprints: column of the other dataset to its digest.

    Returns:
        Fingerprint of the column to its name and those of its side effects.
    """
    return {
        plan.fingerprints[step.name]: step.makes
        for step in plan.steps
        if _costs(step) and fingerprints.get(step.name) == plan.fingerprints[step.name]
    }


def _costs(step: Step) -> bool:
    return step.pool != LOCAL or step.kind in ("custom", "validation")
