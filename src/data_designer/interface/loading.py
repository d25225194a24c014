"""Reads a dataset's files back into DataFrames."""

import csv
import tempfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_designer.engine.schema import decode_json, is_json
from data_designer.errors import ArtifactStorageError, InvalidFileFormatError
from data_designer.object_storage import Location, Objects, location

FORMATS = ("jsonl", "csv", "parquet")


def load(contents: Iterable[bytes]) -> pd.DataFrame:
    """All rows of some Parquet files of one schema, given by their contents; JSON columns decoded."""
    tables = [_table(content) for content in contents]
    if not tables:
        return pd.DataFrame()
    table = pa.concat_tables(tables, promote_options="permissive")
    return to_frame(table)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A table as a DataFrame with Arrow types; columns of JSON text become the values they stand for."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    for field in table.schema:
        if is_json(field):
            values = [decode_json(text) for text in table.column(field.name).to_pylist()]
            frame[field.name] = pd.Series(values, dtype=object, index=frame.index)
    return frame


def _table(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content))


def export(contents: Iterable[bytes], path: "str | Location", form: str | None) -> Location:
    """Stream the rows of some Parquet files, given by their contents, into one file or object, batch by batch.

    Raises:
        InvalidFileFormatError: the format is none of jsonl, csv, parquet.
        ArtifactStorageError: there are no rows, or a folder is where the file is to be.
        OSError: the file cannot be written.
    """
    target = location(path)
    kind = export_format(target, form)
    write = {"parquet": _to_parquet, "csv": _to_csv, "jsonl": _to_jsonl}[kind]
    tables = map(_table, contents)
    first = next(tables, None)
    if first is None:
        raise ArtifactStorageError("there is nothing to export: the dataset has no batches")
    if isinstance(target, Path):
        write(first, tables, target)
    else:
        with tempfile.TemporaryDirectory() as folder:
            write(first, tables, Path(folder, target.name))
            Objects(target.parent).upload(target.name, Path(folder, target.name))
    return target


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


def _to_parquet(first: pa.Table, others: Iterable[pa.Table], target: Path) -> None:
    with pq.ParquetWriter(target, first.schema) as writer:
        for table in chain([first], others):
            writer.write_table(table.select(first.schema.names))


def _to_csv(first: pa.Table, others: Iterable[pa.Table], target: Path) -> None:
    for number, table in enumerate(chain([first], others)):
        frame = to_frame(table.select(first.schema.names))
        frame.to_csv(target, mode="a" if number else "w", header=not number, index=False, quoting=csv.QUOTE_MINIMAL)


def _to_jsonl(first: pa.Table, others: Iterable[pa.Table], target: Path) -> None:
    with target.open("w", encoding="utf-8") as out:
        for table in chain([first], others):
            text = to_frame(table).to_json(orient="records", lines=True, force_ascii=False, date_format="iso")
            out.write(text if text.endswith("\n") else f"{text}\n")
