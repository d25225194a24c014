"""Where a run begins: what earlier runs of its dataset have left."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from data_designer.engine.protocol.rows import Rows


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """What is there already; by default nothing."""

    committed: Container[int] = frozenset()
    """Batches that exist already and are left alone."""
    partial: Mapping[int, Rows] = field(default_factory=dict)
    """Batches that exist already, to the rows of each that are to be made beside those that are there."""
    journaled: Container[int] = frozenset()
    """Batches of which an earlier run has left replies."""
