"""Readers of seed sources: bases for those of users and plugins, and the built-in ones under their public names.

`DataDesigner(seed_readers=[...])` takes instances. A reader is for the kind of source that its class names in brackets:
`class Mine(FileSystemSeedReader[dd.DirectorySeedSource])`.
"""

import copy
import random
import typing
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import pyarrow as pa

from data_designer.columns.seeds.folders import file_row, matching, session_row, text_of
from data_designer.columns.seeds.program import chosen_rows, read_seed, table_from_frame
from data_designer.config.seed import IndexRange, SeedConfig
from data_designer.config.seed_source import (
    AgentRolloutSeedSource,
    DirectorySeedSource,
    FileContentsSeedSource,
    FileSystemSeedSource,
    HuggingFaceSeedSource,
    LocalFileSeedSource,
    SeedSource,
)
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.engine.dataset.large_cells import with_cells
from data_designer.errors import DataDesignerError, SeedReaderConfigError, SeedReaderError
from data_designer.models.secrets import SecretResolver

if TYPE_CHECKING:
    import pandas as pd

SourceT = TypeVar("SourceT", bound=SeedSource)
FolderT = TypeVar("FolderT", bound=FileSystemSeedSource | AgentRolloutSeedSource)
Row = dict[str, Any]

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class SeedReaderFileSystemContext:
    """A folder of files, as a file system of `fsspec` whose paths begin there."""

    fs: Any
    root_path: PurePath


class FileSystemProvider(Protocol):
    """Gives the file system of a folder."""

    def create_context(self, *, runtime_path: str) -> SeedReaderFileSystemContext:
        """That of a path."""
        ...

    def ensure_root_exists(self, *, runtime_path: str) -> None:
        """Raise SeedReaderConfigError where there is no such folder."""
        ...


class LocalFileSystemProvider:
    """Gives the file system of a folder of this machine."""

    def create_context(self, *, runtime_path: str) -> SeedReaderFileSystemContext:
        """That of a path."""
        from fsspec.implementations.dirfs import DirFileSystem
        from fsspec.implementations.local import LocalFileSystem

        return SeedReaderFileSystemContext(DirFileSystem(path=runtime_path, fs=LocalFileSystem()), Path(runtime_path))

    def ensure_root_exists(self, *, runtime_path: str) -> None:
        """Raise SeedReaderConfigError where there is no such folder."""
        if not Path(runtime_path).is_dir():
            raise SeedReaderConfigError(f"the seed folder {runtime_path} does not exist")


class SeedReaderBatch(Protocol):
    """Some rows."""

    def to_pandas(self) -> "pd.DataFrame":
        """As a DataFrame."""
        ...


class SeedReaderBatchReader(Protocol):
    """Gives rows, some at a time."""

    def read_next_batch(self) -> SeedReaderBatch:
        """The next. Raises StopIteration after the last."""
        ...


@dataclass(frozen=True, slots=True)
class PandasSeedReaderBatch:
    """Some rows as a DataFrame."""

    dataframe: "pd.DataFrame"

    def to_pandas(self) -> "pd.DataFrame":
        """The DataFrame."""
        return self.dataframe


class _Batches:
    """Gives DataFrames one after another."""

    def __init__(self, frames: "Iterator[pd.DataFrame]") -> None:
        self._frames = frames

    def read_next_batch(self) -> PandasSeedReaderBatch:
        """The next. Raises StopIteration after the last."""
        return PandasSeedReaderBatch(next(self._frames))


def create_seed_reader_output_dataframe(
    *, records: Sequence[Mapping[str, Any]], output_columns: Sequence[str]
) -> "pd.DataFrame":
    """Records as a DataFrame. Raises SeedReaderError where one lacks a column, or has another."""
    import pandas as pd

    wanted = set(output_columns)
    for place, record in enumerate(records):
        missing, undeclared = sorted(wanted - record.keys()), sorted(record.keys() - wanted)
        if missing or undeclared:
            raise SeedReaderError(
                f"record {place} of the seed reader does not have the columns that it declares: "
                f"missing {', '.join(missing) or 'none'}, undeclared {', '.join(undeclared) or 'none'}"
            )
    return pd.DataFrame([dict(record) for record in records], columns=list(output_columns))


