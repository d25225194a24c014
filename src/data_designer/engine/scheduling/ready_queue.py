"""What is ready to run in one pool, deepest stage first, then oldest batch."""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from data_designer.engine.protocol.rows import Rows
from data_designer.engine.scheduling.events import StageShape

StillReady = Callable[[int, int, Rows], Rows]
"""(batch, stage, rows of that batch) to those of the rows that are still ready there."""


@dataclass(order=True, slots=True)
class _Chunk:
    order: tuple[int, int, int]
    stage: int = field(compare=False)
    rows: Rows = field(compare=False)


class ReadyRows:
    """A queue of row chunks. Rows that were withdrawn since are left out when they are taken."""

    def __init__(self, stages: tuple[StageShape, ...]) -> None:
        self._stages = stages
        self._heap: list[_Chunk] = []
        self._sequence = 0
        self.waiting = 0
        """Rows in the queue, those that were withdrawn since included."""

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def first(self) -> tuple[float, float]:
        """The order of the first rows: depth, then batch; after all others where there are none."""
        return self._heap[0].order[:2] if self._heap else (math.inf, math.inf)

    def put(self, batch: int, stage: int, rows: Rows) -> None:
        """Add rows of one batch that became ready for a stage."""
        self._sequence += 1
        self.waiting += len(rows)
        depth = self._stages[stage].depth
        heapq.heappush(self._heap, _Chunk((-depth, batch, self._sequence), stage, rows))

    def take(self, limit: int, still_ready: StillReady) -> tuple[int, Rows] | None:
        """Up to `limit` rows of the first stage in order; a whole-batch stage is never divided."""
        taken: list[Rows] = []
        count, stage = 0, -1
        while self._heap and count < limit:
            chunk = self._heap[0]
            if taken and chunk.stage != stage:
                break
            heapq.heappop(self._heap)
            self.waiting -= len(chunk.rows)
            rows = still_ready(chunk.order[1], chunk.stage, chunk.rows)
            if not len(rows):
                continue
            stage = chunk.stage
            if self._stages[stage].whole_batch:
                if taken:
                    self._put_back(chunk, chunk.rows)
                    break
                return stage, rows
            room = limit - count
            if len(rows) > room:
                self._put_back(chunk, rows[room:])
                rows = rows[:room]
            taken.append(rows)
            count += len(rows)
        if len(taken) <= 1:
            return (stage, taken[0]) if taken else None
        # A row that was withdrawn and released again may stand in two chunks.
        return stage, np.unique(np.concatenate(taken))

    def _put_back(self, chunk: _Chunk, rows: Rows) -> None:
        self.waiting += len(rows)
        heapq.heappush(self._heap, _Chunk(chunk.order, chunk.stage, rows))
