"""A dataset on disk as the command line takes it up again: what it was asked for, and with what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.near_names import listed, nearest
from data_designer.config.run_config import RunConfig
from data_designer.engine.dataset.layout import BUILDER_CONFIG, METADATA
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.verify import Verdict, verify
from data_designer.errors import ArtifactStorageError
from data_designer.object_storage import Location, location
from data_designer.plan.model import Geometry

USUAL_FOLDER = "artifacts"
"""Of all datasets, where none is named."""


def datasets_in(folder: Path) -> list[str]:
    """Names of the datasets in a folder."""
    return [one.parent.name for one in folder.glob(f"*/{METADATA}")]


def near_dataset(path: Path) -> str:
    """What to add to a message that a dataset is not there: one that was meant, if there is one.

    It is in the usual folder of datasets, or is called alike.
    """
    usual = Path(USUAL_FOLDER) / path.name
    if (usual / METADATA).is_file():
        return f"; did you mean '{usual}'?"
    for folder in (path.parent, Path(USUAL_FOLDER)):
        near = nearest(path.name, datasets_in(folder))
        if near is not None:
            return f"; did you mean '{folder / near}'?"
    return ""


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset directory."""

    path: Location
    metadata: Metadata = field(repr=False)

    @classmethod
    def at(cls, path: "str | Location") -> "StoredDataset":
        """The dataset at a path. Raises ArtifactStorageError where there is none, or where it is damaged."""
        place = location(path)
        store = Store.at(place)
        if isinstance(place, Path) and not store.files.exists(METADATA):
            if inside := datasets_in(place):
                raise ArtifactStorageError(f"{place} is a folder of datasets; name one of them: {listed(inside)}")
            if not store.has_files():
                raise ArtifactStorageError(f"there is no dataset at {place}{near_dataset(place)}")
        return cls(place, store.read_metadata())

    @property
    def geometry(self) -> Geometry:
        """Which records belong to which batch."""
        return self.metadata.geometry

    @property
    def requested(self) -> int:
        """How many records were asked for."""
        return self.metadata.requested_num_records

    @property
    def simulated(self) -> bool:
        """Whether the simulated model stood in for every model."""
        return self.metadata.simulated

    @property
    def source(self) -> dict[str, str | list[str]] | None:
        """The file and arguments that the command line was given, if it was."""
        return self.metadata.source

    @property
    def directory(self) -> Path | None:
        """The working directory it was made in, where that is still there."""
        directory = self.metadata.directory
        return Path(directory) if directory and Path(directory).is_dir() else None

    @property
    def needs_source(self) -> bool:
        """Whether the configuration holds what no file can carry: functions, or a DataFrame."""
        if self.metadata.functions:
            return True
        match self.declared():
            case {"data_designer": {"seed_config": {"source": {"seed_type": "df"}}}}:
                return True
        return False

    def declared(self) -> dict[str, JsonValue]:
        """What was declared, as JSON data. Raises ArtifactStorageError where it is missing or damaged."""
        try:
            text = Store.at(self.path).declaration(self.metadata.builder_config_sha256)
        except OSError as error:
            path = self.path / BUILDER_CONFIG
            raise ArtifactStorageError(f"{path} cannot be read: {error}; restore it from a copy") from error
        except DamagedError as error:
            raise ArtifactStorageError(str(error)) from error
        declared: dict[str, JsonValue] = json.loads(text)
        _restore_integers(declared, self.metadata.integer_options)
        return declared

    def builder(self) -> DataDesignerConfigBuilder:
        """What was declared. Raises ArtifactStorageError where it cannot be read."""
        return DataDesignerConfigBuilder.from_config(self.declared())

    def run_config(self, changes: Mapping[str, object]) -> RunConfig:
        """The run settings of before, with changes; how records are cut, and their seed, stay."""
        before = self.metadata
        fixed = before.model_dump(include={"buffer_size", "seed", "preserve_dropped_columns"})
        return RunConfig.model_validate({**before.run_config, **fixed, **changes})

    def verify(self) -> Verdict:
        """Read every file and compare it with what was committed."""
        return verify(Store.at(self.path), self.geometry, self.metadata.builder_config_sha256)


def _restore_integers(declared: object, integers: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
    """Make those options of scores integers that were: keys of JSON are texts."""
    columns = declared["data_designer"]["columns"] if integers and isinstance(declared, dict) else ()
    for column in columns:
        for score in column.get("scores") or () if column["name"] in integers else ():
            whole = {str(option): option for option in integers[column["name"]].get(score["name"], ())}
            score["options"] = {whole.get(option, option): text for option, text in score["options"].items()}