class SeedReader(ABC, Generic[SourceT]):
    """Reads a kind of seed source through DuckDB: a subclass says how to connect, and what to read.

    One reader is copied for each dataset that it reads, and given its source then, so it may keep things between calls.
    """

    source: SourceT
    secret_resolver: SecretResolver

    def attach(self, source: SourceT, secret_resolver: SecretResolver) -> None:
        """Take a source; what was kept of another is let go."""
        self.source = source
        self.secret_resolver = secret_resolver
        self._forget()
        self.on_attach()

    def on_attach(self) -> None:
        """What is done once a source is there."""

    def _forget(self) -> None:
        """Let go what was kept of another source."""

    def get_seed_type(self) -> str:
        """The kind of source that its class names in brackets. Raises SeedReaderError where it names none."""
        for cls in type(self).__mro__:
            for base in getattr(cls, "__orig_bases__", ()):
                for argument in typing.get_args(base):
                    field = getattr(argument, "model_fields", {}).get("seed_type")
                    if field is not None and isinstance(field.default, str):
                        return field.default
        name = type(self).__name__
        raise SeedReaderError(f"{name} does not say what it reads: class {name}(SeedReader[TheSource])")

    def create_duckdb_connection(self) -> Any:
        """A connection of DuckDB from which `get_dataset_uri` can be read."""
        raise NotImplementedError(f"{type(self).__name__} has no create_duckdb_connection")

    def get_dataset_uri(self) -> str:
        """What is read: a path, a URL, or the name of a table."""
        raise NotImplementedError(f"{type(self).__name__} has no get_dataset_uri")

    def create_dataframe_duckdb_connection(self, *, table_name: str, dataframe: "pd.DataFrame") -> Any:
        """A connection in which a DataFrame is a table. Raises SeedReaderConfigError where DuckDB is not installed."""
        try:
            import duckdb
        except ImportError as error:
            raise SeedReaderConfigError("this seed reader needs the package duckdb: pip install duckdb") from error
        connection = duckdb.connect()
        connection.register(table_name, dataframe)
        return connection

    def build_dataset_read_query(self, *, dataset_uri: str, index_range: IndexRange | None, shuffle: bool) -> str:
        """The query that reads rows."""
        query = f"SELECT * FROM '{dataset_uri}'"  # noqa: S608 - the reader's own words
        if index_range is not None:
            query += f" LIMIT {index_range.size} OFFSET {index_range.start}"
        return f"SELECT * FROM ({query}) ORDER BY RANDOM()" if shuffle else query  # noqa: S608

    def get_column_names(self) -> list[str]:
        """The columns that there will be."""
        described = self.create_duckdb_connection().execute(
            f"DESCRIBE SELECT * FROM '{self.get_dataset_uri()}'"  # noqa: S608
        )
        return [str(row[0]) for row in described.fetchall()]

    def get_seed_dataset_size(self) -> int:
        """How many rows can be selected from."""
        counted = self.create_duckdb_connection().execute(
            f"SELECT COUNT(*) FROM '{self.get_dataset_uri()}'"  # noqa: S608
        )
        return int(counted.fetchone()[0])

    def create_batch_reader(
        self, *, batch_size: int, index_range: IndexRange | None, shuffle: bool
    ) -> SeedReaderBatchReader:
        """What reads the rows, some at a time.

        Args:
            batch_size: how many.
            index_range: which; all when not given.
            shuffle: whether in another order.
        """
        query = self.build_dataset_read_query(
            dataset_uri=self.get_dataset_uri(), index_range=index_range, shuffle=shuffle
        )
        found = self.create_duckdb_connection().execute(query).df()
        return _Batches(found.iloc[start : start + batch_size] for start in range(0, len(found), batch_size))

    def get_matching_relative_paths(
        self, *, context: SeedReaderFileSystemContext, file_pattern: str, recursive: bool
    ) -> list[str]:
        """Files whose base name matches, sorted; capitals count. Raises SeedReaderError where there are none."""
        names = context.fs.find("", maxdepth=None if recursive else 1)
        found = sorted(matching([str(name).lstrip("/") for name in names], file_pattern))
        if not found:
            raise SeedReaderError(f"no file of the seed folder {context.root_path} matches '{file_pattern}'")
        return found


