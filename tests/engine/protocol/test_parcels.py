"""Parcels find their rows' values in the blocks that travel with them."""

import numpy as np
import pytest

from data_designer.engine.protocol.parcels import Parcel, Source, gather, pick
from data_designer.engine.protocol.rows import Rows
from data_designer.values import Block


def rows(*indices: int) -> Rows:
    """Record indices."""
    return np.array(indices, dtype=np.int64)


VALUES = [{0: Block(rows(0, 1, 2), {"a": ["x", "y", "z"]})}, {0: Block(rows(3, 4), {"a": ["v", "w"], "b": [1, 2]})}]


@pytest.mark.parametrize(
    ("block", "offset", "found"),
    [
        ((0, 0, 0), (0, 1, 2), ["x", "y", "z"]),
        ((0, 0), (0, 1), ["x", "y"]),
        ((0, 0), (1, 2), ["y", "z"]),
        ((0, 0, 0), (2, 1, 0), ["z", "y", "x"]),
        ((1, 0, 1), (0, 1, 1), ["v", "y", "w"]),
        ((), (), []),
    ],
)
def test_each_row_finds_its_cell(block: tuple[int, ...], offset: tuple[int, ...], found: list[str]) -> None:
    """Whether a block is taken in one piece or row by row."""
    assert pick(Source(0, rows(*block), rows(*offset)), VALUES, "a") == found


def test_what_a_block_lacks_is_null() -> None:
    """In one piece and row by row."""
    assert pick(Source(0, rows(0, 0), rows(0, 1)), VALUES, "b") == [None, None]
    assert pick(Source(0, rows(0, 1), rows(0, 1)), VALUES, "b") == [None, 2]


def test_what_is_gathered_is_the_parcels_own() -> None:
    """Whoever gets it may change it."""
    parcel = Parcel(1, rows(0, 1, 2), 1, (Source(0, rows(0, 0, 0), rows(0, 1, 2)),))
    gather(parcel, VALUES, ["a"]).columns["a"][0] = "changed"
    assert VALUES[0][0].columns["a"] == ["x", "y", "z"]
