"""A dataset's metadata: what it is, how it was asked for, and how far it is."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.layout import PARQUET, PROCESSED
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import Totals, total
from data_designer.engine.protocol.receipt import Receipt
from data_designer.models.admission.budget_lease import NOTHING, Amount
from data_designer.object_storage import Location
from data_designer.plan.model import Geometry, Plan

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a dataset was asked for with, as far as a later run needs to know it."""

    declared: bytes
    """The builder's configuration, as JSON text."""
    seed_data: str
    """Digest of the seed dataset's rows; empty where there is none."""
    settings: Mapping[str, Any]
    """Run settings that were given."""
    simulated: bool
    directory: str
    """The working directory, which relative paths of the configuration start from."""
    reuse: str | None = None
    """Folder of the dataset from which columns are taken, if there is one."""
    source: Mapping[str, Any] | None = None
    """The file and arguments that the command line was given, if it was."""


@dataclass(slots=True)
class MetadataWriter:
    """Keeps a dataset's metadata: written at the start, after the first batch, and at the end."""

    store: Store
    plan: Plan
    name: str
    provenance: Provenance
    requested: int
    """Records that were asked for."""
    on_batch: Callable[[Any], None] | None = None
    spent: Amount = NOTHING
    """What is gone of a budget, as far as it is known."""
    _published: Iterator[int] = field(default_factory=count)

    def __call__(self, observation: Any) -> None:
        """Take one observation in; only receipts matter."""
        if not isinstance(observation, Receipt):
            return
        if self.on_batch is not None:
            for file in observation.files:
                if file.path.startswith(PARQUET):
                    self._call_back(self.on_batch, self.store.path / file.path)

    def publish(self, receipt: Receipt) -> Receipt:
        """Make a written batch visible, as the store does; after the first one the metadata speak of it."""
        placed = self.store.publish(receipt)
        if next(self._published) == 0:
            self.write()
        return placed

    @staticmethod
    def _call_back(on_batch: Callable[[Any], None], path: Location) -> None:
        try:
            on_batch(path)
        except Exception:
            # The function is the user's; what is committed stays committed.
            logger.exception("on_batch_complete failed for %s", path.name)

    def write(self, *, final: bool = False) -> Totals:
        """Write the metadata as it stands; gives the totals it was made from."""
        plan, geometry = self.plan, self.plan.geometry
        totals = total(self.store.receipts())
        paths = totals.files
        processors = {k.partition("/")[2]: v for k, v in paths.items() if k.startswith(f"{PROCESSED}/")}
        content: dict[str, Any] = {
            **plan.config.fingerprint(),
            "target_num_records": geometry.num_records,
            "requested_num_records": self.requested,
            "original_target_num_records": geometry.spans[0].records.stop,
            "actual_num_records": totals.generated,
            "buffer_size": geometry.buffer_size,
            "earlier_geometry": geometry.earlier,
            "total_num_batches": geometry.num_batches,
            "num_completed_batches": totals.complete,
            "dataset_name": self.name,
            "file_paths": {
                PARQUET: paths.get(PARQUET, []),
                **({PROCESSED: processors} if processors else {}),
            },
            "preserve_dropped_columns": plan.run.preserve_dropped_columns,
            "seed": plan.seed,
            "seed_data": self.provenance.seed_data,
            "functions": {column: asdict(code) for column, code in plan.code.items()},
            "fingerprints": plan.fingerprints,
            "builder_config_sha256": hashlib.sha256(self.provenance.declared).hexdigest(),
            "run": self.store.run,
            "run_config": self.provenance.settings,
            "simulated": self.provenance.simulated,
            "directory": self.provenance.directory,
            "source": self.provenance.source,
            "reuse": self.provenance.reuse,
            "spent": asdict(self.spent),
        }
        if final:
            dumped = analyse(plan, totals).model_dump(mode="json")
            content["column_statistics"] = dumped["column_statistics"]
        self.store.write_metadata(content)
        return totals


def stored_geometry(metadata: Mapping[str, Any]) -> Geometry:
    """The geometry that metadata speak of. Raises KeyError, TypeError or ValueError where they do not."""
    earlier = tuple((int(records), int(size)) for records, size in metadata["earlier_geometry"])
    return Geometry(int(metadata["target_num_records"]), int(metadata["buffer_size"]), earlier)


def stored_request(metadata: Mapping[str, Any]) -> int:
    """How many records were asked for, by metadata: those that were drawn for rejected ones are beside."""
    return int(metadata["requested_num_records"])


def stored_spending(metadata: Mapping[str, Any]) -> Amount:
    """What earlier runs have spent of their budgets, by metadata."""
    return Amount(**(metadata.get("spent") or {}))
