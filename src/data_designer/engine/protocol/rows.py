"""Rows of a message, and what is counted of their cells."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.int64]
"""Record indices, shape [n]."""


Flags: TypeAlias = npt.NDArray[np.bool_]
"""One yes or no for each of n rows."""


Replays: TypeAlias = tuple[tuple[int, int], ...]
"""(batch, how often work of it was lost): batches whose journal may answer instead of a model or a function."""


@dataclass(frozen=True, slots=True)
class CellCount:
    """How many cells of an inference column finished, and how many of them failed."""

    column: str
    finished: int
    failed: int
    replayed: int = 0
    """Of those that did not fail, cells for which nobody was asked, since an earlier run was answered."""
