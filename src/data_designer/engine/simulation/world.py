"""What the simulated machines are like, and what goes wrong with them."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class World:
    """Machines on which nothing goes wrong. Times are in seconds."""

    replicas: int = 1
    """Replicas a model alias."""
    latency: Callable[[random.Random, str], float] = lambda rng, pool: rng.uniform(0.1, 0.3)  # noqa: ARG005
    """Time of one cell, given a generator and the pool's name."""
    cell_seconds: Callable[[int, int], float] | None = None
    """Time of the cell of a stage and a record, where that is not drawn but known."""
    task_seconds: float = 0.02
    row_seconds: Mapping[int, float] = field(default_factory=dict)
    """Stage to what a CPU task takes longer for each of its rows."""
    commit_seconds: float = 0.05
    writers: int | None = None
    """Batches that are written at once; None for all that are to be."""
    start_seconds: float = 0.5
    """Replicas come up within them."""
    linger: float = 0.02
    """How long a replica lets finished rows join before it reports them."""
    rejects: Callable[[int, int], bool] = lambda row, stage: False  # noqa: ARG005
    """Whether a row fails for good at a stage."""
    stop_at: float | None = None
    """When the run is asked to stop."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong; by default nothing. Rates are probabilities, times in seconds."""

    replica_death: float = 0.0
    """Probability that a replica dies when it is sent rows."""
    restart_seconds: float = 2.0
    unreachable: float = 0.0
    """Probability that a replica that seems dead goes on until its lease ends."""
    lease: float = 10.0
    drain: float = 0.0
    """Probability that a replica is to leave its machine when it is sent rows."""
    late_message: float = 0.0
    """Probability that a dead replica's report still arrives."""
    repeated_message: float = 0.0
    task_death: float = 0.0
    values_loss: float = 0.0
    """Probability that the values of a report are lost after it was received."""
    commit_failure: float = 0.0
    poison: frozenset[tuple[int, int]] = frozenset()
    """(stage, row) of the cells that kill whatever runs them."""
