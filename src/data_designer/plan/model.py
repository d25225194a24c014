"""The Plan and its parts: frozen, picklable, printable values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from data_designer.config.base import SingleColumnConfig, SkipConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import ModelConfig, ModelProvider
from data_designer.config.run_config import RunConfig

LOCAL = "local"
"""The pool of CPU work."""

SEED = "seed"
SAMPLERS = "samplers"
"""Step kinds that stand for a group of columns; every other kind is the column type of one column."""

Scope = Literal["cell", "batch"]


@dataclass(frozen=True, slots=True)
class Step:
    """Makes columns from columns."""

    name: str
    """The column's name; for groups `seed` or `samplers`."""
    kind: str
    """`seed`, `samplers`, or the `column_type` of its one column."""
    configs: tuple[SingleColumnConfig, ...]
    """The one column's config; for a group, all of the group's."""
    needs: tuple[str, ...]
    """Columns that must exist before a cell can be computed, those of its gate included."""
    makes: tuple[str, ...]
    """The column and its side effects, in the order in which outcomes list their values."""
    scope: Scope
    """`cell`: any rows, at any time. `batch`: all live rows of a batch together."""
    pool: str
    """A model alias, or `local`."""
    required: tuple[str, ...] = ()
    """The part of `needs` through which a skip propagates."""
    skip: SkipConfig | None = None
    propagate_skip: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that run in one place without coming back. The unit of scheduling."""

    number: int
    """Its index in `Plan.stages`; stages are numbered so that upstream ones come first."""
    steps: tuple[Step, ...]
    upstream: tuple[int, ...]
    """Stages whose values it needs."""
    depth: int
    """Length of the longest path from a root: deeper stages are served first."""

    @property
    def pool(self) -> str:
        """The pool that all its steps run in."""
        return self.steps[0].pool

    @property
    def scope(self) -> Scope:
        """`batch` stages consist of one step."""
        return self.steps[0].scope

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that must be brought to it."""
        made: set[str] = set()
        needs: dict[str, None] = {}
        for step in self.steps:
            needs.update(dict.fromkeys(name for name in step.needs if name not in made))
            made.update(step.makes)
        return tuple(needs)

    @property
    def makes(self) -> tuple[str, ...]:
        """Columns that it adds."""
        return tuple(name for step in self.steps for name in step.makes)


@dataclass(frozen=True, slots=True)
class Pool:
    """Where the steps of one model alias run. `slots` bound its requests in flight, everywhere together."""

    alias: str
    slots: int
    model: ModelConfig
    provider: ModelProvider


@dataclass(frozen=True, slots=True)
class Geometry:
    """Which records belong to which batch. Fixed for the life of a dataset."""

    num_records: int
    buffer_size: int

    @property
    def num_batches(self) -> int:
        """How many batches there are; the last may be short."""
        return -(-self.num_records // self.buffer_size)

    def records(self, batch: int) -> range:
        """Record indices of a batch."""
        start = batch * self.buffer_size
        return range(start, min(start + self.buffer_size, self.num_records))

    def batches(self) -> Iterator[int]:
        """All batch numbers, in order."""
        return iter(range(self.num_batches))


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled dataset: everything a run needs to know, and nothing that changes while it runs."""

    config: DataDesignerConfig
    """The configuration with seed columns resolved."""
    steps: tuple[Step, ...]
    stages: tuple[Stage, ...]
    pools: Mapping[str, Pool]
    """Model alias to pool; `local` is not among them."""
    geometry: Geometry
    run: RunConfig
    seed: int
    """Key of every random stream of the dataset."""
    fingerprint: str
    output_columns: tuple[str, ...]
    """Columns of the final dataset, in the order they are written."""
    dropped_columns: tuple[str, ...]
    """Columns that are made, may be used by others, and stay out of the final dataset."""

    def stage_of(self, column: str) -> Stage:
        """The stage that makes a column. Raises KeyError for a name no stage makes."""
        for stage in self.stages:
            if column in stage.makes:
                return stage
        raise KeyError(column)
