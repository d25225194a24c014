"""Reads a JSON file of rows: an object a line, or one list of objects."""

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import pyarrow as pa

from data_designer.columns.seeds.arrow_types import RefusedError, column_of
from data_designer.columns.seeds.csv_files import encoding_marked
from data_designer.columns.seeds.large_cells import Aside, LargeCells, value_set_aside, with_places
from data_designer.errors import SeedReaderError
from data_designer.object_storage import Location

_EXACT_FLOAT = 15
"""Characters of a fraction that a float holds, whatever they are."""
_START, _PIECE = 4096, 1 << 20
"""Bytes that are read to see what a file is, and at a time."""


def json_rows(
    place: Location, content: pa.NativeFile, encoding: str | None, cells: LargeCells
) -> list[dict[str, object]]:
    """The rows of a file; their large values are set aside, line by line where that can be done.

    Raises:
        SeedReaderError: it is malformed; the message names the line.
        UnicodeDecodeError: it is not in its encoding.
        OSError: it cannot be read, or large values cannot be set aside.
    """
    start = content.read(_START)
    encoding = encoding or encoding_marked(start) or "utf-8"
    content.seek(0)
    if _is_by_line(start, encoding):
        try:
            return [_lightened(row, cells) for row in _objects(place, _each_line(place, content))]
        except (UnicodeDecodeError, SeedReaderError):
            content.seek(0)  # What is wrong is found where all of it can be seen.
    text = content.read().decode(encoding).removeprefix("\ufeff")
    found = _json(place, 1, text) if text.lstrip().startswith("[") else _lines(place, text)
    return [_lightened(row, cells) for row in _objects(place, found if isinstance(found, list) else ())]


def _is_by_line(start: bytes, encoding: str) -> bool:
    """Whether a file can be divided into lines before it is decoded, and is no list."""
    return codecs.lookup(encoding).name == "utf-8" and not start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")


def _each_line(place: Location, content: pa.NativeFile) -> Iterator[object]:
    rest, number = b"", 0
    while piece := content.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number += 1
            yield from _line(place, number, line)
    yield from _line(place, number + 1, rest)


def _line(place: Location, number: int, line: bytes) -> Iterator[object]:
    text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode()
    if text.strip():
        yield _json(place, number, text)


def _objects(place: Location, found: Iterable[object]) -> Iterator[dict[str, object]]:
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise SeedReaderError(f"the seed file {place} is malformed: row {number} is no JSON object")
        yield row


def _lightened(row: dict[str, object], cells: LargeCells) -> dict[str, object]:
    for name, value in row.items():
        if isinstance(value, str | list) and (aside := value_set_aside(value, cells)) is not None:
            row[name] = aside
    return row


def table_of(rows: Sequence[dict[str, object]], where: str) -> pa.Table:
    """A table of rows; a member that a row lacks is null.

    Raises:
        SeedReaderError: a column cannot be kept.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    columns: list[tuple[pa.Field, pa.Array]] = []
    for name in names:
        values = [row.get(name) for row in rows]
        places = [value.cell.at if isinstance(value, Aside) else None for value in values]
        try:
            field, array = column_of(name, [one.small if isinstance(one, Aside) else one for one in values])
        except RefusedError as error:
            raise SeedReaderError(f"column '{name}' of the seed dataset {where} {error}") from error
        columns += with_places(field, array, places)
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))


def _lines(place: Location, text: str) -> list[object]:
    # Not splitlines, which also splits at characters that JSON allows within texts.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        return [_json(place, number, line) for number, line in lines]
    except SeedReaderError:
        if _is_object(text):
            raise SeedReaderError(
                f"the seed file {place} is one JSON object over several lines, and no rows: write an object a line, "
                "or a list of objects"
            ) from None
        raise


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _json(place: Location, first_line: int, text: str) -> object:
    try:
        return json.loads(text, parse_float=_float)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise SeedReaderError(f"the seed file {place} is malformed at line {line}: {error.msg}; correct it") from error
    except (ValueError, RecursionError) as error:
        raise SeedReaderError(f"the seed file {place} cannot be read at line {first_line}: {error}") from error


def _float(text: str) -> float | Decimal:
    number = float(text)
    if (len(text) <= _EXACT_FLOAT and "e" not in text.lower()) or Decimal(repr(number)) == Decimal(text):
        return number
    return Decimal(text)
