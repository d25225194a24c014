"""Hands a run's metrics to Ray, which exports them where its cluster is watched."""

from ray.util import metrics as ray_metrics

from data_designer.engine.execution.observation import Observation
from data_designer.engine.observe.metrics import METRICS, Labels, Metric, Metrics
from data_designer.engine.scheduling import events as ev


class RayMetrics:
    """Call it with every observation, after the metrics that it reads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        kinds = {"counter": ray_metrics.Counter, "gauge": ray_metrics.Gauge}
        self._exported = {one: kinds[one.kind](one.name, description=one.help, tag_keys=one.labels) for one in METRICS}
        self._told: dict[tuple[Metric, Labels], float] = {}

    def __call__(self, observation: Observation) -> None:
        """At every tick, tell Ray what has changed."""
        if isinstance(observation, ev.Tick):
            self.tell()

    def tell(self) -> None:
        """Tell Ray what has changed."""
        for metric, labels, value in self._metrics.samples():
            before = self._told.get((metric, labels))
            if value == before:
                continue
            self._told[metric, labels] = value
            tags = dict(zip(metric.labels, labels, strict=True))
            if metric.kind == "gauge":
                self._exported[metric].set(value, tags=tags)
            elif value > (before or 0.0):
                self._exported[metric].inc(value - (before or 0.0), tags=tags)
