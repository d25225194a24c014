"""When another batch may be opened: while its rows are needed and its values will fit."""

from collections.abc import Collection
from dataclasses import dataclass, field

from data_designer.engine.scheduling.batch_state import OpenBatch
from data_designer.engine.scheduling.events import Shape

ROWS_A_TASK = 256
"""Rows of a row-wise CPU stage that travel in one task, where there are not many more for each worker."""
MOST_ROWS_A_TASK = 1000
"""The same where there are: starting a linter, say, costs as much for a thousand rows as for one."""


@dataclass(slots=True)
class BatchAdmission:
    """The rules for opening batches. Remembers what a record's values came to in batches that are done."""

    shape: Shape
    bytes_a_record: float = 0.0
    """Mean over the batches that are done; 0 before the first."""
    held_bytes: int = field(init=False)
    """Values of open batches beyond which nothing is admitted."""
    _records: int = 0

    def __post_init__(self) -> None:
        self.held_bytes = self.shape.held_bytes

    def done(self, batch: OpenBatch) -> None:
        """A batch was let go of."""
        self._records += batch.size
        self.bytes_a_record += (batch.bytes / batch.size - self.bytes_a_record) * batch.size / self._records

    def may_open(self, batches: Collection[OpenBatch], wanted: int) -> bool:
        """Whether rows are needed and one more batch is within the user's limit.

        Args:
            batches: the open ones.
            wanted: rows that replicas and workers have room for.
        """
        limit = self.shape.max_open_batches
        if limit is not None and len(batches) >= limit:
            return False
        return not batches or sum(batch.active for batch in batches) < self._enough(wanted)

    def held_back_by(self, batches: Collection[OpenBatch]) -> OpenBatch | None:
        """The batch that holds most, if the values of one more might not fit beside those of the open ones."""
        if not batches:
            return None
        held = sum(batch.bytes for batch in batches)
        expected = self.bytes_a_record * (sum(batch.size for batch in batches) + self.shape.geometry.buffer_size)
        if max(held, expected) < self.held_bytes:
            return None
        return max(batches, key=lambda batch: batch.bytes)

    def _enough(self, wanted: int) -> int:
        """Ready and running rows that keep everything busy until another batch's rows are there."""
        slots = sum(self.shape.slots.values())
        if not slots:
            return 2 * self.shape.workers * self.shape.geometry.buffer_size
        return 2 * max(slots, wanted, min(self.shape.geometry.buffer_size, ROWS_A_TASK) // 2)
