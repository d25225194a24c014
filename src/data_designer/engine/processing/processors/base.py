"""Base of the classes with which plugins process finished batches."""

import typing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from data_designer.config.base import ProcessorConfig

if TYPE_CHECKING:
    import pandas as pd

Config = TypeVar("Config", bound=ProcessorConfig)


class Processor(Generic[Config]):
    """Processes rows as its configuration says. A subclass gives `process_after_batch`.

    It is made once in each process that writes batches, so what is expensive to open belongs into `_initialize`.
    """

    def __init__(self, config: Config, resource_provider: Any = None) -> None:
        self._config = config
        self._resource_provider = resource_provider
        self._validate()
        self._initialize()

    def _validate(self) -> None:
        """What is checked of the configuration, once."""

    def _initialize(self) -> None:
        """What is done once, before the first batch."""

    @classmethod
    def get_config_type(cls) -> type[ProcessorConfig]:
        """The class of its configuration, which the class names in brackets."""
        for base in cls.__mro__:
            for parent in getattr(base, "__orig_bases__", ()):
                for argument in typing.get_args(parent):
                    if isinstance(argument, type) and issubclass(argument, ProcessorConfig):
                        return argument
        raise TypeError(f"{cls.__name__} does not name the class of its configuration: Processor[TheConfig]")

    @property
    def config(self) -> Config:
        """How it processes."""
        return self._config

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._config.name

    @property
    def resource_provider(self) -> Any:
        """What it gets from the run: nothing in this version."""
        return self._resource_provider

    @classmethod
    def implements(cls, method_name: str) -> bool:
        """Whether the subclass gives a method itself."""
        return getattr(cls, method_name) is not getattr(Processor, method_name)

    def process_before_batch(self, data: "pd.DataFrame") -> "pd.DataFrame":
        """Rows of samplers and seeds, before anything is made of them; not called by this version."""
        return data

    def process_after_batch(
        self,
        data: "pd.DataFrame",
        *,
        current_batch_number: int | None,  # noqa: ARG002 - for subclasses
    ) -> "pd.DataFrame":
        """Rows of a batch once all columns are there, dropped ones too; gives as many back, in their order.

        Args:
            data: the rows.
            current_batch_number: which batch it is; None in a preview.
        """
        return data

    def process_after_generation(self, data: "pd.DataFrame") -> "pd.DataFrame":
        """All rows of a dataset; not called by this version."""
        return data
