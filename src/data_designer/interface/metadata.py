"""Keeps a dataset's metadata as it is made: written at the start, after the first batch, and at the end."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from data_designer.columns.llm_json import integer_options
from data_designer.config.run_config import ResumeMode
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.layout import PARQUET, PROCESSED
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import Totals, total
from data_designer.engine.protocol.receipt import Receipt
from data_designer.interface.outcomes import usd_of
from data_designer.models.admission.budget_lease import NOTHING, Amount
from data_designer.object_storage import Location
from data_designer.plan.model import Plan

logger = logging.getLogger(__name__)

_IN_RECEIPTS = {"column_statistics": {"__all__": {"most_common", "score_counts", "num_invalid_records"}}}
"""Statistics that metadata do not repeat: the form of what they hold is that of Data Designer."""

_PROCESSED = "processor-files"
"""What metadata call the files of processors."""

OnBatchComplete = Callable[[Any], None]
"""Takes the path, or in object storage the URL, of a file of rows."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a dataset was asked for with, as far as a later run needs to know it."""

    declared: bytes
    """The builder's configuration, as JSON text."""
    seed_data: str
    """Digest of the seed dataset's rows; empty where there is none."""
    settings: Mapping[str, object]
    """Run settings that were given."""
    simulated: bool
    directory: str
    """The working directory, which relative paths of the configuration start from."""
    reuse: str | None = None
    """Folder of the dataset from which columns are taken, if there is one."""
    source: Mapping[str, object] | None = None
    """The file and arguments that the command line was given, if it was."""


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What a dataset is opened for."""

    num_records: int
    dataset_name: str
    root: Location
    """The folder of all datasets."""
    resume: ResumeMode
    provenance: Provenance


@dataclass(slots=True)
class MetadataWriter:
    """An observer that keeps the metadata of one dataset."""

    store: Store
    plan: Plan
    request: DatasetRequest
    on_batch: OnBatchComplete | None = None
    spent: Amount = NOTHING
    """What is gone of a budget, as far as it is known."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""
    _published: Iterator[int] = field(default_factory=count)

    def __call__(self, observation: object) -> None:
        """Take one observation in; only receipts matter."""
        if not isinstance(observation, Receipt) or self.on_batch is None:
            return
        for file in observation.files:
            if file.folder == PARQUET:
                try:
                    self.on_batch(self.store.path / file.path)
                except Exception:
                    # The function is the user's; what is committed stays committed.
                    logger.exception("on_batch_complete failed for %s", file.path.rpartition("/")[2])

    def publish(self, receipt: Receipt) -> Receipt:
        """Make a written batch visible, as the store does; after the first one the metadata speak of it."""
        placed = self.store.publish(receipt)
        if next(self._published) == 0:
            self.write()
        return placed

    def write(self) -> Totals:
        """Write the metadata as it stands; gives the totals it was made from."""
        totals = total(self.store.receipts())
        self.store.write_metadata(self._metadata(totals))
        return totals

    def finish(self, totals: Totals, stopped: str | None = None) -> None:
        """Write the metadata of a run that has ended, statistics of the columns included, and why it was stopped."""
        dumped = analyse(self.plan, totals, self.request.num_records).model_dump(mode="json", exclude=_IN_RECEIPTS)
        update = {"column_statistics": dumped["column_statistics"], "stopped": stopped}
        self.store.write_metadata(self._metadata(totals).model_copy(update=update))

    def _metadata(self, totals: Totals) -> Metadata:
        plan, geometry, provenance = self.plan, self.plan.geometry, self.request.provenance
        processors = {k.partition("/")[2]: v for k, v in totals.files.items() if k.startswith(f"{PROCESSED}/")}
        return Metadata(
            **plan.config.fingerprint(),
            target_num_records=geometry.num_records,
            requested_num_records=self.request.num_records,
            original_target_num_records=geometry.spans[0].records.stop,
            actual_num_records=totals.generated,
            buffer_size=geometry.buffer_size,
            earlier_geometry=geometry.earlier,
            total_num_batches=geometry.num_batches,
            num_completed_batches=totals.complete,
            dataset_name=self.request.dataset_name,
            file_paths={
                PARQUET: totals.files.get(PARQUET, []),
                **({_PROCESSED: processors} if processors else {}),
            },
            preserve_dropped_columns=plan.run.preserve_dropped_columns,
            seed=plan.seed,
            seed_data=provenance.seed_data,
            functions=dict(plan.code),
            fingerprints=dict(plan.fingerprints),
            builder_config_sha256=hashlib.sha256(provenance.declared).hexdigest(),
            integer_options=integer_options(plan.config.columns),
            run=self.store.run,
            run_config=dict(provenance.settings),
            simulated=provenance.simulated,
            directory=provenance.directory,
            source=provenance.source,
            reuse=provenance.reuse,
            spent=self.spent,
            rejected_num_records=totals.rejected,
            usd=usd_of(plan, totals.spent),
            written_at=self.clock(),
        )
