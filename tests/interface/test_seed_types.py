"""Seed columns of every Arrow type, carried through a dataset: equal afterwards, or refused by name before."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.arrow_corpus import KEPT, REFUSED, as_frame, plain

import data_designer.config as dd
from data_designer.columns.seeds.arrow_types import kept_type
from data_designer.errors import DataDesignerGenerationError
from data_designer.interface import DataDesigner
from data_designer.interface.results import DatasetCreationResults

pytestmark = pytest.mark.usefixtures("sockets")


def declared(source: Any, **expressions: str) -> dd.DataDesignerConfigBuilder:
    """A configuration that carries a seed dataset and renders expressions of it."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[])
    builder.with_seed_dataset(source)
    for name, expression in (expressions or {"carried": "yes"}).items():
        builder.add_column(name=name, column_type="expression", expr=expression)
    return builder


def carried(path: Path, source: Any, records: int, **expressions: str) -> DatasetCreationResults:
    """Make a dataset in this process."""
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(executor="inline", seed=7, buffer_size=2))
    return designer.create(declared(source, **expressions), num_records=records)


def test_every_type_that_parquet_holds_is_carried(tmp_path: Path) -> None:
    """The dataset's columns have the seed's types and values, for pandas too, over several files."""
    pq_types = {name: array for name, array in KEPT.items() if not pa.types.is_run_end_encoded(array.type)}
    seed = pa.table(pq_types)
    pq.write_table(seed, tmp_path / "seed.parquet")
    results = carried(tmp_path / "made", dd.LocalFileSeedSource(path=str(tmp_path / "seed.parquet")), 3)
    files = sorted(results.artifact_storage.final_dataset_path.glob("*.parquet"))  # type: ignore[union-attr]
    assert len(files) == 2
    table = pa.concat_tables(map(pq.read_table, files))
    frame = results.load_dataset()
    for name, array in pq_types.items():
        assert table.schema.field(name).type == kept_type(pq.read_schema(tmp_path / "seed.parquet").field(name).type)
        assert plain(table.column(name).to_pylist()) == plain(array.to_pylist()), name
        assert plain(frame[name].tolist()) == plain(array.to_pylist()), name


@pytest.mark.parametrize("name", ["run_end_encoded", "dictionary of integers", "arrow.uuid", "struct", "uint64"])
def test_a_data_frame_may_have_arrow_types(tmp_path: Path, name: str) -> None:
    """Such as Parquet does not hold, but holds the values of."""
    results = carried(tmp_path, dd.DataFrameSeedSource(df=as_frame(KEPT[name])), 3)
    assert plain(results.load_dataset()["v"].tolist()) == plain(KEPT[name].to_pylist())


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_kept_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """Before anything is made."""
    array, said = REFUSED[name]
    with pytest.raises(DataDesignerGenerationError, match="column 'v' of the seed dataset DataFrame") as refusal:
        carried(tmp_path, dd.DataFrameSeedSource(df=as_frame(array)), 1)
    assert said in str(refusal.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "expression", "printed"),
    [
        ("uint64", "{{ v }}", ["0", str(2**64 - 1)]),
        ("float16", "{{ v }} {{ v * 2 }}", ["0.1 0.2", "-2.5 -5.0"]),
        ("float32", "{{ v }}", ["0.1", "16777216.0"]),
        ("decimal128", "{{ v }} {{ v * 2 }}", ["12345678901234567.89 24691357802469135.78", "19.90 39.80"]),
        ("decimal256", "{{ v }}", ["1" * 60 + ".89", "19.90"]),
        ("binary", "{{ v }}.", ["iVBOR/8A.", "."]),
        ("date32", "{{ v }}", ["2024-02-29", "0001-01-01"]),
        ("time32[s]", "{{ v }}", ["00:00:01", "23:59:59"]),
        ("timestamp[ns]", "{{ v }}", ["2023-11-14T22:13:20.000000001", "1969-12-31T23:59:59.999999999"]),
        ("timestamp[us, +05:30]", "{{ v }}", ["2023-11-15T03:43:20+05:30", "1970-01-01T05:29:59.999999+05:30"]),
        ("duration[ns]", "{{ v }}", ["1700000000.000000001", "-1e-09"]),
        ("duration[s]", "{{ v / 60 }}", ["28333333.333333332", "-0.016666666666666666"]),
        ("dictionary of integers", "{{ v + 1 }}", ["6", "8"]),
        ("struct", "{{ v.path }} {{ v.bytes }} {{ v.taken }}", ["a /w== 2023-11-14T22:13:20.000000001", None]),
        ("map", "{{ v }}", ["[['k', 1], ['l', None]]", "[]"]),
        ("arrow.uuid", "{{ v }}", ["00000000-0000-0000-0000-000000000005", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
    ],
)
def test_templates_see_what_is_kept(tmp_path: Path, name: str, expression: str, printed: list[str | None]) -> None:
    """With all digits."""
    source = dd.DataFrameSeedSource(df=as_frame(KEPT[name]))
    frame = carried(tmp_path, source, 2, seen=expression).load_dataset()
    for value, wanted in zip(frame["seen"].tolist(), printed, strict=True):
        assert wanted is None or value == wanted


def test_a_number_that_is_none_stays_one(tmp_path: Path) -> None:
    """NaN is not null."""
    frame = pd.DataFrame({"v": pd.Series([math.nan, None], dtype=pd.ArrowDtype(pa.float64()))})
    frame["v"] = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([[math.nan, None]], pa.float64())))
    values = carried(tmp_path, dd.DataFrameSeedSource(df=frame), 2).load_dataset()["v"].tolist()
    assert math.isnan(values[0])
    assert values[1] is pd.NA


def test_json_values_without_a_common_type_are_carried(tmp_path: Path) -> None:
    """They are what they were in the file, also where templates see them."""
    values = ["x", 1, {"b": 2.5}, None, [True]]
    (tmp_path / "seed.jsonl").write_text("\n".join(json.dumps({"v": value}) for value in values))
    source = dd.LocalFileSeedSource(path=str(tmp_path / "seed.jsonl"))
    frame = carried(tmp_path / "made", source, 5, seen="{{ v }}.").load_dataset()
    assert plain(frame["v"].tolist()) == values
    assert frame["seen"].tolist() == ["x.", "1.", "{'b': 2.5}.", "None.", "[True]."]


def test_a_rejected_record_shows_its_seed_row(tmp_path: Path) -> None:
    """Whatever is in it."""
    frame = pd.DataFrame({"n": [2**70] * 2, "price": [KEPT["decimal128"][1].as_py()] * 2, "ok": [True, False]})
    source = dd.DataFrameSeedSource(df=frame)
    results = carried(tmp_path, source, 2, bad="{{ 1 / (1 if ok else 0) }}")
    seed = json.loads(results.load_rejected()["seed"][0])
    assert seed == {"n": str(2**70), "price": "19.90", "ok": False}
