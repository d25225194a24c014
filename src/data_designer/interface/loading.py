"""Reads a dataset's files back into DataFrames."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_designer.engine.schema import decode_json, is_json
from data_designer.errors import ArtifactStorageError, InvalidFileFormatError

FORMATS = ("jsonl", "csv", "parquet")


def load(files: Iterable[Path]) -> pd.DataFrame:
    """All rows of some Parquet files of one schema, JSON columns decoded."""
    tables = [pq.read_table(path) for path in files]
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


def count(files: Iterable[Path]) -> int:
    """Rows of some Parquet files, from their footers."""
    return sum(pq.ParquetFile(path).metadata.num_rows for path in files)


def export(files: Iterable[Path], path: "str | Path", form: str | None) -> Path:
    """Stream the rows of some Parquet files into one file, batch by batch.

    Raises:
        InvalidFileFormatError: the format is none of jsonl, csv, parquet.
        ArtifactStorageError: there are no rows.
    """
    target = Path(path)
    kind = (form or target.suffix.lstrip(".")).lower()
    if kind not in FORMATS:
        raise InvalidFileFormatError(f"export writes {', '.join(FORMATS)}; not {kind or target.name!r}")
    files = list(files)
    if not files:
        raise ArtifactStorageError("there is nothing to export: the dataset has no batches")
    match kind:
        case "parquet":
            _to_parquet(files, target)
        case "csv":
            _to_csv(files, target)
        case _:
            with target.open("w", encoding="utf-8") as out:
                for file in files:
                    text = load([file]).to_json(orient="records", lines=True, force_ascii=False, date_format="iso")
                    out.write(text if text.endswith("\n") else f"{text}\n")
    return target


def _to_parquet(files: list[Path], target: Path) -> None:
    schema = pq.read_schema(files[0])
    with pq.ParquetWriter(target, schema) as writer:
        for file in files:
            writer.write_table(pq.read_table(file).select(schema.names))


def _to_csv(files: list[Path], target: Path) -> None:
    columns = pq.read_schema(files[0]).names
    for number, file in enumerate(files):
        frame = load([file])[columns]
        frame.to_csv(target, mode="a" if number else "w", header=not number, index=False, quoting=csv.QUOTE_MINIMAL)
