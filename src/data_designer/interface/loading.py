"""Reads a dataset's files back into DataFrames."""

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from data_designer.columns.arrow_types import is_json
from data_designer.engine.dataset.arrow_types import cells_of, concatenated, unified_schema, widened
from data_designer.engine.dataset.encoding import as_text, json_text
from data_designer.engine.dataset.promotion import schema_of
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError, InvalidFileFormatError
from data_designer.object_storage import Location, Objects, location

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("jsonl", "csv", "parquet")

_IN_QUOTES = re.compile(
    r"""[",\r\n]|^\s|\s$|^[-+.]?\d|^(?:nan|null|none|na|n/a|true|false|inf(?:inity)?)$""", re.IGNORECASE
)
"""Text of CSV that readers would split, trim, or take for something else."""


def load(contents: Iterable[bytes]) -> "pd.DataFrame":
    """All rows of some Parquet files of one schema, given by their contents; JSON columns decoded."""
    tables = [_table(content) for content in contents]
    if not tables:
        import pandas as pd

        return pd.DataFrame()
    return to_frame(concatenated(tables))


def to_frame(table: pa.Table) -> "pd.DataFrame":
    """A table as a DataFrame with Arrow types; columns of JSON text become the values they stand for."""
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype, use_threads=False)
    for field in table.schema:
        if is_json(field):
            values = cells_of(table.column(field.name), field)
            frame[field.name] = pd.Series(values, dtype=object, index=frame.index)
    return frame


def _table(content: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    # In this thread: a pool of Arrow's that is busy when the process ends would abort it.
    return pq.read_table(pa.BufferReader(content), use_threads=False, pre_buffer=False)


def export(store: Store, path: "str | Location", form: str | None) -> Location:
    """Stream the rows of a dataset into one file or object, batch by batch.

    In jsonl and csv, columns of JSON text are what they stand for; lists and dicts in csv are JSON text.

    Args:
        store: the dataset.
        path: of the file or object.
        form: jsonl, csv or parquet; None for what the suffix of the path says.

    Raises:
        InvalidFileFormatError: the format is none of jsonl, csv, parquet.
        ArtifactStorageError: there are no rows, or a folder is where the file is to be.
        OSError: the file cannot be written.
    """
    target = location(path)
    write = _writer(target, form)
    # Files of a run that was killed may differ in types.
    schema = schema_of(store)
    if not len(schema):
        raise ArtifactStorageError("there is nothing to export: the dataset has no batches")
    tables = (widened(_table(content), schema) for content in store.contents())
    if isinstance(target, Path):
        write(schema, tables, target)
    else:
        with tempfile.TemporaryDirectory() as folder:
            write(schema, tables, Path(folder, target.name))
            Objects(target.parent).upload(target.name, Path(folder, target.name))
    return target


def export_files(read: Sequence[Callable[[], bytes]], path: Path, form: str | None) -> Path:
    """Write the rows of some Parquet files, whose types may differ, into one file, as `export` does.

    Args:
        read: what gives the contents of each.
        path: of the file.
        form: jsonl, csv or parquet; None for what the suffix of the path says.
    """
    import pyarrow.parquet as pq

    write = _writer(path, form)
    schemas = [pq.read_schema(pa.BufferReader(content())) for content in read]
    schema = unified_schema(schemas)
    write(schema, (widened(_table(content()), schema) for content in read), path)
    return path


def _writer(target: Location, form: str | None) -> Callable[[pa.Schema, Iterable[pa.Table], Path], None]:
    kind = export_format(target, form)
    return {"parquet": _to_parquet, "csv": _to_csv, "jsonl": _to_jsonl}[kind]


def export_format(target: Location, form: str | None) -> str:
    """Which format an export would have: the one that is named, else the one of the file's ending.

    Raises:
        InvalidFileFormatError: there is no such format.
        ArtifactStorageError: a folder is where the file is to be.
    """
    kind = (target.suffix.lstrip(".") if form is None else form).lower()
    if kind not in FORMATS:
        raise InvalidFileFormatError(f"export writes {', '.join(FORMATS)}; not {kind or target.name!r}")
    if isinstance(target, Path) and target.is_dir():
        raise ArtifactStorageError(f"{target} is a folder, and cannot be replaced by an export; name another file")
    return kind


def _to_parquet(schema: pa.Schema, tables: Iterable[pa.Table], target: Path) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(target, schema) as writer:
        for table in tables:
            writer.write_table(table)


def _to_csv(schema: pa.Schema, tables: Iterable[pa.Table], target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="") as out:
        out.write(f"{','.join(map(_csv, schema.names))}\n")
        for table in tables:
            columns = [map(_csv, _cells(table, field)) for field in schema]
            out.writelines(f"{','.join(row)}\n" for row in zip(*columns, strict=True))


def _csv(cell: object) -> str:
    """A cell as CSV holds it: null is nothing, and text that could be taken for nothing or a number is in quotes."""
    match cell:
        case None:
            return ""
        case str():
            return _quoted(cell) if not cell or _IN_QUOTES.search(cell) else cell
        case dict() | list():
            return _quoted(json_text(cell))
        case bytes():
            return _quoted(as_text(cell))
        case _:
            return str(cell)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _to_jsonl(schema: pa.Schema, tables: Iterable[pa.Table], target: Path) -> None:
    with target.open("w", encoding="utf-8") as out:
        for table in tables:
            columns = [_cells(table, field) for field in schema]
            for row in zip(*columns, strict=True):
                out.write(f"{json_text(dict(zip(schema.names, row, strict=True)))}\n")


def _cells(table: pa.Table, field: pa.Field) -> list[object]:
    return cells_of(table.column(field.name), field)
