"""A dataset on disk as the command line takes it up again: what it was asked for, and with what."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.run_config import RunConfig
from data_designer.engine.dataset.layout import BUILDER_CONFIG
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.verify import Verdict, verify
from data_designer.errors import ArtifactStorageError
from data_designer.interface.metadata import stored_geometry, stored_request
from data_designer.object_storage import Location, location
from data_designer.plan.model import Geometry

Found = TypeVar("Found")

_OTHER_VERSION = "its metadata are of another version of this program"


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset directory."""

    path: Location
    metadata: Mapping[str, Any] = field(repr=False)

    @classmethod
    def at(cls, path: "str | Location") -> "StoredDataset":
        """The dataset at a path. Raises ArtifactStorageError where there is none, or where it is damaged."""
        place = location(path)
        return cls(place, Store.at(place).read_metadata())

    @property
    def geometry(self) -> Geometry:
        """Which records belong to which batch. Raises ArtifactStorageError where the metadata do not say."""
        return self._said(stored_geometry)

    @property
    def requested(self) -> int:
        """How many records were asked for. Raises ArtifactStorageError where the metadata do not say."""
        return self._said(stored_request)

    def _said(self, read: Callable[[Mapping[str, Any]], Found]) -> Found:
        try:
            return read(self.metadata)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactStorageError(f"{self.path}: {_OTHER_VERSION}") from error

    @property
    def simulated(self) -> bool:
        """Whether the simulated model stood in for every model."""
        return bool(self.metadata.get("simulated"))

    @property
    def directory(self) -> Path | None:
        """The working directory it was made in, where that is still there."""
        directory = Path(str(self.metadata.get("directory") or ""))
        return directory if self.metadata.get("directory") and directory.is_dir() else None

    @property
    def source(self) -> Mapping[str, Any] | None:
        """The file and arguments that the command line was given, if it was."""
        return self.metadata.get("source")

    @property
    def needs_source(self) -> bool:
        """Whether the configuration holds what no file can carry: functions, or a DataFrame."""
        return bool(self.metadata.get("functions")) or self._seed_type == "df"

    @property
    def _seed_type(self) -> str | None:
        config = self._declared()["data_designer"].get("seed_config") or {}
        seed_type: str | None = config.get("source", {}).get("seed_type")
        return seed_type

    def _declared(self) -> dict[str, Any]:
        try:
            text = Store.at(self.path).declaration(self.metadata.get("builder_config_sha256"))
        except OSError as error:
            path = self.path / BUILDER_CONFIG
            raise ArtifactStorageError(f"{path} cannot be read: {error}; restore it from a copy") from error
        except DamagedError as error:
            raise ArtifactStorageError(str(error)) from error
        declared: dict[str, Any] = json.loads(text)
        return declared

    def builder(self) -> DataDesignerConfigBuilder:
        """What was declared. Raises ArtifactStorageError where it cannot be read."""
        return DataDesignerConfigBuilder.from_config(self._declared())

    def run_config(self, changes: Mapping[str, Any]) -> RunConfig:
        """The run settings of before, with changes; how records are cut, and their seed, stay."""
        before = dict(self.metadata.get("run_config") or {})
        fixed = {"buffer_size": self.geometry.buffer_size, "seed": self.metadata["seed"]}
        fixed["preserve_dropped_columns"] = self.metadata.get("preserve_dropped_columns", True)
        return RunConfig.model_validate({**before, **fixed, **changes})

    def verify(self) -> Verdict:
        """Read every file and compare it with what was committed."""
        return verify(Store.at(self.path), self.geometry, str(self.metadata.get("builder_config_sha256")))
