"""Digests of values that are no code: numbers, texts, moments, paths, patterns, arrays, tables.

They are the same in every process: nothing of memory addresses, hashes or the order of sets is in them, and no code of
the user is run. None stands for a value that is not of these kinds.
"""

import datetime as dt
import hashlib
import re
import sys
from array import array
from collections import deque
from collections.abc import Callable
from pathlib import PurePath
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 1 << 26
"""Bytes of an array or table that are looked at; of a larger one only so many, and its shape."""

_SIZE = 16

Describe = Callable[[object], bytes]
Some = TypeVar("Some")

_STANDARD = frozenset(
    {
        *("collections.ChainMap", "collections.UserDict", "collections.UserList"),
        *("collections.UserString", "decimal.Decimal", "fractions.Fraction", "ipaddress.IPv4Address"),
        *("ipaddress.IPv4Network", "ipaddress.IPv6Address", "ipaddress.IPv6Network", "operator.attrgetter"),
        *("operator.itemgetter", "operator.methodcaller", "statistics.NormalDist", "string.Template", "uuid.UUID"),
        "zoneinfo.ZoneInfo",
    }
)
"""Classes of Python that are values: what pickle would keep of one is all there is to it."""


def node(kind: str, *parts: bytes) -> bytes:
    """A digest of parts in their order."""
    found = hashlib.blake2b(kind.encode(), digest_size=_SIZE)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()


def text(value: str) -> bytes:
    """A text as bytes, whatever it holds."""
    return value.encode("utf-8", "surrogatepass")


def is_a(value: object, cls: type[Some]) -> TypeGuard[Some]:
    """Whether a value is of a class; `isinstance` would also believe what the value says of itself."""
    return issubclass(type(value), cls)


def scalar(value: object) -> bytes | None:
    """A number, a text, bytes, or one of Python's constants."""
    if type(value) is str:
        return b"s" + text(value)
    if type(value) is int:
        return b"i" + hex(value).encode()
    if type(value) in (bool, float, complex, type(None), EllipsisType, type(NotImplemented)):
        return b"c" + repr(value).encode()
    if type(value) is bytes or type(value) is bytearray:
        return b"b" + type(value).__name__.encode() + value
    return None


def plain(value: object) -> bytes | None:
    """A scalar in a class of its own, without that class: what it is as a text or a number."""
    if is_a(value, str):
        return b"s" + str.encode(value, "utf-8", "surrogatepass")
    if is_a(value, int):
        return b"i" + hex(int.__index__(value)).encode()
    if is_a(value, float):
        return b"c" + float.__repr__(value).encode()
    return b"b" + bytes.__add__(value, b"") if is_a(value, bytes) else None


def standard(value: object, describe: Describe) -> bytes | None:
    """A value of a class of Python itself, of numpy, pandas or Arrow."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__ == "datetime" or name in _STANDARD:
        return node(name, *map(describe, value.__reduce_ex__(2)[1:]))
    if issubclass(kind, dt.date | dt.time | dt.timedelta) and _is_of(kind, "pandas"):
        return node(name, text(repr(value)))
    if issubclass(kind, PurePath) and kind.__module__.partition(".")[0] == "pathlib":
        return node("path", text(str(value)))
    if is_a(value, re.Pattern):
        return node("pattern", describe(value.pattern), describe(value.flags))
    if type(value) is memoryview:
        return node(name, describe(value.shape), hashlib.blake2b(value[:MOST_BYTES].tobytes()).digest())
    if type(value) is range or type(value) is slice:
        return node(name, *map(describe, (value.start, value.stop, value.step)))
    return _table(value, describe)


def _is_of(kind: type, package: str) -> bool:
    return kind.__module__.partition(".")[0] == package


# --- arrays and tables -----------------------------------------------------------------------------------------


def _table(value: object, describe: Describe) -> bytes | None:
    """What holds many values; None for other things. Packages that are not loaded made none of it."""
    kind = type(value)
    if _is_of(kind, "numpy"):
        numpy = sys.modules["numpy"]
        return _array(value, describe) if issubclass(kind, numpy.ndarray | numpy.generic) else None
    if _is_of(kind, "pandas"):
        return _frame(value, describe)
    if type(value) is array:
        return node("array", text(value.typecode), hashlib.blake2b(value).digest())
    is_table = _is_of(kind, "pyarrow") or hasattr(kind, "__arrow_c_stream__")
    return _arrow(value) if is_table else None


def _array(value: object, describe: Describe) -> bytes:
    """An array of numpy, or one number of it."""
    import numpy as np

    hidden = [describe(np.ma.getmaskarray(value))] if isinstance(value, np.ma.MaskedArray) else []
    value = np.asarray(value)
    head = describe(value.dtype.str), describe(value.shape)
    if value.dtype.hasobject:
        return node("array", *hidden, *head, describe(value.tolist()))
    flat = value.reshape(-1)[: MOST_BYTES // max(value.itemsize, 1)]
    content = np.ascontiguousarray(flat).view(np.uint8).data if value.itemsize else b""
    return node("array", *hidden, *head, describe(str(value.dtype)), hashlib.blake2b(content).digest())


def _frame(value: object, describe: Describe) -> bytes | None:
    """A frame, a series or an index of pandas."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        columns = (value.iloc[:, place] for place in range(value.shape[1]))
        parts = [_values(column, describe) for column in columns]
        return node("frame", _index(value.columns, describe), _index(value.index, describe), *parts)
    if isinstance(value, pd.Series):
        return node("series", describe(value.name), _index(value.index, describe), _values(value, describe))
    return node("index", _index(value, describe)) if isinstance(value, pd.Index) else None


