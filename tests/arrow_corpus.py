"""A column of every Arrow type, with values that are easily lost: what a seed dataset may hold, and what it may not."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_DAY = dt.date(2024, 2, 29)
_COUNT = 1_700_000_000_000_000_001
"""Nanoseconds of a moment that no float and no microsecond holds."""


def _counted(arrow: pa.DataType, *counts: int) -> pa.Array:
    small = pa.int32() if arrow.bit_width == 32 else pa.int64()
    return pa.array([*counts, None], small).cast(arrow)


def _integers() -> dict[str, pa.Array]:
    found = {}
    for bits in (8, 16, 32, 64):
        found[f"int{bits}"] = pa.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, None], f"int{bits}")
        found[f"uint{bits}"] = pa.array([0, 2**bits - 1, None], f"uint{bits}")
    return found


def _numbers() -> dict[str, pa.Array]:
    return {
        "float16": pa.array([0.1, -2.5, None], pa.float16()),
        "float32": pa.array([0.1, 16777216.0, None], pa.float32()),
        "float64": pa.array([0.1, 5e-324, None], pa.float64()),
        "decimal32": pa.array([Decimal("19.90"), Decimal("-0.01"), None], pa.decimal32(7, 2)),
        "decimal64": pa.array([Decimal("19.90"), Decimal("-0.01"), None], pa.decimal64(16, 2)),
        "decimal128": pa.array([Decimal("12345678901234567.89"), Decimal("19.90"), None], pa.decimal128(38, 2)),
        "decimal256": pa.array([Decimal("1" * 60 + ".89"), Decimal("19.90"), None], pa.decimal256(76, 2)),
        "bool": pa.array([True, False, None]),
    }


def _texts() -> dict[str, pa.Array]:
    texts, raws = ["é\0\U0001f600", "", None], [b"\x89PNG\xff\x00", b"", None]
    return {
        "string": pa.array(texts, pa.string()),
        "large_string": pa.array(texts, pa.large_string()),
        "string_view": pa.array(texts, pa.string_view()),
        "binary": pa.array(raws, pa.binary()),
        "large_binary": pa.array(raws, pa.large_binary()),
        "binary_view": pa.array(raws, pa.binary_view()),
        "fixed_size_binary": pa.array([b"\xff\x00", b"ab", None], pa.binary(2)),
    }


def _moments() -> dict[str, pa.Array]:
    found = {
        "date32": pa.array([_DAY, dt.date.min, None], pa.date32()),
        "date64": pa.array([_DAY, dt.date.max, None], pa.date64()),
        "time32[s]": _counted(pa.time32("s"), 1, 86399),
        "time32[ms]": _counted(pa.time32("ms"), 1, 86399999),
        "time64[us]": _counted(pa.time64("us"), 1, 86399999999),
        "time64[ns]": _counted(pa.time64("ns"), 1000, 86399999999000),
    }
    for unit, digits in (("s", 9), ("ms", 6), ("us", 3), ("ns", 0)):
        for zone in (None, "UTC", "Europe/Berlin", "+05:30"):
            name = f"timestamp[{unit}{f', {zone}' if zone else ''}]"
            found[name] = _counted(pa.timestamp(unit, zone), _COUNT // 10**digits, -1)
        found[f"duration[{unit}]"] = _counted(pa.duration(unit), _COUNT // 10**digits, -1)
    return found


def _nested() -> dict[str, pa.Array]:
    lists = [[1, None], [], None]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string()), ("taken", pa.timestamp("ns"))])
    return {
        "null": pa.nulls(3),
        "list": pa.array(lists, pa.list_(pa.int32())),
        "large_list": pa.array(lists, pa.large_list(pa.int32())),
        "list_view": pa.array(lists, pa.list_view(pa.int32())),
        "large_list_view": pa.array(lists, pa.large_list_view(pa.int32())),
        "fixed_size_list": pa.array([[0.5, None], [1, 2], None], pa.list_(pa.float64(), 2)),
        "struct": pa.array(
            [{"bytes": b"\xff", "path": "a", "taken": pd.Timestamp(_COUNT)}, {"bytes": None}, None], image
        ),
        "list of structs": pa.array(
            [[{"price": Decimal("19.90"), "of": 2**64 - 1}], [], None],
            pa.list_(pa.struct([("price", pa.decimal128(9, 2)), ("of", pa.uint64())])),
        ),
        "map": pa.array([[("k", 1), ("l", None)], [], None], pa.map_(pa.string(), pa.int32())),
        "dictionary of strings": pa.array(["low", "high", None]).dictionary_encode(),
        "dictionary of integers": pa.array([5, 7, None]).dictionary_encode(),
        "dictionary in a struct": pa.StructArray.from_arrays([pa.array(["a", "b", None]).dictionary_encode()], ["of"]),
        "run_end_encoded": pc.run_end_encode(pa.array(["a", "a", None])),
        "arrow.uuid": pa.array([uuid.UUID(int=5), uuid.UUID(int=2**128 - 1), None], pa.uuid()),
        "arrow.json": pa.array(['{"a": [1.50]}', "null", None], pa.json_(pa.string())),
        "arrow.bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
    }


KEPT = _integers() | _numbers() | _texts() | _moments() | _nested()
"""Name of a type to a column of three values, the last of them null."""

REFUSED: dict[str, tuple[pa.Array, str]] = {
    "interval[month_day_nano]": (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "which Parquet does not hold"),
    "union": (
        pa.UnionArray.from_dense(
            pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["a"])]
        ),
        "which Parquet does not hold",
    ),
    "struct without members": (pa.array([{}], pa.struct([])), "without members"),
    "struct with two members of a name": (
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]),
        "with two members of one name",
    ),
    "decimal128 of a negative scale": (pa.array([Decimal(1200)], pa.decimal128(5, -2)), "which Parquet does not hold"),
    "time64[ns] with nanoseconds": (_counted(pa.time64("ns"), 1), "which Python cannot hold; cast it to time64[us]"),
    "date64 with a time of day": (
        pa.array([86_400_001], pa.int64()).view(pa.date64()),
        "kept as date32[day], which loses something",
    ),
    "date32 beyond the year 9999": (_counted(pa.date32(), 2_932_897), "holds what Python cannot hold"),
    "timestamp[us] beyond the year 9999": (_counted(pa.timestamp("us"), 2**60), "holds what Python cannot hold"),
    "duration[s] beyond 2.7 million years": (_counted(pa.duration("s"), 2**60), "holds what Python cannot hold"),
    "list of such": (pa.array([[2**60]], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("us"))), "cannot hold"),
    "list_view of such": (
        pa.ListViewArray.from_arrays([0], [1], _counted(pa.time64("ns"), 1)),
        "which Python cannot hold; cast it",
    ),
    "dictionary of such": (_counted(pa.timestamp("us"), 2**60).dictionary_encode(), "holds what Python cannot hold"),
    "fixed_shape_tensor": (
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int32(), [2]), pa.array([[1, 2]], pa.list_(pa.int32(), 2))
        ),
        "cast it to its storage type",
    ),
}
"""Name of a type to a column, and what is said of it."""


def as_frame(array: pa.Array) -> pd.DataFrame:
    """A DataFrame whose column `v` is the array."""
    return pd.DataFrame({"v": pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))})


def plain(value: Any) -> Any:
    """A value as every reader may give it: sequences and maps as lists, what is missing as None."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        return [plain(inner) for inner in value]
    return None if value is pd.NA or value is pd.NaT else value
