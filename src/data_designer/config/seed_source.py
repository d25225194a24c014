"""Where seed rows come from."""

import codecs
import glob
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from data_designer.config.base import ConfigBase
from data_designer.errors import InvalidFileFormatError, InvalidFilePathError
from data_designer.object_storage import Location, ObjectPath, Objects, is_url, location

if TYPE_CHECKING:
    from pandas import DataFrame

_DIVIDED = frozenset({".csv", ".tsv"})
"""Suffixes of files whose fields are divided by something, and have no types."""
_SUFFIXES = _DIVIDED | {".parquet", ".json", ".jsonl"}

Kind = Literal["str", "int", "float", "bool"]
"""What the values of a column are read as."""


class SeedSource(BaseModel):
    """Base of seed sources; unlike elsewhere, keys that there are not are ignored."""

    model_config = ConfigDict(defer_build=True)

    seed_type: str
    """Which kind of source this is; each class has its own. In a file it has to be given."""

    @property
    def folder(self) -> Location | None:
        """Where files are that its rows may name; None where that is no place."""
        return None


def _known_encoding(encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise ValueError(f"there is no encoding {encoding!r}") from error
    return encoding


class ReadOptions(ConfigBase):
    """How a text file is read where that is not to be found out from what is in it."""

    dtype: Kind | dict[str, Kind] | None = None
    """What columns of a .csv or .tsv file are read as, `str`, `int`, `float` or `bool`: one for all, or by name.
    Others follow from their values; a value that is not of the type is refused."""
    delimiter: str | None = None
    """What divides the fields of a .csv or .tsv file: one ASCII character, no quote; a space stands for any number
    of them. Unset, it is found out."""
    encoding: str | None = None
    """Encoding of the text, as Python names it (`cp1252`, `utf-16`). Unset, it is found out; not for .parquet."""

    @field_validator("delimiter")
    @classmethod
    def _divides(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n' or not delimiter.isascii()):
            raise ValueError(f"the delimiter must be one ASCII character, no quote and no end of a line: {delimiter!r}")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        return None if encoding is None else _known_encoding(encoding)


class LocalFileSeedSource(SeedSource):
    """Rows of a file, or of several files of one kind, here or in object storage."""

    seed_type: Literal["local"] = "local"
    path: str
    """Path of a .parquet, .csv, .tsv, .json or .jsonl file, which has to be there when this is declared;
    `folder/*.ext` for several; or a URL such as `s3://bucket/folder/*.parquet`, which is looked at when a run
    begins. Relative paths count from the working directory in which this is declared."""
    read_options: ReadOptions | None = None
    """How a text file is read; unset, that is found out."""
    _runtime_path: str = PrivateAttr(default="")

    @field_validator("path")
    @classmethod
    def _exists(cls, path: str) -> str:
        suffix = Path(path).suffix.lower()
        if is_url(path):
            location(path)  # Whether it is there is seen when it is read; declaring asks no network.
        elif "*" in path:
            if not glob.glob(str(Path(path).expanduser())):
                raise InvalidFilePathError(f"no seed file matches {path!r}")
        elif not Path(path).expanduser().is_file():
            raise InvalidFilePathError(f"the seed file {path!r} does not exist")
        if suffix not in _SUFFIXES:
            raise InvalidFileFormatError(f"the seed file {path!r} is none of {', '.join(sorted(_SUFFIXES))}")
        return path

    @model_validator(mode="after")
    def _options_fit(self) -> "LocalFileSeedSource":
        options, suffix = self.read_options or ReadOptions(), Path(self.path).suffix.lower()
        given = {name for name, value in options if value is not None}
        refused = given if suffix == ".parquet" else set() if suffix in _DIVIDED else given - {"encoding"}
        if refused:
            raise ValueError(
                f"read_options.{min(refused)} has no meaning for the seed file {self.path!r}; leave it out"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        # Configurations that say nothing of it are written as they always were.
        data: dict[str, object] = dump(self)
        return data if self.read_options else {name: value for name, value in data.items() if name != "read_options"}

    def model_post_init(self, _context: object, /) -> None:
        """Remember where the path leads now; the working directory may change."""
        self._runtime_path = str(location(self.path if is_url(self.path) else Path(self.path).expanduser()))

    @property
    def runtime_path(self) -> str:
        """The absolute path, or the URL."""
        return self._runtime_path

    @property
    def folder(self) -> Location:
        """That of the file, or of the folders of several."""
        folder = location(self._runtime_path).parent
        while "*" in str(folder):
            folder = folder.parent
        return folder

    @classmethod
    def from_dataframe(cls, df: "DataFrame", path: str) -> "LocalFileSeedSource":
        """Write a DataFrame to a Parquet file, or object, and take that as the source.

        Args:
            df: the rows; its index is not written.
            path: where the file is to be; it is overwritten.
        """
        place = location(path)
        if isinstance(place, ObjectPath):
            Objects(place.parent).put(place.name, df.to_parquet(index=False))
        else:
            df.to_parquet(path, index=False)
        return cls(path=path)


class HuggingFaceSeedSource(SeedSource):
    """Rows of files of the Hugging Face hub, read one after another in the order of their names."""

    seed_type: Literal["hf"] = "hf"
    path: str
    """`datasets/<user>/<repo>/...`; globs are allowed."""
    token: str | None = Field(default=None, repr=False)
    """Name of an environment variable, or the token itself, which no file holds."""
    endpoint: str = "https://huggingface.co"
    """Address of the hub."""

    @field_serializer("token")
    def _by_name(self, token: str | None) -> str | None:
        return token if token in os.environ else None


class FileSystemSeedSource(SeedSource):
    """Base of sources that are folders of files."""

    path: str
    """The folder; not blank."""
    file_pattern: str = "*"
    """Pattern of base names, such as `*.txt`; no `/`."""
    recursive: bool = True
    """Whether folders inside it count too."""

    @field_validator("path")
    @classmethod
    def _not_blank(cls, path: str) -> str:
        if not path.strip():
            raise InvalidFilePathError("the path of the seed folder is blank")
        return path

    @field_validator("file_pattern")
    @classmethod
    def _is_a_base_name(cls, pattern: str) -> str:
        if not pattern.strip() or "/" in pattern or "\\" in pattern:
            raise ValueError(f"file_pattern must be a pattern of base names, not {pattern!r}")
        return pattern

    @property
    def runtime_path(self) -> str:
        """The absolute path."""
        return str(Path(self.path).expanduser().absolute())

    @property
    def folder(self) -> Location:
        """The folder itself."""
        return Path(self.runtime_path)


class DirectorySeedSource(FileSystemSeedSource):
    """A row for each file of a folder: where it is and what it is called.

    Columns: `source_kind`, `source_path` (absolute), `relative_path`, `file_name`.
    """

    seed_type: Literal["directory"] = "directory"


class FileContentsSeedSource(FileSystemSeedSource):
    """A row for each file of a folder, with its text.

    Columns: `source_kind`, `source_path` (absolute), `relative_path`, `file_name`, `content`.
    """

    seed_type: Literal["file_contents"] = "file_contents"
    encoding: str = "utf-8"
    """Encoding of the files, as Python names it."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        return _known_encoding(encoding)


class AgentRolloutFormat(StrEnum):
    """Formats of recorded sessions of agents."""

    ATIF = "atif"
    CLAUDE_CODE = "claude_code"
    CODEX = "codex"
    HERMES_AGENT = "hermes_agent"
    PI_CODING_AGENT = "pi_coding_agent"


_ROLLOUTS: dict[str, tuple[str | None, str]] = {
    "atif": (None, "*.json"),
    "claude_code": ("~/.claude/projects", "*.jsonl"),
    "codex": ("~/.codex/sessions", "*.jsonl"),
    "hermes_agent": ("~/.hermes/sessions", "*.json*"),
    "pi_coding_agent": ("~/.pi/agent/sessions", "*.jsonl"),
}
"""Format to where its sessions lie by default and how their files are named."""


class AgentRolloutSeedSource(SeedSource):
    """A row for each recorded session of an agent.

    Files of the folder that are no session of the format are left out with a warning.
    """

    seed_type: Literal["agent_rollout"] = "agent_rollout"
    format: AgentRolloutFormat
    """Who recorded the sessions."""
    path: str | None = None
    """The folder; unset, where that program keeps them. `atif` needs one."""
    file_pattern: str | None = None
    """Pattern of base names; unset, that of the format."""
    recursive: bool = True
    """Whether folders inside it count too."""

    def model_post_init(self, _context: object, /) -> None:
        """Check that there is a folder to read."""
        if self.path is None and _ROLLOUTS[self.format][0] is None:
            raise ValueError(f"format {self.format} has no default folder; give a path")

    @property
    def runtime_path(self) -> str:
        """The absolute path."""
        return str(Path(self.path or _ROLLOUTS[self.format][0] or "").expanduser().absolute())

    @property
    def resolved_file_pattern(self) -> str:
        """The pattern of base names in force."""
        return self.file_pattern or _ROLLOUTS[self.format][1]
