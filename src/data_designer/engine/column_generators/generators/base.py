"""Bases of the classes with which plugins make columns."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import GenerationStrategy

Config = TypeVar("Config", bound=SingleColumnConfig)


class ColumnGenerator(Generic[Config]):
    """Makes a column as its configuration says. A subclass gives `generate` or `agenerate`.

    It is made once in each process that makes cells of the column, so what is expensive to open belongs into
    `_initialize`. Calls may come from several threads.
    """

    def __init__(self, config: Config, resource_provider: Any = None) -> None:
        """Prepare.

        Args:
            config: the column.
            resource_provider: accepted; not used by this version.
        """
        self._config = config
        self._resource_provider = resource_provider
        self._initialize()

    def _initialize(self) -> None:
        """What is done once, before the first cell."""

    @property
    def config(self) -> Config:
        """The column."""
        return self._config

    def generate(self, data: Any) -> Any:
        """Make cells: give back what was given, with the column added."""
        return asyncio.run(self.agenerate(data))

    async def agenerate(self, data: Any) -> Any:
        """Make cells, awaiting what takes time."""
        raise NotImplementedError(f"{type(self).__name__} has neither generate nor agenerate")

    @classmethod
    def carried_out_by(cls) -> Callable[..., Any] | None:
        """The method that the subclass gives; None where it gives neither."""
        if cls.generate is not ColumnGenerator.generate:
            return cls.generate
        return None if cls.agenerate is ColumnGenerator.agenerate else cls.agenerate


class ColumnGeneratorCellByCell(ColumnGenerator[Config]):
    """Is given a record as a dict, and gives it back with its column and side effects."""

    @staticmethod
    def get_generation_strategy() -> GenerationStrategy:
        """A cell at a time."""
        return GenerationStrategy.CELL_BY_CELL


class ColumnGeneratorFullColumn(ColumnGenerator[Config]):
    """Is given the records of a batch as a DataFrame, and gives them back with its column and side effects."""

    @staticmethod
    def get_generation_strategy() -> GenerationStrategy:
        """All cells of a batch at once."""
        return GenerationStrategy.FULL_COLUMN
