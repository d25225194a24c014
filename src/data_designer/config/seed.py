"""Which seed rows are used, and in which order."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field, model_validator

from data_designer.config.base import ConfigBase
from data_designer.config.seed_source import (
    AgentRolloutSeedSource,
    DirectorySeedSource,
    FileContentsSeedSource,
    HuggingFaceSeedSource,
    LocalFileSeedSource,
    SeedSource,
)
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.plugins import PluginType
from data_designer.plugins.discovery import plugins_of


class SamplingStrategy(StrEnum):
    """The order in which seed rows are used."""

    ORDERED = "ordered"
    """As they stand; from the beginning again where more records are made than there are rows."""
    SHUFFLE = "shuffle"
    """In random order, each row once before any comes again; the same order for the same seed."""


class IndexRange(ConfigBase):
    """Rows of a seed from one to another."""

    start: int = Field(ge=0)
    """Index of the first row, counted from 0."""
    end: int = Field(ge=0)
    """Index of the last row, which is included; at least `start`. Beyond the last row of the seed it is refused."""

    @model_validator(mode="after")
    def _in_order(self) -> "IndexRange":
        if self.start > self.end:
            raise ValueError(f"start ({self.start}) must not be greater than end ({self.end})")
        return self

    @property
    def size(self) -> int:
        """How many rows there are."""
        return self.end - self.start + 1


class PartitionBlock(ConfigBase):
    """One of several parts of a seed of equal size, so that several runs share its rows."""

    index: int = Field(default=0, ge=0)
    """Which part, counted from 0."""
    num_partitions: int = Field(default=1, ge=1)
    """How many parts there are; the last takes the rows that are left over. More than there are rows are refused."""

    @model_validator(mode="after")
    def _exists(self) -> "PartitionBlock":
        if self.index >= self.num_partitions:
            raise ValueError(f"there is no partition {self.index} of {self.num_partitions}; they count from 0")
        return self

    def to_index_range(self, dataset_size: int) -> IndexRange:
        """The rows of the part in a dataset of some size."""
        size = dataset_size // self.num_partitions
        start = self.index * size
        last = self.index == self.num_partitions - 1
        return IndexRange(start=start, end=(dataset_size if last else start + size) - 1)


BUILT_IN_SEED_SOURCES: tuple[type[SeedSource], ...] = (
    *(LocalFileSeedSource, HuggingFaceSeedSource, DataFrameSeedSource),
    *(DirectorySeedSource, FileContentsSeedSource, AgentRolloutSeedSource),
)
SEED_PLUGINS = plugins_of(
    PluginType.SEED_READER, SeedSource, (cls.model_fields["seed_type"].default for cls in BUILT_IN_SEED_SOURCES)
)
"""Seed type to the installed plugin that reads such sources."""

if TYPE_CHECKING:
    AnySeedSource = Annotated[
        LocalFileSeedSource
        | HuggingFaceSeedSource
        | DataFrameSeedSource
        | DirectorySeedSource
        | FileContentsSeedSource
        | AgentRolloutSeedSource,
        Field(discriminator="seed_type"),
    ]
else:
    AnySeedSource = Annotated[
        Union[(*BUILT_IN_SEED_SOURCES, *(plugin.config_cls for plugin in SEED_PLUGINS.values()))],
        Field(discriminator="seed_type"),
    ]


class SeedConfig(ConfigBase):
    """The seed dataset of a configuration: whose columns become columns of the dataset, a row a record.

    `with_seed_dataset` of the builder makes one; in a file it stands under `seed_config`.
    """

    source: AnySeedSource
    """Where the rows come from."""
    sampling_strategy: SamplingStrategy = SamplingStrategy.ORDERED
    """In which order rows are used."""
    selection_strategy: IndexRange | PartitionBlock | None = None
    """Which rows are used, chosen before they are shuffled; unset, all."""
