"""The two shapes a step's logic has once it is built for a process."""

from typing import Protocol

from data_designer.values import Block, Exchange, Made, Record


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


Program = CellProgram | RowsProgram
"""One that has both shapes computes the same in either: rows together on a CPU, one at a time next to a model."""
