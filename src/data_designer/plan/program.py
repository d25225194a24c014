"""The shapes that a step's logic has once it is built for a process."""

from collections.abc import Sequence
from typing import Protocol

from data_designer.values import Block, Exchange, GroupExchange, Made, Record


class CellProgram(Protocol):
    """Computes one cell at a time, talking to a model by yielding requests where it needs one."""

    def exchange(self, record: Record, index: int) -> Exchange:
        """Start the cell of record `index`; `record` holds at least the step's `needs`."""
        ...


class RowsProgram(Protocol):
    """Computes the cells of many rows at once."""

    def run(self, block: Block) -> Made:
        """Compute for every row of the block, whose columns hold at least the step's `needs`.

        The block's lists belong to others and must not be changed.
        """
        ...


class GroupsProgram(Protocol):
    """Computes the cells of all live rows of a batch, asking for those of several rows in one request."""

    @property
    def group_size(self) -> int:
        """Rows that are asked for together: those that come first, then those that come after, by their records."""
        ...

    def exchange_of(self, records: Sequence[Record]) -> GroupExchange:
        """Start the cells of a group; each record holds at least the step's `needs`."""
        ...


Program = CellProgram | RowsProgram | GroupsProgram
"""One that has both of the first two computes the same in either: rows together on a CPU, one at a time next to a
model."""
