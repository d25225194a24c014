"""Where the people of a locale are, for `DataDesigner(person_reader=...)`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_designer.errors import ManagedDatasetGeneratorError

if TYPE_CHECKING:
    import pandas as pd


class PersonReader(ABC):
    """Says where the Parquet file of a locale is. Runs read the file themselves; `execute` is for scripts."""

    @abstractmethod
    def create_duckdb_connection(self) -> Any:
        """A connection of DuckDB in which the files can be read."""

    @abstractmethod
    def get_dataset_uri(self, locale: str) -> str:
        """Path or URL of a locale's file."""

    def execute(self, query: str, parameters: Sequence[Any]) -> "pd.DataFrame":
        """What a query finds."""
        found: pd.DataFrame = self.create_duckdb_connection().execute(query, list(parameters)).df()
        return found


class LocalPersonReader(PersonReader):
    """Files `datasets/<locale>.parquet` in a folder."""

    def __init__(self, root_path: "str | Path") -> None:
        self._root = Path(root_path)

    def create_duckdb_connection(self) -> Any:
        """A connection with nothing in it. Raises ManagedDatasetGeneratorError where DuckDB is not installed."""
        try:
            import duckdb
        except ImportError as error:
            raise ManagedDatasetGeneratorError(
                "queries of people need the package duckdb: pip install duckdb"
            ) from error
        return duckdb.connect()

    def get_dataset_uri(self, locale: str) -> str:
        """Path of a locale's file."""
        return str(self._root / "datasets" / f"{locale}.parquet")


def create_person_reader(assets_storage: "str | Path") -> PersonReader:
    """What reads the people in a folder of managed data. Raises RuntimeError where there is no such folder."""
    if not Path(assets_storage).is_dir():
        raise RuntimeError(f"the folder of managed data {assets_storage} does not exist")
    return LocalPersonReader(assets_storage)