class FileSystemSeedReader(SeedReader[FolderT], Generic[FolderT]):
    """Reads a folder: a subclass lists what is there, and may make several rows of each entry.

    The columns are `output_columns`, where that is given, else those of the manifest. Selections and orders of a
    configuration count entries of the manifest.
    """

    output_columns: ClassVar[list[str] | None] = None

    def __init__(self, fs_provider: FileSystemProvider | None = None) -> None:
        self._fs_provider = fs_provider

    @abstractmethod
    def build_manifest(self, *, context: SeedReaderFileSystemContext) -> "pd.DataFrame | list[dict[str, Any]]":
        """What there is: an entry for each file, or whatever else rows are made of."""

    def hydrate_row(
        self,
        *,
        manifest_row: dict[str, Any],
        context: SeedReaderFileSystemContext,  # noqa: ARG002 - the public API
    ) -> "dict[str, Any] | Iterable[dict[str, Any]]":
        """The row of an entry, or several; the entry itself unless a subclass says otherwise."""
        return manifest_row

    def create_filesystem_context(self, root_path: "Path | str") -> SeedReaderFileSystemContext:
        """The file system of a folder. Raises SeedReaderConfigError where there is no such folder."""
        provider = getattr(self, "_fs_provider", None) or LocalFileSystemProvider()
        provider.ensure_root_exists(runtime_path=str(root_path))
        context: SeedReaderFileSystemContext = provider.create_context(runtime_path=str(root_path))
        return context

    def _forget(self) -> None:
        self._opened: tuple[SeedReaderFileSystemContext, list[Row]] | None = None

    def _entries(self) -> tuple[SeedReaderFileSystemContext, list[Row]]:
        if self._opened is None:
            context = self.create_filesystem_context(self.source.runtime_path)
            manifest = self.build_manifest(context=context)
            entries = manifest if isinstance(manifest, list) else manifest.to_dict(orient="records")
            if not entries:
                raise SeedReaderError(f"the manifest of {self.source.runtime_path} is empty; it needs an entry")
            self._opened = context, [{str(name): value for name, value in entry.items()} for entry in entries]
        return self._opened

    def get_column_names(self) -> list[str]:
        """The columns that there will be."""
        return list(self.output_columns or self._entries()[1][0])

    def get_output_column_names(self) -> list[str]:
        """Deprecated name of `get_column_names`."""
        warnings.warn("get_output_column_names is deprecated; use get_column_names", DeprecationWarning, stacklevel=2)
        return self.get_column_names()

    def get_seed_dataset_size(self) -> int:
        """How many entries the manifest has."""
        return len(self._entries()[1])

    def create_batch_reader(
        self, *, batch_size: int, index_range: IndexRange | None, shuffle: bool
    ) -> SeedReaderBatchReader:
        """What reads the rows of the entries that are selected."""
        context, entries = self._entries()
        chosen = entries if index_range is None else entries[index_range.start : index_range.end + 1]
        if shuffle:
            chosen = random.sample(chosen, len(chosen))
        rows = (row for entry in chosen for row in self._rows(entry, context))
        frame = partial(create_seed_reader_output_dataframe, output_columns=self.get_column_names())
        return _Batches(frame(records=records) for records in iter(lambda: list(islice(rows, batch_size)), []))

    def _rows(self, entry: Row, context: SeedReaderFileSystemContext) -> Iterator[Row]:
        made: object = self.hydrate_row(manifest_row=dict(entry), context=context)
        if isinstance(made, dict):
            yield made
            return
        if isinstance(made, str | bytes) or not isinstance(made, Iterable):
            raise SeedReaderError(f"hydrate_row gave {type(made).__name__}; it gives a dict, or several")
        for row in made:
            if not isinstance(row, dict):
                raise SeedReaderError(f"hydrate_row gave {type(row).__name__} among its rows; each is a dict")
            yield row


