"""Batches in order, few bars for however many."""

import pytest

from data_designer.engine.protocol.receipt import BatchFile, Receipt
from data_designer.interface.report.batch_line import MOST_BARS, BatchLine


@pytest.mark.parametrize("batches", [1, 7, MOST_BARS, MOST_BARS + 1, 100_000])
def test_few_bars_hold_all_batches(batches: int) -> None:
    """Every batch is in one bar, and there are never more bars than a page has room for."""
    line = BatchLine(batches)
    for batch in range(0, batches, max(1, batches // 500)):
        file = BatchFile(f"parquet-files/batch_{batch:05d}.parquet", 6, 100, "")
        line.add(Receipt(batch, 10, 6, 3, (file,), unfinished=((9, 10),), null_filled=2, seconds=0.5))
    assert len(line.bars) <= MOST_BARS
    assert [bar.first for bar in line.bars] == [0, *(bar.last + 1 for bar in line.bars[:-1])]
    assert line.bars[-1].last == batches - 1
    added = sum(bar.committed for bar in line.bars)
    assert added == len(range(0, batches, max(1, batches // 500)))
    assert sum(bar.whole for bar in line.bars) == 4 * added
    assert sum(bar.null_filled for bar in line.bars) == 2 * added
    assert sum(bar.rejected for bar in line.bars) == 3 * added
    assert sum(bar.unfinished for bar in line.bars) == added
    assert sum(bar.bytes for bar in line.bars) == 100 * added


def test_a_batch_of_another_time_is_left_out() -> None:
    """A receipt whose number no batch has does not end the report."""
    line = BatchLine(2)
    line.add(Receipt(9, 1, 1, 0, ()))
    assert not any(bar.committed for bar in line.bars)
