"""What idle slots wait for: the rows that could use them, and where these are."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_designer.engine.protocol.slot_time import Account
from data_designer.engine.scheduling.batch_state import OpenBatch
from data_designer.engine.scheduling.events import Shape
from data_designer.plan.model import LOCAL

_MOST_CELLS = 1_000_000
"""(row, stage) pairs at which one look looks. The rows of so many fill all slots that there may be."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Rows that could use an alias's idle slots, one each, and why there are no more."""

    ready: int = 0
    """Ready for it, or between the driver and its replicas."""
    cpu: int = 0
    """That CPU work, or the rest of their batch, has to come before."""
    upstream: int = 0
    """That other models have to come before."""
    rest: Account = Account.LAST
    """What idle slots wait for beyond these rows."""


class Demands:
    """Looks at open batches for a shape.

    Args:
        shape: the plan.
    """

    def __init__(self, shape: Shape) -> None:
        stages = range(len(shape.stages))
        before: list[set[int]] = []
        for stage in shape.stages:
            before.append(set(stage.upstream).union(*(before[up] for up in stage.upstream)))
        self._local = _mask(stages, (n for n in stages if shape.stages[n].pool == LOCAL))
        self._own = {pool: _mask(stages, _of(shape, pool)) for pool in shape.slots}
        self._before = {
            pool: _mask(stages, (up for stage in _of(shape, pool) for up in before[stage])) for pool in shape.slots
        }

    def look(self, batches: Collection[OpenBatch], ready: Mapping[str, int], rest: Account | None) -> dict[str, Demand]:
        """What the idle slots of each alias wait for.

        Args:
            batches: the open ones.
            ready: alias to rows that are ready for it, or between the driver and its replicas.
            rest: why no further batch is opened; None where the open ones have rows enough.
        """
        at, gathered = self._rows(batches)
        return {pool: self._of_pool(pool, at, gathered, ready[pool], rest) for pool in self._own}

    def _rows(self, batches: Collection[OpenBatch]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows that are ready or out at each stage, and that wait there for the rest of their batch."""
        at, gathered = np.zeros(len(self._local), dtype=np.int64), np.zeros(len(self._local), dtype=np.int64)
        looked = 0
        for batch in batches:
            if looked > _MOST_CELLS:
                break
            if batch.unfinished:
                looked += batch.size * len(at)
                at += batch.at_stages()
                for stage, rows in batch.gathered_at().items():
                    gathered[stage] += rows
        return at, gathered

    def _of_pool(
        self,
        pool: str,
        at: npt.NDArray[np.int64],
        gathered: npt.NDArray[np.int64],
        ready: int,
        rest: Account | None,
    ) -> Demand:
        own, before = self._own[pool], self._before[pool]
        cpu = int(at[before & self._local].sum() + gathered[before].sum())
        upstream = int(at[before & ~self._local & ~own].sum())
        if rest is None:
            # There are rows enough, all of them somewhere else: what holds them there is what it waits for.
            elsewhere = {
                Account.ENGINE: int(at[own].sum()),
                Account.CPU: int(at[self._local].sum() + gathered.sum()),
                Account.UPSTREAM: int(at[~self._local & ~own].sum()),
            }
            rest = max(elsewhere, key=elsewhere.__getitem__)
        return Demand(ready, cpu, upstream, rest)


def _of(shape: Shape, pool: str) -> list[int]:
    return [number for number, stage in enumerate(shape.stages) if stage.pool == pool]


def _mask(stages: range, chosen: Iterable[int]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(len(stages), dtype=np.bool_)
    mask[list(chosen)] = True
    return mask