# --- the built-in ones -----------------------------------------------------------------------------------


class _TableSeedReader(SeedReader[SourceT], Generic[SourceT]):
    """Reads what is a table already."""

    def create_duckdb_connection(self) -> Any:
        """A connection in which the rows are the table `seed`."""
        return self.create_dataframe_duckdb_connection(table_name="seed", dataframe=self._frame())

    def get_dataset_uri(self) -> str:
        """That table."""
        return "seed"

    def get_column_names(self) -> list[str]:
        """The columns that there are."""
        return [str(name) for name in self._frame()]

    def get_seed_dataset_size(self) -> int:
        """How many rows there are."""
        return len(self._frame())

    def create_batch_reader(
        self, *, batch_size: int, index_range: IndexRange | None, shuffle: bool
    ) -> SeedReaderBatchReader:
        """What reads the rows that are selected."""
        frame = self._frame() if index_range is None else self._frame()[index_range.start : index_range.end + 1]
        frame = frame.sample(frac=1) if shuffle else frame
        return _Batches(frame.iloc[start : start + batch_size] for start in range(0, len(frame), batch_size))

    def _forget(self) -> None:
        self._read: pd.DataFrame | None = None

    def _frame(self) -> "pd.DataFrame":
        if self._read is None:
            config = SeedConfig.model_validate({"source": self.source})
            table = read_seed(config, lambda key: key and self.secret_resolver.resolve(key))
            found: pd.DataFrame = with_cells(table).to_pandas()
            self._read = found
        return self._read


class LocalFileSeedReader(_TableSeedReader[LocalFileSeedSource]):
    """Reads files of rows."""


class HuggingFaceSeedReader(_TableSeedReader[HuggingFaceSeedSource]):
    """Reads files of rows of the Hugging Face hub."""


class DataFrameSeedReader(_TableSeedReader[DataFrameSeedSource]):
    """Reads DataFrames."""


class DirectorySeedReader(FileSystemSeedReader[DirectorySeedSource]):
    """Reads a folder, a row a file."""

    def build_manifest(self, *, context: SeedReaderFileSystemContext) -> list[dict[str, Any]]:
        """An entry for each file."""
        return _listed(self, "directory_file", context)


class FileContentsSeedReader(FileSystemSeedReader[FileContentsSeedSource]):
    """Reads a folder, a row a file, with its text."""

    output_columns: ClassVar[list[str] | None] = ["source_kind", "source_path", "relative_path", "file_name", "content"]

    def build_manifest(self, *, context: SeedReaderFileSystemContext) -> list[dict[str, Any]]:
        """An entry for each file."""
        return _listed(self, "file_contents", context)

    def hydrate_row(self, *, manifest_row: dict[str, Any], context: SeedReaderFileSystemContext) -> dict[str, Any]:
        """The entry with the text of its file."""
        path = Path(context.root_path) / manifest_row["relative_path"]
        return {**manifest_row, "content": text_of(path, self.source.encoding)}


