"""Bases of the classes with which plugins make columns."""

import asyncio
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import GenerationStrategy
from data_designer.config.scheduling import SchedulingMetadata

if TYPE_CHECKING:
    from data_designer.engine.models.facade import ModelFacade

Config = TypeVar("Config", bound=SingleColumnConfig)

_models: "ContextVar[Mapping[str, ModelFacade]]" = ContextVar("models")
"""Those of the column whose cells are being made."""


class ModelRegistry:
    """The models of a column, while its cells are made."""

    def get_model(self, *, model_alias: str) -> "ModelFacade":
        """A model, for the call of `generate` or `agenerate` that asks for it.

        Raises:
            RuntimeError: no cell is being made, as in `_initialize`, or this is a thread of the generator's own.
            KeyError: the column's configuration does not name the alias.
        """
        models = _models.get(None)
        if models is None:
            raise RuntimeError("models are there while a cell is made: get them in generate or agenerate")
        return models[model_alias]


class ResourceProvider:
    """What a generator gets from the run."""

    def __init__(self) -> None:
        self.model_registry = ModelRegistry()


class ColumnGenerator(Generic[Config]):
    """Makes a column as its configuration says. A subclass gives `generate` or `agenerate`.

    It is made once in each process that makes cells of the column, so what is expensive to open belongs into
    `_initialize`. Calls may come from several threads.
    """

    def __init__(self, config: Config, resource_provider: Any = None) -> None:
        """Prepare.

        Args:
            config: the column.
            resource_provider: what it gets from the run: `resource_provider.model_registry.get_model(model_alias=...)`
                gives the models that `get_model_aliases` of its configuration names.
        """
        self._config = config
        self._resource_provider = ResourceProvider() if resource_provider is None else resource_provider
        self._initialize()

    def _initialize(self) -> None:
        """What is done once, before the first cell."""

    @property
    def config(self) -> Config:
        """The column."""
        return self._config

    @property
    def name(self) -> str:
        """The column's name."""
        return self._config.name

    @classmethod
    def get_config_type(cls) -> type[SingleColumnConfig]:
        """The class of its configuration, which the class names in brackets."""
        for base in cls.__mro__:
            for parent in getattr(base, "__orig_bases__", ()):
                for argument in typing.get_args(parent):
                    if isinstance(argument, type) and issubclass(argument, SingleColumnConfig):
                        return argument
        raise TypeError(f"{cls.__name__} does not name the class of its configuration in brackets")

    def get_scheduling_metadata(self) -> SchedulingMetadata:
        """What it says that it uses; nothing is decided by it, since the models that it names say more."""
        return SchedulingMetadata.local()

    def log_pre_generation(self) -> None:
        """What a subclass logs before its first cell, where it calls this itself."""

    @property
    def resource_provider(self) -> Any:
        """What it gets from the run."""
        return self._resource_provider

    @property
    def models(self) -> "Mapping[str, ModelFacade]":
        """The models that `get_model_aliases` of the configuration names, while a cell is made."""
        return _models.get()

    @staticmethod
    @contextmanager
    def asking(models: "Mapping[str, ModelFacade]") -> Iterator[None]:
        """Inside, cells are made with these models."""
        token = _models.set(models)
        try:
            yield
        finally:
            _models.reset(token)

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
