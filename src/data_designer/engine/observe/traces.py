"""Keeps the traces of a run's tasks: the latest ones, since a large run has more than memory should hold."""

import logging
from collections import deque
from dataclasses import dataclass, field

from data_designer.engine.execution.observation import Computed, Heard, Observation
from data_designer.engine.protocol.task_trace import TaskTrace

logger = logging.getLogger(__name__)

MOST_TRACES = 100_000
"""Kept of a run, some 40 MB."""


@dataclass(slots=True)
class Traces:
    """An observer of a traced run. Call it with every observation."""

    most: int = MOST_TRACES
    _kept: deque[TaskTrace] = field(init=False)
    _seen: int = 0

    def __post_init__(self) -> None:
        self._kept = deque(maxlen=self.most)

    def __call__(self, observation: Observation) -> None:
        """Take one observation in."""
        match observation:
            case Heard(summary=summary) if summary.traces:
                self._keep(summary.traces)
            case Computed(summary=done) if done.traces:
                self._keep(done.traces)
            case _:
                pass

    def _keep(self, traces: tuple[TaskTrace, ...]) -> None:
        if self._seen <= self.most < self._seen + len(traces):
            logger.warning(
                "async_trace: more than %d tasks were traced; results.task_traces keeps the latest %d of them",
                self.most,
                self.most,
            )
        self._seen += len(traces)
        self._kept.extend(traces)

    def in_order(self) -> list[TaskTrace]:
        """Those that are kept, by when they were completed."""
        return sorted(self._kept, key=lambda trace: trace.completed_at)