def _index(index: "pd.Index[Any]", describe: Describe) -> bytes:
    import pandas as pd

    names = describe(list(index.names))
    if isinstance(index, pd.RangeIndex):
        return node("range", names, *map(describe, (index.start, index.stop, index.step)))
    if isinstance(index, pd.MultiIndex):
        levels = [_index(level, describe) for level in index.levels]
        return node("levels", names, *levels, *(_array(codes, describe) for codes in index.codes))
    return node("values", names, _values(index, describe))


def _values(column: "pd.Index[Any] | pd.Series[Any]", describe: Describe) -> bytes:
    import numpy as np

    kind = describe(str(column.dtype))
    if column.dtype == object:
        return node("column", kind, describe(list(column.array)))
    if isinstance(column.dtype, np.dtype):
        return node("column", kind, _array(column.to_numpy(), describe))
    import pyarrow as pa

    return node("column", kind, _arrow(pa.array(column.array, from_pandas=True)) or b"")


def _arrow(value: object) -> bytes | None:
    """What Arrow holds, or gives as Arrow's stream; however it is cut into chunks."""
    import pyarrow as pa

    if isinstance(value, pa.DataType | pa.Field | pa.Schema):
        return node("arrow", text(str(value)))
    if isinstance(value, pa.Scalar):
        value = pa.array([value.as_py()], value.type)
    if isinstance(value, pa.Array | pa.ChunkedArray):
        table = pa.table({"": value})
    elif isinstance(value, pa.Table | pa.RecordBatch) or hasattr(type(value), "__arrow_c_stream__"):
        table = pa.table(value)
    else:
        return None
    rows = table.num_rows
    seen = min(rows, rows * MOST_BYTES // max(table.nbytes, 1))
    digest = hashlib.blake2b()
    whole = table.slice(0, seen).combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(Digesting(digest.update), mode="w"), whole.schema) as writer:
        writer.write_table(whole)
    return node("arrow", str(rows).encode(), digest.digest())


class Digesting:
    """A file that keeps nothing but a digest of what is written."""

    closed = False

    def __init__(self, update: Callable[[bytes], None]) -> None:
        self._update = update

    def write(self, content: bytes) -> int:
        """Take content in."""
        self._update(content)
        return len(content)

    def flush(self) -> None:
        """There is nothing to flush."""

    def close(self) -> None:
        """There is nothing to close."""


_CONTAINERS: tuple[tuple[type, str], ...] = (
    (tuple, "tuple"), (list, "list"), (deque, "list"), (set, "set"), (frozenset, "set")
)  # fmt: skip


def items_of(value: object) -> tuple[str, list[object]] | None:
    """Which kind of container a value is, and what is in it, as the kind itself keeps it; None where it is none."""
    for kind, name in _CONTAINERS:
        if issubclass(type(value), kind):
            return name, list(kind.__iter__(value))  # type: ignore[attr-defined]
    return None


def constant(value: object) -> bytes:
    """What a compiler makes: scalars in lists, tuples and frozen sets."""
    simple = scalar(value)
    if simple is not None:
        return simple
    kind, items = items_of(value) or ("other", [])
    parts = [constant(one) for one in items]
    return node(kind, *(sorted(parts) if kind == "set" else parts))