class AgentRolloutSeedReader(FileSystemSeedReader[AgentRolloutSeedSource]):
    """Reads recorded sessions of agents, a row a file."""

    output_columns: ClassVar[list[str] | None] = [
        *("trace_id", "source_kind", "source_path", "root_session_id", "agent_id", "is_sidechain", "cwd"),
        *("project_path", "git_branch", "started_at", "ended_at", "messages", "source_meta", "message_count"),
        *("tool_call_count", "final_assistant_message"),
    ]

    def build_manifest(self, *, context: SeedReaderFileSystemContext) -> list[dict[str, Any]]:
        """An entry for each file."""
        return _listed(self, str(self.source.format), context)

    def hydrate_row(
        self, *, manifest_row: dict[str, Any], context: SeedReaderFileSystemContext
    ) -> list[dict[str, Any]]:
        """The row of a session; none where the file is no session."""
        row = session_row(Path(context.root_path), manifest_row["relative_path"], str(self.source.format))
        return [] if row is None else [row]


def _listed(
    reader: "FileSystemSeedReader[Any]", kind: str, context: SeedReaderFileSystemContext
) -> list[dict[str, Any]]:
    source = reader.source
    pattern = source.resolved_file_pattern if isinstance(source, AgentRolloutSeedSource) else source.file_pattern
    names = reader.get_matching_relative_paths(context=context, file_pattern=pattern, recursive=source.recursive)
    return [file_row(kind, Path(context.root_path), name) for name in names]


_BUILT_IN = (
    *(LocalFileSeedReader, HuggingFaceSeedReader, DataFrameSeedReader),
    *(DirectorySeedReader, FileContentsSeedReader, AgentRolloutSeedReader),
)


class SeedReaderRegistry:
    """Readers by the kind of source that they read."""

    def __init__(self, readers: "Sequence[SeedReader[Any]]") -> None:
        """Take readers. Raises SeedReaderError where two are for one kind of source."""
        self._readers: dict[str, SeedReader[Any]] = {}
        for reader in readers:
            self.add_reader(reader)

    def add_reader(self, reader: "SeedReader[Any]") -> None:
        """Take one more. Raises SeedReaderError where there is one for its kind of source."""
        if not isinstance(reader, SeedReader):
            raise SeedReaderError(f"seed_readers holds {reader!r}; each is an instance of a SeedReader")
        kind = reader.get_seed_type()
        if kind in self._readers:
            raise SeedReaderError(f"two seed readers are for sources of kind '{kind}'; give one")
        self._readers[kind] = reader

    def get_reader(self, seed_dataset_source: SeedSource, secret_resolver: SecretResolver) -> "SeedReader[Any]":
        """A copy of the reader for a source, which has it. Raises SeedReaderError where there is none."""
        kind = seed_dataset_source.seed_type
        if kind not in self._readers:
            there = ", ".join(self._readers) or "none"
            raise SeedReaderError(f"no seed reader is for sources of kind '{kind}'; there are those for {there}")
        reader = copy.copy(self._readers[kind])
        reader.attach(seed_dataset_source, secret_resolver)
        return reader

    def read(self, seed: SeedConfig, secret_resolver: SecretResolver) -> pa.Table:
        """The selected rows of a seed dataset.

        Raises:
            SeedReaderError: there is no reader for its source, or it failed.
            SeedDatasetError: the selection reaches beyond what there is.
        """
        reader = self.get_reader(seed.source, secret_resolver)
        if type(reader) in _BUILT_IN:
            return read_seed(seed, lambda key: key and secret_resolver.resolve(key))
        import pandas as pd

        where = type(reader).__name__
        try:
            rows = chosen_rows(seed, reader.get_seed_dataset_size())
            index_range = IndexRange(start=rows.start, end=rows.stop - 1) if len(rows) else None
            read = reader.create_batch_reader(batch_size=_BATCH, index_range=index_range, shuffle=False)
            frames = [*_frames(read)]
            names = reader.get_column_names()
        except DataDesignerError:
            raise
        except Exception as error:
            # A reader is the user's code.
            raise SeedReaderError(f"the seed reader {where} failed: {type(error).__name__}: {error}") from error
        whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
        return table_from_frame(whole, f"of {where}")


def _frames(read: SeedReaderBatchReader) -> "Iterator[pd.DataFrame]":
    while True:
        try:
            batch = read.read_next_batch()
        except StopIteration:
            return
        yield batch.to_pandas()
