"""What becomes of a seed column of each Arrow type: in the dataset, in a prompt, and for readers of its Parquet files.

    python tests/benchmarks/arrow_types.py               the table of docs/reference/seed-datasets.md

DuckDB and `datasets` are asked where they are installed; neither is a dependency.
"""

import importlib
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from tests.arrow_corpus import KEPT, REFUSED, as_frame, plain

import data_designer.config as dd
from data_designer.errors import DataDesignerError
from data_designer.interface import DataDesigner

_LONGEST = 40


def main() -> None:
    """Print the table."""
    logging.disable(logging.CRITICAL)
    readers = _readers()
    print(f"| Arrow type | stored as | `{{{{ column }}}}` prints | {' | '.join(readers)} |")
    print("|---" * (3 + len(readers)) + "|")
    for name, array in KEPT.items():
        print(f"| {name} | {' | '.join(_row(array, readers))} |", flush=True)
    print("\nRefused, before anything is asked:\n")
    for name, (array, _) in REFUSED.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                _carried(folder, array)
            except DataDesignerError as error:
                print(f"- {name}: {str(error).split('DataFrame', 1)[1].strip()}")
            else:
                print(f"- {name}: NOT REFUSED")


def _readers() -> dict[str, Callable[[Path], list[Any]]]:
    found: dict[str, Callable[[Path], list[Any]]] = {"pandas": _pandas}
    for name, read in (("duckdb", _duckdb), ("datasets", _datasets)):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        found[name] = read
    return found


def _row(array: pa.Array, readers: dict[str, Callable[[Path], list[Any]]]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = _carried(folder, array)
        table = pq.read_table(file)
        right = plain(array.to_pylist())
        assert plain(table["v"].to_pylist()) == right
        shown = _short(table["seen"][0].as_py().strip("."))
        return [
            _short(str(table.schema.field("v").type)),
            shown,
            *(_verdict(read, file, right) for read in readers.values()),
        ]


def _carried(folder: str, array: pa.Array) -> Path:
    builder = dd.DataDesignerConfigBuilder(model_configs=[])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=as_frame(array)))
    builder.add_column(name="seen", column_type="expression", expr="{{ v }}.")
    designer = DataDesigner(folder)
    designer.set_run_config(dd.RunConfig(executor="inline", seed=1, otel_metrics_port=None))
    results = designer.create(builder, num_records=len(array))
    return next(Path(str(results.artifact_storage.final_dataset_path)).glob("*.parquet"))


def _verdict(read: Callable[[Path], list[Any]], file: Path, right: list[Any]) -> str:
    try:
        values = plain(read(file))
    except Exception as error:  # noqa: BLE001 - whatever a reader says
        return f"refused: {_short(str(error))}"
    return "equal" if values == right else f"as {_short(repr(values[0]))}"


def _pandas(file: Path) -> list[Any]:
    import pandas as pd

    values: list[Any] = pd.read_parquet(file, columns=["v"], dtype_backend="pyarrow")["v"].tolist()
    return values


def _duckdb(file: Path) -> list[Any]:
    import duckdb  # type: ignore[import-not-found]

    with duckdb.connect() as database:
        asked = database.execute("select v from read_parquet(?)", [str(file)])
        values: list[Any] = asked.to_arrow_table()["v"].to_pylist()
        # Its moments in Python have microseconds only, its identifiers in Arrow are text.
        rows = [row[0] for row in asked.execute("select v from read_parquet(?)", [str(file)]).fetchall()]
        return [row if isinstance(row, UUID) else value for row, value in zip(rows, values, strict=True)]


def _datasets(file: Path) -> list[Any]:
    import datasets  # type: ignore[import-not-found]

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        found = datasets.Dataset.from_parquet(str(file), cache_dir=cache, keep_in_memory=True)
        values: list[Any] = found["v"][:]
        return values


def _short(text: str) -> str:
    text = " ".join(text.replace("|", "\\|").replace("\0", "\\0").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


if __name__ == "__main__":
    main()
