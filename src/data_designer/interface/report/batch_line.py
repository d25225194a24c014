"""The batches of a dataset in order, so many to a bar that there are few bars however many batches there are."""

from dataclasses import dataclass

from data_designer.engine.protocol.receipt import Receipt

MOST_BARS = 120


@dataclass(slots=True)
class Bar:
    """Neighbouring batches."""

    first: int
    last: int
    whole: int = 0
    """Records that are generated without a null that stands for a failure."""
    null_filled: int = 0
    rejected: int = 0
    unfinished: int = 0
    committed: int = 0
    """Batches."""
    bytes: int = 0
    """Of all their files."""
    writing: float = 0.0
    """Seconds that it took to write them."""

    @property
    def width(self) -> int:
        """How many batches it stands for."""
        return self.last - self.first + 1


class BatchLine:
    """A fold over receipts, in whatever order they come."""

    def __init__(self, num_batches: int) -> None:
        self.width = max(1, -(-num_batches // MOST_BARS))
        """Batches of a bar; the last one may have fewer."""
        starts = range(0, num_batches, self.width)
        self.bars = [Bar(first, min(first + self.width, num_batches) - 1) for first in starts]

    def add(self, receipt: Receipt) -> None:
        """Take a batch in; one that no geometry knows is none."""
        place = receipt.batch // self.width
        if place >= len(self.bars):
            return
        bar = self.bars[place]
        bar.whole += receipt.generated - receipt.null_filled
        bar.null_filled += receipt.null_filled
        bar.rejected += receipt.rejected
        bar.unfinished += sum(stop - start for start, stop in receipt.unfinished)
        bar.committed += 1
        bar.bytes += sum(file.bytes for file in receipt.files)
        bar.writing += receipt.seconds
